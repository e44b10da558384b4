"""Compact .tflite files: they compute the same in fewer bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from keras import layers

from eyetune.device.estimate import tflite_schema
from eyetune.device.estimate.arena import aligned
from eyetune.device.estimate.tflite import footprint_of, read
from eyetune.device.export import tflm
from eyetune.device.export.compact_file import compact
from eyetune.device.export.litert import litert_scores
from eyetune.device.export.quantize import quantize
from eyetune.device.export.tflm import MicroInterpreter
from eyetune.recipe import ModelSection
from tests.models.int8.networks import SECTIONS, random_images, with_random_weights

IMAGES = random_images(12)


def assert_same_in_fewer_bytes(content: bytes) -> bytes:
    """Return the compact form of a file, after checking that it computes the same."""
    smaller = compact(content)
    before, after = read(content), read(smaller)
    assert len(smaller) < len(content)
    assert (after.input, after.output) == (before.input, before.output)
    assert after.operators == before.operators
    assert (after.parameters, after.macs) == (before.parameters, before.macs)
    assert footprint_of(after).arena_bytes <= footprint_of(before).arena_bytes
    assert np.array_equal(litert_scores(smaller, IMAGES), litert_scores(content, IMAGES))
    if tflm.is_available():
        large, small = MicroInterpreter(content), MicroInterpreter(smaller)
        scores = small.scores(IMAGES)
        assert np.array_equal(scores, large.scores(IMAGES))
        assert np.ptp(scores.astype(int)) > 0
        assert small.arena().tail_bytes == large.arena().tail_bytes
        assert small.arena().head_bytes == footprint_of(after).head_bytes
    return smaller


@settings(max_examples=4, derandomize=True)
@given(section=SECTIONS)
def test_compact_files_compute_the_same(section: ModelSection) -> None:
    content = quantize(with_random_weights(section), IMAGES, with_names=True)
    smaller = assert_same_in_fewer_bytes(content)
    assert compact(content) == compact(smaller) == smaller


def transposed() -> keras.Model:
    return network(
        layers.Conv2D(4, 3, strides=2, activation="relu"),
        layers.Conv2DTranspose(5, 3, strides=2, activation="relu", bias_initializer="normal"),
        layers.Conv2DTranspose(3, 2, use_bias=False),
        layers.Flatten(),
        layers.Dense(4, activation="softmax"),
    )


def normalized() -> keras.Model:
    return network(
        layers.Conv2D(6, 3, bias_initializer="normal"),
        layers.GroupNormalization(2),
        layers.Activation("hard_swish"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(4, bias_initializer="normal"),
    )


def network(*stack: Any) -> keras.Model:
    keras.utils.set_random_seed(0)
    return keras.Sequential([layers.Input(IMAGES.shape[1:]), *stack])


@pytest.mark.parametrize("build", [transposed, normalized])
@pytest.mark.parametrize("per_channel_dense", [True, False])
def test_compact_keeps_other_layers(
    build: Callable[[], keras.Model], *, per_channel_dense: bool
) -> None:
    content = quantize(build(), IMAGES, per_channel_dense=per_channel_dense, with_names=True)
    assert_same_in_fewer_bytes(content)


@pytest.mark.parametrize("per_channel_dense", [True, False])
def test_compact_files_load_with_sensitive_dense_layers(*, per_channel_dense: bool) -> None:
    """Interpreters refuse these if the single scale of the bias is missing: 0.02 is their limit."""
    model = network(layers.Flatten(), layers.Dense(2, bias_initializer="ones"))
    kernel, bias = model.get_weights()
    kernel = np.zeros_like(kernel)
    kernel[3], kernel[6] = [1, 1], [-1, -1.01]  # the difference of two equal pixels is small
    model.set_weights([kernel, bias / 100])
    images = np.broadcast_to(IMAGES[:, :1, :1, :1], IMAGES.shape)
    content = quantize(model, images, per_channel_dense=per_channel_dense, with_names=True)
    file = read(content)
    assert file.input.scale / 127 > 0.02 * file.output.scale
    assert_same_in_fewer_bytes(content)


def test_quantize_returns_compact_files_with_aligned_weights() -> None:
    model = transposed()
    with_names = quantize(model, IMAGES, with_names=True)
    content = quantize(model, IMAGES)
    assert content == compact(with_names)
    for text in (b"conv2d", b"serving_default", b"min_runtime_version"):
        assert text in with_names
        assert text not in content
    weights = [buffer.data for buffer in tflite_schema.unpack(content).buffers[1:]]
    start = np.frombuffer(content, np.uint8).ctypes.data
    assert len(weights) >= 6
    assert all((values.ctypes.data - start) % 16 == 0 for values in weights)


def test_compact_files_place_tensors_of_residual_blocks_without_gaps() -> None:
    image = keras.Input(IMAGES.shape[1:])
    features = layers.Conv2D(4, 3, padding="same", bias_initializer="normal")(image)
    for _ in range(3):
        inner = features
        for _ in range(2):
            inner = layers.Conv2D(4, 3, padding="same", bias_initializer="normal")(inner)
        features = layers.Add()([features, inner])
    scores = layers.Dense(4)(layers.GlobalAveragePooling2D()(features))
    content = quantize(keras.Model(image, scores), IMAGES, with_names=True)
    smaller = assert_same_in_fewer_bytes(content)
    side = IMAGES.shape[1]
    tensor = aligned(4 * side**2)
    assert footprint_of(read(content)).head_bytes == 4 * tensor
    assert footprint_of(read(smaller)).head_bytes == 3 * tensor
