"""Silence or capture what C++ libraries write to standard error, past Python's own stream."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO


@contextmanager
def silenced() -> Iterator[None]:
    """Discard what is written to file descriptor 2; exceptions are still shown.

    TensorFlow, if it is imported inside, stays quiet afterwards too. Set TF_CPP_MIN_LOG_LEVEL=0 in
    the environment to see everything.
    """
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") == "0":
        yield
        return
    with open(os.devnull, "wb") as null, _redirected(null):  # noqa: PTH123
        yield


@contextmanager
def caught() -> Iterator[Callable[[], str]]:
    """Capture what is written to file descriptor 2, and yield a function that returns it.

    Example:
        >>> with caught() as text:
        ...     _ = os.write(2, b"head 36000")
        >>> text()
        'head 36000'
    """
    with tempfile.TemporaryFile() as file:
        written: list[bytes] = []
        try:
            with _redirected(file):
                yield lambda: written[0].decode(errors="replace")
        finally:
            file.seek(0)
            written.append(file.read())


@contextmanager
def _redirected(file: IO[bytes]) -> Iterator[None]:
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        os.dup2(file.fileno(), 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
