"""Copies: found when resized, mirrored or compressed, and not among different pictures."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from eyetune.data.check.duplicates import Copies, find_copies
from eyetune.data.check.pictures import Pictures, read_pictures
from tests.data.check.scenes import scene

NUM_SCENES = 40


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(NUM_SCENES):
        path = tmp_path / ("cat", "dog")[number % 2] / f"{number:02}.png"
        path.parent.mkdir(exist_ok=True)
        scene(number).save(path)
    return tmp_path


def names_of(pictures: Pictures, group: Copies) -> set[str]:
    return {pictures.items[index].name for index in group.indices}


def test_different_pictures_are_no_copies(folder: Path) -> None:
    assert find_copies(read_pictures(str(folder))) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image.resize((50, 40)),
        lambda image: image.resize((200, 150)),
        ImageOps.mirror,
        lambda image: ImageOps.mirror(image).resize((64, 48)),
    ],
    ids=["smaller", "larger", "mirrored", "mirrored and smaller"],
)
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_changed_copies_are_found(
    folder: Path, change: Callable[[Image.Image], Image.Image], suffix: str
) -> None:
    change(scene(4)).save(folder / "dog" / f"copy{suffix}", quality=50)
    pictures = read_pictures(str(folder))
    (group,) = find_copies(pictures)
    assert names_of(pictures, group) == {"cat/04.png", f"dog/copy{suffix}"}
    assert not group.is_exact
    assert 0.6 < group.similarity <= 1


def test_identical_files_are_one_exact_group(folder: Path) -> None:
    for name in ("a.png", "b.png"):
        shutil.copy(folder / "cat" / "02.png", folder / "dog" / name)
    pictures = read_pictures(str(folder))
    (group,) = find_copies(pictures)
    assert names_of(pictures, group) == {"cat/02.png", "dog/a.png", "dog/b.png"}
    assert group.is_exact
    assert group.similarity == 1


def test_copies_of_a_copy_are_one_group(folder: Path) -> None:
    scene(6).resize((48, 36)).save(folder / "cat" / "small.png")
    shutil.copy(folder / "cat" / "small.png", folder / "dog" / "small again.png")
    pictures = read_pictures(str(folder))
    (group,) = find_copies(pictures)
    assert names_of(pictures, group) == {"cat/06.png", "cat/small.png", "dog/small again.png"}
    assert not group.is_exact
