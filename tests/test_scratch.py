"""Temporary folders: deleted with their process, or at the next start after it was killed."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from eyetune._scratch import abandoned_folders, scratch_folder, temporary_files_in_scratch

KILLED = """
import os, signal, sys, tempfile
from eyetune._scratch import scratch_folder
tempfile.tempdir = sys.argv[1]
with scratch_folder() as folder:
    (folder / "left").touch()
    print(folder, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def temporary_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_folders_of_killed_processes_are_deleted(temporary_directory: Path) -> None:
    command: list[str | Path] = [sys.executable, "-c", KILLED, temporary_directory]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    left = Path(done.stdout.strip())
    assert left.exists()
    with scratch_folder():
        assert not left.exists()
    assert [path.name for path in left.parent.iterdir()] == ["lock"]


def test_folders_in_use_stay() -> None:
    with scratch_folder() as first:
        with scratch_folder() as second:
            assert first != second
            assert first.exists()
        assert first.exists()


def test_a_folder_of_another_user_is_not_used(temporary_directory: Path) -> None:
    with scratch_folder() as folder:
        root = folder.parent
    (root / "lock").unlink()
    root.rmdir()
    others = temporary_directory / "others"
    others.mkdir()
    root.symlink_to(others)
    with scratch_folder() as folder:
        assert others not in folder.resolve().parents
        first = folder.parent
    with scratch_folder() as folder:
        assert folder.parent == first  # no new one each time


def test_looking_for_abandoned_folders_makes_none(temporary_directory: Path) -> None:
    assert abandoned_folders() == []
    assert list(temporary_directory.iterdir()) == []


def test_temporary_files_of_libraries_are_deleted() -> None:
    with temporary_files_in_scratch():
        left = Path(tempfile.mkdtemp())
    assert not left.exists()
