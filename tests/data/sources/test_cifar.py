from __future__ import annotations

import contextlib
import gzip
import itertools
import os
import pickle
import pickletools
import subprocess
import sys
import tarfile
import tempfile
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyetune.data import Split, load
from eyetune.data.sources import cifar
from eyetune.errors import DataError, EyetuneError
from eyetune.inputs.limits import ARCHIVE_BYTES
from eyetune.testing.datasets import cifar10_files, tiny_images, write_archive

KINDS = [(name, binary) for name in ("cifar10", "cifar100") for binary in (False, True)]
FOLDERS = {
    ("cifar10", False): "cifar-10-batches-py",
    ("cifar10", True): "cifar-10-batches-bin",
    ("cifar100", False): "cifar-100-python",
    ("cifar100", True): "cifar-100-binary",
}
TRAIN, TEST = 100, 20
SIZES = [
    b"77777777777\0",
    b"\x80" + b"\0" * 3 + b"\xff" * 8,
    b"\x80" + b"\xff" * 11,
    b"\xff" * 12,
    b"\xff" * 11 + b"\0",
]
Files = dict[str, bytes]


def python2_pickle(value: object) -> bytes:
    """Pickle as the official archives are: by Python 2, whose text is bytes, with the NumPy of
    2009.
    """
    content = pickle.dumps(value, protocol=3)
    places = [place for _, _, place in pickletools.genops(content)] + [len(content)]
    parts = [content[start:stop] for start, stop in itertools.pairwise(places)]
    codes = {b"C": b"U", b"B": b"T", b"X": b"T"}
    parts = [codes.get(part[:1], part[:1]) + part[1:] for part in parts]
    return b"\x80\x02" + b"".join(parts[1:]).replace(b"numpy._core", b"numpy.core")


def cifar100_files(*, binary: bool = False) -> Files:
    images, labels = tiny_images(TRAIN + TEST, 100)
    rows = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    names, coarse = cifar.CLASS_NAMES["cifar100"], labels // 5
    files = {}
    for name, part in (("train", slice(0, TRAIN)), ("test", slice(TRAIN, None))):
        if binary:
            columns: list[Any] = [coarse[part, np.newaxis], labels[part, np.newaxis], rows[part]]
            files[f"{name}.bin"] = np.concatenate(columns, axis=1).astype(np.uint8).tobytes()
        else:
            batch = {b"data": rows[part], b"fine_labels": labels[part].tolist()}
            files[name] = python2_pickle(
                {**batch, b"coarse_labels": coarse[part].tolist(), b"filenames": [b"a.png"]}
            )
    if binary:
        return {**files, "fine_label_names.txt": "\n".join(names).encode() + b"\n"}
    return {
        **files,
        "meta": python2_pickle({b"fine_label_names": [name.encode() for name in names]}),
    }


def official_files(name: str, *, binary: bool) -> Files:
    if name == "cifar100":
        return cifar100_files(binary=binary)
    files = cifar10_files(images_per_batch=TEST, binary=binary)
    return (
        files
        if binary
        else {name: python2_pickle(pickle.loads(content)) for name, content in files.items()}
    )


def write_tar(path: Path, files: Files, folder: str) -> Path:
    return Path(gunzipped(write_archive(path.with_suffix(".gz"), files, folder), path))


def gunzipped(path: Path, target: Path) -> Path:
    target.write_bytes(gzip.decompress(path.read_bytes()))
    path.unlink()
    return target


def write_folder(path: Path, files: Files, folder: str) -> Path:
    (path.parent / folder).mkdir()
    for name, content in files.items():
        (path.parent / folder / name).write_bytes(content)
    return path.parent / folder


CONTAINERS: dict[str, Callable[[Path, Files, str], Path]] = {
    "archive.tar.gz": write_archive,
    "archive.tgz": write_archive,
    "archive.tar": write_tar,
    "folder": write_folder,
}


def changed(name: str, change: Callable[[dict[bytes, Any]], object]) -> Files:
    """Return the files of a CIFAR-10 with one pickled file changed."""
    files = cifar10_files(images_per_batch=2)
    value = pickle.loads(files[name])
    change(value)
    return {**files, name: pickle.dumps(value, protocol=3)}


def error_of(files: Files, tmp_path: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        cifar.read(write_archive(tmp_path / "c.tar.gz", files, "c"))
    assert str(tmp_path / "c.tar.gz") in caught.value.message
    return caught.value


def same(one: Split, other: Split) -> bool:
    return np.array_equal(one.images, other.images) and np.array_equal(one.labels, other.labels)


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize(("name", "binary"), KINDS)
def test_every_official_layout_is_read_from_every_container(
    name: str, binary: bool, container: str, tmp_path: Path
) -> None:
    files = official_files(name, binary=binary)
    path = CONTAINERS[container](tmp_path / container, files, FOLDERS[name, binary])
    found, class_names, train, test = cifar.read(path)
    images, labels = tiny_images(TRAIN + TEST, 10 if name == "cifar10" else 100)
    assert found == name
    assert class_names == cifar.CLASS_NAMES[name]
    assert train.images.dtype == np.uint8
    assert train.labels.dtype == np.int64
    assert same(train, Split(images[:TRAIN], labels[:TRAIN]))
    assert same(test, Split(images[TRAIN:], labels[TRAIN:]))


@pytest.mark.parametrize("order", ["C", "F"])
def test_read_orders_channels_and_rows_correctly(order: Any, tmp_path: Path) -> None:
    row = np.zeros(3072, np.uint8)
    row[0], row[1], row[32], row[1024 + 31], row[2048 + 1023] = 10, 20, 30, 40, 50
    data = np.asarray(np.stack([row, row + 1]), order=order)
    files = changed("data_batch_1", lambda batch: batch.update({b"data": data}))
    _, _, train, _ = cifar.read(write_archive(tmp_path / "c.tar.gz", files, "c"))
    image = train.images[0]
    assert image[0, 0].tolist() == [10, 0, 0]
    assert image[0, 1].tolist() == [20, 0, 0]
    assert image[1, 0].tolist() == [30, 0, 0]
    assert image[0, 31].tolist() == [0, 40, 0]
    assert image[31, 31].tolist() == [0, 0, 50]
    assert np.array_equal(train.images[1], image + 1)


def test_real_cifar10_gives_the_labs_split(real_data: Path) -> None:
    archive = real_data / "cifar-10-python.tar.gz"
    if not archive.is_file():
        pytest.skip(f"EYETUNE_DATA holds no {archive.name}")
    dataset = load(archive)
    assert [len(split) for _, split in dataset.splits()] == [40_000, 10_000, 10_000]
    assert dataset.class_names == cifar.CLASS_NAMES["cifar10"]
    whole = dataset.train.class_counts(10) + dataset.validation.class_counts(10)
    assert whole.tolist() == [5000] * 10
    assert dataset.test.class_counts(10).tolist() == [1000] * 10
    for name, split in (
        ("data_batch_1", dataset.train.take(0, 10_000)),
        ("data_batch_5", dataset.validation),
    ):
        with tarfile.open(archive) as opened:
            member = opened.extractfile(f"cifar-10-batches-py/{name}")
            assert member is not None
            batch = pickle.load(member, encoding="bytes")
        assert split.labels.tolist() == batch[b"labels"]
        assert np.array_equal(
            split.images.transpose(0, 3, 1, 2).reshape(10_000, -1), batch[b"data"]
        )


def test_reading_an_archive_extracts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    monkeypatch.setattr(tempfile, "tempdir", str(home))
    files = {**cifar10_files(images_per_batch=2), "../../escaped": b"x", "../test_batch.txt": b"x"}
    archive = write_archive(tmp_path / "c.tar.gz", files, "c")
    cifar.read(archive)
    assert sorted(tmp_path.rglob("*")) == [archive, home]


class Command:
    """Runs a shell command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


def _batch_with(value: object) -> bytes:
    return pickle.dumps({b"data": value, b"labels": [0]}, protocol=3)


HOSTILE: dict[str, Callable[[str], bytes]] = {
    "a command": lambda mark: pickle.dumps(Command(f"touch {mark}")),
    "a command in protocol 0": lambda mark: b"cos\nsystem\n(S'touch %s'\ntR." % mark.encode(),
    "a command among the values": lambda mark: _batch_with([Command(f"touch {mark}")]),
    "a command in an object array": lambda mark: _batch_with(
        np.array([Command(f"touch {mark}")], dtype=object)
    ),
    "a command as a dtype": lambda mark: (
        b"cnumpy\ndtype\n(cos\nsystem\n(S'touch %s'\ntRtR." % mark.encode()
    ),
    "eval": lambda mark: b'cbuiltins\neval\n(S\'open("%s", "w")\'\ntR.' % mark.encode(),
    "a NumPy function that runs text": lambda mark: (
        b'cnumpy.testing\nrunstring\n(S\'open("%s", "w")\'\n}tR.' % mark.encode()
    ),
    "a NumPy function that writes files": lambda mark: (
        b"cnumpy\nsavetxt\n(S'%s'\n(lI1\natR." % mark.encode()
    ),
    "a name within an admitted one": lambda mark: (
        b"\x80\x04\x8c\x16numpy._core.multiarray\x8c\x19_reconstruct.__builtins__\x93"
        b"cos\nsystem\n(S'touch %s'\ntR." % mark.encode()
    ),
}


@pytest.mark.parametrize("member", ["data_batch_1", "test_batch", "batches.meta"])
@pytest.mark.parametrize("attack", HOSTILE)
def test_pickle_that_runs_code_is_rejected_and_does_not_run(
    attack: str, member: str, tmp_path: Path
) -> None:
    content = HOSTILE[attack](str(tmp_path / "ran"))
    error = error_of({**cifar10_files(images_per_batch=2), member: content}, tmp_path)
    assert not (tmp_path / "ran").exists()
    assert member in error.message
    assert (error.received or "").startswith("UnpicklingError: it asks for ")


@pytest.mark.parametrize(
    "attack", [name for name in HOSTILE if name != "a name within an admitted one"]
)
def test_hostile_pickles_run_with_pythons_unpickler(attack: str, tmp_path: Path) -> None:
    content = HOSTILE[attack](str(tmp_path / "ran"))
    with contextlib.suppress(Exception):
        pickle.loads(content)
    assert (tmp_path / "ran").exists()


def test_pickled_array_with_a_pointer_raises_without_a_crash(tmp_path: Path) -> None:
    array = b"cnumpy\nndarray\n((I1\ntcnumpy\ndtype\n(S'O'\ntRC\x08AAAAAAAAtR"
    content = b"\x80\x03}(C\x04data" + array + b"C\x06labels]u."
    archive = write_archive(
        tmp_path / "c.tar.gz", {**cifar10_files(images_per_batch=2), "data_batch_1": content}, "c"
    )
    script = f"""
        from pathlib import Path
        from eyetune.data.sources import cifar
        from eyetune.errors import DataError
        try:
            cifar.read(Path({str(archive)!r}))
        except DataError as error:
            print(error.message)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "cannot be read as a CIFAR batch" in done.stdout


def test_deeply_nested_pickle_is_rejected(tmp_path: Path) -> None:
    content = b"}" + b")" + b"\x85" * 100_000 + b"K\x00s."
    error = error_of({**cifar10_files(images_per_batch=2), "data_batch_1": content}, tmp_path)
    assert "data_batch_1" in error.message


@pytest.mark.parametrize("container", CONTAINERS)
def test_large_archive_names_the_limit(
    container: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = CONTAINERS[container](tmp_path / container, cifar10_files(images_per_batch=2), "c")
    cifar.read(path)
    monkeypatch.setenv(ARCHIVE_BYTES.variable, "20000")
    with pytest.raises(DataError) as caught:
        cifar.read(path)
    assert ARCHIVE_BYTES.variable in str(caught.value.fix)


@pytest.mark.parametrize("container", ["archive.tar.gz", "archive.tar"])
@pytest.mark.parametrize("share", [0.0, 0.0005, 0.1, 0.5, 0.9, 0.95])
def test_truncated_archive_suggests_another_download(
    container: str, share: float, tmp_path: Path
) -> None:
    whole = CONTAINERS[container](tmp_path / container, cifar10_files(images_per_batch=20), "c")
    content = whole.read_bytes()[: int(share * whole.stat().st_size)]
    whole.write_bytes(content)
    with pytest.raises(DataError) as caught:
        cifar.read(whole)
    assert str(whole) in caught.value.message
    assert "Download" in str(caught.value.fix) or share < 0.5


def test_archive_without_its_last_byte_is_rejected(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "c.tar.gz", cifar10_files(images_per_batch=2), "c")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"c\.tar\.gz"):
        cifar.read(path)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch")


@given(data=st.data())
def test_flipped_bit_in_an_archive_never_changes_an_image(
    scratch: Path, data: st.DataObject
) -> None:
    path = write_archive(scratch / "c.tar.gz", cifar10_files(images_per_batch=1), "c")
    _, _, train, test = cifar.read(path)
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    with contextlib.suppress(DataError):
        _, _, train_again, test_again = cifar.read(path)
        assert same(train, train_again)
        assert same(test, test_again)


@given(st.binary(max_size=2000), st.sampled_from(["", "gzip"]))
def test_any_bytes_are_read_or_raise_a_data_error(
    scratch: Path, content: bytes, packing: str
) -> None:
    path = scratch / "any.tar.gz"
    path.write_bytes(gzip.compress(content) if packing else content)
    with pytest.raises(EyetuneError):
        cifar.read(path)


@given(data=st.data())
@settings(max_examples=150)
def test_damaged_headers_are_read_or_raise_a_data_error(scratch: Path, data: st.DataObject) -> None:
    files = cifar10_files(images_per_batch=1, binary=True)
    content = bytearray(write_tar(scratch / "h.tar", files, "c").read_bytes())
    start = 512 * data.draw(st.sampled_from([0, 8, 16, 24]))
    content[start + 124 : start + 136] = data.draw(
        st.binary(min_size=12, max_size=12) | st.sampled_from(SIZES)
    )
    content[start + 156] = data.draw(st.sampled_from(b"01567LKSxgX"))
    header = content[start : start + 512]
    header[148:156] = b" " * 8
    content[start + 148 : start + 156] = b"%06o\0 " % sum(header)
    (scratch / "h.tar").write_bytes(content)
    with contextlib.suppress(EyetuneError):
        cifar.read(scratch / "h.tar")


@pytest.mark.filterwarnings("ignore:invalid escape sequence:DeprecationWarning")
@given(data=st.data())
@settings(max_examples=200)
def test_damaged_pickle_is_read_or_raises_a_data_error(scratch: Path, data: st.DataObject) -> None:
    files = cifar10_files(images_per_batch=1)
    name = data.draw(st.sampled_from(["data_batch_1", "batches.meta"]))
    content = bytearray(files[name])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, 120) | st.integers(len(content) - 60, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    folder = scratch / "damaged"
    folder.mkdir(exist_ok=True)
    for each, good in {**files, name: bytes(content)}.items():
        (folder / each).write_bytes(good)
    with contextlib.suppress(EyetuneError):
        cifar.read(folder)


def header_of(name: str, size: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.size = size
    return member.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("name", "size", "received"),
    [
        ("c/data_batch_1", 10**12, "data_batch_1 of 1,000,000,000,000 bytes"),
        ("c/data_batch_1", 2**62, "data_batch_1 of 4,611,686,018,427,387,904 bytes"),
        ("c/data_batch_1", 300_000_000, "unexpected end of data"),
        ("c/data_batch_1", -512, "data_batch_1 of -512 bytes"),
        ("c/notes.txt", -512, "notes.txt of -512 bytes"),
        ("c/notes.txt", 10**12, "unexpected end of data"),
        ("c/notes.txt", 2**62, ""),
        ("c/notes.txt", 2**80, ""),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_header_with_an_impossible_size_is_rejected_at_once(
    name: str, size: int, received: str, packed: bool, tmp_path: Path
) -> None:
    content = header_of(name, size) + b"x" * 1024
    path = tmp_path / "c.tar.gz"
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(DataError) as caught:
        cifar.read(path)
    assert received in (caught.value.received or "")


@pytest.mark.parametrize("name", cifar.LAYOUTS[0].files)
def test_missing_file_is_named(name: str, tmp_path: Path) -> None:
    files = cifar10_files(images_per_batch=2)
    del files[name]
    error = error_of(files, tmp_path)
    if name not in ("data_batch_1", "test_batch"):
        assert error.received == f"no {name}"
        assert error.fix == "Download it again."


@pytest.mark.parametrize(
    ("files", "received"),
    [
        ({"notes.txt": b"x"}, "none of the files"),
        ({"train": b"x"}, "train"),
        ({}, "none of the files"),
    ],
)
def test_other_archive_is_reported_with_its_content(
    files: Files, received: str, tmp_path: Path
) -> None:
    error = error_of(files, tmp_path)
    assert "data_batch_1 and test_batch" in (error.expected or "")
    assert (error.received or "").startswith(received)


@pytest.mark.parametrize(
    "content", [b"", b"plain text", b"PK\x03\x04", gzip.compress(b"plain text", mtime=0)]
)
def test_file_that_is_not_an_archive_is_rejected(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "c.tar.gz"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        cifar.read(path)
    assert (caught.value.received or "").startswith(f"{len(content):,} bytes (")


@pytest.mark.parametrize("label", [10, 255, -1])
def test_label_out_of_range_is_reported(label: int, tmp_path: Path) -> None:
    error = error_of(
        changed("data_batch_3", lambda batch: batch[b"labels"].__setitem__(1, label)), tmp_path
    )
    assert "data_batch_3" in error.message
    assert error.details() == {"expected": "0 to 9", "received": str(label)}


def test_binary_label_out_of_range_is_reported(tmp_path: Path) -> None:
    files = cifar100_files(binary=True)
    records = bytearray(files["train.bin"])
    records[0] = 255  # a coarse label, which does not count
    records[2 * 3074 + 1] = 100
    error = error_of({**files, "train.bin": bytes(records)}, tmp_path)
    assert error.details() == {"expected": "0 to 99", "received": "100"}


@pytest.mark.parametrize(
    "change",
    [
        {b"labels": np.array([0, 1])},
        {b"labels": ["0", "1"]},
        {b"labels": [0.0, 1.0]},
        {b"labels": [True, False]},
        {b"labels": [0, 10**5000]},
        {b"labels": None},
        {b"labels": [0]},
        {b"labels": [0, 1, 2]},
        {b"labels": [0, 1], b"data": np.zeros((2, 3071), np.uint8)},
        {b"data": np.zeros((3072, 2), np.uint8)},
        {b"data": np.zeros((2, 3, 1024), np.uint8)},
        {b"data": np.zeros(3072, np.uint8)},
        {b"data": np.zeros((2, 3072), np.float32)},
        {b"data": np.zeros((2, 3072), np.int8)},
        {b"data": np.zeros((2, 3072), bool)},
        {b"data": np.empty((2, 3072), object)},
        {b"data": [[0] * 3072] * 2},
        {b"data": None},
    ],
)
def test_batch_with_other_images_or_labels_is_rejected(
    change: dict[bytes, Any], tmp_path: Path
) -> None:
    error = error_of(changed("data_batch_2", lambda batch: batch.update(change)), tmp_path)
    assert "data_batch_2" in error.message


def test_wrong_shape_is_reported(tmp_path: Path) -> None:
    data = np.zeros((2, 3071), np.float32)
    error = error_of(changed("data_batch_2", lambda batch: batch.update({b"data": data})), tmp_path)
    assert error.details() == {
        "expected": "u1 (bytes) of shape (N, 3072)",
        "received": "f4 of shape (2, 3071)",
    }


@pytest.mark.parametrize("value", [[], b"bytes", 3, None])
def test_batch_that_is_not_a_dictionary_is_rejected(value: object, tmp_path: Path) -> None:
    error = error_of(
        {**cifar10_files(images_per_batch=2), "test_batch": pickle.dumps(value)}, tmp_path
    )
    assert error.received == type(value).__name__


@pytest.mark.parametrize("names", [[b"cat"], [], None, 5, b"airplane", [b"a"] * 9 + [3], {b"a": 1}])
def test_wrong_class_names_are_rejected(names: object, tmp_path: Path) -> None:
    error = error_of(
        changed("batches.meta", lambda value: value.update({b"label_names": names})), tmp_path
    )
    assert "batches.meta" in error.message
    assert error.expected == "10 class names"


def test_class_names_pickled_as_text_are_read_too(tmp_path: Path) -> None:
    names = [f"class {number}" for number in range(10)]
    files = changed("batches.meta", lambda value: value.update({b"label_names": names}))
    assert cifar.read(write_archive(tmp_path / "c.tar.gz", files, "c"))[1] == tuple(names)


@pytest.mark.parametrize("binary", [False, True])
def test_batches_of_several_sizes_are_counted(binary: bool, tmp_path: Path) -> None:
    files = cifar10_files(images_per_batch=3, binary=binary)
    name = "data_batch_4.bin" if binary else "data_batch_4"
    error = error_of(
        {**files, name: cifar10_files(images_per_batch=2, binary=binary)[name]}, tmp_path
    )
    assert error.expected == "3 images in each file"
    assert f"{name}: 2" in (error.received or "")


def test_number_of_images_in_the_names_file_counts(tmp_path: Path) -> None:
    error = error_of(
        changed("batches.meta", lambda value: value.update({b"num_cases_per_batch": 10_000})),
        tmp_path,
    )
    assert error.expected == "10,000 images in each file"
    assert "data_batch_1: 2" in (error.received or "")


@pytest.mark.parametrize("cut", [-1, 1])
def test_binary_batch_of_a_broken_length_is_truncated(cut: int, tmp_path: Path) -> None:
    files = cifar10_files(images_per_batch=2, binary=True)
    content = (files["data_batch_1.bin"] + b"x")[: 2 * 3073 + cut]
    error = error_of({**files, "data_batch_1.bin": content}, tmp_path)
    assert "data_batch_1.bin" in error.message
    assert error.details() == {
        "expected": "a multiple of 3073 bytes",
        "received": f"{len(content):,} bytes",
        "fix": "Download it again.",
    }


@pytest.mark.parametrize(("name", "binary"), KINDS)
def test_archives_and_folders_are_found_by_their_official_names(
    name: str, binary: bool, tmp_path: Path
) -> None:
    assert cifar.find(tmp_path, name) is None
    folder = write_folder(
        tmp_path / "c", official_files(name, binary=binary), FOLDERS[name, binary]
    )
    assert cifar.looks_like_folder(folder)
    assert not cifar.looks_like_folder(tmp_path)
    assert cifar.find(tmp_path, name) == folder
    archive = tmp_path / cifar.ARCHIVES[name][binary]
    archive.touch()
    assert cifar.find(tmp_path, name) == archive


def test_file_that_cannot_be_read_in_a_folder_is_a_data_error(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "c", cifar10_files(images_per_batch=2), "cifar-10-batches-py")
    unreadable = Path(
        "/proc/self/mem"
    )  # reading it from its start fails, also for the administrator
    if not unreadable.is_file():
        pytest.skip("needs a /proc")
    (folder / "data_batch_1").unlink()
    (folder / "data_batch_1").symlink_to(unreadable)
    with pytest.raises(DataError, match="cifar"):
        cifar.read(folder)
