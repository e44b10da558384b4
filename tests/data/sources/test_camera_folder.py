"""Folders of a camera's pictures: with classes, with some of them, or without."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from eyetune.data.sources.camera_folder import camera_files
from eyetune.errors import DataError, SourceError, UsageError

NAMES = ("cat", "dog", "owl")


def put(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8)).save(path)


def test_labels_are_those_of_the_network(tmp_path: Path) -> None:
    for name in ("owl/1.png", "cat/2.png", "owl/3.png"):
        put(tmp_path / name)
    files = camera_files(tmp_path, NAMES)
    assert files.labels is not None
    found = {path.name: label for path, label in zip(files.paths, files.labels, strict=True)}
    assert found == {"1.png": 2, "2.png": 0, "3.png": 2}
    assert files.missing == ("dog",)


def test_pictures_without_folders_have_no_labels(tmp_path: Path) -> None:
    put(tmp_path / "b.png")
    put(tmp_path / "a.png")
    put(tmp_path / ".hidden.png")
    files = camera_files(tmp_path, NAMES)
    assert [path.name for path in files.paths] == ["a.png", "b.png"]
    assert files.labels is None


def test_other_classes_are_refused_with_their_names(tmp_path: Path) -> None:
    put(tmp_path / "cat" / "1.png")
    put(tmp_path / "horse" / "1.png")
    with pytest.raises(DataError) as caught:
        camera_files(tmp_path, NAMES)
    assert caught.value.received == "horse"


def test_missing_and_empty_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        camera_files(tmp_path / "nowhere", NAMES)
    with pytest.raises(UsageError):
        camera_files(tmp_path, NAMES)
