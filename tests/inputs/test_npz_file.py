from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eyetune.inputs.limits import Limit, LimitExceededError
from eyetune.inputs.npz_file import read_arrays

LIMIT = Limit("EYETUNE_MAX_TEST", 10_000, "bytes", "Bytes in a test.")


def described(shape: str, descr: str = "'|u1'", content: bytes = b"x" * 8) -> bytes:
    """Return an array whose header describes something else than its content."""
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    header = header.ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content


def write(path: Path, name: str, content: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, content)
    return path


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_read_arrays_returns_what_was_saved(save: Any, tmp_path: Path) -> None:
    arrays: dict[str, Any] = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "b/c": np.array(3),
        "d": np.array(["cat", "dog"]),
        "e": np.asfortranarray(np.eye(3)),
        "f": np.zeros((0, 3)),
    }
    save(tmp_path / "a.npz", **arrays)
    stored = read_arrays(tmp_path / "a.npz", LIMIT)
    assert stored.keys() == arrays.keys()
    for name, values in arrays.items():
        assert np.array_equal(stored[name], values)
        assert stored[name].dtype == values.dtype


def test_read_arrays_reads_the_named_arrays_only(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=np.arange(3), b=np.array([object], object))
    assert list(read_arrays(tmp_path / "a.npz", LIMIT, names={"a"})) == ["a"]


def test_read_arrays_refuses_a_bomb(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", a=np.zeros(20_000, np.uint8))
    with pytest.raises(LimitExceededError):
        read_arrays(tmp_path / "a.npz", LIMIT)


def test_described_is_read_if_it_is_right(tmp_path: Path) -> None:
    stored = read_arrays(write(tmp_path / "a.npz", "a.npy", described("(8,)")), LIMIT)
    assert stored["a"].tobytes() == b"x" * 8


@pytest.mark.parametrize(
    "content",
    [
        described("(10**12,)"),
        described("(1000000000000,)"),
        described("(7,)"),
        described("(-8,)"),
        described("(-2, -4)"),
        described("(8,)", "'<f8'"),
        described("(1000000000000,)", "'|V0'", b""),
        described("(1000000000000,)", "'<U0'", b""),
        described("(1,)", "'|O'"),
        described("(1,)", "[('a', '<f8')]"),
        described("(2,)", "'<U1'"),
        described("(1,)", "'>U2'"),
        b"plain text",
        b"",
    ],
)
def test_read_arrays_refuses_a_header_that_lies(content: bytes, tmp_path: Path) -> None:
    with pytest.raises((ValueError, EOFError)):
        read_arrays(write(tmp_path / "a.npz", "a.npy", content), LIMIT)


def test_read_arrays_refuses_other_files(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a\.txt"):
        read_arrays(write(tmp_path / "a.npz", "a.txt", b"text"), LIMIT)
