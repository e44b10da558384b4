"""Atomic writes, file locks and paths that stay inside a folder: the one place for these idioms.

A reader sees the old file or the new one, never a half, also after a crash or on a full disk. A
lock belongs to a process and ends with it, however the process ends. All raise plain errors
(`OSError`, `LockedError`, `OutsideError`), which callers turn into sentences for their users.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout


class LockedError(Exception):
    """Another process holds the lock."""


class OutsideError(Exception):
    """A path leads out of the folder that it must lie in."""


def path_inside(root: Path, *names: str) -> Path:
    """Return the path of a file or folder below a folder, also if it does not exist yet.

    Symbolic links count where they lead: one that leads out of the folder is refused.

    Args:
        root: The folder.
        names: The parts of the path below it, at least one.

    Raises:
        OutsideError: The path leads out of the folder, or to the folder itself.
        OSError: The path cannot be resolved, for example because links lead in a circle.

    Example:
        >>> path_inside(Path("/data"), "runs", "3f2a77b0").as_posix()
        '/data/runs/3f2a77b0'
        >>> path_inside(Path("/data"), "runs", "../../home")
        Traceback (most recent call last):
            ...
        eyetune._files.OutsideError: /data/runs/../../home
    """
    path = root.joinpath(*names)
    try:
        target, top = path.resolve(), root.resolve()
    except (RuntimeError, ValueError) as error:  # a circle of links, or a null character
        raise OSError(str(error)) from None
    if target == top or not target.is_relative_to(top):
        raise OutsideError(str(path))
    return path


def make_private_folder(folder: Path) -> None:
    """Make a folder that only this user can open; one that exists keeps its permissions.

    Raises:
        OSError: The folder cannot be made.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)


@contextmanager
def replaced_file(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """Yield a path beside `path` to write to; it takes the name `path` when the block succeeds.

    Args:
        path: The file to create or replace. Its folder must exist.
        durable: Whether the contents must be on the disk, and not only in the system's buffers,
            before the file gets its name: slower, and safe against a power failure.

    Yields:
        A path with the same suffixes as `path`, since some writers choose the format by them.

    Raises:
        OSError: The file cannot be written; what was there before still is.

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "note.txt"
        >>> with replaced_file(target) as partial:
        ...     _ = partial.write_text("whole")
        >>> target.read_text()
        'whole'
    """
    suffixes = "".join(path.suffixes)  # Keras also looks at the first one of .weights.h5
    partial = path.with_name(f".{path.name.removesuffix(suffixes)}.{_unique()}.part{suffixes}")
    try:
        yield partial
        if durable:
            with partial.open("rb+") as stream:
                os.fsync(stream.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically.

    Raises:
        OSError: The file cannot be written; what was there before still is.
    """
    with replaced_file(path) as partial:
        partial.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file atomically.

    Raises:
        OSError: The file cannot be written; what was there before still is.
    """
    write_bytes(path, text.encode("utf-8"))


@contextmanager
def replaced_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder beside `folder`; it takes the name `folder` when the block succeeds.

    A folder that exists is kept until then, and comes back if the exchange itself fails.

    Raises:
        OSError: The folder cannot be written; what was there before still is.
    """
    partial = folder.with_name(f".{folder.name}.{_unique()}.part")
    former = folder.with_name(f".{folder.name}.{_unique()}.former")
    try:
        partial.mkdir(parents=True)
        yield partial
        if folder.exists():
            folder.rename(former)
        partial.rename(folder)
    finally:
        if former.exists() and not folder.exists():
            former.rename(folder)
        for leftover in (partial, former):
            shutil.rmtree(leftover, ignore_errors=True)


@contextmanager
def temporary_folder(parent: Path) -> Iterator[Path]:
    """Yield an empty folder in `parent` that is deleted in the end, unless it was renamed.

    For a folder whose name depends on what is written to it; `replaced_folder` is for others.

    Raises:
        OSError: The folder cannot be made.
    """
    folder = parent / f".{_unique()}.part"
    try:
        folder.mkdir(parents=True)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class HeldLock:
    """A lock that this process holds until `release`, or the end of a `with` block."""

    def __init__(self, lock: BaseFileLock) -> None:
        self._lock = lock

    def release(self) -> None:
        """Let other processes have the lock."""
        self._lock.release()

    def __enter__(self) -> None:
        """Do nothing: the lock is already held."""

    def __exit__(self, *_: object) -> None:
        """Release the lock."""
        self.release()


def acquire_lock(path: Path, *, timeout_seconds: float | None = 0.0) -> HeldLock:
    """Acquire a lock between processes.

    Args:
        path: The lock file; it is created, and left behind.
        timeout_seconds: How long to wait for another process, in seconds; None: without a limit.

    Raises:
        LockedError: Another process holds the lock.
        OSError: The lock file cannot be written.

    Example:
        >>> import tempfile
        >>> with acquire_lock(Path(tempfile.mkdtemp()) / "lock"):
        ...     pass
    """
    lock = FileLock(path)
    try:
        lock.acquire(timeout=-1 if timeout_seconds is None else timeout_seconds)
    except Timeout:
        raise LockedError(str(path)) from None
    return HeldLock(lock)


def _unique() -> str:
    return f"{os.getpid()}-{secrets.token_hex(3)}"
