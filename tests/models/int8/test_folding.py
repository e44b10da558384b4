"""Folded networks: they compute what the Keras model computes, and refuse what they do not know."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from keras import layers

from eyetune.errors import BoardError
from eyetune.models.int8.equalization import equalized
from eyetune.models.int8.folding import Kind, fold, put_back
from eyetune.models.int8.layers import folded_model
from eyetune.models.int8.observation import observe
from eyetune.recipe import ModelSection
from eyetune.values.pixels import scaled_pixels
from tests.models.int8.networks import SECTIONS, random_images, with_random_weights

IMAGES = random_images()


def predicted(model: keras.Model) -> Any:
    return np.asarray(model(scaled_pixels(IMAGES), training=False))


@settings(max_examples=8, derandomize=True)
@given(section=SECTIONS)
def test_fold_and_equalize_and_put_back_change_nothing(section: ModelSection) -> None:
    model = with_random_weights(section)
    before = predicted(model)
    network = fold(model)
    np.testing.assert_allclose(predicted(folded_model(network)), before, atol=1e-5)
    balanced = equalized(network, observe(network, IMAGES))
    np.testing.assert_allclose(predicted(folded_model(balanced)), before, atol=1e-5)
    put_back(balanced)
    np.testing.assert_allclose(predicted(model), before, atol=1e-5)


def test_put_back_keeps_biases_without_beta_and_gamma() -> None:
    normalization = layers.BatchNormalization(center=False, scale=False)
    stack = [layers.Input((12, 12, 3)), layers.Conv2D(3, 3, use_bias=False), normalization]
    model = keras.Sequential([*stack, layers.Flatten(), layers.Dense(2)])
    normalization.set_weights([np.array([0.1, -0.2, 0.3]), np.array([0.5, 1.0, 2.0])])
    before = predicted(model)
    put_back(fold(model))
    np.testing.assert_allclose(predicted(model), before, atol=1e-5)


def nested() -> keras.Model:
    inner = keras.Sequential([layers.Input((12, 12, 3)), layers.Conv2D(3, 3), layers.ReLU()])
    image = layers.Input((12, 12, 3))
    values = inner(image)
    both = layers.Concatenate()([values, layers.AveragePooling2D(1)(values)])
    padded = layers.ZeroPadding2D(1)(layers.GaussianNoise(0.1)(both))
    summed = layers.Conv2D(2, 3, padding="valid", activation="relu6")(padded)
    pooled = layers.GlobalMaxPooling2D()(summed)
    return keras.Model(image, layers.Dense(2, activation="softmax")(pooled))


def test_fold_takes_nested_models_apart() -> None:
    model = nested()
    network = fold(model)
    np.testing.assert_allclose(predicted(folded_model(network)), predicted(model), atol=1e-6)
    assert any("/" in node.name for node in network.nodes)


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (layers.LayerNormalization(name="odd"), "LayerNormalization"),
        (layers.BatchNormalization(name="odd"), "BatchNormalization"),  # of an image
        (layers.Conv2D(3, 1, activation="gelu", name="odd"), "gelu"),
        (layers.ReLU(max_value=3, name="odd"), "ReLU"),
        (layers.SeparableConv2D(3, 1, name="odd"), "SeparableConv2D"),
    ],
)
def test_fold_names_the_layer_that_it_does_not_know(layer: Any, name: str) -> None:
    model = keras.Sequential([layers.Input((12, 12, 3)), layer, layers.Flatten(), layers.Dense(2)])
    with pytest.raises(BoardError) as caught:
        fold(model)
    assert caught.value.received == f"{name} in odd"


@pytest.mark.parametrize("is_nested", [False, True])
def test_readers_are_counted_through_layers_that_vanish(is_nested: bool) -> None:
    """Normalization is folded into a convolution, unless something else reads the convolution."""
    image = layers.Input((12, 12, 3))
    convolved = layers.Conv2D(3, 3, name="conv")(image)
    normalization = layers.BatchNormalization(name="odd", beta_initializer="ones")
    stack = [layers.Input((10, 10, 3)), layers.Dropout(0.5), normalization]
    if is_nested:
        normalized = keras.Sequential(stack)(convolved)
    else:
        normalized = normalization(layers.Dropout(0.5)(convolved))
    alone = keras.Model(image, layers.Dense(2)(layers.Flatten()(normalized)))
    np.testing.assert_allclose(predicted(folded_model(fold(alone))), predicted(alone), atol=1e-5)
    both = layers.Add()([normalized, convolved])
    with pytest.raises(BoardError) as caught:
        fold(keras.Model(image, layers.Dense(2)(layers.Flatten()(both))))
    assert "BatchNormalization" in (caught.value.received or "")


@pytest.mark.parametrize("is_read_twice", [False, True])
def test_elu_is_computed_after_a_reshape_that_alone_reads_it(is_read_twice: bool) -> None:
    image = layers.Input((12, 12, 3))
    values = layers.Conv2D(2, 1, activation="elu", name="conv")(image)
    outputs = layers.Dense(2)(layers.Flatten()(layers.Dropout(0.5)(values)))
    if is_read_twice:
        pooled = layers.GlobalAveragePooling2D()(layers.Conv2D(2, 1)(values))
        outputs = layers.Add()([outputs, pooled])
    model = keras.Model(image, outputs)
    network = fold(model)
    np.testing.assert_allclose(predicted(folded_model(network)), predicted(model), atol=1e-5)
    kinds = [node.kind for node in network.nodes]
    assert (kinds.index(Kind.SELECTION) < kinds.index(Kind.ACTIVATION)) is not is_read_twice
    assert len({node.name for node in network.nodes}) == len(network.nodes)


def test_fold_refuses_a_layer_that_is_used_twice() -> None:
    convolution = layers.Conv2D(3, 3, padding="same", name="twice")
    stack = [layers.Input((12, 12, 3)), convolution, convolution, layers.Flatten()]
    image = values = stack[0]
    for layer in stack[1:]:
        values = layer(values)
    with pytest.raises(BoardError) as caught:
        fold(keras.Model(image, values))
    assert "twice" in (caught.value.received or "")


def test_fold_refuses_a_subclass() -> None:
    class Own(keras.Model):  # type: ignore[misc]
        def call(self, inputs: Any) -> Any:
            return inputs

    with pytest.raises(BoardError):
        fold(Own())
