"""Networks from files: float and quantized, with the range of pixels that each one takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from eyetune._stderr import silenced
from eyetune.device.export.model_file import as_probabilities, open_model_file, with_probabilities
from eyetune.device.export.quantize import quantize
from eyetune.errors import UsageError

IMAGES = np.random.default_rng(1).integers(0, 256, (150, 6, 6, 1), np.uint8)


def network(*first: Any, **last: Any) -> keras.Model:
    """Return a small classifier that begins with some layers."""
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax", **last)]
    return keras.Sequential([keras.Input((6, 6, 1)), *first, *layers])


PLAIN = network()
EXPECTED = np.asarray(PLAIN(IMAGES / np.float32(255)))


def converted(model: keras.Model, dtype: Any = None) -> bytes:
    """Return a .tflite model: float, or quantized with inputs of a type."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if dtype is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        samples = [[image[np.newaxis].astype(np.float32)] for image in IMAGES[:20]]
        converter.representative_dataset = lambda: iter(samples)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = dtype
    with silenced():
        return bytes(converter.convert())


def error(probabilities: Any) -> float:
    """Return the mean error of probabilities."""
    return float(np.abs(probabilities - EXPECTED).mean())


@pytest.mark.parametrize(
    ("model", "pixels"),
    [
        (PLAIN, "0-1"),
        (network(keras.layers.Rescaling(1 / 255)), "0-255"),
        (network(keras.layers.Rescaling(255), keras.layers.Rescaling(1 / 255)), "0-1"),
    ],
)
def test_keras_file_gets_the_pixels_that_it_takes(
    model: keras.Model, pixels: str, tmp_path: Path
) -> None:
    model.save(tmp_path / "network.keras")
    file = open_model_file(tmp_path / "network.keras")
    assert (file.pixels, file.dtype, file.num_classes) == (pixels, "float32", 3)
    numbers: list[int] = []
    assert np.allclose(file.probabilities(IMAGES, numbers.append), EXPECTED, atol=1e-5)
    assert numbers == [128, 150]


def test_tflite_file_in_float_agrees_with_keras(tmp_path: Path) -> None:
    (tmp_path / "network.tflite").write_bytes(converted(PLAIN))
    file = open_model_file(tmp_path / "network.tflite")
    assert (file.input_shape, file.dtype, file.pixels) == ((6, 6, 1), "float32", "0-1")
    assert np.allclose(file.probabilities(IMAGES), EXPECTED, atol=1e-5)


def test_tflite_file_in_int8_is_close_to_keras(tmp_path: Path) -> None:
    path = tmp_path / "network.tflite"
    path.write_bytes(quantize(PLAIN, IMAGES))
    file = open_model_file(path)
    assert (file.dtype, file.pixels) == ("int8", "0-1")
    assert error(file.probabilities(IMAGES)) < 0.01
    path.write_bytes(converted(network(keras.layers.Rescaling(1 / 255)), tf.uint8))
    file = open_model_file(path)
    assert (file.dtype, file.pixels) == ("uint8", "0-255")
    assert error(file.probabilities(IMAGES)) < 0.01
    assert error(open_model_file(path, pixels="0-1").probabilities(IMAGES)) > 0.03


def test_integers_without_a_scale_are_bytes(tmp_path: Path) -> None:
    image = keras.Input((6, 6, 1), dtype="uint8")
    scaled = keras.layers.Rescaling(1 / 255)(keras.ops.cast(image, "float32"))
    path = tmp_path / "bytes.tflite"
    path.write_bytes(converted(keras.Model(image, PLAIN(scaled))))
    file = open_model_file(path)
    assert (file.dtype, file.pixels) == ("uint8", "0-255")
    assert error(file.probabilities(IMAGES)) < 1e-4
    with pytest.raises(UsageError, match="without a scale"):
        open_model_file(path, pixels="0-1")


@pytest.mark.parametrize("half", [0, 0.5])  # rounded down, or to the nearest
@pytest.mark.parametrize("num_classes", [2, 10, 60, 100, 1000])
def test_as_probabilities_knows_rounded_probabilities(num_classes: int, half: float) -> None:
    """With label smoothing, the other classes round to 0, so that the sum can be far below 1."""
    probabilities = np.full((3, num_classes), 0.1 / num_classes, np.float32)
    probabilities[:, 1] += 0.9
    probabilities[2] = 1 / num_classes
    rounded = np.floor(probabilities * 256 + half).astype(np.float32) / 256
    result = as_probabilities(rounded, 1 / 256)
    assert np.allclose(result.sum(axis=1), 1)
    assert np.allclose(result[2], 1 / num_classes)
    assert result[:2, 1].min() > 0.89


def test_as_probabilities_reads_logits_of_many_classes() -> None:
    logits = np.zeros((2, 1000), np.float32)
    logits[:, 3] = 2.5
    for rounding in (0.0, 1 / 256):
        assert as_probabilities(logits, rounding)[0, 3] < 0.02


def test_as_probabilities_reads_logits() -> None:
    logits = np.array([[2.0, -1.0, 0.5], [0.1, 0.2, 0.3]], np.float32)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert np.allclose(as_probabilities(logits), expected)


@pytest.mark.parametrize("activation", ["softmax", "linear"])
@pytest.mark.parametrize("num_outputs", [1, 2])
def test_with_probabilities_ends_with_one_for_each_class(activation: str, num_outputs: int) -> None:
    keras.utils.set_random_seed(3)
    if num_outputs == 1 and activation == "softmax":
        activation = "sigmoid"
    layers = [keras.layers.Flatten(), keras.layers.Dense(num_outputs, activation=activation)]
    model = keras.Sequential([keras.Input((6, 6, 1)), *layers])
    images = IMAGES / np.float32(255)
    outputs = np.asarray(model(images))
    result = np.asarray(with_probabilities(model, outputs)(images))
    assert result.shape == (len(IMAGES), 2)
    assert np.allclose(result, as_probabilities(outputs), atol=1e-6)


def test_open_model_file_refuses_what_it_cannot_use(tmp_path: Path) -> None:
    text = tmp_path / "text.tflite"
    text.write_text("nothing")
    damaged = tmp_path / "damaged.tflite"
    damaged.write_bytes(converted(PLAIN)[:200])
    vector = tmp_path / "vector.keras"
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(vector)
    for path in (tmp_path / "missing.tflite", tmp_path / "missing.keras", text, damaged, vector):
        with pytest.raises(UsageError):
            open_model_file(path)
