"""The ranges of pixels that networks take."""

from __future__ import annotations

import numpy as np
import pytest

from eyetune.data.dataset import normalize
from eyetune.errors import UsageError
from eyetune.values.pixels import PIXEL_LIMITS, PixelRange, check_pixels, scaled_pixels

BYTES = np.arange(256, dtype=np.uint8)


@pytest.mark.parametrize("pixels", PIXEL_LIMITS)
def test_scaled_pixels_covers_the_range_evenly(pixels: PixelRange) -> None:
    values = scaled_pixels(BYTES, pixels)
    assert (values[0], values[-1]) == PIXEL_LIMITS[pixels]
    steps = np.diff(values)
    assert np.allclose(steps, steps.mean(), rtol=1e-4)
    assert values.dtype == np.float32


def test_scaled_pixels_agrees_with_training() -> None:
    assert np.array_equal(scaled_pixels(BYTES), normalize(BYTES))


def test_check_pixels_refuses_other_names() -> None:
    check_pixels("auto")
    with pytest.raises(UsageError):
        check_pixels("0-2")
