"""Temporary folders that do not outlive their process: the one place for all of them.

They lie in one folder of the user in the system's temporary directory. Each is locked by its
process; what a killed process left is deleted when the next one needs a folder.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from eyetune._files import LockedError, acquire_lock

_ROOT_LOCK = "lock"
_LOCK_SUFFIX = ".lock"
_SECONDS_TO_WAIT = 10.0  # for other processes that make or delete folders


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield an empty folder that is deleted at the end, or later if this process is killed.

    Raises:
        OSError: The temporary directory cannot be written.

    Example:
        >>> with scratch_folder() as folder:
        ...     _ = (folder / "note.txt").write_text("gone soon")
        >>> folder.exists()
        False
    """
    root = _root()
    folder = root / f"{os.getpid()}-{secrets.token_hex(4)}"
    with acquire_lock(root / _ROOT_LOCK, timeout_seconds=_SECONDS_TO_WAIT):
        _delete_abandoned(root)
        held = acquire_lock(_lock_path(folder))
        folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        held.release()
        _lock_path(folder).unlink(missing_ok=True)


@contextmanager
def temporary_files_in_scratch() -> Iterator[None]:
    """Let libraries make their temporary files in a scratch folder while the block runs.

    It holds for all threads of this process.

    Raises:
        OSError: The temporary directory cannot be written.
    """
    with scratch_folder() as folder:
        before = tempfile.tempdir
        tempfile.tempdir = str(folder)
        try:
            yield
        finally:
            tempfile.tempdir = before


def abandoned_folders() -> list[Path]:
    """Return the folders whose processes have ended; the next process deletes them.

    Raises:
        OSError: The temporary directory cannot be written.
    """
    found = []
    root = next(filter(_is_own, _candidates()), None)
    for path in [] if root is None else root.glob(f"*{_LOCK_SUFFIX}"):
        with suppress(LockedError, OSError), acquire_lock(path):  # else its process is at work
            found.append(path.with_suffix(""))
    return sorted(path for path in found if path.is_dir())


def _root() -> Path:
    """Return the user's folder, which is made if it is missing."""
    for root in _candidates():
        with suppress(FileExistsError):
            root.mkdir(mode=0o700)
        if _is_own(root):
            return root
    return Path(tempfile.mkdtemp(prefix="eyetune-"))


def _candidates() -> list[Path]:
    """Return names for the user's folder: another user may have taken the first one."""
    parent = Path(tempfile.gettempdir())
    user_id = os.getuid() if hasattr(os, "getuid") else 0  # on Windows each user has a directory
    return [parent / f"eyetune-{user_id}{end}" for end in ("", *(f"-{n}" for n in range(2, 10)))]


def _is_own(folder: Path) -> bool:
    try:
        status = folder.lstat()
    except FileNotFoundError:
        return False
    is_own = not hasattr(os, "getuid") or status.st_uid == os.getuid()
    return is_own and stat.S_ISDIR(status.st_mode)


def _delete_abandoned(root: Path) -> None:
    """Delete the folders whose processes have ended."""
    for path in root.glob(f"*{_LOCK_SUFFIX}"):
        try:
            held = acquire_lock(path)
        except (LockedError, OSError):  # its process is at work
            continue
        shutil.rmtree(path.with_suffix(""), ignore_errors=True)
        held.release()
        path.unlink(missing_ok=True)


def _lock_path(folder: Path) -> Path:
    return folder.with_name(folder.name + _LOCK_SUFFIX)
