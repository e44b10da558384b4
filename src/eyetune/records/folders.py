"""The folders of runs and studies: held by one process at a time, and what prevents writing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from eyetune._files import LockedError, acquire_lock
from eyetune.errors import RunBusyError, WorkspaceError

_LOCK = "lock"


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
