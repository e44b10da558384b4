from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from eyetune.inputs.limits import (
    ARCHIVE_HEADER_BYTES,
    ARCHIVE_MEMBERS,
    WEIGHTS_BYTES,
    Limit,
    LimitExceededError,
)
from eyetune.inputs.zip_file import check_zip, open_zip

LIMIT = Limit("EYETUNE_MAX_TEST", 1000, "bytes", "Bytes in a test.")


def write(path: Path, contents: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return path


def test_open_zip_reads_members(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip", {"a": b"x" * 100, "b": b"y"}, zipfile.ZIP_DEFLATED)
    with open_zip(path, LIMIT) as archive:
        assert archive.read("a") == b"x" * 100
        assert archive.read("b") == b"y"


def test_open_zip_refuses_a_bomb(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip", {"a": b"x" * 5000}, zipfile.ZIP_DEFLATED)
    with pytest.raises(LimitExceededError) as caught, open_zip(path, LIMIT):
        pass
    assert caught.value.amount == 5000


def test_open_zip_allows_a_large_file_that_is_not_compressed(tmp_path: Path) -> None:
    check_zip(write(tmp_path / "a.zip", {"a": b"x" * 5000}), LIMIT)


def test_open_zip_refuses_many_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ARCHIVE_MEMBERS.variable, "5")
    check_zip(write(tmp_path / "a.zip", dict.fromkeys("abcde", b"")), LIMIT)
    with pytest.raises(LimitExceededError):
        check_zip(write(tmp_path / "b.zip", dict.fromkeys("abcdef", b"")), LIMIT)


def test_open_zip_refuses_a_long_list_of_members(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.zip", {f"{index:0100}": b"" for index in range(20)})
    check_zip(path, LIMIT)
    monkeypatch.setenv(ARCHIVE_HEADER_BYTES.variable, "1000")
    with pytest.raises(LimitExceededError):
        check_zip(path, LIMIT)


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_open_zip_refuses_other_methods(method: int, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="method"):
        check_zip(write(tmp_path / "a.zip", {"a": b"x"}, method), WEIGHTS_BYTES)
