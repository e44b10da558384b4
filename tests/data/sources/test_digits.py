from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from eyetune.data import Dataset, load


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits")


def test_digits_have_three_stratified_splits(digits: Dataset) -> None:
    assert [len(split) for _, split in digits.splits()] == [1150, 288, 359]
    assert digits.class_names == tuple("0123456789")
    assert digits.image_shape == (32, 32, 3)
    for _, split in digits.splits():
        counts = split.class_counts(10)
        assert counts.max() - counts.min() <= 0.01 * len(split) + 2


def test_digits_fill_the_range_of_bytes_in_gray(digits: Dataset) -> None:
    images = digits.train.images
    assert images.dtype == np.uint8
    assert (images.min(), images.max()) == (0, 255)
    assert np.array_equal(images[..., 0], images[..., 1])
    assert np.array_equal(images[..., 0], images[..., 2])


def test_digits_at_8_pixels_are_scikit_learns_scaled_to_255() -> None:
    dataset = load("digits", image_size=8)
    ours = np.concatenate([split.images[..., 0] for _, split in dataset.splits()])
    labels = np.concatenate([split.labels for _, split in dataset.splits()])
    source = load_digits()
    pairs = zip(source.images, source.target, strict=True)
    expected = sorted(
        (int(label), *np.round(image.ravel() * 255 / 16).astype(int)) for image, label in pairs
    )
    found = sorted(
        (int(label), *map(int, image.ravel())) for image, label in zip(ours, labels, strict=True)
    )
    assert found == expected


def test_digits_depend_on_the_seed_alone(digits: Dataset) -> None:
    again, other = load("digits"), load("digits", seed=1)
    assert np.array_equal(again.train.images, digits.train.images)
    assert again.fingerprint == digits.fingerprint
    assert not np.array_equal(other.train.labels, digits.train.labels)
    assert other.fingerprint != digits.fingerprint


def test_digits_note_their_held_out_test_split(digits: Dataset) -> None:
    assert digits.notes == ("the source has no test split: 359 images are held out for testing",)
