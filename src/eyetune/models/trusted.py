"""The user's list of trusted code: the SHA-256 of each model function that may run.

The list is outside of every workspace, so that a workspace from someone else cannot extend it. A
process also trusts what it was granted: what its user has named, and in a worker process what the
coordinator trusts.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from eyetune._files import LockedError, acquire_lock, replaced_file
from eyetune.errors import EyetuneWarning, WorkspaceError

LIST_VARIABLE = "EYETUNE_TRUSTED_FUNCTIONS"
LIST_NAME = "trusted-functions.txt"
_LOCK_SECONDS = 10.0
_HEADING = "# Model functions that may run: SHA-256, date, name. Delete a line to distrust it.\n"
_WRITABLE_BY_OTHERS = 0o022
_MAX_NAME = 80  # characters

_granted: set[str] = set()


def list_path() -> Path:
    """Return the path of the list: EYETUNE_TRUSTED_FUNCTIONS, or in the user's data folder."""
    import platformdirs

    configured = os.environ.get(LIST_VARIABLE)
    return Path(configured) if configured else platformdirs.user_data_path("eyetune") / LIST_NAME


def granted() -> frozenset[str]:
    """Return the digests that this process trusts so far, for its worker processes."""
    return frozenset(_granted)


def grant(digests: Iterable[str]) -> None:
    """Let this process trust digests without writing them to the list.

    Args:
        digests: SHA-256 as hexadecimal digits.
    """
    _granted.update(digests)


def is_trusted(digest: str) -> bool:
    """Return whether a digest was granted to this process or is in the user's list.

    Args:
        digest: SHA-256 as hexadecimal digits.

    Raises:
        WorkspaceError: The list cannot be read, or others can write to it.
    """
    if digest not in _granted and digest in _listed(list_path()):
        _granted.add(digest)
    return digest in _granted


def remember(digest: str, name: str) -> None:
    """Trust a digest in this process, and write it to the user's list.

    If the list cannot be written, for example without a home folder, a warning says so.

    Args:
        digest: SHA-256 as hexadecimal digits.
        name: Name of the function, for the reader of the list.
    """
    if digest in _granted:
        return
    _granted.add(digest)
    path = list_path()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with acquire_lock(path.with_name(f"{path.name}.lock"), timeout_seconds=_LOCK_SECONDS):
            _append(path, digest, name)
    except (OSError, LockedError, WorkspaceError) as error:
        warnings.warn(
            f"The list of trusted functions {path} cannot be written, so the next command will ask "
            f"for --trust: {error}",
            EyetuneWarning,
            stacklevel=3,
        )


def _append(path: Path, digest: str, name: str) -> None:
    if digest in _listed(path):
        return
    text = path.read_text(encoding="utf-8") if path.exists() else _HEADING
    shown = "".join(letter if letter.isprintable() else "?" for letter in name)[-_MAX_NAME:]
    text += f"{digest}  {datetime.now(UTC):%Y-%m-%d}  {shown}\n"
    with replaced_file(path) as partial:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)


def _listed(path: Path) -> frozenset[str]:
    """Return the digests in a list; none if there is no list."""
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            _check_is_private(path, os.fstat(stream.fileno()))
            lines = stream.read().splitlines()
    except FileNotFoundError:
        return frozenset()
    except OSError as error:
        raise WorkspaceError(
            f"The list of trusted functions {path} cannot be read.",
            received=error.strerror or error,
            fix=f"Make it readable, or name another file with {LIST_VARIABLE}.",
        ) from None
    return frozenset(line.split()[0] for line in lines if line.strip() and line[0] != "#")


def _check_is_private(path: Path, state: os.stat_result) -> None:
    """Check that only this user, or the administrator, can write to the list."""
    with suppress(AttributeError):  # Windows has no user ids
        if state.st_uid in (os.getuid(), 0) and not state.st_mode & _WRITABLE_BY_OTHERS:
            return
        raise WorkspaceError(
            f"Others can write to the list of trusted functions {path}.",
            expected="a file of this user with the mode 600",
            received=f"user {state.st_uid}, mode {state.st_mode & 0o777:o}",
            fix=f"Check its lines, then: chmod 600 {path}",
        )
