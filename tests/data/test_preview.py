from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageChops

from eyetune.data import Dataset, Split
from eyetune.data.dataset import Images
from eyetune.data.preview import describe, sample_grid, save_picture, to_picture, variation_grid
from eyetune.errors import EyetuneError, UsageError, WorkspaceError
from eyetune.testing.datasets import tiny_dataset

MARGIN = 4


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return replace(tiny_dataset(num_classes=3, num_train=30, size=16), notes=("a note",))


def tiles(dataset: Dataset, grid: Image.Image, per_class: int, scale: int) -> np.ndarray[Any, Any]:
    """Return the drawn images, shape (classes, per_class, height, width, 3), at their own size."""
    side = 16 * scale
    left = grid.width - per_class * (side + MARGIN)
    pixels = np.asarray(grid)
    cut = [
        [
            pixels[MARGIN + row * (side + MARGIN) :, left + column * (side + MARGIN) :][
                :side:scale, :side:scale
            ]
        ]
        for row in range(dataset.num_classes)
        for column in range(per_class)
    ]
    return np.stack(cut).reshape(dataset.num_classes, per_class, 16, 16, 3)


def test_describe_returns_json_with_each_split(dataset: Dataset) -> None:
    facts = json.loads(json.dumps(describe(dataset)))
    assert list(facts["splits"]) == ["train", "validation", "test"]
    for name, split in dataset.splits():
        found = facts["splits"][name]
        assert found["images"] == [len(split), 16, 16, 3]
        assert found["labels"] == [len(split)]
        assert (found["images_dtype"], found["labels_dtype"]) == ("uint8", "int64")
        assert found["smallest_value"] == split.images.min()
        assert found["largest_value"] == split.images.max()
        assert found["mean_value"] == round(float(split.images.mean()), 2)
        assert found["class_counts"] == np.bincount(split.labels).tolist()


def test_describe_shows_the_first_labels_in_three_forms(
    dataset: Dataset,
) -> None:
    facts = describe(dataset)
    assert facts["first_labels"] == [0, 1, 2, 0, 1, 2, 0, 1, 2, 0]
    assert facts["first_names"][:3] == ["class 0", "class 1", "class 2"]
    assert facts["first_one_hot"][:3] == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert facts["classes"] == ["class 0", "class 1", "class 2"]
    assert (facts["name"], facts["source"], facts["fingerprint"]) == (
        "tiny",
        "tiny",
        dataset.fingerprint,
    )
    assert facts["notes"] == ["a note"]


@pytest.mark.parametrize("scale", [1, 3])
def test_sample_grid_shows_the_first_images_of_each_class(dataset: Dataset, scale: int) -> None:
    drawn = tiles(dataset, sample_grid(dataset, per_class=5, scale=scale), 5, scale)
    for label in range(3):
        assert np.array_equal(drawn[label], dataset.train.images[dataset.train.labels == label][:5])


def test_small_images_are_enlarged_to_about_48_pixels(dataset: Dataset) -> None:
    assert np.array_equal(
        np.asarray(sample_grid(dataset, per_class=2)),
        np.asarray(sample_grid(dataset, per_class=2, scale=3)),
    )


def test_class_with_few_images_has_a_shorter_row(dataset: Dataset) -> None:
    few = replace(dataset, train=dataset.train.take(0, 4))
    drawn = tiles(few, sample_grid(few, per_class=3, scale=1), 2, 1)
    assert np.array_equal(drawn[0], few.train.images[few.train.labels == 0])
    assert np.array_equal(drawn[1, 0], few.train.images[1])
    assert (drawn[1:, 1] == 255).all()


def test_variations_stand_beside_the_first_image_of_each_class(dataset: Dataset) -> None:
    calls = []

    def darken(images: Images) -> Images:
        calls.append(len(images))
        return images // 2

    drawn = tiles(dataset, variation_grid(dataset, darken, per_class=4, scale=1), 4, 1)
    first = dataset.train.images[:3]
    assert np.array_equal(drawn[:, 0], first)
    for column in range(1, 4):
        assert np.array_equal(drawn[:, column], first // 2)
    assert calls == [9]


def test_variations_are_of_the_first_image_of_their_row(dataset: Dataset) -> None:
    def number(images: Images) -> Images:
        return (
            np.arange(len(images), dtype=np.uint8)[:, np.newaxis, np.newaxis, np.newaxis]
            + 0 * images
        )

    drawn = tiles(dataset, variation_grid(dataset, number, per_class=3, scale=1), 3, 1)
    assert drawn[:, 1:, 0, 0, 0].tolist() == [[0, 3], [1, 4], [2, 5]]


def test_variation_grid_skips_classes_without_images(dataset: Dataset) -> None:
    without = replace(dataset, class_names=("A", "A", "W"), train=dataset.train.take(1, 3))
    grid = variation_grid(without, lambda images: images, per_class=2, scale=3)
    assert grid.height == 2 * (48 + MARGIN) + MARGIN
    names = [np.asarray(row_name(grid, row, 2)) for row in range(2)]
    assert not np.array_equal(names[0], names[1])


def row_name(grid: Image.Image, row: int, per_class: int) -> Image.Image:
    side = 48 + MARGIN
    return grid.crop((0, MARGIN + row * side, grid.width - per_class * side, row * side + side))


def test_each_row_bears_the_name_of_its_class(dataset: Dataset) -> None:
    named = replace(dataset, class_names=("A", "A", "W"))
    grid = sample_grid(named, per_class=1, scale=3)
    rows = [row_name(grid, row, 1) for row in range(3)]
    assert ImageChops.difference(rows[0], rows[1]).getbbox() is None
    assert ImageChops.difference(rows[0], rows[2]).getbbox() is not None


def test_hundred_classes_at_most_are_drawn() -> None:
    many = tiny_dataset(num_classes=120, num_train=120, size=8)
    assert sample_grid(many, per_class=1, scale=1).height == 100 * (8 + MARGIN) + MARGIN


def test_gray_images_are_drawn_in_gray() -> None:
    images = np.arange(64, dtype=np.uint8).reshape(1, 8, 8, 1)
    picture = to_picture(images[0], 2)
    assert (picture.mode, picture.size) == ("RGB", (16, 16))
    assert np.asarray(picture)[::2, ::2, 1].tolist() == images[0, ..., 0].tolist()
    gray = Split(images.repeat(4, axis=0), np.array([0, 1, 0, 1]))
    assert sample_grid(Dataset("a", "a", ("x", "y"), gray, gray, gray, "f")).mode == "RGB"


@pytest.mark.parametrize("names", [("猫", "😀"), ("$^$", "a\\nb"), ("x" * 200, "y"), (" ", "é")])
def test_any_readable_name_can_be_drawn(dataset: Dataset, names: tuple[str, str]) -> None:
    grid = sample_grid(replace(dataset, class_names=(*names, "c")), per_class=1, scale=1)
    assert grid.width > 16


def test_save_picture_creates_the_folder(dataset: Dataset, tmp_path: Path) -> None:
    grid = sample_grid(dataset, per_class=1)
    save_picture(grid, tmp_path / "new" / "folder" / "a.png")
    with Image.open(tmp_path / "new" / "folder" / "a.png") as read:
        assert ImageChops.difference(read.convert("RGB"), grid).getbbox() is None


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.xyz", UsageError),
        ("a", UsageError),
        ("file/a.png", WorkspaceError),
        ("folder.png", WorkspaceError),
    ],
)
def test_save_picture_reports_bad_paths(
    name: str, kind: type[EyetuneError], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(kind) as caught:
        save_picture(Image.new("RGB", (4, 4)), tmp_path / name)
    assert Path(name).name in str(caught.value)
