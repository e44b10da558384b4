from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eyetune.data import Dataset, Split, cache, load
from eyetune.data.cache import Decoded
from eyetune.data.dataset import Floats
from eyetune.errors import DataError
from eyetune.testing.datasets import tiny_images, write_cifar10, write_image_folder

KEY = {"kind": "made", "source": "made up", "state": 1}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EYETUNE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "datasets"


def made(seed: int = 0) -> Decoded:
    return Decoded(
        "made", ("a", "b"), {"train": Split(*tiny_images(10, 2, size=8, seed=seed))}, ("a note",)
    )


class Builder:
    """Counts how often it builds."""

    def __init__(self) -> None:
        self.built = 0

    def __call__(self) -> Decoded:
        self.built += 1
        return made()


def entry_folder(cache_folder: Path) -> Path:
    (about,) = cache_folder.glob("*/about.json")
    return about.parent


def leftovers(cache_folder: Path) -> list[str]:
    return [path.name for path in cache_folder.glob("*") if path.suffix != ".lock"]


def test_fetch_builds_once() -> None:
    build = Builder()
    first, second = cache.fetch(KEY, build), cache.fetch(KEY, build)
    assert build.built == 1
    for found in (first, second):
        assert (found.name, found.class_names, found.notes) == ("made", ("a", "b"), ("a note",))
        assert np.array_equal(found.splits["train"].images, made().splits["train"].images)
        assert np.array_equal(found.splits["train"].labels, made().splits["train"].labels)
    assert first.digest == second.digest != ""


def test_images_are_mapped_from_their_file_and_cannot_be_written() -> None:
    images = cache.fetch(KEY, made).splits["train"].images
    assert isinstance(images, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        images[0, 0, 0, 0] = 1


@pytest.mark.parametrize("change", [{"state": 2}, {"source": "another"}, {"more": 1}])
def test_fetch_builds_again_for_another_key(change: dict[str, Any]) -> None:
    build = Builder()
    cache.fetch(KEY, build)
    cache.fetch({**KEY, **change}, build)
    assert build.built == 2
    assert len(cache.entries()) == 2


def digest_of(images: Any, labels: Any, names: tuple[str, ...] = ("a", "b")) -> str:
    key = {**KEY, "number": len(cache.entries())}
    return cache.fetch(key, lambda: Decoded("made", names, {"train": Split(images, labels)})).digest


def test_digest_depends_on_images_shapes_labels_and_names() -> None:
    images, labels = tiny_images(10, 2, size=8)
    other = images.copy()
    other[-1, -1, -1, -1] ^= 1
    same = digest_of(images, labels)
    assert digest_of(np.asfortranarray(images), labels.copy()) == same
    others = [
        digest_of(other, labels),
        digest_of(images, labels[::-1].copy()),
        digest_of(images, labels, ("a", "c")),
        digest_of(images.reshape(10, 4, 16, 3), labels),
        digest_of(images.reshape(10, 8, 24, 1), labels),
    ]
    assert len({same, *others}) == 6


def calls_of(load_it: Any) -> int:
    calls: list[int] = []
    load_it(lambda done, _: calls.append(done))
    return len(calls)


def test_folder_is_decoded_again_only_when_a_file_changed(tmp_path: Path) -> None:
    root = write_image_folder(tmp_path / "pets", per_class=5)
    image = root / "cat" / "0000.png"

    def decoded_files() -> int:
        return calls_of(lambda on_progress: load(root, on_progress=on_progress))

    assert decoded_files() == 15
    assert decoded_files() == 0
    os.utime(image, ns=(0, image.stat().st_mtime_ns + 1))
    assert decoded_files() == 15
    status = image.stat()
    image.write_bytes(image.read_bytes() + b"x")
    os.utime(image, ns=(0, status.st_mtime_ns))
    assert decoded_files() == 15
    image.rename(root / "dog" / "new.png")
    assert decoded_files() == 15
    (root / "dog" / "new.png").unlink()
    assert decoded_files() == 14
    assert decoded_files() == 0


def same_images(one: Dataset, other: Dataset) -> bool:
    return np.array_equal(one.train.images, other.train.images) and np.array_equal(
        one.test.labels, other.test.labels
    )


def test_archive_is_decoded_again_if_size_or_time_changed(tmp_path: Path) -> None:
    archive = write_cifar10(tmp_path)
    first = load(archive)
    status = archive.stat()
    archive.write_bytes(b"x" * status.st_size)
    os.utime(archive, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert same_images(load(archive), first)
    os.utime(archive, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    with pytest.raises(DataError):
        load(archive)


def test_changed_npz_file_gives_its_new_images(tmp_path: Path) -> None:
    path = tmp_path / "pets.npz"
    for seed in (0, 1):
        images, labels = tiny_images(30, 3, size=8, seed=seed)
        np.savez(path, x_train=images, y_train=labels, x_test=images, y_test=labels)
        os.utime(path, ns=(0, seed))
        dataset = load(path)
        assert dataset.train.images.sum() + dataset.validation.images.sum() == images.sum()


PROCESS = """
    import os, sys, time
    from pathlib import Path
    from eyetune.data import cache
    from eyetune.data.cache import Decoded
    from eyetune.data.dataset import Split
    from eyetune.testing import tiny_images

    folder, me, other = Path(sys.argv[1]), sys.argv[2], sys.argv[3]

    def build():
        with (folder / "built").open("a") as file:
            file.write("x")
        time.sleep(0.5)
        if me == "dies":
            os._exit(9)
        return Decoded("made", ("a", "b"), {"train": Split(*tiny_images(10, 2, size=8))})

    (folder / me).touch()
    while other and not (folder / other).exists():
        time.sleep(0.001)
    print(cache.fetch({"kind": "made", "source": "made up"}, build).digest)
"""


def start(tmp_path: Path, me: str, other: str = "") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(PROCESS), str(tmp_path), me, other]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_two_processes_at_once_build_once_and_get_the_same(tmp_path: Path, own_cache: Path) -> None:
    processes = [start(tmp_path, "one", "two"), start(tmp_path, "two", "one")]
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert (tmp_path / "built").read_text() == "x"
    assert outputs[0] == outputs[1] != ""
    assert leftovers(own_cache) == [entry_folder(own_cache).name]


def test_fetch_ignores_what_a_dead_process_left(tmp_path: Path) -> None:
    process = start(tmp_path, "dies")
    process.communicate(timeout=60)
    assert process.returncode == 9
    assert cache.entries() == []
    build = Builder()
    cache.fetch({"kind": "made", "source": "made up"}, build)
    assert build.built == 1


def damage(path: Path, how: str) -> None:
    content = path.read_bytes()
    match how:
        case "missing":
            path.unlink()
        case "empty":
            path.write_bytes(b"")
        case "half":
            path.write_bytes(content[: len(content) // 2])
        case "noise":
            path.write_bytes(np.random.default_rng(0).bytes(len(content)))
        case "json":
            path.write_bytes(b"{}")
        case "zip":
            path.write_bytes(b"PK\x03\x04" + content[4:])


@pytest.mark.parametrize("name", ["about.json", "train-images.npy", "train-labels.npy"])
@pytest.mark.parametrize("how", ["missing", "empty", "half", "noise", "json", "zip"])
def test_damaged_entry_is_built_again(name: str, how: str, own_cache: Path) -> None:
    build = Builder()
    first = cache.fetch(KEY, build)
    damage(entry_folder(own_cache) / name, how)
    again = cache.fetch(KEY, build)
    assert build.built == 2
    assert again.digest == first.digest
    assert np.array_equal(again.splits["train"].images, made().splits["train"].images)
    assert cache.fetch(KEY, build).digest == first.digest
    assert build.built == 2


@pytest.mark.parametrize("about", ["{}", "[]", "", '{"name": 5}', "\xff"])
def test_damaged_entry_is_not_listed(about: str, own_cache: Path) -> None:
    cache.fetch(KEY, made)
    (entry_folder(own_cache) / "about.json").write_text(about, encoding="latin-1")
    assert cache.entries() == []


def test_entry_with_too_few_labels_is_rebuilt(own_cache: Path) -> None:
    build = Builder()
    cache.fetch(KEY, build)
    np.save(entry_folder(own_cache) / "train-labels.npy", np.zeros(3, np.int64))
    cache.fetch(KEY, build)
    assert build.built == 2


def test_unwritable_cache_suggests_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("EYETUNE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(DataError) as caught:
        load("digits")
    assert str(tmp_path / "file" / "cache" / "datasets") in caught.value.message
    assert caught.value.received == os.strerror(errno.ENOTDIR)
    assert "EYETUNE_CACHE" in str(caught.value.fix)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_full_disk_leaves_nothing_behind(
    code: int, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = np.save

    def save_until_full(path: Path, array: Any) -> None:
        if path.name.endswith("labels.npy"):
            raise OSError(code, os.strerror(code))
        save(path, array)

    with monkeypatch.context() as patch:
        patch.setattr(np, "save", save_until_full)
        with pytest.raises(DataError) as caught:
            cache.fetch(KEY, made)
    assert str(own_cache) in caught.value.message
    assert caught.value.received == os.strerror(code)
    assert "eyetune data clear" in (caught.value.fix or "")
    assert leftovers(own_cache) == []
    assert cache.fetch(KEY, made).name == "made"


@pytest.mark.parametrize(
    "error", [FileNotFoundError(errno.ENOENT, "gone"), DataError("broken"), KeyboardInterrupt()]
)
def test_errors_of_the_builder_are_passed_on(error: BaseException, own_cache: Path) -> None:
    def build() -> Decoded:
        raise error

    with pytest.raises(type(error)) as caught:
        cache.fetch(KEY, build)
    assert caught.value is error
    assert leftovers(own_cache) == []
    assert cache.fetch(KEY, made).name == "made"


def test_entries_have_name_source_size_and_date(own_cache: Path) -> None:
    cache.fetch(KEY, made)
    (entry,) = cache.entries()
    assert (entry.name, entry.source, entry.folder) == ("made", "made up", entry_folder(own_cache))
    assert 10 * 8 * 8 * 3 + 10 * 8 < entry.size_bytes < 4096
    assert datetime.now(UTC) - entry.created_at < timedelta(days=1)


def test_entries_of_one_source_differ_in_their_details(tmp_path: Path) -> None:
    images = write_image_folder(tmp_path / "pets")
    for options in ({}, {"seed": 1}, {"image_size": 16}, {"skip_unreadable": True}):
        load(images, **options)
    details = [entry.details for entry in cache.entries()]
    assert len(details) == len(set(details)) == 4


def test_linear_baselines_differ_in_their_details(own_cache: Path) -> None:
    def rows() -> list[Floats]:
        return [np.array([[0.5]], np.float32)]

    for fingerprint in ("1234567890", "abcdefabcd"):
        key = {"values": "linear baseline", "version": 1, "fingerprint": fingerprint}
        cache.computed(key, (1, 1), rows, name="digits: linear baseline", source="digits")
    details = {entry.details for entry in cache.entries()}
    assert details == {("data 12345678",), ("data abcdefab",)}


def test_clear_deletes_everything_and_counts_bytes(own_cache: Path) -> None:
    cache.fetch(KEY, made)
    cache.fetch({**KEY, "state": 2}, made)
    size = sum(entry.size_bytes for entry in cache.entries())
    assert cache.clear() == size
    assert cache.entries() == []
    assert not own_cache.exists()
    assert cache.clear() == 0


def test_directory_follows_the_environment_or_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cache.directory() == tmp_path / "cache" / "datasets"
    for value in (None, ""):
        monkeypatch.delenv("EYETUNE_CACHE", raising=False)
        if value is not None:
            monkeypatch.setenv("EYETUNE_CACHE", value)
        assert cache.directory().parts[-2:] == ("eyetune", "datasets")
        assert cache.directory().is_absolute()


def test_entry_is_described_in_plain_json(own_cache: Path) -> None:
    cache.fetch(KEY, made)
    about = json.loads((entry_folder(own_cache) / "about.json").read_text(encoding="utf-8"))
    assert json.loads(about["key"])["source"] == "made up"
    assert about["class_names"] == ["a", "b"]


ROWS = np.arange(20, dtype=np.float32).reshape(10, 2)


def computed(batches: Any, **key: Any) -> Any:
    return cache.computed({"kind": "rows", **key}, (10, 2), batches, name="rows", source="made up")


def test_computed_rows_are_computed_once_and_mapped() -> None:
    asked: list[int] = []

    def batches() -> Any:
        for start in range(0, 10, 4):
            asked.append(start)
            yield ROWS[start : start + 4]

    first, again, other = (
        computed(batches),
        computed(batches),
        computed(lambda: iter([ROWS + 1]), network=2),
    )
    assert asked == [0, 4, 8]
    for rows in (first, again):
        assert isinstance(rows, np.memmap)
        np.testing.assert_array_equal(rows, ROWS)
    np.testing.assert_array_equal(other, ROWS + 1)


def test_rows_are_listed_and_cleared_with_the_data_sets(tmp_path: Path) -> None:
    cache.fetch(KEY, made)
    computed(lambda: iter([ROWS]))
    assert [(entry.name, entry.source) for entry in cache.entries()] == [
        ("made", "made up"),
        ("rows", "made up"),
    ]
    size = sum(entry.size_bytes for entry in cache.entries())
    assert cache.clear() == size > 80
    assert cache.entries() == []
    assert not list((tmp_path / "cache").rglob("*.npy"))


def test_computed_ignores_an_incomplete_computation(tmp_path: Path) -> None:
    def broken() -> Any:
        yield ROWS[:4]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        computed(broken)
    assert not list((tmp_path / "cache").rglob("*.npy"))
    np.testing.assert_array_equal(computed(lambda: iter([ROWS])), ROWS)


def test_damaged_rows_are_computed_again(tmp_path: Path) -> None:
    computed(lambda: iter([ROWS]))
    (path,) = (tmp_path / "cache").rglob("values.npy")
    for content in (b"", path.read_bytes()[:-8], b"damaged"):
        path.write_bytes(content)
        np.testing.assert_array_equal(computed(lambda: iter([ROWS])), ROWS)


def test_computed_reports_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(np.lib.format, "write_array_header_1_0", full)
    with pytest.raises(DataError) as caught:
        computed(lambda: iter([ROWS]))
    assert "eyetune data clear" in str(caught.value.fix)
