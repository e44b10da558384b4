"""What networks need whose layers the estimates do not know: by conversion."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from eyetune.device.estimate.footprint import footprint
from eyetune.device.export.measured_footprint import measured_footprint
from eyetune.errors import BoardError
from tests.device.estimate.networks import sequential


def convolution_1d() -> keras.Model:
    stack = [layers.Conv1D(16, 5, activation="relu"), layers.Flatten(), layers.Dense(4)]
    return sequential(*stack, shape=(64, 8))


def test_measured_footprint_of_unknown_layers_is_larger() -> None:
    model = convolution_1d()
    lower, measured = footprint(model), measured_footprint(model)
    assert lower.unknown
    assert measured.unknown == measured.unsupported == ()
    assert measured.file_is_exact
    assert measured.flash_bytes > lower.flash_bytes
    assert measured.macs == 60 * 16 * 5 * 8 + 960 * 4


def test_measured_footprint_leaves_the_weights_alone() -> None:
    model = convolution_1d()
    before = model.get_weights()
    measured_footprint(model)
    assert all(map(np.array_equal, before, model.get_weights()))


def test_measured_footprint_needs_one_input_of_known_shape() -> None:
    with pytest.raises(BoardError) as caught:
        measured_footprint(keras.Sequential([layers.Input((None, 8)), layers.LSTM(4)]))
    assert "None" in (caught.value.received or "")


def test_the_arena_is_planned_if_weights_make_a_sum_zero() -> None:
    """TensorFlow Lite Micro ends the process for a sum that was 0 for all images."""
    image = keras.Input((8, 8, 3))
    negative = keras.initializers.Constant(-9.0)
    branches = [layers.Conv2D(2, 3, bias_initializer=negative)(image) for _ in range(2)]
    summed = layers.ReLU()(layers.Add()(branches))
    model = keras.Model(image, layers.Dense(3)(layers.Flatten()(summed)))
    needed = measured_footprint(model)
    assert not needed.arena_is_measured
    assert needed.arena_bytes == pytest.approx(footprint(model).arena_bytes, rel=0.1)
