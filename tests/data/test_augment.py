"""Variations of training images: each does what its name says, repeats with its seed, and stays in
range.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from eyetune.data.augment import augment
from eyetune.errors import RecipeError
from eyetune.recipe import AugmentSection
from eyetune.testing.datasets import tiny_dataset, tiny_images
from eyetune.training.pipeline import training_batches

IMAGES = tiny_images(12, 3, size=16)[0].astype(np.float32) / 255
LABELS = np.eye(12, dtype=np.float32)  # a class of its own for each image, so that mixtures show


def vary(seed: int = 0, images: Any = IMAGES, **values: Any) -> tuple[Any, Any]:
    varied = augment(
        tf.constant(images), tf.constant(LABELS[: len(images)]), AugmentSection(**values), [seed, 0]
    )
    return varied[0].numpy(), varied[1].numpy()


VARIATIONS: list[dict[str, Any]] = [
    {"noise": 0.1}, {"flip": True}, {"shift": 3}, {"rotate": 20}, {"zoom": 0.2},
    {"contrast": 0.5}, {"color": 0.4}, {"cutout": 6}, {"mixup": 0.4}, {"cutmix": 1.0},
    {"mixup": 0.2, "cutmix": 1.0, "flip": True, "noise": 0.05},
]  # fmt: skip


@pytest.mark.parametrize("values", VARIATIONS, ids=str)
def test_augment_changes_images_and_repeats_with_its_seed(values: dict[str, Any]) -> None:
    images, labels = vary(**values)
    again, _ = vary(**values)
    other, _ = vary(seed=1, **values)
    assert images.shape == IMAGES.shape
    assert images.min() >= 0
    assert images.max() <= 1
    np.testing.assert_array_equal(images, again)
    assert not np.array_equal(images, IMAGES)
    assert not np.array_equal(images, other)
    np.testing.assert_allclose(labels.sum(axis=1), 1, rtol=1e-5)
    if "mixup" not in values and "cutmix" not in values:
        np.testing.assert_array_equal(labels, LABELS)


def test_augment_without_values_changes_nothing() -> None:
    images, labels = vary()
    np.testing.assert_array_equal(images, IMAGES)
    np.testing.assert_array_equal(labels, LABELS)


def test_flip_mirrors_about_half_of_the_images() -> None:
    images, _ = vary(flip=True)
    mirrored = [
        np.array_equal(one, image[:, ::-1]) for one, image in zip(images, IMAGES, strict=True)
    ]
    kept = [np.array_equal(one, image) for one, image in zip(images, IMAGES, strict=True)]
    assert all(a != b for a, b in zip(mirrored, kept, strict=True))
    assert 2 <= sum(mirrored) <= 10


def test_upside_down_turns_about_half_of_the_images() -> None:
    images, _ = vary(upside_down=True)
    turned = [
        np.array_equal(one, image[::-1, ::-1]) for one, image in zip(images, IMAGES, strict=True)
    ]
    kept = [np.array_equal(one, image) for one, image in zip(images, IMAGES, strict=True)]
    assert all(a != b for a, b in zip(turned, kept, strict=True))
    assert 2 <= sum(turned) <= 10


def test_shift_moves_whole_pixels_and_reflects_at_the_border() -> None:
    images, _ = vary(shift=3)
    for one, image in zip(images, IMAGES, strict=True):
        padded = np.pad(image, ((3, 3), (3, 3), (0, 0)), mode="symmetric")
        candidates = [padded[y : y + 16, x : x + 16] for y in range(7) for x in range(7)]
        assert min(float(np.abs(one - candidate).max()) for candidate in candidates) < 1e-5


def test_rotation_turns_about_the_middle() -> None:
    image = np.zeros((1, 21, 21, 1), np.float32)
    image[0, 10, 13] = 1  # to the right of the middle
    seen = {
        tuple(np.argwhere(vary(seed, image, rotate=180)[0][0, ..., 0] > 0.5)[0])
        for seed in range(30)
        if (vary(seed, image, rotate=180)[0] > 0.5).any()
    }
    assert len(seen) > 5
    assert all(abs(np.hypot(y - 10, x - 10) - 3) < 1.2 for y, x in seen)


def test_zoom_changes_the_size_about_the_middle() -> None:
    image = np.zeros((1, 21, 21, 1), np.float32)
    image[0, 5:16, 5:16] = 1
    areas = [float(vary(seed, image, zoom=0.5)[0].sum()) for seed in range(20)]
    assert min(areas) < 100
    assert max(areas) > 140


def test_noise_has_the_given_spread() -> None:
    gray = np.full((12, 16, 16, 3), 0.5, np.float32)
    images, _ = vary(images=gray, noise=0.05)
    assert images.std() == pytest.approx(0.05, rel=0.05)
    assert images.mean() == pytest.approx(0.5, abs=0.005)


def test_contrast_keeps_the_mean() -> None:
    faint = 0.5 + (IMAGES - 0.5) * 0.2
    images, _ = vary(images=faint, contrast=0.5)
    np.testing.assert_allclose(images.mean(axis=(1, 2, 3)), faint.mean(axis=(1, 2, 3)), atol=1e-5)


def test_cutout_paints_at_most_the_square() -> None:
    images, _ = vary(cutout=6)
    painted = (images != IMAGES).any(axis=-1).sum(axis=(1, 2))
    assert (painted <= 36).all()
    assert painted.max() > 20
    assert set(np.unique(images[(images != IMAGES).any(axis=-1)])) == {0.5}


def test_mixup_lays_an_image_over_its_counterpart() -> None:
    images, labels = vary(mixup=1.0)
    for index in range(12):
        share = labels[index, np.argmax(LABELS[index])]
        expected = share * IMAGES[index] + (1 - share) * IMAGES[11 - index]
        np.testing.assert_allclose(images[index], expected, atol=1e-5)


def test_cutmix_labels_follow_the_area() -> None:
    images, labels = vary(cutmix=1.0)
    for index in range(12):
        own = float((images[index] == IMAGES[index]).all(axis=-1).mean())
        assert labels[index, np.argmax(LABELS[index])] == pytest.approx(own, abs=0.02)


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from([(8, 12, 1), (15, 9, 3), (32, 32, 3)]),
    st.integers(1, 5),
    st.sampled_from(VARIATIONS),
)
def test_any_shape_of_image_and_batch_works(
    shape: tuple[int, int, int], count: int, values: dict[str, Any]
) -> None:
    images = np.random.default_rng(0).random((count, *shape), np.float32)
    varied, labels = vary(images=images, **values)
    assert varied.shape == images.shape
    assert labels.shape == (count, 12)
    assert np.isfinite(varied).all()


DATASET = tiny_dataset(num_train=30)


def epoch_of(section: AugmentSection, *, seed: int = 0, epoch: int = 0) -> tuple[Any, Any]:
    batches, set_epoch = training_batches(DATASET.train, 3, 8, seed, section)
    set_epoch(epoch)
    parts = [(images.numpy(), labels.numpy()) for images, labels in batches]
    return np.concatenate([images for images, _ in parts]), np.concatenate(
        [labels for _, labels in parts]
    )


def test_augmentation_depends_on_seed_and_epoch_alone() -> None:
    section = AugmentSection(noise=0.1, flip=True)
    first, _ = epoch_of(section)
    np.testing.assert_array_equal(first, epoch_of(section)[0])
    assert not np.array_equal(
        np.sort(first.sum(axis=(1, 2, 3))),
        np.sort(epoch_of(section, epoch=1)[0].sum(axis=(1, 2, 3))),
    )
    assert not np.array_equal(first, epoch_of(section, seed=1)[0])


def test_copies_are_added_beside_unchanged_images() -> None:
    images, labels = epoch_of(AugmentSection(noise=0.1, copies=2))
    (originals, _), _, _ = DATASET.arrays()
    unchanged = [int((images == original).all(axis=(1, 2, 3)).sum()) for original in originals]
    assert len(images) == len(labels) == 90
    assert unchanged == [1] * 30
    assert labels.sum(axis=0).tolist() == [30, 30, 30]


@pytest.mark.parametrize("values", [{"mixup": 0.2}, {"cutmix": 1.0}])
def test_mixtures_reject_integer_labels(values: dict[str, Any]) -> None:
    numbers = tf.constant(np.arange(12))
    with pytest.raises(RecipeError, match=r"mixup|cutmix"):
        augment(tf.constant(IMAGES), numbers, AugmentSection(**values), [0, 0])
    images, labels = augment(tf.constant(IMAGES), numbers, AugmentSection(flip=True), [0, 0])
    assert labels is numbers
    assert images.shape == IMAGES.shape
