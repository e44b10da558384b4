"""Pictures of a check: their names, sizes and classes, and files that cannot be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eyetune.data.check.pictures import read_pictures
from eyetune.errors import DataError, SourceError
from tests.data.check.scenes import scene


def test_pictures_of_a_folder_have_names_and_original_sizes(tmp_path: Path) -> None:
    for number, name in enumerate(("train/cat", "train/dog", "test/cat", "test/dog")):
        (tmp_path / name).mkdir(parents=True)
        scene(number, 40 + number, 30).save(tmp_path / name / "a.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # on its side
    scene(9).save(tmp_path / "train" / "dog" / "turned.jpg", exif=exif)
    (tmp_path / "test" / "cat" / "broken.jpg").write_bytes(b"no picture")
    counted: list[tuple[int, int]] = []
    pictures = read_pictures(str(tmp_path), lambda *progress: counted.append(progress))
    described = {item.name: (item.split, item.label, item.width) for item in pictures.items}
    assert described == {
        "train/cat/a.png": ("train", 0, 40),
        "train/dog/a.png": ("train", 1, 41),
        "train/dog/turned.jpg": ("train", 1, 72),
        "test/cat/a.png": ("test", 0, 42),
        "test/dog/a.png": ("test", 1, 43),
    }
    assert [item.name for item in pictures.unreadable] == ["test/cat/broken.jpg"]
    assert counted[-1] == (6, 6)
    assert pictures.images.shape == (5, 32, 32, 3)
    turned = [item.name for item in pictures.items].index("train/dog/turned.jpg")
    assert pictures.pixels(turned, 48).shape == (48, 36, 3)


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_of_arrays_are_named_by_split_and_index(tmp_path: Path, channels: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 20, 24, channels), dtype=np.uint8)
    path = tmp_path / "data.npz"
    np.savez(path, x_train=images[:3], y_train=[1, 0, 1], x_test=images[3:], y_test=[0, 1])
    pictures = read_pictures(str(path))
    names = [item.name for item in pictures.items]
    assert names == ["train[0]", "train[1]", "train[2]", "test[0]", "test[1]"]
    assert pictures.labels.tolist() == [1, 0, 1, 0, 1]
    assert pictures.images.shape == (5, 32, 32, channels)
    shown = pictures.pixels(3, 24)
    assert shown.shape == (20, 24, 3)
    np.testing.assert_array_equal(shown[..., :channels], images[3])


def test_source_without_readable_pictures_is_refused(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(b"")
    with pytest.raises(DataError):
        read_pictures(str(tmp_path))
    with pytest.raises(SourceError):
        read_pictures(str(tmp_path / "missing"))
