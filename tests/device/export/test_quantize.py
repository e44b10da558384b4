"""int8 networks: their inputs and outputs, how close they are to float, and errors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from numpy.typing import NDArray

from eyetune.device.estimate.tflite import read
from eyetune.device.export.int8_values import check_ports
from eyetune.device.export.litert import litert_scores
from eyetune.device.export.quantize import quantize
from eyetune.errors import BoardError, UsageError
from eyetune.models.build import build
from eyetune.recipe import Recipe
from eyetune.values.pixels import PixelRange

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), np.uint8)


def network(name: str = "lab", **edits: Any) -> keras.Model:
    keras.utils.set_random_seed(0)
    recipe = Recipe.model_validate({"model": name})
    recipe = recipe.with_({f"model.{key}": value for key, value in edits.items()})
    return build(recipe.model, (32, 32, 3), 10)


@pytest.mark.parametrize(
    ("name", "edits"),
    [
        ("lab", {"activation": "hard_swish", "batch_norm": True}),
        ("resnet8", {"width": 0.5}),
        ("mobilenet", {"width": 0.25}),
        ("mobilenet2", {"width": 0.5}),
    ],
)
def test_quantize_answers_like_the_float_network(name: str, edits: dict[str, Any]) -> None:
    model = network(name, **edits)
    content = quantize(model, IMAGES)
    file = read(content)
    assert (file.input.shape, file.input.dtype) == ((32, 32, 3), "int8")
    assert file.output.dtype == "int8"
    check_ports(file)
    scores = litert_scores(content, IMAGES).astype(np.float32)
    probabilities = (scores - file.output.zero_point) * file.output.scale
    in_float = np.asarray(model(IMAGES.astype(np.float32) / 255, training=False))
    assert np.abs(probabilities - in_float).max() < 0.05


def test_quantize_input_takes_all_bytes_after_dim_images() -> None:
    file = read(quantize(network(), IMAGES[:10] // 8 + 50))
    check_ports(file)


def test_quantize_without_per_channel_dense_is_smaller() -> None:
    model = network()
    per_channel = quantize(model, IMAGES[:10], per_channel_dense=True)
    per_tensor = quantize(model, IMAGES[:10], per_channel_dense=False)
    assert len(per_tensor) < len(per_channel)  # 74 scales fewer


@pytest.mark.slow
def test_quantize_folds_the_preprocessing_of_a_backbone() -> None:
    model = network("mobilenet_v1", weights="random")
    file = read(quantize(model, IMAGES[:5]))
    check_ports(file)


def test_quantize_reports_each_calibration_image() -> None:
    numbers: list[int] = []
    model = keras.Sequential([layers.Input((8, 8, 3)), layers.Flatten(), layers.Dense(2)])
    quantize(model, IMAGES[:3, :8, :8], on_image=numbers.append)
    assert numbers == [1, 2, 3]


def test_quantize_reports_a_layer_that_cannot_be_converted() -> None:
    class Odd(layers.Layer):  # type: ignore[misc]
        def call(self, inputs: Any) -> Any:
            import tensorflow as tf

            return tf.numpy_function(lambda values: values, [inputs], tf.float32)

        def compute_output_shape(self, shape: Any) -> Any:
            return shape

    stack = [layers.Input((8, 8, 3)), Odd(), layers.Reshape((192,)), layers.Dense(2)]
    with pytest.raises(BoardError):
        quantize(keras.Sequential(stack), IMAGES[:2, :8, :8])


@pytest.mark.parametrize("images", [IMAGES[:0], IMAGES[:2, :8]])
def test_quantize_refuses_images_of_another_shape(images: NDArray[np.uint8]) -> None:
    with pytest.raises(UsageError) as caught:
        quantize(network(), images)
    assert str(images.shape[1:]) in (caught.value.received or "")


def test_check_ports_refuses_what_firmware_cannot_feed_or_read() -> None:
    model = keras.Sequential([layers.Input((8, 8, 3)), layers.Flatten(), layers.Dense(2)])
    file = read(quantize(model, IMAGES[:3, :8, :8]))
    check_ports(file)
    for changed in (
        replace(file, input=replace(file.input, scale=4.7 / 255, zero_point=-14)),
        replace(file, input=replace(file.input, dtype="uint8")),
        replace(file, output=replace(file.output, dtype="float32")),
        replace(file, output=replace(file.output, shape=(1,))),
    ):
        with pytest.raises(BoardError):
            check_ports(changed)


@pytest.mark.parametrize(
    ("scale", "zero_point", "pixels"),
    [(1.0, -128, "0-255"), (2 / 255, 0, "-1-1"), (2 / 255, -1, "-1-1"), (1 / 128, 0, "-1-1")],
)
def test_check_ports_allows_pixels_that_bytes_stand_for(
    scale: float, zero_point: int, pixels: PixelRange
) -> None:
    model = keras.Sequential([layers.Input((8, 8, 3)), layers.Flatten(), layers.Dense(2)])
    file = read(quantize(model, IMAGES[:3, :8, :8]))
    other = replace(file, input=replace(file.input, scale=scale, zero_point=zero_point))
    check_ports(other)
    check_ports(other, pixels)
    with pytest.raises(BoardError, match="bytes of a camera"):
        check_ports(other, "0-1")


def test_per_channel_switch_exists_in_tensorflow_2_21() -> None:
    import tensorflow as tf

    assert tf.__version__.startswith("2.21."), "check the private switch of the converter again"
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    assert hasattr(converter, "_experimental_disable_per_channel_quantization_for_dense_layers")
