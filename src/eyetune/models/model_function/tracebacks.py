"""Tracebacks of exceptions in a user's own code, without the frames of eyetune and Keras."""

from __future__ import annotations

import importlib.util
import traceback
from functools import lru_cache
from pathlib import Path

from eyetune.errors import FunctionError

MAX_FRAMES = 12
NOT_THEIRS = ("eyetune", "keras_tuner", "keras", "tensorflow", "importlib", "cloudpickle")


def their_traceback(error: BaseException) -> str:
    """Return an exception with its traceback, starting in the user's code and without ours.

    Example:
        >>> try:
        ...     1 / 0
        ... except ZeroDivisionError as error:
        ...     print(their_traceback(error).splitlines()[-1])
        ZeroDivisionError: division by zero
    """
    frames = _their_frames(error)
    lines = traceback.format_list(frames[:1] + frames[max(1, len(frames) - MAX_FRAMES + 1) :])
    return "".join([*lines, *traceback.format_exception_only(error)]).rstrip()


def is_theirs(error: BaseException) -> bool:
    """Return whether an exception was raised in a user's own code."""
    return bool(_their_frames(error))


def failed(message: str, error: BaseException) -> FunctionError:
    """Return an error with a message and the traceback of the user's exception."""
    return FunctionError(message, received=their_traceback(error))


def _their_frames(error: BaseException) -> list[traceback.FrameSummary]:
    frames = list(traceback.extract_tb(error.__traceback__))
    while frames and _is_library(frames[0].filename):
        del frames[0]
    ours = _roots()[0]
    return [frame for frame in frames if not Path(frame.filename).is_relative_to(ours)]


def _is_library(filename: str) -> bool:
    return filename.startswith("<frozen") or any(
        Path(filename).is_relative_to(root) for root in _roots()
    )


@lru_cache(maxsize=1)
def _roots() -> tuple[Path, ...]:
    specs = [importlib.util.find_spec(name) for name in NOT_THEIRS]
    return tuple(Path(spec.origin).parent for spec in specs if spec is not None and spec.origin)
