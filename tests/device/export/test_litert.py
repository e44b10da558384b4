"""LiteRT as a reference: networks that its kernels refuse."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from eyetune.device.export.litert import litert_scores
from eyetune.device.export.quantize import quantize
from eyetune.errors import BoardError


@pytest.mark.parametrize("reference", [True, False])
def test_values_that_a_kernel_refuses_are_an_error(reference: bool) -> None:
    """LiteRT refuses an int8 division if a divisor is stored as 0, here that of middle values."""
    steep = layers.Conv2D(1, 1, activation="softsign", kernel_initializer="ones")
    stack = [layers.Rescaling(5.0), steep, layers.Flatten(), layers.Dense(3)]
    model = keras.Sequential([layers.Input((8, 8, 1)), *stack])
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 1), np.uint8)
    with pytest.raises(BoardError, match="LiteRT cannot run") as caught:
        litert_scores(quantize(model, images), images, reference=reference)
    assert "softsign" in (caught.value.fix or "")
