"""Properties of pictures that differ from camera to camera, measured from their pixels alone.

Each is a number for a picture. A single one says little, because what is in a picture changes it
too; the distributions of two sets of pictures of the same things can be compared.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from eyetune.data.dataset import Images

GRAY_WEIGHTS = (0.299, 0.587, 0.114)  # brightness of red, green and blue, ITU-R BT.601
PICTURES_AT_ONCE = 256
NEARLY_NOTHING = 1e-6
_MEDIAN_OF_NORMAL = 0.6745  # of the absolute values of normal numbers with deviation 1
_LAPLACIAN_GAIN = 6.0  # deviation that `_noise` makes of white noise with deviation 1

Values = NDArray[np.float64]
Gray = NDArray[np.float32]


class Measure(StrEnum):
    """What is measured of a picture.

    WARMTH is the logarithm of the mean red over the mean blue, and GREENNESS that of green over
    red and blue. BRIGHTNESS is the mean, for pixels from 0 to 1. SHARPNESS is the size of
    differences between neighbors over that between their neighbors: 1 for noise, 0.5 for slopes.
    NOISE is the standard deviation of what no smooth picture contains, for pixels from 0 to 1, in
    the green channel.
    BORDER is how far from the middle details are: 0 in the middle, 1 in the corners. TOP is how
    much brighter the upper half is than the lower one.
    """

    WARMTH = "warmth"
    GREENNESS = "greenness"
    BRIGHTNESS = "brightness"
    SHARPNESS = "sharpness"
    NOISE = "noise"
    BORDER = "details at the border"
    TOP = "light from above"


def measures_of(num_channels: int) -> tuple[Measure, ...]:
    """Return what can be measured of pictures: gray ones have no colors."""
    colors = (Measure.WARMTH, Measure.GREENNESS)
    return tuple(measure for measure in Measure if num_channels > 1 or measure not in colors)


def measured(images: Images, measure: Measure) -> Values:
    """Measure each picture.

    Args:
        images: uint8, shape (N, height, width, channels), 1 or 3 channels.
        measure: What is measured.

    Returns:
        Shape (N,).
    """
    if measure in (Measure.WARMTH, Measure.GREENNESS):
        red, green, blue = _channel_means(images)
        if measure is Measure.WARMTH:
            return np.asarray(np.log(red / blue))
        return np.asarray(np.log(green) - (np.log(red) + np.log(blue)) / 2)
    # Noise differs from channel to channel, so that it would partly cancel out in their sum.
    seen = images[..., 1:2] if measure is Measure.NOISE and images.shape[-1] > 1 else images
    parts = [
        _OF_GRAY[measure](gray_values(seen[start : start + PICTURES_AT_ONCE]))
        for start in range(0, len(images), PICTURES_AT_ONCE)
    ]
    return np.concatenate(parts).astype(np.float64)


def gray_values(images: Images) -> Gray:
    """Return the brightness of pixels, 0 to 1, shape (N, height, width)."""
    values = np.asarray(images, np.float32) / np.float32(255)
    if values.shape[-1] == 1:
        return np.asarray(values[..., 0], np.float32)
    return np.asarray(values @ np.array(GRAY_WEIGHTS, np.float32), np.float32)


def _channel_means(images: Images) -> tuple[Values, Values, Values]:
    means = images.mean(axis=(1, 2), dtype=np.float64) / 255 + NEARLY_NOTHING
    return means[:, 0], means[:, 1], means[:, 2]


def _brightness(gray: Gray) -> Gray:
    return np.asarray(gray.mean(axis=(1, 2)))


def _sharpness(gray: Gray) -> Gray:
    """Compare differences of neighbors and of the next ones, in halved pictures: less noise."""
    height, width = (size // 2 * 2 for size in gray.shape[1:])
    quarters = gray[:, :height, :width].reshape(len(gray), height // 2, 2, width // 2, 2)
    halved = quarters.mean(axis=(2, 4))
    near, far = (
        ((halved[:, lag:] - halved[:, :-lag]) ** 2).mean(axis=(1, 2))
        + ((halved[:, :, lag:] - halved[:, :, :-lag]) ** 2).mean(axis=(1, 2))
        for lag in (1, 2)
    )
    return np.asarray(np.sqrt((near + NEARLY_NOTHING) / (far + NEARLY_NOTHING)))


def _noise(gray: Gray) -> Gray:
    """Estimate noise by second differences in both directions, which slopes and edges lack.

    Source: Immerkaer, 1996, Fast Noise Variance Estimation, here with the median.
    """
    curved = np.diff(np.diff(gray, n=2, axis=1), n=2, axis=2)
    return np.asarray(
        np.median(np.abs(curved), axis=(1, 2)) / (_MEDIAN_OF_NORMAL * _LAPLACIAN_GAIN)
    )


def _border(gray: Gray) -> Gray:
    down = np.diff(gray, axis=1)[:, :, :-1]
    across = np.diff(gray, axis=2)[:, :-1]
    energy = down**2 + across**2 + NEARLY_NOTHING**2
    squares = [np.linspace(-1, 1, size, dtype=np.float32) ** 2 for size in energy.shape[1:]]
    distance = (squares[0][:, np.newaxis] + squares[1]) / 2
    return np.asarray((energy * distance).sum(axis=(1, 2)) / energy.sum(axis=(1, 2)))


def _top(gray: Gray) -> Gray:
    middle = gray.shape[1] // 2
    return np.asarray(gray[:, :middle].mean(axis=(1, 2)) - gray[:, -middle:].mean(axis=(1, 2)))


_OF_GRAY: dict[Measure, Callable[[Gray], Gray]] = {
    Measure.BRIGHTNESS: _brightness,
    Measure.SHARPNESS: _sharpness,
    Measure.NOISE: _noise,
    Measure.BORDER: _border,
    Measure.TOP: _top,
}
