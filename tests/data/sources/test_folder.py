from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from PIL import Image, _imaging

from eyetune.data import Dataset, load
from eyetune.data.resize import resized
from eyetune.data.sources import folder
from eyetune.errors import DataError, UsageError
from eyetune.inputs.limits import (
    FOLDER_DEPTH,
    IMAGE_FILE_BYTES,
    IMAGE_PIXELS,
    IMAGES,
    Limit,
)
from eyetune.recipe import Resize
from eyetune.testing.datasets import tiny_images, write_image_folder

SHAPE = (8, 8, 3)
RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)


def plain(color: Any, mode: str = "RGB", size: tuple[int, int] = (8, 8)) -> Image.Image:
    return Image.new(mode, size, color)


def decoded(
    path: Path, shape: tuple[int, int, int] = SHAPE, resize: Resize = "crop"
) -> np.ndarray[Any, Any]:
    return folder.decode(path, shape, resize).astype(int)


def halves(first: Any, second: Any, size: tuple[int, int] = (20, 10)) -> Image.Image:
    """Return a picture with one color left and another right."""
    image = plain(first, size=size)
    image.paste(second, (size[0] // 2, 0, *size))
    return image


def write_classes(root: Path, names: tuple[str, ...] = ("cat", "dog"), count: int = 5) -> Path:
    for label, name in enumerate(names):
        (root / name).mkdir(parents=True)
        for number in range(count):
            plain((40 * label, number, 0)).save(root / name / f"{number}.png")
    return root


def all_labels(dataset: Dataset) -> np.ndarray[Any, Any]:
    return np.concatenate([split.labels for _, split in dataset.splits()])


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


def test_load_resizes_photos_as_it_is_asked(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(5):
            halves(RED, WHITE, (60, 20)).save(tmp_path / name / f"{number}.png")
    whites = {}
    for resize in get_args(Resize):
        train = load(tmp_path, image_size=12, resize=resize).train.images
        whites[resize] = int((train[0] == 255).all(axis=-1).sum())
        assert not (train != train[0]).any()
    assert whites == {"crop": 72, "pad": 24, "squash": 60}
    assert np.array_equal(load(tmp_path, image_size=12).train.images[0, :, :6], [[RED] * 6] * 12)
    with pytest.raises(UsageError):
        load(tmp_path, resize="stretch")  # type: ignore[arg-type]


def test_load_converts_photos_to_grayscale(tmp_path: Path) -> None:
    root = write_image_folder(tmp_path / "pets")
    colored, gray = load(root), load(root, grayscale=True)
    assert gray.image_shape == (32, 32, 1)
    expected = [np.asarray(Image.fromarray(image).convert("L")) for image in colored.test.images]
    assert np.array_equal(gray.test.images[..., 0], np.stack(expected))


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


def truncated_jpeg(path: Path) -> None:
    Image.fromarray(tiny_images(1, 1, size=64)[0][0]).save(path, format="JPEG")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def truncated_png(path: Path) -> None:
    Image.fromarray(tiny_images(1, 1, size=64)[0][0]).save(path, format="PNG")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def enormous_png(path: Path) -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    ]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


UNREADABLE = {
    "0 bytes": lambda path: path.write_bytes(b""),
    "not an image": lambda path: path.write_text("just text", encoding="utf-8"),
    "truncated": truncated_jpeg,
    "broken": truncated_png,
    "too many pixels": enormous_png,
}
REASONS = {**{reason: reason for reason in UNREADABLE}, "broken": ""}


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


@pytest.fixture
def partly_unreadable(tmp_path: Path) -> Path:
    root = write_classes(tmp_path / "pets")
    for number, write in enumerate(UNREADABLE.values()):
        write(root / "cat" / f"bad{number}.png")
    return root


def test_unreadable_images_are_all_named(partly_unreadable: Path) -> None:
    with pytest.raises(DataError) as caught:
        load(partly_unreadable)
    assert str(partly_unreadable) in caught.value.message
    names = [f"{Path('cat', f'bad{number}.png')} (" for number in range(5)]
    assert all(name in (caught.value.received or "") for name in names)
    assert "--skip-unreadable" in (caught.value.fix or "")


def test_unreadable_images_can_be_skipped_and_are_counted(partly_unreadable: Path) -> None:
    dataset = load(partly_unreadable, skip_unreadable=True)
    assert np.bincount(all_labels(dataset)).tolist() == [5, 5]
    note = next(note for note in dataset.notes if "unreadable" in note)
    assert note.startswith("5 unreadable image(s) were skipped: ")
    assert str(Path("cat", "bad0.png")) in note


def test_great_many_unreadable_images_are_listed_in_part(tmp_path: Path) -> None:
    root = write_classes(tmp_path / "pets")
    for number in range(25):
        (root / "cat" / f"bad{number:02}.png").touch()
    with pytest.raises(DataError) as caught:
        load(root)
    assert (caught.value.received or "").endswith("bad19.png (0 bytes) and 5 more")


def test_split_of_only_unreadable_images_is_rejected(tmp_path: Path) -> None:
    write_classes(tmp_path / "pets" / "train")
    for path in (write_classes(tmp_path / "pets" / "test", count=1)).rglob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(DataError, match="test"):
        load(tmp_path / "pets", skip_unreadable=True)


def test_one_folder_a_class_is_split_stratified(tmp_path: Path) -> None:
    dataset = load(write_image_folder(tmp_path / "pets", per_class=25))
    assert dataset.name == "pets"
    assert dataset.class_names == ("cat", "dog", "owl")
    assert [split.class_counts(3).tolist() for _, split in dataset.splits()] == [
        [16] * 3,
        [4] * 3,
        [5] * 3,
    ]
    assert dataset.notes == ("the source has no test split: 15 images are held out for testing",)


def test_each_image_bears_the_label_of_its_folder(tmp_path: Path) -> None:
    root = tmp_path / "colors"
    for name, color in (("blue", BLUE), ("red", RED), ("white", WHITE)):
        (root / name).mkdir(parents=True)
        for number in range(5):
            plain(color).save(root / name / f"{number}.png")
    dataset = load(root, image_size=8)
    assert dataset.class_names == ("blue", "red", "white")
    for _, split in dataset.splits():
        assert [image[0, 0].tolist() for image in split.images] == [
            [[*BLUE], [*RED], [*WHITE]][label] for label in split.labels
        ]


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [("train", "validation", "test"), ("training", "val", "testing"), ("train", "valid", "test")],
)
def test_split_folders_are_kept_as_splits(
    train: str, validation: str, test: str, tmp_path: Path
) -> None:
    for name, count in ((train, 6), (validation, 2), (test, 3)):
        write_classes(tmp_path / "pets" / name, count=count)
    dataset = load(tmp_path / "pets")
    assert [len(split) for _, split in dataset.splits()] == [12, 4, 6]
    assert dataset.class_names == ("cat", "dog")
    assert dataset.notes == ()


def test_missing_split_folder_is_cut_from_the_training_images(tmp_path: Path) -> None:
    write_classes(tmp_path / "pets" / "train", count=10)
    write_classes(tmp_path / "pets" / "test", count=3)
    dataset = load(tmp_path / "pets")
    assert [len(split) for _, split in dataset.splits()] == [16, 4, 6]


@pytest.mark.parametrize("suffix", [*folder.SUFFIXES, ".PNG", ".JPeG"])
def test_extensions_are_recognized_in_any_case(suffix: str, tmp_path: Path) -> None:
    root = write_classes(tmp_path / "pets")
    plain(RED).save(root / "cat" / f"a{suffix}")
    dataset = load(root)
    assert len(all_labels(dataset)) == 11
    assert "not images" not in " ".join(dataset.notes)


def test_photos_in_formats_that_are_not_read_are_counted_by_format(tmp_path: Path) -> None:
    root = write_classes(tmp_path / "pets")
    for name in ("a.HEIC", "b.heic", "scan.tif"):
        (root / "cat" / name).write_bytes(b"a photo")
    (note,) = (note for note in load(root).notes if "not read" in note)
    assert "2 .heic, 1 .tif skipped" in note
    (root / "bird").mkdir()
    (root / "bird" / "c.heic").write_bytes(b"a photo")
    with pytest.raises(DataError) as caught:
        load(root)
    assert "Convert 1 .heic to JPEG" in (caught.value.fix or "")


def test_nested_folders_count_and_hidden_files_do_not(
    tmp_path: Path,
) -> None:
    root = write_classes(tmp_path / "pets")
    (root / "cat" / "siamese" / "young").mkdir(parents=True)
    (root / "cat" / "siamese" / "young" / "a.png").write_bytes(
        (root / "cat" / "0.png").read_bytes()
    )
    for hidden in (".DS_Store", "cat/.hidden.png", "cat/.thumbs/a.png", ".git/a.png"):
        (root / hidden).parent.mkdir(exist_ok=True)
        (root / hidden).write_bytes(b"x")
    for other in ("cat/labels.txt", "dog/notes", "readme.md"):
        (root / other).write_bytes(b"x")
    dataset = load(root)
    assert dataset.class_names == ("cat", "dog")
    assert np.bincount(all_labels(dataset)).tolist() == [6, 5]
    assert any(note.startswith("2 file(s)") for note in dataset.notes)


@pytest.mark.parametrize(
    "name", ["café 😀", "猫", "a b", "$^$", "-rf", "%s", "a\nb", os.fsdecode(b"bad\xff")]
)
def test_odd_class_names_are_read_and_can_be_shown(name: str, tmp_path: Path) -> None:
    try:
        root = write_classes(tmp_path / "pets", ("cat", name))
    except OSError:
        pytest.skip("the file system does not take the name")
    dataset = load(root)
    assert sorted(all_labels(dataset)) == [0] * 5 + [1] * 5
    assert load(root).class_names == dataset.class_names
    for shown in dataset.class_names:
        assert shown.encode().decode() == shown
        assert "\n" not in shown


@pytest.mark.parametrize(
    ("folders", "received"),
    [(["cat"], "cat"), ([], "no folders"), (["train"], "no folders"), (["train/cat"], "cat")],
)
def test_fewer_than_two_classes_are_rejected_with_the_layout(
    folders: list[str], received: str, tmp_path: Path
) -> None:
    (tmp_path / "pets").mkdir()
    for name in folders:
        (tmp_path / "pets" / name).mkdir(parents=True)
    with pytest.raises(DataError) as caught:
        load(tmp_path / "pets")
    assert caught.value.received == received


def test_empty_class_folders_are_all_named(tmp_path: Path) -> None:
    root = write_classes(tmp_path / "pets")
    (root / "eel").mkdir()
    (root / "owl").mkdir()
    (root / "owl" / "owl.txt").touch()
    with pytest.raises(DataError) as caught:
        load(root)
    assert f"{root / 'eel'}, {root / 'owl'}" in str(caught.value.received)
    assert ".png" in (caught.value.expected or "")


@pytest.mark.parametrize("test", [("cat",), ("cat", "dog", "owl"), ("cat", "owl"), ("Cat", "dog")])
def test_splits_with_other_classes_are_rejected(test: tuple[str, ...], tmp_path: Path) -> None:
    write_classes(tmp_path / "pets" / "train")
    write_classes(tmp_path / "pets" / "test", test)
    with pytest.raises(DataError) as caught:
        load(tmp_path / "pets")
    assert caught.value.details() == {"expected": "cat, dog", "received": ", ".join(sorted(test))}


def test_progress_is_reported_for_each_file(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    load(
        write_classes(tmp_path / "pets"), on_progress=lambda done, total: seen.append((done, total))
    )
    assert seen == [(done, 10) for done in range(1, 11)]


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


@pytest.mark.parametrize(("limit", "value"), [(IMAGES, "9"), (FOLDER_DEPTH, "1")])
def test_large_folder_names_the_limit(
    limit: Limit, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_classes(tmp_path / "pets")
    (root / "cat" / "a" / "b").mkdir(parents=True)
    assert folder.survey(root).class_names == ("cat", "dog")
    monkeypatch.setenv(limit.variable, value)
    with pytest.raises(DataError) as caught:
        folder.survey(root)
    assert limit.variable in str(caught.value.fix)


def test_links_in_a_folder_do_not_lead_into_loops(tmp_path: Path) -> None:
    root = write_classes(tmp_path / "pets", count=1)
    (root / "cat" / "again").symlink_to(root, target_is_directory=True)
    (root / "cat" / "self.png").symlink_to("self.png")
    (root / "cat" / "dog.png").symlink_to(root / "dog" / "0.png")
    files = folder.survey(root).files["train"]
    assert [path.name for path, _ in files] == ["0.png", "dog.png", "0.png"]


def test_decode_rejects_other_formats_whatever_the_extension(tmp_path: Path) -> None:
    path = tmp_path / "drawing.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EOF\n")
    with pytest.raises(DataError):
        folder.decode(path, (8, 8, 3), "crop")
