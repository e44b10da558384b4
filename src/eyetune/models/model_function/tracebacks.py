"""Tracebacks of exceptions in a user's own code, without the frames of eyetune and Keras."""

from __future__ import annotations

import importlib.util
import traceback
from functools import lru_cache
from pathlib import Path

from eyetune.errors import AbandonedTrialError, EyetuneError, FatalTrialError, FunctionError

MAX_FRAMES = 12
KERAS_TUNER = "keras_tuner.src.errors"  # where its errors are defined
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


def failed(message: str, error: BaseException) -> EyetuneError:
    """Return an error with a message and the traceback of the user's exception.

    KerasTuner's `FatalError` and `FailedTrialError`, by which a user's code ends a search or a
    trial, keep their own message and their meaning.
    """
    from keras_tuner import errors as signals

    trace = their_traceback(error)
    if isinstance(error, signals.FailedTrialError):
        return AbandonedTrialError(_message(error), received=trace)
    if isinstance(error, signals.FatalError):
        names = (base.__name__ for base in type(error).__mro__ if base.__module__ == KERAS_TUNER)
        return FatalTrialError(_message(error), kind=next(names), received=trace)
    return FunctionError(message, received=trace)


def _message(error: BaseException) -> str:
    return str(error) or type(error).__name__


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
