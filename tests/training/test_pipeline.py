"""Batches: normalized as in the lab, shuffled by seed and epoch alone, complete."""

from __future__ import annotations

from typing import Any

import numpy as np

from eyetune.data import Split
from eyetune.recipe import AugmentSection
from eyetune.testing.datasets import tiny_dataset
from eyetune.training.pipeline import evaluation_batches, training_batches

DATASET = tiny_dataset(num_train=50)


def collect(batches: Any) -> tuple[list[int], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    parts = [(np.asarray(images), np.asarray(labels)) for images, labels in batches]
    sizes = [len(images) for images, _ in parts]
    return (
        sizes,
        np.concatenate([images for images, _ in parts]),
        np.concatenate([labels for _, labels in parts]),
    )


def test_evaluation_batches_are_the_labs_arrays_in_order() -> None:
    (x_train, y_train), _, _ = DATASET.arrays()
    sizes, images, labels = collect(evaluation_batches(DATASET.train, 3, 16))
    assert sizes == [16, 16, 16, 2]
    np.testing.assert_array_equal(images, x_train)
    np.testing.assert_array_equal(labels, y_train)
    assert images.dtype == labels.dtype == np.float32


def test_epoch_has_every_image_once_in_a_seeded_order() -> None:
    (x_train, _), _, _ = DATASET.arrays()

    def epoch_order(seed: int, epoch: int) -> list[int]:
        batches, set_epoch = training_batches(DATASET.train, 3, 16, seed)
        set_epoch(epoch)
        _, images, _ = collect(batches)
        return [int(np.flatnonzero((x_train == image).all(axis=(1, 2, 3)))[0]) for image in images]

    first = epoch_order(0, 0)
    assert sorted(first) == list(range(50))
    assert first != list(range(50))
    assert first == epoch_order(0, 0)
    assert first != epoch_order(0, 1)
    assert first != epoch_order(1, 0)


def test_seeds_beyond_32_bits_are_distinguished() -> None:
    def first_batch(seed: int) -> np.ndarray[Any, Any]:
        batches, _ = training_batches(DATASET.train, 3, 16, seed)
        return np.asarray(next(iter(batches))[0])

    assert not np.array_equal(first_batch(1), first_batch(1 + 2**32))


def test_pipelines_are_not_tuned_while_they_run() -> None:
    """The thread that does it is waited for at the end of each pass: an eighth of the time of two
    trainings at once.
    """
    batches, _ = training_batches(DATASET.train, 3, 16, 0)
    assert not batches.options().autotune.enabled
    assert not evaluation_batches(DATASET.train, 3).options().autotune.enabled


def test_balanced_epoch_has_as_many_images_of_each_class_and_copy() -> None:
    uneven = Split(DATASET.train.images[:20], np.repeat([0, 1], [16, 4]))
    section = AugmentSection(noise=0.1, copies=1)
    batches, set_epoch = training_batches(uneven, 2, 8, 0, section, sampling="balanced")
    set_epoch(3)
    sizes, images, labels = collect(batches)
    assert sizes == [8] * 5
    assert labels.sum(axis=0).tolist() == [20, 20]
    originals = uneven.images / np.float32(255)
    unchanged = [bool((originals == image).all(axis=(1, 2, 3)).any()) for image in images]
    assert 10 < sum(unchanged) < 30
    set_epoch(3)
    np.testing.assert_array_equal(collect(batches)[1], images)
