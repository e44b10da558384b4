"""The loss of JPEG, computed for a batch of images at once: a matrix product and a rounding.

Decoding real JPEG files in the pipeline takes several times as long. Only the steps that lose
something are computed: colors at half of the horizontal resolution (4:2:2), and rounded
coefficients of the cosine transform of blocks of 8x8 pixels. A test compares the result with
Pillow's.

Source: ITU-T T.81, 1992: the cosine transform is in A.3.3, the tables are K.1 and K.2; their scale
by quality is that of the IJG's library.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import tensorflow as tf

from eyetune.data.dataset import Floats

BLOCK = 8  # pixels
MIDDLE = 128.0  # which JPEG subtracts from all values

_BRIGHTNESS_STEPS = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_COLOR_STEPS = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * BLOCK for _ in range(4)),
)
# From red, green and blue to brightness, blue difference and red difference, ITU-R BT.601.
_FROM_RGB = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32
)


def jpeg(images: Any, quality: Any) -> Any:
    """Return images as they are after compression and decompression as JPEG.

    Args:
        images: float32 in [0, 1], shape (N, height, width, channels), 1 or 3 channels. The sides
            are known.
        quality: Quality of each image as in Pillow, 1 to 95, float32, shape (N,).

    Returns:
        float32 in [0, 1], of the same shape.
    """
    height, width, channels = images.shape[1:]
    # Half of the width is a number of whole blocks, too.
    padded = _padded(tf.round(images * 255), BLOCK, 2 * BLOCK)
    if channels == 1:
        values = _coarse(padded[..., 0], _BRIGHTNESS_STEPS, quality)[..., tf.newaxis]
    else:
        values = _color_coarse(padded, quality)
    values = tf.round(values[:, :height, :width])
    return tf.clip_by_value(values, 0.0, 255.0) / 255.0


def _color_coarse(images: Any, quality: Any) -> Any:
    """Return color images after compression, values in [0, 255] or slightly outside."""
    planes = tf.round(tf.tensordot(images, tf.constant(_FROM_RGB.T), axes=1))
    brightness = _coarse(planes[..., 0], _BRIGHTNESS_STEPS, quality)
    # Each pair of neighbors has one color. Both differences are one plane, one below the other.
    differences = tf.concat([planes[..., 1], planes[..., 2]], axis=1) + MIDDLE
    halves = (differences[:, :, ::2] + differences[:, :, 1::2]) / 2
    differences = _twice_as_wide(_coarse(halves, _COLOR_STEPS, quality)) - MIDDLE
    planes = tf.stack([brightness, *tf.split(differences, 2, axis=1)], axis=-1)
    return tf.tensordot(planes, tf.constant(np.linalg.inv(_FROM_RGB).T), axes=1)


def _padded(images: Any, rows: int, columns: int) -> Any:
    """Repeat the last row and the last column until the sides are multiples."""
    for axis, multiple in ((1, rows), (2, columns)):
        size = images.shape[axis]
        padded_size = multiple * math.ceil(size / multiple)
        if padded_size > size:
            chosen = np.minimum(np.arange(padded_size), size - 1)
            images = tf.gather(images, chosen, axis=axis)
    return images


def _coarse(planes: Any, steps: tuple[tuple[int, ...], ...], quality: Any) -> Any:
    """Return planes, shape (N, height, width), with rounded coefficients of their blocks."""
    height, width = planes.shape[1:]
    rows, columns = height // BLOCK, width // BLOCK
    blocks = tf.reshape(planes - MIDDLE, [-1, rows, BLOCK, columns, BLOCK])
    blocks = tf.reshape(tf.transpose(blocks, [0, 1, 3, 2, 4]), [-1, rows * columns, BLOCK**2])
    transform = tf.constant(_cosines())
    step = _scaled(steps, quality)[:, tf.newaxis, :]
    coefficients = tf.round(tf.matmul(blocks, transform, transpose_b=True) / step) * step
    blocks = tf.reshape(tf.matmul(coefficients, transform), [-1, rows, columns, BLOCK, BLOCK])
    blocks = tf.transpose(blocks, [0, 1, 3, 2, 4])
    return tf.reshape(blocks, [-1, height, width]) + MIDDLE


def _scaled(steps: tuple[tuple[int, ...], ...], quality: Any) -> Any:
    """Return the rounding steps of each image by its quality, shape (N, 64)."""
    table = tf.reshape(tf.constant(steps, tf.float32), [1, BLOCK**2])
    quality = tf.round(quality)[:, tf.newaxis]
    percent = tf.floor(tf.where(quality < 50, 5000 / quality, 200 - 2 * quality))
    return tf.clip_by_value(tf.floor((table * percent + 50) / 100), 1.0, 255.0)


@functools.cache
def _cosines() -> Floats:
    """Return the cosine transform of a block as one matrix, shape (64, 64), orthonormal."""
    number, place = np.meshgrid(np.arange(BLOCK), np.arange(BLOCK), indexing="ij")
    rows = np.cos((2 * place + 1) * number * np.pi / (2 * BLOCK)) * np.sqrt(2 / BLOCK)
    rows[0] /= np.sqrt(2)
    return np.kron(rows, rows).astype(np.float32)


def _twice_as_wide(planes: Any) -> Any:
    """Interpolate between columns, as decoders do: three quarters of the nearer neighbor."""
    left = tf.concat([planes[:, :, :1], planes[:, :, :-1]], axis=2)
    right = tf.concat([planes[:, :, 1:], planes[:, :, -1:]], axis=2)
    pairs = tf.stack([0.75 * planes + 0.25 * left, 0.75 * planes + 0.25 * right], axis=-1)
    return tf.reshape(pairs, [-1, planes.shape[1], 2 * planes.shape[2]])
