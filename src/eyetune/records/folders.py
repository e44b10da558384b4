"""The folders of records: where they are, held by one process at a time, what prevents writing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from eyetune._files import LockedError, OutsideError, acquire_lock, path_inside
from eyetune.errors import RunBusyError, WorkspaceError
from eyetune.values.record_ids import checked_id

_LOCK = "lock"


def record_folder(workspace: Path, kind: str, record_id: str) -> Path:
    """Return the folder of a record, which need not exist.

    Ids come from a database that someone else may have written, and a folder may hold links: what
    leads out of the workspace is refused.

    Args:
        workspace: The workspace's folder.
        kind: Name of the folder of all records of this kind, such as "runs".
        record_id: Id of the record.

    Raises:
        WorkspaceError: It is no id, the folder or a link in it leads out of the workspace, or it
            holds a pipe or a device.
    """
    try:
        checked_id(record_id)
    except ValueError as error:
        raise WorkspaceError(
            f"{workspace} holds a record with an id that cannot name a folder in {kind}.",
            expected=error,
            received=ascii(record_id)[:200],
            fix=f"Do not use this workspace before it is repaired: eyetune doctor {workspace}",
        ) from None
    folder = workspace_path(workspace, kind, record_id)
    for entry in _entries(folder):
        if entry.is_symlink():
            workspace_path(workspace, kind, record_id, entry.name)
        if _is_special(entry):
            raise WorkspaceError(
                f"{folder} holds {entry.name!a}, which is neither a file nor a folder.",
                expected="files and folders that eyetune wrote",
                received="a pipe, a socket or a device, which could block every command",
                fix="Remove it.",
            )
    return folder


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:  # it does not exist, or cannot be read, which its users find out
        return []


def _is_special(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry, or what it links to, is something else than a file or folder."""
    if entry.is_file() or entry.is_dir():
        return False
    try:
        return bool(entry.stat())
    except OSError:  # a link to nothing
        return False


def record_names(workspace: Path, kind: str) -> list[str]:
    """Return the names of all folders of a kind of records, whatever they are, in order.

    Args:
        workspace: The workspace's folder.
        kind: Name of the folder of all records of this kind, such as "runs".
    """
    return sorted(
        entry.name
        for entry in _entries(workspace / kind)
        if not entry.name.startswith(".") and (entry.is_dir() or entry.is_symlink())
    )


def workspace_path(workspace: Path, *names: str) -> Path:
    """Return the path of a file or folder in a workspace, which need not exist.

    Args:
        workspace: The workspace's folder.
        names: The parts of the path below it.

    Raises:
        WorkspaceError: The path leads out of the workspace, for example by a symbolic link.
    """
    try:
        return path_inside(workspace, *names)
    except (OutsideError, OSError) as error:
        raise WorkspaceError(
            f"{'/'.join(names)!a} leads out of the workspace {workspace}.",
            expected="files and folders inside of the workspace, without links to others",
            received=error,
            fix="Remove the link. To keep a workspace elsewhere, move it as a whole, then name "
            "its folder with --workspace or in EYETUNE_WORKSPACE.",
        ) from None


@contextmanager
def claim_folder(
    folder: Path, busy_error: Callable[[], RunBusyError], *, timeout_seconds: float = 0.0
) -> Iterator[None]:
    """Hold a folder for this process; the hold ends with the process, however that ends.

    Args:
        folder: The folder.
        busy_error: Returns the error to raise if another process holds the folder.
        timeout_seconds: How long to wait for another process, in seconds.

    Raises:
        RunBusyError: Another process holds the folder.
        WorkspaceError: The folder cannot be written.
    """
    try:
        lock = acquire_lock(folder / _LOCK, timeout_seconds=timeout_seconds)
    except LockedError:
        raise busy_error() from None
    except OSError as error:
        raise unwritable(folder, error) from None
    with lock:
        yield


def is_claimed(folder: Path) -> bool:
    """Return whether another process holds a folder; False where that cannot be found out."""
    if not (folder / _LOCK).exists():  # acquiring it would write a file
        return False
    try:
        with acquire_lock(folder / _LOCK):
            return False
    except LockedError:
        return True
    except OSError:  # the folder is missing or cannot be written
        return False


def unwritable(path: Path, error: OSError) -> WorkspaceError:
    """Return the error for a file or folder that cannot be written."""
    return WorkspaceError(
        f"{path} cannot be written.",
        received=error.strerror or error,
        fix="Free some space or check the permissions of the folder, then try again.",
    )
