"""The look of a camera: each part does what it says, alone, within bounds and reproducibly."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import numpy as np
import pytest
import tensorflow as tf

from eyetune.data.augment import augment, variations
from eyetune.data.camera_look import CAMERAS, CameraLook, photograph, rgb565
from eyetune.data.dataset import Floats, normalize
from eyetune.recipe import AugmentSection, CameraName
from eyetune.testing.datasets import tiny_dataset, tiny_images
from eyetune.training.pipeline import evaluation_batches, training_batches

IMAGES: Floats = normalize(tiny_images(40, 3, size=16)[0])
GRAY = IMAGES[..., :1]


def taken(look: CameraLook, images: Floats = IMAGES, seed: int = 0, share: float = 1.0) -> Floats:
    result = photograph(tf.constant(images), look, [seed, 0], share)
    return np.asarray(result.numpy(), np.float32)


def detail(images: Floats) -> Floats:
    """Return how much neighbors differ in each image."""
    return np.asarray(np.abs(np.diff(images, axis=1)).mean(axis=(1, 2, 3)))


def means(images: Floats) -> Floats:
    return np.asarray(images.mean(axis=(1, 2, 3)))


def lit_corners(images: Floats) -> Floats:
    corners = images[:, ::15, ::15].mean(axis=(1, 2, 3))
    return np.asarray(corners / images[:, 6:10, 6:10].mean(axis=(1, 2, 3)))


def roughness(images: Floats) -> Floats:
    return np.asarray(images.std(axis=(1, 2, 3)))


def warmth(images: Floats) -> Floats:
    return np.asarray(images[..., 0].mean(axis=(1, 2)) / images[..., 2].mean(axis=(1, 2)))


FLAT = np.full_like(IMAGES, 0.5)
EFFECTS: list[tuple[CameraLook, Floats, Callable[[Floats], Floats], float, float]] = [
    (CameraLook(defocus=0.1), IMAGES, detail, 0.03, 1.0),
    (CameraLook(motion=0.1), IMAGES, detail, 0.03, 1.0),
    (CameraLook(shading=0.5), FLAT, lit_corners, 0.7, 1.0),
    (CameraLook(darkest=0.5, brightest=1.5), FLAT, means, 0.25, 0.75),
    (CameraLook(noise=0.01, max_gain=16), FLAT, roughness, 0.009, 0.042),
    (CameraLook(red_cast=0.4, blue_cast=0.4), FLAT, warmth, 0.66, 1.5),
]


@pytest.mark.parametrize(("look", "images", "measure", "low", "high"), EFFECTS)
def test_photograph_draws_strengths_within_a_range(
    look: CameraLook,
    images: Floats,
    measure: Callable[[Floats], Floats],
    low: float,
    high: float,
) -> None:
    before, after = measure(images), measure(taken(look, images))
    if measure is detail:
        after = after / before
    assert after.min() >= low - 1e-3
    assert after.max() <= high + 1e-3
    assert after.max() - after.min() > 0.3 * (high - low)


def test_photograph_keeps_the_share_of_clean_images() -> None:
    result = taken(CameraLook(noise=0.1), share=0.6)
    kept = (result == IMAGES).all(axis=(1, 2, 3))
    assert kept.sum() == 16


def test_small_batches_have_the_share_on_average() -> None:
    changed = [
        (taken(CameraLook(noise=0.1), IMAGES[:2], seed, 0.2) != IMAGES[:2]).any(axis=(1, 2, 3))
        for seed in range(60)
    ]
    assert 0.12 < np.mean(changed) < 0.28


def test_photograph_without_strengths_changes_nothing() -> None:
    np.testing.assert_allclose(taken(CameraLook()), IMAGES, atol=1e-6)
    np.testing.assert_allclose(taken(CameraLook(), GRAY), GRAY, atol=1e-6)


def test_rgb565_cuts_off_the_last_bits_as_the_firmware() -> None:
    pixels = np.array([[[[255, 255, 255], [7, 3, 9], [100, 101, 103]]]], np.float32)
    result = rgb565(tf.constant(pixels / 255)).numpy() * 255
    np.testing.assert_allclose(result, [[[[248, 252, 248], [0, 0, 8], [96, 100, 96]]]], atol=1e-3)
    gray = rgb565(tf.constant(pixels[..., :1] / 255)).numpy()[0, 0, :, 0] * 255
    np.testing.assert_allclose(gray, [250.348, 2.348, 98.348], atol=1e-2)


def test_formats_share_the_changed_images() -> None:
    result = np.round(taken(CameraLook(rgb565=0.5, compressed=0.25, min_quality=10)) * 255)
    in_steps = (result % [8, 4, 8] == 0).all(axis=(1, 2, 3))
    unchanged = (np.abs(result - IMAGES * 255) < 0.5).all(axis=(1, 2, 3))
    assert (in_steps.sum(), unchanged.sum()) == (20, 10)


@pytest.mark.parametrize("images", [IMAGES, GRAY], ids=["color", "gray"])
def test_every_camera_stays_within_bounds_and_repeats(images: Floats) -> None:
    assert {*CAMERAS, "none"} == set(get_args(CameraName))
    for look in CAMERAS.values():
        result = taken(look, images)
        assert result.shape == images.shape
        assert result.min() >= 0
        assert result.max() <= 1
        np.testing.assert_array_equal(result, taken(look, images))
        assert (result != taken(look, images, seed=1)).any(axis=(1, 2, 3)).all()


def test_camera_follows_the_other_changes_of_images() -> None:
    labels = tf.zeros((40, 1))
    section = AugmentSection(cutout=4)
    images, _ = augment(tf.constant(IMAGES), labels, section, [0, 0], "ov2640")
    squares = (images.numpy() == 0.5).all(axis=-1).any(axis=(1, 2))
    assert squares.all()  # the camera has not changed their gray


DATASET = tiny_dataset(num_train=24)
ORIGINALS = {image.tobytes() for image in normalize(DATASET.train.images)}


def epochs_of(copies: int = 0) -> Callable[[int], list[bytes]]:
    """Return a function that returns the images of an epoch."""
    section = AugmentSection(copies=copies)
    batches, set_epoch = training_batches(
        DATASET.train, 3, 8, 0, section, camera="ov2640", camera_share=0.75
    )

    def images_of(epoch: int) -> list[bytes]:
        set_epoch(epoch)
        return [image.tobytes() for images, _ in batches for image in images.numpy()]

    return images_of


def test_camera_depends_on_seed_and_epoch_alone() -> None:
    images_of = epochs_of()
    later = ORIGINALS.intersection(images_of(4))
    first = images_of(3)
    assert first == images_of(3)
    assert first == epochs_of()(3)
    assert len(ORIGINALS.intersection(first)) == len(later) == 6  # a quarter
    assert ORIGINALS.intersection(first) != later


def test_copies_get_the_look_beside_unchanged_images() -> None:
    images = set(epochs_of(copies=1)(0))
    assert images >= ORIGINALS
    assert len(images) > 24 + 12


def test_only_training_images_get_the_look() -> None:
    (images, _), *_ = evaluation_batches(DATASET.train, 3)
    np.testing.assert_allclose(images.numpy() * 255, DATASET.train.images, atol=1e-4)


def test_variations_show_the_look_of_a_camera() -> None:
    images = tiny_images(16, 3, size=16)[0]
    result = variations(images, AugmentSection(), camera="ov2640")
    assert (result != images).any(axis=(1, 2, 3)).all()
    in_steps = (result % [8, 4, 8] == 0).all(axis=(1, 2, 3))
    assert in_steps.sum() == 8  # in RGB565
    assert in_steps.tolist() != [True] * 8 + [False] * 8  # they are anywhere
