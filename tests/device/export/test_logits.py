"""int8 networks whose softmax is removed: they return its logits."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from eyetune.device.estimate.tflite import footprint_of, read
from eyetune.device.export import tflm
from eyetune.device.export.int8_values import probabilities_of
from eyetune.device.export.litert import litert_scores
from eyetune.device.export.logits import without_softmax
from eyetune.device.export.quantize import quantize
from tests.models.int8.networks import random_images

IMAGES = random_images(12)


def network(*more: keras.layers.Layer) -> keras.Model:
    """Return a network with two convolutions side by side, and the given layers at its end."""
    keras.utils.set_random_seed(3)
    image = keras.Input(IMAGES.shape[1:])
    left = layers.Conv2D(4, 3, strides=2, activation="relu")(image)
    values = layers.Add()([left, layers.Conv2D(4, 1)(left)])
    values = layers.GlobalAveragePooling2D()(values)
    for layer in more:
        values = layer(values)
    return keras.Model(image, values)


@pytest.fixture(scope="module")
def content() -> bytes:
    wide = keras.initializers.RandomNormal(stddev=4.0, seed=1)
    return quantize(network(layers.Dense(5, kernel_initializer=wide), layers.Softmax()), IMAGES)


def test_without_softmax_returns_the_logits(content: bytes) -> None:
    shorter = without_softmax(content)
    assert shorter is not None
    before, after = read(content), read(shorter)
    assert after.operators == tuple(name for name in before.operators if name != "SOFTMAX")
    assert after.parameters == before.parameters
    assert footprint_of(after).head_bytes <= footprint_of(before).head_bytes
    scores = litert_scores(shorter, IMAGES)
    probabilities = probabilities_of(litert_scores(content, IMAGES), before.output)
    np.testing.assert_allclose(probabilities_of(scores, after.output), probabilities, atol=0.0051)
    if tflm.is_available():
        micro = tflm.MicroInterpreter(shorter)
        assert np.array_equal(micro.scores(IMAGES), scores)
        assert micro.arena().head_bytes == footprint_of(after).head_bytes


def test_without_softmax_leaves_other_networks(content: bytes) -> None:
    shorter = without_softmax(content)
    assert shorter is not None
    assert without_softmax(shorter) is None
