"""Augmentation: random changes to training images, different in every epoch.

Every random choice depends on the given seed alone, so a resumed training sees the same images as
an uninterrupted one.

Sources: cutout, DeVries and Taylor, 2017 (arXiv:1708.04552); mixup, Zhang et al., 2018
(arXiv:1710.09412); CutMix, Yun et al., 2019 (arXiv:1905.04899).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from eyetune.data.camera_look import CAMERAS, photograph
from eyetune.data.dataset import Images, normalize
from eyetune.data.picture_properties import GRAY_WEIGHTS
from eyetune.errors import RecipeError
from eyetune.recipe import AugmentSection, CameraName


def augment(
    images: Any,
    labels: Any,
    section: AugmentSection,
    seed: Any,
    camera: CameraName = "none",
    camera_share: float = 1.0,
) -> tuple[Any, Any]:
    """Change a batch at random: geometry, colors, noise, the look of a camera, cutout, mixtures.

    Args:
        images: float32 in [0, 1], shape (N, height, width, channels).
        labels: One-hot rows, float32, shape (N, number of classes). Only mixup and CutMix change
            them.
        section: The recipe's augment section.
        seed: Two integers, int64, shape (2,). The same seed gives the same result.
        camera: The camera whose look some images get. Default: "none".
        camera_share: Share of the images that get it, 0 to 1. Default: 1.

    Returns:
        Images in [0, 1] and labels, of the same shapes.

    Raises:
        RecipeError: The labels are integers, which mixup and CutMix cannot mix.
    """
    if (section.mixup or section.cutmix) and len(labels.shape) != 2:
        raise RecipeError(
            f"{'mixup' if section.mixup else 'cutmix'} cannot mix integer labels.",
            expected="one-hot rows, shape (N, number of classes)",
            received=f"shape {tuple(labels.shape)}",
            fix=(
                "Convert the labels to one-hot rows (keras.utils.to_categorical), or leave out "
                "mixup and cutmix."
            ),
        )
    seeds = _seeds(seed)
    images = _move(images, section, seeds)
    if section.contrast:
        images = _contrast(images, section.contrast, next(seeds))
    if section.color:
        images = _color(images, section.color, seeds)
    if section.noise:
        images += tf.random.stateless_normal(tf.shape(images), next(seeds), stddev=section.noise)
    images = tf.clip_by_value(images, 0.0, 1.0)
    if camera != "none":
        images = photograph(images, CAMERAS[camera], next(seeds), camera_share)
    if section.cutout:
        images = _cutout(images, section.cutout, seeds)
    return _mix(images, labels, section, seeds)


def variations(
    images: Images, section: AugmentSection, *, seed: int = 0, camera: CameraName = "none"
) -> Images:
    """Return augmented copies of images, to look at.

    Args:
        images: uint8, shape (N, height, width, channels).
        section: The recipe's augment section.
        seed: Random seed, 0 or above.
        camera: The camera whose look all images get, not a share as in a training. Default: "none".
    """
    # As in a training, the place of an image in the batch is random: see `photograph`.
    order = np.random.default_rng(seed).permutation(len(images))
    batch = tf.constant(normalize(images[order]))
    labels = tf.zeros((len(images), 1))
    varied, _ = augment(batch, labels, section, tf.constant([seed, 0], tf.int64), camera)
    return np.asarray(np.round(varied.numpy()[np.argsort(order)] * 255), np.uint8)


def _seeds(seed: Any) -> Iterator[Any]:
    """Yield independent seeds without end."""
    for index in itertools.count():
        yield tf.random.experimental.stateless_fold_in(seed, index)


def _uniform(images: Any, seed: Any, low: float, high: float, *shape: int) -> Any:
    """Return uniform random numbers from low to high, of a shape for each image."""
    return tf.random.stateless_uniform((tf.shape(images)[0], *shape), seed, low, high)


def _move(images: Any, section: AugmentSection, seeds: Iterator[Any]) -> Any:
    """Flip, turn, shift, rotate and zoom; the reflection of an image fills its border."""
    if section.upside_down:
        turned = _uniform(images, next(seeds), 0, 1, 1, 1, 1) < 0.5
        images = tf.where(turned, tf.reverse(images, axis=[1, 2]), images)
    if section.flip:
        flipped = _uniform(images, next(seeds), 0, 1, 1, 1, 1) < 0.5
        images = tf.where(flipped, tf.reverse(images, axis=[2]), images)
    if not (section.shift or section.rotate or section.zoom):
        return images
    height, width = images.shape[1], images.shape[2]
    shift = tf.round(_uniform(images, next(seeds), -section.shift, section.shift, 2))
    angle = _uniform(
        images, next(seeds), -math.radians(section.rotate), math.radians(section.rotate)
    )
    scale = 1 / (1 + _uniform(images, next(seeds), -section.zoom, section.zoom))
    cosine, sine = tf.cos(angle) * scale, tf.sin(angle) * scale
    # The transform maps each pixel of the result to where its value comes from. It rotates around
    # the middle.
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    from_x = middle_x - cosine * middle_x + sine * middle_y + shift[:, 0]
    from_y = middle_y - sine * middle_x - cosine * middle_y + shift[:, 1]
    nothing = tf.zeros_like(angle)
    transforms = tf.stack([cosine, -sine, from_x, sine, cosine, from_y, nothing, nothing], axis=1)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=transforms,
        output_shape=tf.constant([height, width], tf.int32),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="REFLECT",
    )


def _contrast(images: Any, strength: float, seed: Any) -> Any:
    mean = tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
    return mean + (images - mean) * _uniform(images, seed, 1 - strength, 1 + strength, 1, 1, 1)


def _color(images: Any, strength: float, seeds: Iterator[Any]) -> Any:
    """Change the saturation, and the strength of each channel."""
    channels = images.shape[-1]
    if channels == len(GRAY_WEIGHTS):
        gray = tf.reduce_sum(images * tf.constant(GRAY_WEIGHTS), axis=-1, keepdims=True)
        images = gray + (images - gray) * _uniform(
            images, next(seeds), 1 - strength, 1 + strength, 1, 1, 1
        )
    return images * _uniform(images, next(seeds), 1 - strength, 1 + strength, 1, 1, channels)


def _cutout(images: Any, side: int, seeds: Iterator[Any]) -> Any:
    """Paint a gray square around a random position; the border of the image cuts it off."""
    inside = _box(images, next(seeds), next(seeds), tf.fill([tf.shape(images)[0]], float(side)))
    return tf.where(inside, 0.5, images)


def _box(images: Any, seed_x: Any, seed_y: Any, side: Any) -> Any:
    """Return whether each pixel lies in a random square, shape (N, height, width, 1).

    Args:
        images: Shape (N, height, width, channels).
        seed_x: Seed of the horizontal positions.
        seed_y: Seed of the vertical positions.
        side: Side length of each image's square in pixels, shape (N,).
    """
    height, width = images.shape[1], images.shape[2]
    half = side[:, tf.newaxis] / 2
    x, y = _uniform(images, seed_x, 0, width, 1), _uniform(images, seed_y, 0, height, 1)
    across = tf.abs(tf.range(width, dtype=tf.float32) + 0.5 - x) <= half
    down = tf.abs(tf.range(height, dtype=tf.float32) + 0.5 - y) <= half
    return (down[:, :, tf.newaxis] & across[:, tf.newaxis, :])[..., tf.newaxis]


def _mix(
    images: Any, labels: Any, section: AugmentSection, seeds: Iterator[Any]
) -> tuple[Any, Any]:
    """Mix each image with its counterpart from the other end of the batch.

    If both mixup and CutMix are on, one of them is chosen at random for the batch.
    """
    if section.mixup and section.cutmix:
        coin = tf.random.stateless_uniform([], next(seeds)) < 0.5
        mixed = (
            _mixup(images, labels, section.mixup, seeds),
            _cutmix(images, labels, section.cutmix, seeds),
        )
        images, labels = (
            tf.where(coin, first, second) for first, second in zip(*mixed, strict=True)
        )
    elif section.mixup:
        images, labels = _mixup(images, labels, section.mixup, seeds)
    elif section.cutmix:
        images, labels = _cutmix(images, labels, section.cutmix, seeds)
    return images, labels


def _beta(images: Any, alpha: float, seeds: Iterator[Any]) -> Any:
    """Return a Beta(alpha, alpha) variate for each image, as a ratio of gamma variates."""
    shape = [tf.shape(images)[0]]
    first = tf.random.stateless_gamma(shape, next(seeds), alpha)
    second = tf.random.stateless_gamma(shape, next(seeds), alpha)
    return (first + 1e-12) / (first + second + 2e-12)


def _mixup(images: Any, labels: Any, alpha: float, seeds: Iterator[Any]) -> tuple[Any, Any]:
    share = _beta(images, alpha, seeds)
    of_image, of_label = tf.reshape(share, [-1, 1, 1, 1]), share[:, tf.newaxis]
    mixed = of_image * images + (1 - of_image) * tf.reverse(images, axis=[0])
    return mixed, of_label * labels + (1 - of_label) * tf.reverse(labels, axis=[0])


def _cutmix(images: Any, labels: Any, alpha: float, seeds: Iterator[Any]) -> tuple[Any, Any]:
    side = tf.sqrt(1 - _beta(images, alpha, seeds)) * float(min(images.shape[1], images.shape[2]))
    inside = _box(images, next(seeds), next(seeds), side)
    pasted_share = tf.reduce_mean(tf.cast(inside, tf.float32), axis=[1, 2])
    share = 1 - pasted_share
    mixed = tf.where(inside, tf.reverse(images, axis=[0]), images)
    return mixed, share * labels + (1 - share) * tf.reverse(labels, axis=[0])
