"""Pictures that show none of the classes of a network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eyetune.data.unknown_pictures import NUM_PICTURES, generated_pictures, own_pictures
from eyetune.errors import DataError, SourceError


@pytest.mark.parametrize("shape", [(32, 32, 3), (20, 36, 1)])
def test_generated_pictures_have_the_shape_and_vary(shape: tuple[int, int, int]) -> None:
    pictures = generated_pictures(shape, has_digits=True)
    assert set(pictures) == {"noise", "blotches of color", "handwritten digits"}
    for images in pictures.values():
        assert images.shape == (NUM_PICTURES, *shape)
        assert images.dtype == np.uint8
        assert len(np.unique(images[:50], axis=0)) == 50
    again = generated_pictures(shape, has_digits=False)
    assert "handwritten digits" not in again
    assert np.array_equal(again["noise"], pictures["noise"])


def test_own_pictures_are_read_from_a_folder_of_any_depth(tmp_path: Path) -> None:
    for name, color in (("a.png", "red"), ("more/b.jpg", "blue")):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (50, 40), color).save(path)
    (tmp_path / "notes.txt").write_text("not a picture")
    images = own_pictures(tmp_path, (16, 16, 3))
    assert images.shape == (2, 16, 16, 3)
    assert images[0, 8, 8].tolist() == [255, 0, 0]
    assert images[1, 8, 8, 2] > 200
    (tmp_path / "broken.png").write_bytes(b"PNG")
    notes: list[str] = []
    assert len(own_pictures(tmp_path, (16, 16, 3), on_note=notes.append)) == 2
    assert "broken.png" in notes[0]
    for name in ("a.png", "more/b.jpg"):
        (tmp_path / name).unlink()
    with pytest.raises(DataError, match=r"broken\.png"):
        own_pictures(tmp_path, (16, 16, 3))


def test_own_pictures_are_those_of_a_data_set() -> None:
    assert own_pictures("digits", (12, 8, 1)).shape == (1797, 12, 8, 1)
    with pytest.raises(SourceError):
        own_pictures("no such place", (8, 8, 3))
