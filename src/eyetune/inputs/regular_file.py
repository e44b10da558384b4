"""Opens input files: the one place, which refuses what is not a regular file.

Reading a named pipe or a terminal waits for a writer, perhaps forever, and a device may never end.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO, cast

from eyetune.inputs.limits import Limit

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_NONBLOCKING = getattr(os, "O_NONBLOCK", 0)  # so that opening a named pipe returns at once
_BINARY = getattr(os, "O_BINARY", 0)


class NotAFileError(OSError):
    """A path names a folder, a named pipe, a socket or a device."""


def check_file(path: Path) -> None:
    """Check that a path names a regular file, without opening it. Symbolic links are followed.

    Raises:
        NotAFileError: It names something else.
        OSError: There is no such file, or its folder cannot be read.
    """
    _check_mode(path.stat().st_mode, path)


def open_file(path: Path) -> BinaryIO:
    """Open a regular file for reading bytes.

    Raises:
        NotAFileError: The path names something else.
        OSError: It cannot be opened.
        ValueError: The path has a NUL character.

    Example:
        >>> import tempfile
        >>> try:
        ...     open_file(Path(tempfile.gettempdir()))
        ... except NotAFileError as error:
        ...     print(error.strerror)
        a folder, not a file
    """
    descriptor = os.open(path, os.O_RDONLY | _NONBLOCKING | _BINARY)
    try:
        _check_mode(os.fstat(descriptor).st_mode, path)
        return cast(BinaryIO, os.fdopen(descriptor, "rb"))
    except BaseException:
        os.close(descriptor)
        raise


def read_bytes(path: Path, limit: Limit) -> bytes:
    """Return the content of a regular file.

    Args:
        path: The file.
        limit: The limit on its size.

    Raises:
        OSError: It cannot be read, or is not a regular file.
        LimitExceededError: It is too large.
        ValueError: The path has a NUL character.
    """
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        limit.check(size, "a file")
        content = file.read(limit.value + 1)  # it may be growing
    limit.check(len(content), "a file")
    return content


def read_text(path: Path, limit: Limit) -> str:
    """Return the content of a regular file of UTF-8 text, with line ends as `\\n`.

    Args:
        path: The file.
        limit: The limit on its size in bytes.

    Raises:
        OSError: It cannot be read, or is not a regular file.
        UnicodeDecodeError: It is not UTF-8.
        LimitExceededError: It is too large.
        ValueError: The path has a NUL character.
    """
    text = read_bytes(path, limit).decode("utf-8")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _check_mode(mode: int, path: Path) -> None:
    if stat.S_ISREG(mode):
        return
    kind = next((name for is_kind, name in _KINDS if is_kind(mode)), "a special file")
    error = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
    raise NotAFileError(error, f"{kind}, not a file", str(path))
