"""What C++ libraries write to standard error, which Python's own stream never sees: kept out, or
caught.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO


@contextmanager
def silenced() -> Iterator[None]:
    """Send what is written to file descriptor 2 to nowhere; an exception still says what it has to
    say.

    TensorFlow, if it is loaded within, stays quiet later too. TF_CPP_MIN_LOG_LEVEL=0 in the
    environment lets everything through.
    """
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") == "0":
        yield
        return
    with open(os.devnull, "wb") as nowhere, _redirected(nowhere):  # noqa: PTH123
        yield


@contextmanager
def caught() -> Iterator[Callable[[], str]]:
    """Catch what is written to file descriptor 2, and hand over a function that returns it.

    Example:
        >>> with caught() as words:
        ...     _ = os.write(2, b"head 36000")
        >>> words()
        'head 36000'
    """
    with tempfile.TemporaryFile() as file:
        found: list[bytes] = []
        try:
            with _redirected(file):
                yield lambda: found[0].decode(errors="replace")
        finally:
            file.seek(0)
            found.append(file.read())


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
