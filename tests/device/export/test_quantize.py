"""int8 networks: what goes in and comes out, how close they are to float, and what is refused."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from eyetune.device.estimate.tflite import read
from eyetune.device.export.interpreters import Micro, has_micro, litert_scores
from eyetune.device.export.quantize import check_input, quantize
from eyetune.errors import BoardError, UsageError
from eyetune.models.build import build
from eyetune.recipe import Recipe

NUMBERS = np.random.default_rng(0)
IMAGES = NUMBERS.integers(0, 256, (40, 32, 32, 3), np.uint8)


def network(name: str = "lab", **edits: Any) -> keras.Model:
    keras.utils.set_random_seed(0)
    section = (
        Recipe.model_validate({"model": name})
        .with_({f"model.{key}": one for key, one in edits.items()})
        .model
    )
    return build(section, (32, 32, 3), 10)


@pytest.mark.parametrize(
    ("name", "edits"),
    [
        ("lab", {}),
        ("lab", {"activation": "hard_swish", "batch_norm": True}),
        ("resnet8", {"width": 0.5}),
        ("mobilenet", {"width": 0.25}),
    ],
)
def test_bytes_of_a_camera_less_128_go_in_and_the_answers_are_those_of_float(
    name: str, edits: dict[str, Any]
) -> None:
    model = network(name, **edits)
    content = quantize(model, IMAGES)
    found = read(content)
    assert (found.input.shape, found.input.dtype, found.output.dtype) == (
        (32, 32, 3),
        "int8",
        "int8",
    )
    check_input(found.input.scale, found.input.zero_point)
    scores = litert_scores(content, IMAGES)
    probabilities = (scores.astype(np.float32) - found.output.zero_point) * found.output.scale
    in_float = np.asarray(model(IMAGES.astype(np.float32) / 255, training=False))
    assert np.abs(probabilities - in_float).max() < 0.05


def test_dim_images_do_not_narrow_what_goes_in() -> None:
    found = read(quantize(network(), IMAGES // 8 + 50))
    check_input(found.input.scale, found.input.zero_point)


def test_a_board_may_forbid_scales_by_output_in_dense_layers() -> None:
    model = network()
    per_channel, per_tensor = (
        quantize(model, IMAGES, per_channel_dense=one) for one in (True, False)
    )
    assert len(per_tensor) < len(per_channel)  # 74 scales less


def test_the_base_of_a_known_network_brings_its_preprocessing() -> None:
    keras.utils.set_random_seed(0)
    section = (
        Recipe.model_validate({"model": "mobilenet_v1"}).with_({"model.weights": "random"}).model
    )
    found = read(quantize(build(section, (32, 32, 3), 4), IMAGES[:5]))
    check_input(found.input.scale, found.input.zero_point)


def test_what_cannot_be_converted_says_so() -> None:
    class Odd(layers.Layer):  # type: ignore[misc]
        def call(self, inputs: Any) -> Any:
            import tensorflow as tf

            return tf.numpy_function(lambda values: values, [inputs], tf.float32)

        def compute_output_shape(self, shape: Any) -> Any:
            return shape

    model = keras.Sequential(
        [layers.Input((8, 8, 3)), Odd(), layers.Reshape((192,)), layers.Dense(2)]
    )
    with pytest.raises(BoardError, match="cannot be converted"):
        quantize(model, IMAGES[:2, :8, :8])


@pytest.mark.parametrize("images", [IMAGES[:0], IMAGES[:2, :8]])
def test_images_that_are_not_the_networks_are_refused(images: Any) -> None:
    with pytest.raises(UsageError, match="images to measure ranges on"):
        quantize(network(), images)


def test_an_input_of_another_scale_is_refused() -> None:
    with pytest.raises(BoardError, match="camera"):
        check_input(1 / 127, -1)


@pytest.mark.skipif(not has_micro(), reason="tflite-micro has no wheel for this machine")
def test_tensorflow_lite_micro_needs_the_arena_that_was_predicted() -> None:
    content = quantize(network(), IMAGES)
    micro = Micro(content)
    seen: list[int] = []
    scores = micro.scores(IMAGES[:3], seen.append)
    assert scores.shape == (3, 10)
    assert seen == [1, 2, 3]
    assert micro.arena().head_bytes == 36_000  # measured on the converted network
    assert micro.arena().bytes == pytest.approx(39_696, rel=0.01)


@pytest.mark.skipif(not has_micro(), reason="tflite-micro has no wheel for this machine")
def test_what_tensorflow_lite_micro_lacks_is_said() -> None:
    model = keras.Sequential(
        [layers.Input((8, 8, 3)), layers.Flatten(), layers.Dense(4, activation="gelu")]
    )
    content = quantize(model, IMAGES[:2, :8, :8])
    with pytest.raises(BoardError, match="TensorFlow Lite Micro cannot run"):
        Micro(content)
