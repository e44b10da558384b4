"""The computed loss of JPEG: the same as that of Pillow's encoder and decoder."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from eyetune.data.dataset import Images
from eyetune.data.jpeg import jpeg

HALF_WIDTH_COLORS = 1  # 4:2:2, in Pillow's numbers


def scene(height: int, width: int) -> Images:
    """Return an image with slopes, an edge, saturated color and fine texture."""
    down, across = np.mgrid[:height, :width].astype(np.float64)
    red = 255 * across / width
    green = np.where(down > height / 2, 200, 40) + 20 * np.sin(across)
    blue = 128 + 90 * np.sin(down / 3 + across / 5)
    return np.asarray(np.clip(np.stack([red, green, blue], axis=-1), 0, 255), np.uint8)


def by_pillow(image: Images, quality: int) -> Images:
    stream = io.BytesIO()
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    picture.save(stream, "jpeg", quality=quality, subsampling=HALF_WIDTH_COLORS)
    return np.asarray(Image.open(stream)).reshape(image.shape)


def by_tensorflow(images: Images, quality: list[int]) -> Images:
    values = tf.constant(images.astype(np.float32) / 255)
    result = jpeg(values, tf.constant(quality, tf.float32)).numpy()
    return np.asarray(np.round(result * 255), np.uint8)


@pytest.mark.parametrize("shape", [(32, 32), (24, 20), (9, 13)])
def test_jpeg_loses_what_pillow_loses(shape: tuple[int, int]) -> None:
    image = scene(*shape)
    qualities = [10, 40, 75, 95]
    results = by_tensorflow(np.stack([image] * 4), qualities)
    losses = []
    for quality, result in zip(qualities, results, strict=True):
        expected = by_pillow(image, quality).astype(int)
        lost = np.abs(expected - image).mean()
        losses.append(lost)
        # Coefficients between two steps are rounded up by one and down by the other.
        assert np.abs(result - expected).mean() < 0.3 * lost, quality
        assert np.abs(np.abs(result.astype(int) - image).mean() - lost) < 0.2, quality
    assert losses == sorted(losses, reverse=True)


def test_jpeg_of_gray_images_is_that_of_pillow() -> None:
    image = scene(24, 24)[..., :1]
    (result,) = by_tensorflow(image[np.newaxis], [50])
    expected = by_pillow(image, 50).astype(int)
    assert np.abs(result - expected).max() <= 1
    assert np.abs(expected - image).mean() > 1
