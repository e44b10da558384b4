from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyetune.data import KNOWN_SOURCES, Dataset, load
from eyetune.data.load import shape_of
from eyetune.errors import DataError, EyetuneError, SourceError, UsageError
from eyetune.recipe import DataSection
from eyetune.recipe.earlier_recipes import NAMED_SOURCES
from eyetune.testing.datasets import (
    cifar10_files,
    tiny_images,
    write_archive,
    write_cifar10,
    write_image_folder,
)


@pytest.fixture(autouse=True)
def no_real_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EYETUNE_DATA", raising=False)


def sizes(dataset: Dataset) -> list[int]:
    return [len(split) for _, split in dataset.splits()]


def write_npz(path: Path, num_images: int = 30, **more: Any) -> Path:
    images, labels = tiny_images(num_images, 3, size=8)
    np.savez(path, x=images, y=labels, **more)
    return path


def test_load_cuts_the_labs_split_in_the_archives_order(tmp_path: Path) -> None:
    dataset = load(write_cifar10(tmp_path, images_per_batch=20))
    images, labels = tiny_images(120, 10)
    assert sizes(dataset) == [80, 20, 20]
    assert np.array_equal(dataset.train.images, images[:80])
    assert np.array_equal(dataset.validation.images, images[80:100])
    assert np.array_equal(dataset.test.images, images[100:])
    assert np.array_equal(dataset.train.labels, labels[:80])
    assert dataset.notes == ()


@pytest.mark.parametrize("seed", [0, 7])
def test_no_seed_changes_the_labs_split(seed: int, tmp_path: Path) -> None:
    dataset = load(write_cifar10(tmp_path), seed=seed)
    assert np.array_equal(dataset.train.images, tiny_images(120, 10)[0][:80])


@pytest.mark.parametrize(("share", "train"), [(0.1, 90), (0.5, 50), (0.25, 75)])
def test_validation_share_moves_the_cut(share: float, train: int, tmp_path: Path) -> None:
    assert sizes(load(write_cifar10(tmp_path), validation=share)) == [train, 100 - train, 20]


def test_subset_of_n_trains_on_its_first_four_fifths(tmp_path: Path) -> None:
    dataset = load(write_cifar10(tmp_path), subset=50)
    images, _ = tiny_images(120, 10)
    assert sizes(dataset) == [40, 10, 10]
    assert np.array_equal(dataset.train.images, images[:40])
    assert np.array_equal(dataset.validation.images, images[40:50])
    assert np.array_equal(dataset.test.images, images[100:110])


def test_shares_of_made_splits_hold_for_each_class(tmp_path: Path) -> None:
    dataset = load(write_npz(tmp_path / "a.npz", 300), test=0.1, validation=0.3)
    assert sizes(dataset) == [189, 81, 30]
    assert [split.class_counts(3).tolist() for _, split in dataset.splits()] == [
        [63] * 3,
        [27] * 3,
        [10] * 3,
    ]


def test_made_splits_share_and_lose_no_image(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, x=np.arange(90, dtype=np.uint8)[:, np.newaxis, np.newaxis], y=np.arange(90) % 3)
    dataset = load(path, seed=3)
    numbers = [int(image[0, 0, 0]) for _, split in dataset.splits() for image in split.images]
    labels = [int(label) for _, split in dataset.splits() for label in split.labels]
    assert sorted(numbers) == list(range(90))
    assert labels == [number % 3 for number in numbers]


def environment_folder(tmp_path: Path) -> Path:
    write_cifar10(tmp_path)
    return tmp_path


def environment_extracted(tmp_path: Path) -> Path:
    (tmp_path / "cifar-10-batches-bin").mkdir()
    for name, content in cifar10_files(binary=True).items():
        (tmp_path / "cifar-10-batches-bin" / name).write_bytes(content)
    return tmp_path


@pytest.mark.parametrize("prepare", [environment_folder, write_cifar10, environment_extracted])
def test_known_names_are_found_where_the_environment_says(
    prepare: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EYETUNE_DATA", str(prepare(tmp_path)))
    dataset = load("cifar10")
    assert dataset.source == dataset.name == "cifar10"
    assert np.array_equal(dataset.train.images, tiny_images(120, 10)[0][:80])


def test_path_in_the_users_home_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    write_npz(tmp_path / "a.npz")
    assert load("~/a.npz").source == str((tmp_path / "a.npz").resolve())


def test_relative_path_becomes_an_absolute_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_image_folder(tmp_path / "pets")
    assert load("pets").source == str((tmp_path / "pets").resolve())
    assert load(Path("pets")).source == str((tmp_path / "pets").resolve())


def test_load_rejects_an_archive_of_another_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_archive(tmp_path / "cifar-100-python.tar.gz", cifar10_files(), "cifar-100-python")
    monkeypatch.setenv("EYETUNE_DATA", str(tmp_path))
    with pytest.raises(DataError) as caught:
        load("cifar100")
    assert caught.value.details() == {"expected": "cifar100", "received": "cifar10"}


@pytest.mark.parametrize(
    ("source", "received", "suggestion"),
    [
        ("cifar", "cifar", "cifar10"),
        ("digit", "digit", "digits"),
        ("CIFAR100", "CIFAR100", "cifar100"),
        ("zzz", "zzz", "digits"),
    ],
)
def test_unknown_name_suggests_known_ones(source: str, received: str, suggestion: str) -> None:
    with pytest.raises(SourceError) as caught:
        load(source)
    assert caught.value.received == received
    assert suggestion in str(caught.value.fix)
    assert caught.value.exit_status == 2


@pytest.mark.parametrize(("name", "suggestion"), [("photo", "photos"), ("Pet.npz", "pets.npz")])
def test_unknown_name_suggests_a_similar_path(
    name: str, suggestion: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "pets.npz").touch()
    for source in (name, str(tmp_path / name)):
        with pytest.raises(SourceError) as caught:
            load(source)
        assert str(Path(source).with_name(suggestion)) in str(caught.value.fix)


@pytest.mark.parametrize("name", ["nowhere/pets", "nowhere.npz", "cifar-10-python.tar.gz"])
def test_missing_path_is_reported_in_full(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError) as caught:
        load(name)
    assert caught.value.received == f"{tmp_path / name}, which does not exist"


@pytest.mark.parametrize("source", ["x" * 300, "a/\0b", "\0", "~no-such-user/pets", "/\udcff"])
def test_impossible_path_is_an_unknown_source(source: str) -> None:
    with pytest.raises(SourceError):
        load(source)


@given(st.text(min_size=1, max_size=20))
def test_any_other_text_is_an_unknown_source(source: str) -> None:
    name = f"nowhere {source}"
    with pytest.raises(EyetuneError):
        load(name)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", ["pets.npz", "pets.tar.gz"])
def test_named_pipe_is_refused_at_once(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(SourceError) as caught:
        load(tmp_path / name)
    assert "a named pipe" in (caught.value.received or "")


@pytest.mark.parametrize(
    ("name", "received"), [("notes.txt", ".txt"), ("notes", "without an extension")]
)
def test_load_rejects_other_files_and_lists_the_valid_ones(
    name: str, received: str, tmp_path: Path
) -> None:
    (tmp_path / name).touch()
    with pytest.raises(SourceError) as caught:
        load(tmp_path / name)
    assert str(tmp_path / name) in caught.value.message
    assert received in str(caught.value.received)
    assert ".npz" in (caught.value.expected or "")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("validation", 0),
        ("validation", 1),
        ("test", -0.1),
        ("test", float("nan")),
        ("image_size", 0),
        ("image_size", -32),
    ],
)
def test_shares_and_sizes_out_of_range_are_rejected(name: str, value: float) -> None:
    options: dict[str, Any] = {name: value}
    with pytest.raises(UsageError) as caught:
        load("digits", **options)
    assert caught.value.received == str(value)


@pytest.mark.parametrize(
    ("num_images", "names", "received"),
    [
        (2, {}, "2"),
        (30, {"class_names": ["a", "b", "c", "d"]}, "d"),
    ],
)
def test_too_few_images_and_classes_without_any_are_rejected(
    num_images: int, names: dict[str, Any], received: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError) as caught:
        load(write_npz(tmp_path / "a.npz", num_images, **names))
    assert received in str(caught.value.received)


def test_single_class_is_rejected(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=tiny_images(9, 3, size=8)[0], y=np.zeros(9, np.int64))
    with pytest.raises(DataError, match="class"):
        load(tmp_path / "a.npz")


def test_fewest_images_that_can_be_split_are_three(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=tiny_images(6, 3, size=8)[0], y=[0, 1] * 3)
    assert sizes(load(tmp_path / "a.npz")) == [4, 1, 1]


def write_elsewhere(tmp_path: Path, kind: str, place: str) -> Path:
    folder = tmp_path / place
    folder.mkdir()
    match kind:
        case "folder":
            return write_image_folder(folder / "pets")
        case "npz":
            return write_npz(folder / f"{place}.npz")
    return write_cifar10(folder, binary=place == "two")


@pytest.mark.parametrize("kind", ["folder", "npz", "archive"])
def test_equal_content_in_two_places_has_one_fingerprint(kind: str, tmp_path: Path) -> None:
    one, two = (load(write_elsewhere(tmp_path, kind, place)) for place in ("one", "two"))
    assert one.fingerprint == two.fingerprint
    assert one.source != two.source


def test_fingerprint_depends_on_images_labels_order_and_splits(tmp_path: Path) -> None:
    images, labels = tiny_images(30, 3, size=8)
    changed = images.copy()
    changed[0, 0, 0, 0] ^= 1
    for name, contents in (
        ("a", (images, labels)),
        ("b", (changed, labels)),
        ("c", (images, (labels + 1) % 3)),
    ):
        np.savez(tmp_path / f"{name}.npz", x=contents[0], y=contents[1])
    path = tmp_path / "a.npz"
    datasets = [
        load(path),
        load(tmp_path / "b.npz"),
        load(tmp_path / "c.npz"),
        load(path, seed=1),
        load(path, validation=0.3),
        load(path, test=0.3),
        load(path, subset=20),
    ]
    assert len({dataset.fingerprint for dataset in datasets}) == len(datasets)
    assert load(path).fingerprint == datasets[0].fingerprint


def test_images_are_views_of_one_mapped_file(tmp_path: Path) -> None:
    dataset = load(write_npz(tmp_path / "a.npz", 90), subset=20)
    assert isinstance(dataset.train.images, np.memmap)
    assert not dataset.train.images.flags.owndata


@pytest.mark.parametrize("source", KNOWN_SOURCES)
def test_shape_of_a_known_source_is_known_without_it(source: str) -> None:
    size = 16 if source == "digits" else 32
    num_classes = 100 if source == "cifar100" else 10
    section = DataSection(source=source, image_size=16)
    assert shape_of(section) == ((size, size, 3), num_classes)
    gray = section.model_copy(update={"grayscale": True})
    assert shape_of(gray) == ((size, size, 1), num_classes)


def test_named_sources_of_recipes_are_the_known_ones() -> None:
    assert set(NAMED_SOURCES) == set(KNOWN_SOURCES)


def test_shape_of_another_source_is_read_from_it(tmp_path: Path) -> None:
    npz = DataSection(source=str(write_npz(tmp_path / "a.npz")))
    assert shape_of(npz) == ((8, 8, 3), 3)
    folder = DataSection(source=str(write_image_folder(tmp_path / "pets")), image_size=16)
    assert shape_of(folder) == ((16, 16, 3), 3)


@pytest.mark.parametrize("directory", [None, "empty", "nowhere", "other.tar.gz"])
def test_failed_download_says_what_was_tried(
    directory: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from keras.datasets import cifar10

    def fail() -> None:
        raise Exception("URL fetch failure on somewhere: None --\n  Name or service not known")

    monkeypatch.setattr(cifar10, "load_data", fail)
    (tmp_path / "empty").mkdir()
    (tmp_path / "other.tar.gz").touch()
    if directory is not None:
        monkeypatch.setenv("EYETUNE_DATA", str(tmp_path / directory))
    with pytest.raises(SourceError) as caught:
        load("cifar10")
    error = caught.value
    assert "cifar-10-python.tar.gz" in str(error.expected)
    assert str(tmp_path / directory if directory else "EYETUNE_DATA") in str(error.received)
    assert "Name or service not known" in str(error.received)
    assert "https://www.cs.toronto.edu/~kriz/cifar.html" in (error.fix or "")
    assert "export EYETUNE_DATA=FOLDER" in (error.fix or "")
    assert "--data digits" in (error.fix or "")


def test_download_is_cached_and_keeps_standard_output_clean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from keras.datasets import cifar10

    images, labels = tiny_images(120, 10)
    downloads = []

    def download() -> Any:
        downloads.append(1)
        print("Downloading data")
        return (images[:100], labels[:100, np.newaxis]), (images[100:], labels[100:, np.newaxis])

    monkeypatch.setattr(cifar10, "load_data", download)
    monkeypatch.setenv("EYETUNE_CACHE", str(tmp_path))
    for _ in range(2):
        dataset = load("cifar10")
        assert sizes(dataset) == [80, 20, 20]
        assert np.array_equal(dataset.train.images, images[:80])
        assert dataset.train.labels.tolist() == labels[:80].tolist()
        assert dataset.class_names[0] == "airplane"
    assert len(downloads) == 1
    assert capsys.readouterr().out == ""


def test_unreadable_source_is_not_blamed_on_the_cache(tmp_path: Path) -> None:
    unreadable = Path(
        "/proc/self/mem"
    )  # reading it from its start fails, also for the administrator
    if not unreadable.is_file():
        pytest.skip("needs a /proc")
    (tmp_path / "a.npz").symlink_to(unreadable)
    with pytest.raises(DataError) as caught:
        load(tmp_path / "a.npz")
    assert "cache" not in str(caught.value)


def test_loading_needs_no_keras() -> None:
    script = (
        "import sys; from eyetune.data import load; load('digits'); "
        "sys.exit('keras' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], timeout=60, check=True)


def test_environment_may_name_the_extracted_folder_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name, content in cifar10_files(images_per_batch=5).items():
        (folder / name).write_bytes(content)
    monkeypatch.setenv("EYETUNE_DATA", str(folder))
    assert len(load("cifar10").test) == 5


def test_empty_name_is_not_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write_image_folder(tmp_path / "images"))
    with pytest.raises(SourceError):
        load("")


@pytest.mark.parametrize("subset", [0, 100])
def test_train_on_validation_includes_the_validation_images(subset: int) -> None:
    usual, whole = (
        load("digits", subset=subset),
        load("digits", subset=subset, train_on_validation=True),
    )
    assert len(whole.train) == len(usual.train) + len(usual.validation)
    np.testing.assert_array_equal(whole.train.images[: len(usual.train)], usual.train.images)
    np.testing.assert_array_equal(whole.train.images[len(usual.train) :], usual.validation.images)
    np.testing.assert_array_equal(whole.train.labels[len(usual.train) :], usual.validation.labels)
    np.testing.assert_array_equal(whole.test.images, usual.test.images)
    assert whole.validation_is_seen
    assert not usual.validation_is_seen
    assert whole.fingerprint != usual.fingerprint


def test_train_on_validation_joins_separate_splits(
    tmp_path: Path,
) -> None:
    path = write_npz(
        tmp_path / "own.npz", x_val=np.full((4, 8, 8, 3), 7, np.uint8), y_val=np.array([0, 1, 2, 0])
    )
    usual, whole = load(path), load(path, train_on_validation=True)
    assert len(usual.validation) == 4
    assert len(whole.train) == len(usual.train) + 4
    assert (whole.train.images[-4:] == 7).all()


def test_load_announces_decoding_once(tmp_path: Path) -> None:
    images = write_image_folder(tmp_path / "pets")
    notes: list[str] = []
    for _ in range(2):
        load(images, on_note=notes.append)
    load("digits", on_note=notes.append)
    assert len(notes) == 1
    assert str(images) in notes[0]
