"""Damaged files and records: whatever reading one raises becomes one error of eyetune."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pydantic

from eyetune.errors import EyetuneError
from eyetune.inputs.limits import fix_for

MAX_REASON_LENGTH = 300


@contextmanager
def explaining_damage(error_of: Callable[[str], EyetuneError]) -> Iterator[None]:
    """Turn whatever is raised in the block for damaged content into one error.

    Parsers raise all kinds of errors for it: zlib.error, KeyError, struct.error, RecursionError.
    Errors of eyetune pass through. What exceeds a limit may be whole, so the fix raises the limit.

    Args:
        error_of: Returns the error for a reason; it names the file and what to do.

    Example:
        >>> from eyetune.errors import WorkspaceError
        >>> try:
        ...     with explaining_damage(lambda reason: WorkspaceError("a.json", received=reason)):
        ...         {}["key"]
        ... except WorkspaceError as error:
        ...     print(error.received)
        KeyError: 'key'
    """
    try:
        yield
    except EyetuneError:
        raise
    except Exception as error:
        damaged = error_of(_reason(error)[:MAX_REASON_LENGTH])
        damaged.fix = fix_for(error, damaged.fix)
        raise damaged from None


def _reason(error: Exception) -> str:
    """Return what is wrong, with its position where that is known."""
    if isinstance(error, pydantic.ValidationError):
        first = error.errors(include_input=False, include_url=False)[0]
        location = ".".join(map(str, first["loc"]))
        return f"{location}: {first['msg']}" if location else first["msg"]
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"{type(error).__name__}: {error}"
