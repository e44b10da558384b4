"""Files that a user asks for: written completely or not at all, with one error if that fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eyetune._files import write_bytes
from eyetune.errors import WorkspaceError


@contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turn an OSError in a block that writes an output into an error for its user.

    Args:
        path: The file or folder that is written.

    Raises:
        WorkspaceError: It cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise WorkspaceError(
            f"Cannot write {path}.",
            received=error.strerror or error,
            fix="Free some space, or name another path with --output.",
        ) from None


def write_output(content: str | bytes, path: Path) -> Path:
    """Write a file, completely or not at all, and return its path; its folder is created.

    Args:
        content: A text is written in UTF-8.
        path: The file, which is replaced if it exists.

    Raises:
        WorkspaceError: The file cannot be written.
    """
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, content.encode() if isinstance(content, str) else content)
    return path
