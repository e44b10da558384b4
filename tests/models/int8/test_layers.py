"""Fake quantization: it computes what the int8 file computes, with the ranges that it was given."""

from __future__ import annotations

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings

from eyetune.device.estimate.tflite import read
from eyetune.device.export.litert import litert_scores
from eyetune.device.export.quantize import quantize
from eyetune.device.export.tflm import MicroInterpreter, is_available
from eyetune.models.int8.folding import fold
from eyetune.models.int8.layers import (
    FakeQuantize,
    FoldedWeights,
    folded_model,
    int8_scale,
    on_grid,
)
from eyetune.models.int8.observation import observe
from eyetune.models.int8.ranges import Range, fixed_ranges, range_owners
from eyetune.recipe import ModelSection
from eyetune.values.pixels import scaled_pixels
from tests.models.int8.networks import SECTIONS, random_images, solved, with_random_weights

IMAGES = random_images()
# The converter loses the range of an ELU that is reshaped, unless it is reshaped before.
RESHAPED_ELU = ModelSection(
    blocks=[{"filters": 6, "kernel_size": 1, "pool_size": 1}], activation="elu", padding="same"
)
MAX_DIFFERENCE = 0.05  # of a probability, from float rounding at the edge of two int8 values
MAX_MEAN_DIFFERENCE = 0.006  # the output itself is rounded to 1/256


def tensor_parameters(content: bytes) -> list[tuple[float, int]]:
    """Return scale and zero point of each int8 tensor with one scale."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        interpreter = tf.lite.Interpreter(model_content=content)
    parameters = [tensor["quantization_parameters"] for tensor in interpreter.get_tensor_details()]
    return [
        (float(values["scales"][0]), int(values["zero_points"][0]))
        for values in parameters
        if len(values["scales"]) == 1
    ]


@settings(max_examples=10, derandomize=True)
@given(section=SECTIONS)
@example(section=RESHAPED_ELU)
def test_fake_quantization_matches_the_int8_file(section: ModelSection) -> None:
    check_matches_the_int8_file(with_random_weights(section))


def test_fake_quantization_of_joined_branches_matches_the_int8_file() -> None:
    """Branches with activations of their own share the range of their concatenation."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    image = layers.Input(IMAGES.shape[1:])
    start = layers.Conv2D(4, 3, activation="relu", bias_initializer="normal")(image)
    branches = [
        layers.Conv2D(3, 1, activation="relu", bias_initializer="normal")(start),
        layers.Conv2D(4, 3, padding="same", activation="relu6")(start),
        layers.Conv2D(2, 1, activation="relu")(layers.MaxPooling2D(3, 1, padding="same")(start)),
    ]
    joined = layers.Concatenate()([layers.Concatenate()(branches[:2]), branches[2]])
    values = layers.GlobalAveragePooling2D()(layers.Conv2D(6, 3, activation="relu")(joined))
    check_matches_the_int8_file(
        keras.Model(image, layers.Dense(3, activation="softmax", bias_initializer="normal")(values))
    )


def check_matches_the_int8_file(model: keras.Model) -> None:
    network = fold(model)
    ranges = observe(network, IMAGES).ranges()
    content = quantize(folded_model(network, ranges), IMAGES[:2])
    in_file = tensor_parameters(content)
    owners = {owner for owner in range_owners(network) if owner is not None}
    for owner in owners - set(fixed_ranges(network)):
        bounds = ranges[owner]
        zero_point = round(-bounds.minimum / bounds.scale) - 128
        assert any(
            np.isclose(scale, bounds.scale, rtol=1e-4) and abs(zero - zero_point) <= 1
            for scale, zero in in_file
        ), network.nodes[owner].name
    fake = np.asarray(folded_model(network, ranges, quantized_weights=True)(scaled_pixels(IMAGES)))
    output = read(content).output
    if is_available():
        scores = MicroInterpreter(content).scores(IMAGES)
    else:
        scores = litert_scores(content, IMAGES)
    real = (scores.astype(np.float32) - output.zero_point) * output.scale
    difference = np.abs(fake - real)
    assert difference.max() < MAX_DIFFERENCE
    assert difference.mean() < MAX_MEAN_DIFFERENCE


@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_fake_quantization_agrees_with_tflm_on_1000_images(activation: str) -> None:
    model, train, validation = solved(activation)
    network = fold(model)
    ranges = observe(network, train.images).ranges()
    fake = folded_model(network, ranges, quantized_weights=True)
    probabilities = fake.predict(scaled_pixels(validation.images), verbose=0)
    classes = probabilities.argmax(axis=1)
    content = quantize(folded_model(network, ranges), train.images[:2])
    scores = litert_scores(content, validation.images)
    if is_available():
        scores = MicroInterpreter(content).scores(validation.images)
    assert len(validation) == 1000
    assert np.mean(scores.argmax(axis=1) == classes) >= 0.995
    # Not only the classes: almost all outputs are equal to the last bit.
    stored = Range(0.0, 255 / 256).rounded(probabilities)
    output = read(content).output
    real = (scores.astype(np.float32) - output.zero_point) * output.scale
    assert np.mean(np.isclose(stored, real, atol=1e-4)) >= 0.999


def test_rounded_weights_use_all_levels_of_each_channel() -> None:
    kernel = tf.constant(np.random.default_rng(0).normal(0, [1, 0.01], (3, 3, 4, 2)), tf.float32)
    rounded = on_grid(kernel, int8_scale(kernel, is_depthwise=False))
    scale = np.abs(kernel).max(axis=(0, 1, 2)) / 127
    levels = np.asarray(rounded) / scale
    np.testing.assert_allclose(levels, np.rint(levels), atol=1e-3)
    np.testing.assert_allclose(np.abs(levels).max(axis=(0, 1, 2)), 127, rtol=1e-5)
    assert np.abs(rounded - kernel).max() <= scale.max() / 2 * 1.001


def test_rounding_passes_gradients_to_weights_and_ranges() -> None:
    model, *_ = solved()
    network = fold(model)
    fake = folded_model(
        network,
        observe(network, random_images(8, (16, 16, 3))).ranges(),
        quantized_weights=True,
        learned=True,
    )
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(fake(scaled_pixels(random_images(8, (16, 16, 3))))[:, 0])
    gradients = tape.gradient(loss, [variable.value for variable in fake.trainable_variables])
    assert all(gradient is not None for gradient in gradients)
    weights = [layer for layer in fake.layers if isinstance(layer, FoldedWeights)]
    learned = [layer for layer in fake.layers if isinstance(layer, FakeQuantize) and layer.learned]
    assert len(gradients) == 2 * len(weights) + len(learned)


def test_learned_range_starts_as_given_and_follows_its_factor() -> None:
    layer = FakeQuantize(0, Range(-1.0, 2.0), learned=True)
    assert layer.current() == Range(-1.0, 2.0)
    (factor,) = layer.trainable_variables
    factor.assign(np.log(2.0))
    assert layer.current().minimum == pytest.approx(-2.0)
    assert layer.current().maximum == pytest.approx(4.0)
    values = np.asarray(layer(tf.constant([3.5, 9.0])))
    assert 3.4 < values[0] < 3.6
    assert 3.9 < values[1] < 4.1


def test_fixed_range_has_nothing_to_learn() -> None:
    layer = FakeQuantize(0, Range(0.0, 1.0), learned=False)
    keras.Sequential([keras.layers.Input((2,)), layer])
    assert not layer.trainable_variables


@pytest.mark.parametrize("bounds", [Range(0.0, 1.0), Range(-0.7, 1.1)])
def test_range_gradient_points_to_less_error(bounds: Range) -> None:
    layer = FakeQuantize(0, bounds, learned=True)
    values = tf.constant(np.random.default_rng(0).uniform(-2, 2, 4000), tf.float32)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((layer(values) - values) ** 2)
    (gradient,) = tape.gradient(loss, [variable.value for variable in layer.trainable_variables])
    assert gradient < 0  # a larger range cuts off less


def test_values_outside_the_range_get_no_gradient() -> None:
    layer = FakeQuantize(0, Range(-1.0, 1.0), learned=True)
    values = tf.constant([-3.0, -0.5, 0.5, 3.0])
    with tf.GradientTape() as tape:
        tape.watch(values)
        loss = tf.reduce_sum(layer(values))
    np.testing.assert_array_equal(tape.gradient(loss, values), [0, 1, 1, 0])


@pytest.mark.skipif(not is_available(), reason="tflite-micro has no wheel for this platform")
@pytest.mark.parametrize("size", [5, 8])
def test_fake_quantization_computes_means_as_tflm(size: int) -> None:
    shape = (size, size, 3)
    stack = [keras.layers.Input(shape), keras.layers.GlobalAveragePooling2D()]
    network = fold(keras.Sequential(stack))
    ranges = {0: Range(0.0, 1.0), 1: Range(0.0, 0.83)}
    images = np.random.default_rng(0).integers(0, 256, (500, *shape), np.uint8)
    fake = np.asarray(folded_model(network, ranges, quantized_weights=True)(scaled_pixels(images)))
    content = quantize(folded_model(network, ranges), images[:2])
    stored = MicroInterpreter(content).scores(images).astype(np.int32) + 128
    np.testing.assert_array_equal(np.rint(fake / ranges[1].scale), stored)
