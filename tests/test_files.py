"""Atomic writes and locks."""

from __future__ import annotations

from pathlib import Path

import pytest

from eyetune._files import (
    LockedError,
    acquire_lock,
    replaced_file,
    replaced_folder,
    write_bytes,
    write_text,
)


@pytest.mark.parametrize("durable", [False, True])
def test_replaced_file_keeps_the_suffix(tmp_path: Path, durable: bool) -> None:
    target = tmp_path / "model.keras"
    with replaced_file(target, durable=durable) as partial:
        assert partial.suffix == ".keras"
        partial.write_bytes(b"whole")
        assert not target.exists()
    assert target.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [target]


def test_replaced_file_failure_keeps_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    write_text(target, "grün")
    with pytest.raises(KeyboardInterrupt), replaced_file(target) as partial:
        partial.write_text("half")
        raise KeyboardInterrupt
    assert target.read_text(encoding="utf-8") == "grün"
    assert list(tmp_path.iterdir()) == [target]


def test_write_bytes_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_bytes(tmp_path / "missing" / "file", b"")


def test_replaced_folder_exchanges_contents(tmp_path: Path) -> None:
    target = tmp_path / "export"
    for name in ("old", "new"):
        with replaced_folder(target) as partial:
            (partial / name).touch()
    assert [path.name for path in target.iterdir()] == ["new"]
    with pytest.raises(ValueError, match="half"), replaced_folder(target) as partial:
        (partial / "other").touch()
        raise ValueError("half")
    assert [path.name for path in target.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [target]


def test_acquire_lock_excludes_and_releases(tmp_path: Path) -> None:
    with acquire_lock(tmp_path / "lock"), pytest.raises(LockedError):
        acquire_lock(tmp_path / "lock")
    lock = acquire_lock(tmp_path / "lock", timeout_seconds=None)
    lock.release()
    with acquire_lock(tmp_path / "lock", timeout_seconds=1.0):
        pass
