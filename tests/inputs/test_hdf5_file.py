from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from eyetune.inputs.hdf5_file import open_hdf5
from eyetune.inputs.limits import Limit, LimitExceededError

LIMIT = Limit("EYETUNE_MAX_TEST", 100_000, "bytes", "Bytes in a test.")


def write(path: Path, change: Callable[[Any, Path], Any]) -> Path:
    (path.parent / "secret").write_bytes(b"secret..")
    with h5py.File(path.parent / "other.h5", "w") as other:
        other["b"] = np.arange(4.0)
    with h5py.File(path, "w") as file:
        file["group/a"] = np.arange(4.0)
        change(file, path.parent)
    return path


def external_storage(file: Any, folder: Path) -> None:
    file.create_dataset("b", (1,), float, external=[(str(folder / "secret"), 0, 8)])


def external_link(file: Any, folder: Path) -> None:
    file["group/b"] = h5py.ExternalLink(str(folder / "other.h5"), "/b")


def virtual_data(file: Any, folder: Path) -> None:
    layout = h5py.VirtualLayout((4,), float)
    layout[:] = h5py.VirtualSource(folder / "other.h5", "b", (4,))
    file.create_virtual_dataset("b", layout)


def soft_link(file: Any, _: Path) -> None:
    file["group/b"] = h5py.SoftLink("/group/a")


def texts(file: Any, _: Path) -> None:
    file["b"] = ["text"]


def test_open_hdf5_yields_groups_and_data_sets(tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5", lambda _file, _folder: None)
    for source in (path, path.read_bytes()):
        with open_hdf5(source, LIMIT) as file:
            assert file["group/a"][()].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "change", [external_storage, external_link, virtual_data, soft_link, texts]
)
def test_open_hdf5_refuses_data_of_other_files(change: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5", change)
    with pytest.raises(ValueError, match="b"), open_hdf5(path, LIMIT):
        pass


@pytest.mark.parametrize("chunks", [(1000,), None])
def test_open_hdf5_refuses_a_large_data_set(chunks: Any, tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.h5",
        lambda file, _: file.create_dataset("big", (2**40,), np.float32, chunks=chunks),
    )
    assert path.stat().st_size < 100_000
    with pytest.raises(LimitExceededError), open_hdf5(path, LIMIT):
        pass


def test_open_hdf5_allows_a_large_file(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.h5", lambda file, _: file.create_dataset("big", data=np.zeros(200_000))
    )
    with open_hdf5(path, LIMIT) as file:
        assert len(file["big"]) == 200_000


def test_heap_without_an_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.attrs["names"] = ["first", "second"]  # strings, which are in a heap
    content = path.read_bytes()
    with open_hdf5(path) as file:
        assert list(file.attrs["names"]) == ["first", "second"]
    start = content.index(b"GCOL") + 16
    damaged = content[:start] + struct.pack("<HHIQ", 0, 0, 0, 0) + content[start + 16 :]
    path.write_bytes(damaged)
    for source in (path, damaged):
        with pytest.raises(ValueError, match="heap"), open_hdf5(source):
            pass
