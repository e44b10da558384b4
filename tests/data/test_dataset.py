from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyetune.data import Dataset
from eyetune.data.dataset import normalize, one_hot, readable
from eyetune.errors import DataError
from eyetune.recipe import Recipe
from eyetune.testing.datasets import tiny_dataset


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return tiny_dataset(num_classes=4, num_train=60, size=8)


def test_arrays_are_the_labs_floats_and_keras_one_hot_rows(dataset: Dataset) -> None:
    from keras.utils import to_categorical

    for (_, split), (x, y) in zip(dataset.splits(), dataset.arrays(), strict=True):
        assert x.dtype == y.dtype == np.float32
        assert np.array_equal(x, split.images.astype("float32") / 255)
        assert np.array_equal(y, to_categorical(split.labels, 4))


def test_normalize_divides_every_pixel_value_by_255() -> None:
    values = np.arange(256, dtype=np.uint8)
    scaled = normalize(values)
    assert np.array_equal(scaled, np.array([value / 255 for value in range(256)], np.float32))
    assert (scaled[0], scaled[-1]) == (0, 1)


@given(
    st.integers(1, 20).flatmap(
        lambda count: st.tuples(st.just(count), st.lists(st.integers(0, count - 1)))
    )
)
def test_one_hot_has_a_single_1_in_the_labels_column(
    case: tuple[int, list[int]],
) -> None:
    num_classes, labels = case
    rows = one_hot(np.array(labels, np.int64), num_classes)
    assert rows.shape == (len(labels), num_classes)
    assert rows.argmax(axis=1).tolist() == labels
    assert rows.sum() == len(labels) == np.count_nonzero(rows)


@pytest.mark.parametrize(
    ("size", "train", "validation", "test"),
    [
        (10, 8, 2, 2),
        (50, 40, 10, 10),
        (7, 5, 2, 1),
        (5, 4, 1, 1),
        (70, 56, 14, 14),
        (79, 63, 16, 15),
    ],
)
def test_subset_trains_on_four_fifths_and_validates_the_rest(
    dataset: Dataset, size: int, train: int, validation: int, test: int
) -> None:
    subset = dataset.subset(size)
    assert [len(split) for _, split in subset.splits()] == [train, validation, test]
    images = np.concatenate([dataset.train.images, dataset.validation.images])
    labels = np.concatenate([dataset.train.labels, dataset.validation.labels])
    assert np.array_equal(subset.train.images, images[:train])
    assert np.array_equal(subset.validation.images, images[train:size])
    assert np.array_equal(subset.train.labels, labels[:train])
    assert np.array_equal(subset.validation.labels, labels[train:size])
    assert np.array_equal(subset.test.images, dataset.test.images[:test])


def test_subset_within_the_training_images_copies_nothing(dataset: Dataset) -> None:
    subset = dataset.subset(50)
    assert np.shares_memory(subset.train.images, dataset.train.images)
    assert np.shares_memory(subset.validation.images, dataset.train.images)


def test_subset_has_its_own_fingerprint(dataset: Dataset) -> None:
    assert (
        len({dataset.fingerprint, dataset.subset(10).fingerprint, dataset.subset(20).fingerprint})
        == 3
    )
    assert dataset.subset(80) is dataset
    assert dataset.subset(10**9) is dataset


@pytest.mark.parametrize("size", [4, 0, -3])
def test_subset_too_small_to_split_is_rejected(dataset: Dataset, size: int) -> None:
    with pytest.raises(DataError) as caught:
        dataset.subset(size)
    assert caught.value.details() == {"expected": "at least 5 images", "received": str(size)}


@pytest.mark.parametrize(("share", "num_held_out"), [(0.25, 5), (0.001, 1), (0.999, 19)])
def test_hold_out_takes_the_last_validation_images(
    dataset: Dataset, share: float, num_held_out: int
) -> None:
    held_out = dataset.hold_out(share)
    assert held_out.calibration is not None
    assert len(held_out.calibration) == num_held_out
    images = np.concatenate([held_out.validation.images, held_out.calibration.images])
    assert np.array_equal(images, dataset.validation.images)
    labels = np.concatenate([held_out.validation.labels, held_out.calibration.labels])
    assert np.array_equal(labels, dataset.validation.labels)
    assert held_out.train is dataset.train
    assert held_out.fingerprint != dataset.fingerprint


def test_hold_out_needs_two_validation_images(dataset: Dataset) -> None:
    with pytest.raises(DataError):
        dataclasses.replace(dataset, validation=dataset.validation.take(0, 1)).hold_out(0.5)


def test_splits_come_by_name_and_in_order(dataset: Dataset) -> None:
    assert [name for name, _ in dataset.splits()] == ["train", "validation", "test"]
    assert dataset.split("validation") is dataset.validation
    assert dataset.image_shape == (8, 8, 3)
    assert dataset.num_classes == 4


def test_class_counts_name_the_absent_classes_too(dataset: Dataset) -> None:
    assert dataset.train.class_counts(6).tolist() == [15, 15, 15, 15, 0, 0]


def test_dataset_cannot_be_changed_in_place(dataset: Dataset) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        dataset.name = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("café 😀 猫", "café 😀 猫"),
        ("a b$c", "a b$c"),
        ("a\nb\x00", "a\\nb\\x00"),
        ("a\udcff", "a\\udcff"),
        ("\u0645\u06cc\u200c\u062e", "\u0645\u06cc\u200c\u062e"),
    ],
)
def test_readable_escapes_only_unprintable_characters(name: str, shown: str) -> None:
    assert readable(name) == shown
    assert shown.encode()


def test_notebook_shows_the_splits_and_some_images(dataset: Dataset) -> None:
    shown = dataclasses.replace(dataset, name="<b>", notes=("left out: a<b",))._repr_html_()
    assert "60 x 8 x 8 x 3" in shown
    assert "uint8" in shown
    assert "data:image/png;base64," in shown
    assert "&lt;b&gt;" in shown
    assert "left out: a&lt;b" in shown
    assert "<b><b>" not in shown


def test_preview_draws_images_with_or_without_augmentation(dataset: Dataset) -> None:
    plain = dataset.preview(per_class=5, classes=2)
    varied = dataset.preview(
        Recipe().with_(augment__flip=True, augment__noise=0.1), per_class=5, classes=2
    )
    unchanged = dataset.preview(Recipe(), per_class=5, classes=2)
    assert plain.height < dataset.preview(per_class=5).height
    assert plain.size == varied.size == unchanged.size
    assert varied != unchanged
