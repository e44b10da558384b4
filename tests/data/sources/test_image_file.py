from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, _imaging

from eyetune.data.resize import resized
from eyetune.data.sources.image_file import decode, decode_readable
from eyetune.errors import DataError
from eyetune.inputs.limits import IMAGE_FILE_BYTES, IMAGE_PIXELS
from eyetune.recipe import Resize
from eyetune.testing.datasets import tiny_images
from tests.data.sources.pictures import BLUE, RED, UNREADABLE, WHITE, halves, plain

SHAPE = (8, 8, 3)
REASONS = {**{reason: reason for reason in UNREADABLE}, "broken": ""}


def decoded(
    path: Path, shape: tuple[int, int, int] = SHAPE, resize: Resize = "crop"
) -> np.ndarray[Any, Any]:
    return decode(path, shape, resize).astype(int)


@pytest.mark.parametrize(
    "suffix", [".png", ".bmp", ".gif", ".webp", ".jpg", ".jpeg", ".PNG", ".JPG"]
)
def test_every_format_is_decoded_to_its_colors(suffix: str, tmp_path: Path) -> None:
    settings: dict[str, Any] = {}
    if suffix.lower() in (".jpg", ".jpeg"):
        settings = {"quality": 95, "subsampling": 0}
    elif suffix == ".webp":
        settings = {"lossless": True}
    halves(RED, BLUE, (8, 8)).save(tmp_path / f"a{suffix}", **settings)
    pixels = decoded(tmp_path / f"a{suffix}")
    assert pixels.shape == SHAPE
    assert np.abs(pixels[:, :4] - RED).max() <= 8
    assert np.abs(pixels[:, 4:] - BLUE).max() <= 8


def palette(transparent: bool) -> Image.Image:
    image = plain(0, "P")
    image.putpalette([10, 20, 30, *RED])
    if transparent:
        image.info["transparency"] = 0
    return image


@pytest.mark.parametrize(
    ("image", "suffix", "color"),
    [
        (plain(77, "L"), ".png", (77, 77, 77)),
        (plain((77, 255), "LA"), ".png", (77, 77, 77)),
        (plain((0, 0), "LA"), ".png", WHITE),
        (plain((0, 128), "LA"), ".png", (127, 127, 127)),
        (palette(transparent=False), ".png", (10, 20, 30)),
        (palette(transparent=True), ".png", WHITE),
        (palette(transparent=True), ".gif", WHITE),
        (plain((10, 20, 30, 255), "RGBA"), ".png", (10, 20, 30)),
        (plain((10, 20, 30, 0), "RGBA"), ".png", WHITE),
        (plain((0, 255, 255, 0), "CMYK"), ".jpg", RED),
        (plain(1, "1"), ".png", WHITE),
        (plain(0, "1"), ".bmp", (0, 0, 0)),
        (Image.fromarray(np.full((8, 8), 65535, np.uint16)), ".png", WHITE),
        (Image.fromarray(np.full((8, 8), 32896, np.uint16)), ".png", (128, 128, 128)),
        (Image.fromarray(np.full((8, 8), 255, np.uint16)), ".png", (0, 0, 0)),
    ],
)
def test_every_mode_becomes_rgb_with_transparency_as_white(
    image: Image.Image, suffix: str, color: tuple[int, int, int], tmp_path: Path
) -> None:
    image.save(tmp_path / f"a{suffix}")
    pixels = decoded(tmp_path / f"a{suffix}")
    assert np.abs(pixels - color).max() <= 1


def test_animation_gives_its_first_frame(tmp_path: Path) -> None:
    plain(RED).save(tmp_path / "a.gif", save_all=True, append_images=[plain(BLUE), plain(WHITE)])
    assert decoded(tmp_path / "a.gif")[4, 4].tolist() == [*RED]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize(
    ("orientation", "red"),
    [(1, np.s_[:, 0]), (2, np.s_[:, -1]), (3, np.s_[:, -1]), (6, np.s_[0]), (8, np.s_[-1])],
)
def test_rotation_mark_of_a_camera_is_applied(
    orientation: int, red: Any, suffix: str, tmp_path: Path
) -> None:
    mark = Image.Exif()
    mark[0x0112] = orientation
    halves(RED, BLUE, (64, 32)).save(tmp_path / f"a{suffix}", exif=mark, quality=95)
    for resize in ("crop", "squash"):
        pixels = decoded(tmp_path / f"a{suffix}", resize=resize)
        assert np.abs(pixels[red] - RED).max() < 40
        assert np.abs(pixels[::-1, ::-1][red] - BLUE).max() < 40
    # With borders, the long side of the upright picture fills the image.
    pixels = decoded(tmp_path / f"a{suffix}", resize="pad")
    is_high = orientation in (6, 8)
    border = pixels[:, [0, 1, -2, -1]] if is_high else pixels[[0, 1, -2, -1]]
    assert not border.any()
    assert (pixels[:, 2:-2] if is_high else pixels[2:-2]).any(axis=-1).all()


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_damaged_rotation_mark_is_ignored(suffix: str, tmp_path: Path) -> None:
    plain((90, 90, 90)).save(tmp_path / f"a{suffix}", exif=b"Exif\0\0garbage")
    assert np.abs(decoded(tmp_path / f"a{suffix}") - 90).max() <= 2
    plain((90, 90, 90)).save(tmp_path / f"b{suffix}", exif=b"garbage")
    assert np.abs(decoded(tmp_path / f"b{suffix}") - 90).max() <= 2


@pytest.mark.parametrize("size", [(100, 10), (10, 100), (3000, 2000), (1, 1)])
@pytest.mark.parametrize("resize", ["crop", "squash"])
def test_other_proportions_fill_the_square(
    size: tuple[int, int], resize: Resize, tmp_path: Path
) -> None:
    plain((10, 200, 30), size=size).save(tmp_path / "a.jpg", quality=95)
    pixels = decoded(tmp_path / "a.jpg", resize=resize)
    assert pixels.shape == SHAPE
    assert np.abs(pixels - (10, 200, 30)).max() <= 4


def random_photo(path: Path, size: tuple[int, int]) -> Image.Image:
    values = np.random.default_rng(size).integers(0, 256, (size[1], size[0], 3), np.uint8)
    photo = Image.fromarray(values)
    photo.save(path, quality=95)
    with Image.open(path) as stored:
        return stored.convert("RGB")


@pytest.mark.parametrize("size", [(100, 30), (20, 200), (8, 8), (3, 5), (700, 500)])
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_decode_takes_means_of_the_whole_picture(
    size: tuple[int, int], suffix: str, tmp_path: Path
) -> None:
    photo = random_photo(tmp_path / f"a{suffix}", size)
    for resize in ("crop", "pad"):
        expected = resized(np.asarray(photo), (8, 8), resize)
        assert np.array_equal(decoded(tmp_path / f"a{suffix}", resize=resize), expected)


def test_squashed_images_are_those_of_earlier_versions(tmp_path: Path) -> None:
    photo = random_photo(tmp_path / "a.png", (100, 30))
    expected = np.asarray(photo.resize((8, 8), Image.Resampling.BILINEAR))
    assert np.array_equal(decoded(tmp_path / "a.png", resize="squash"), expected)
    random_photo(tmp_path / "a.jpg", (700, 500))
    with Image.open(tmp_path / "a.jpg") as stored:
        stored.draft("RGB", (16, 16))
        expected = np.asarray(stored.resize((8, 8), Image.Resampling.BILINEAR))
    assert np.array_equal(decoded(tmp_path / "a.jpg", resize="squash"), expected)


def test_image_of_the_right_size_is_unchanged(tmp_path: Path) -> None:
    image = tiny_images(1, 1, size=16)[0][0]
    Image.fromarray(image).save(tmp_path / "a.png")
    assert np.array_equal(decoded(tmp_path / "a.png", (16, 16, 3)), image)


def test_decode_supports_gray_and_oblong_shapes(tmp_path: Path) -> None:
    halves(RED, WHITE).save(tmp_path / "a.png")
    pixels = decoded(tmp_path / "a.png", (4, 6, 1))
    assert pixels.shape == (4, 6, 1)
    assert pixels[0, 0, 0] == round(0.299 * 255)
    assert pixels[0, 5, 0] == 255


@pytest.mark.parametrize("reason", UNREADABLE)
def test_unreadable_file_is_reported_with_the_reason(reason: str, tmp_path: Path) -> None:
    UNREADABLE[reason](tmp_path / "a.png")
    with pytest.raises(DataError) as caught:
        decoded(tmp_path / "a.png")
    assert str(tmp_path / "a.png") in caught.value.message
    assert REASONS[reason] in (caught.value.received or "")


@pytest.mark.parametrize(("name", "reason"), [("nowhere.png", "no such file"), (".", "a folder")])
def test_missing_file_is_reported(name: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        decoded(tmp_path / name)
    assert caught.value.received == reason


def test_decode_readable_leaves_out_and_names_what_cannot_be_read(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    plain(RED).save(paths[0])
    paths[1].write_bytes(b"")
    plain(BLUE).save(paths[2])
    notes: list[str] = []
    done: list[tuple[int, int]] = []
    images, positions = decode_readable(
        paths, SHAPE, "crop", on_note=notes.append, on_progress=lambda *each: done.append(each)
    )
    assert positions == [0, 2]
    assert images[:, 0, 0].tolist() == [[*RED], [*BLUE]]
    (note,) = notes
    assert str(paths[1]) in note
    assert done == [(1, 3), (2, 3), (3, 3)]
    with pytest.raises(DataError) as caught:
        decode_readable(paths[1:2], SHAPE, "crop", on_note=notes.append)
    assert str(paths[1]) in (caught.value.received or "")


def test_decode_decides_by_the_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain(RED, size=(100, 50)).save(tmp_path / "a.png")
    monkeypatch.setenv(IMAGE_PIXELS.variable, "5000")
    assert decoded(tmp_path / "a.png").shape == SHAPE
    monkeypatch.setenv(IMAGE_PIXELS.variable, "4999")
    with pytest.raises(DataError) as caught:
        decoded(tmp_path / "a.png")
    assert IMAGE_PIXELS.variable in str(caught.value.received)


def test_decode_allows_more_pixels_than_pillow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    plain(RED, size=(100, 50)).save(tmp_path / "a.png")
    assert decoded(tmp_path / "a.png").shape == SHAPE
    assert not recwarn.list


def test_decode_allocates_images_in_large_blocks(tmp_path: Path) -> None:
    plain(RED).save(tmp_path / "a.png")
    decoded(tmp_path / "a.png")
    # A private part of Pillow 13. Blocks of at least 32 MB go back to the system.
    assert _imaging.get_block_size() >= 2**25


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "I;16", "CMYK", "L", "1"])
def test_decode_converts_high_images_in_strips(mode: str, tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 256, (700, 5, 4), np.uint8)
    if mode == "I;16":
        image = Image.fromarray(values[..., 0].astype(np.uint16) * 257)
    else:
        image = Image.fromarray(values, "RGBA").convert(mode)
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    image.save(path, quality=95)
    with Image.open(path) as stored:
        if mode == "I;16":
            expected = Image.fromarray((np.asarray(stored) // 257).astype(np.uint8)).convert("RGB")
        elif mode in ("RGBA", "LA") or "transparency" in stored.info:
            white = Image.new("RGBA", stored.size, "white")
            expected = Image.alpha_composite(white, stored.convert("RGBA")).convert("RGB")
        else:
            expected = stored.convert("RGB")
    assert np.abs(decoded(path, (700, 5, 3)) - np.asarray(expected).astype(int)).max() <= 1


def test_large_image_file_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain(RED).save(tmp_path / "a.png")
    monkeypatch.setenv(IMAGE_FILE_BYTES.variable, "10")
    with pytest.raises(DataError) as caught:
        decoded(tmp_path / "a.png")
    assert IMAGE_FILE_BYTES.variable in str(caught.value.received)


@pytest.mark.timeout(20)
def test_named_pipe_is_rejected_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(DataError) as caught:
        decoded(tmp_path / "a.png")
    assert caught.value.received == "a named pipe"


def test_decode_rejects_other_formats_whatever_the_extension(tmp_path: Path) -> None:
    path = tmp_path / "drawing.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EOF\n")
    with pytest.raises(DataError):
        decode(path, (8, 8, 3), "crop")
