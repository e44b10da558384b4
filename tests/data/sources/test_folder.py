from __future__ import annotations

import os
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from PIL import Image

from eyetune.data import Dataset, load
from eyetune.data.sources.folder import survey
from eyetune.data.sources.image_file import SUFFIXES
from eyetune.errors import DataError, UsageError
from eyetune.inputs.limits import FOLDER_DEPTH, IMAGES, Limit
from eyetune.recipe import Resize
from eyetune.testing.datasets import write_image_folder
from tests.data.sources.pictures import BLUE, RED, UNREADABLE, WHITE, halves, plain


def write_classes(root: Path, names: tuple[str, ...] = ("cat", "dog"), count: int = 5) -> Path:
    for label, name in enumerate(names):
        (root / name).mkdir(parents=True)
        for number in range(count):
            plain((40 * label, number, 0)).save(root / name / f"{number}.png")
    return root


def all_labels(dataset: Dataset) -> np.ndarray[Any, Any]:
    return np.concatenate([split.labels for _, split in dataset.splits()])


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


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".PNG", ".JPeG"])
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


@pytest.mark.parametrize(("limit", "value"), [(IMAGES, "9"), (FOLDER_DEPTH, "1")])
def test_large_folder_names_the_limit(
    limit: Limit, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_classes(tmp_path / "pets")
    (root / "cat" / "a" / "b").mkdir(parents=True)
    assert survey(root).class_names == ("cat", "dog")
    monkeypatch.setenv(limit.variable, value)
    with pytest.raises(DataError) as caught:
        survey(root)
    assert limit.variable in str(caught.value.fix)


def test_links_in_a_folder_do_not_lead_into_loops(tmp_path: Path) -> None:
    root = write_classes(tmp_path / "pets", count=1)
    (root / "cat" / "again").symlink_to(root, target_is_directory=True)
    (root / "cat" / "self.png").symlink_to("self.png")
    (root / "cat" / "dog.png").symlink_to(root / "dog" / "0.png")
    files = survey(root).files["train"]
    assert [path.name for path, _ in files] == ["0.png", "dog.png", "0.png"]
