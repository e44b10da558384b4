"""Every error that eyetune raises on purpose, and the exit status that it gives a command.

    EyetuneError                    exit status 1: the work failed
    ├── UsageError                  exit status 2: a usage error; also a ValueError
    │   ├── ArgumentTypeError       an argument of the wrong type; also a TypeError
    │   ├── RecipeError             a recipe with an unknown name or a value out of range
    │   │   └── RecipeConflictError a recipe with values that exclude each other
    │   ├── SpaceError              a search space with an invalid name or value
    │   ├── FunctionError           a model function that cannot be loaded, built or trained
    │   │   └── UntrustedFunctionError  ... or that this user has neither named nor trusted
    │   ├── SourceError             a data source that is unknown or missing
    │   ├── NotFoundError           a reference that matches no record, or more than one
    │   │   ├── RunNotFoundError    ... for a run
    │   │   ├── LabNotFoundError    ... for a lab
    │   │   └── StudyNotFoundError  ... for a study
    │   └── StudyChangedError       a study resumed with another space, objective, model or data
    ├── DataError                   images or labels that cannot be used
    ├── BoardError                  a network that a board cannot hold or run
    ├── TrainingError               a training that failed
    │   ├── DivergedError           its loss became NaN or infinite
    │   ├── CheckpointError         its checkpoint is unreadable or belongs to another network
    │   ├── WorkerLostError         its worker process ended early
    │   ├── OutOfTimeError          it exceeded its time limit
    │   ├── OutOfMemoryError        it exceeded its memory limit
    │   ├── AbandonedTrialError     the user's code gave it up (KerasTuner's FailedTrialError)
    │   ├── FatalTrialError         the user's code ended its study (KerasTuner's FatalError)
    │   └── TooManyFailuresError    too many trials in a row failed; also a RuntimeError
    ├── TrackerError                a tracker that cannot be reached or written
    └── WorkspaceError              records that cannot be opened, read or written
        └── RunBusyError            a run that another process is training
            └── StudyBusyError      a study that another process is running

The commands `fit-check` and `verify` also end with exit status 1 for the answer no, and `fit-check`
with exit status 3 where it cannot tell.

A result that is not what one might expect is reported by an `EyetuneWarning`, a Python warning.

An error says what happened and, where it helps, what was expected, what was received and how to
fix it. To react to an error, use its class and its fields; the sentences are for people.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

MAX_LISTED = 8  # names: a longer list is shortened to its nearest ones
NUM_NEAREST = 5
MAX_PART = 4_000  # characters of a message, and of what was expected or received
MAX_COMPARED = 100  # characters of a name: comparing takes a time that grows with its length


class EyetuneError(Exception):
    """An error that a user can act on.

    Args:
        message: What happened, in one sentence.
        expected: What would have been right.
        received: What was given instead.
        fix: What to do about it.

    Attributes:
        exit_status: The exit status of a command that ends with this error.

    Example:
        >>> print(EyetuneError("Unknown board.", received="esp", fix="List them: eyetune boards"))
        Unknown board.
          received: esp
          fix:      List them: eyetune boards
    """

    exit_status = 1

    def __init__(
        self,
        message: str,
        *,
        expected: object = None,
        received: object = None,
        fix: str | None = None,
    ) -> None:
        self.message = _shortened(message)
        super().__init__(self.message)
        self.expected = None if expected is None else _shortened(str(expected))
        self.received = None if received is None else _shortened(str(received))
        self.fix = fix

    @property
    def what(self) -> str:
        """The same as `message`, under its earlier name."""
        return self.message

    def details(self) -> dict[str, str]:
        """Return the given parts by name, in the order in which they are shown."""
        parts = {"expected": self.expected, "received": self.received, "fix": self.fix}
        return {name: value for name, value in parts.items() if value is not None}

    def __str__(self) -> str:
        lines = [self.message]
        for name, value in self.details().items():
            lines.append(f"  {name + ':':<9} {value}")
        return "\n".join(lines)

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows in a notebook: the error without a traceback."""
        return [f"{type(self).__name__}: {self}"]

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions pickle by their positional arguments alone; worker processes must lose nothing.
        return (_rebuild, (type(self), self.message, dict(vars(self))))


def _shortened(text: str) -> str:
    """Return a text of at most MAX_PART characters: messages of libraries quote whole files."""
    return text if len(text) <= MAX_PART else f"{text[: MAX_PART - 4]} ..."


def _rebuild(kind: type[EyetuneError], message: str, fields: dict[str, Any]) -> EyetuneError:
    error = kind(message)
    vars(error).update(fields)
    return error


class EyetuneWarning(UserWarning):
    """Something is done otherwise than one might expect, or costs more; the work continues."""


class UsageError(EyetuneError, ValueError):
    """A command or a call has an invalid argument."""

    exit_status = 2


class ArgumentTypeError(UsageError, TypeError):
    """An argument has a type that the function does not accept."""


class RecipeError(UsageError):
    """A recipe holds an unknown name or a value out of its range."""


class RecipeConflictError(RecipeError):
    """A recipe holds values that exclude each other."""


class SpaceError(UsageError):
    """A search space holds an invalid name or value."""


class FunctionError(UsageError):
    """A user's model function cannot be loaded, or what it builds cannot be trained."""


class UntrustedFunctionError(FunctionError):
    """A recipe or a workspace names a model function that this user has not trusted."""


class SourceError(UsageError):
    """A data source is unknown or missing."""


class NotFoundError(UsageError):
    """A reference (an id, the beginning of an id, or a name) does not identify one record.

    Args:
        message: What happened, in one sentence.
        matches: The records that match, by id or label; empty where none does.
        expected: What would have been right.
        received: What was given instead.
        fix: What to do about it.
    """

    def __init__(
        self,
        message: str,
        *,
        matches: Sequence[str] = (),
        expected: object = None,
        received: object = None,
        fix: str | None = None,
    ) -> None:
        super().__init__(message, expected=expected, received=received, fix=fix)
        self.matches = tuple(matches)

    @property
    def is_ambiguous(self) -> bool:
        """Whether several records match, rather than none."""
        return len(self.matches) > 1


class RunNotFoundError(NotFoundError):
    """A reference matches no run, or more than one."""


class LabNotFoundError(NotFoundError):
    """A reference matches no lab, or more than one."""


class StudyNotFoundError(NotFoundError):
    """A reference matches no study, or more than one."""


class StudyChangedError(UsageError):
    """A study was resumed with another space, objective, model or data than it started with."""


class DataError(EyetuneError):
    """Images or labels cannot be used."""


class BoardError(EyetuneError):
    """A board cannot hold or run a network, or the network cannot be written to it."""


class TrainingError(EyetuneError):
    """A training failed."""


class DivergedError(TrainingError):
    """The loss of a training became NaN or infinite."""


class CheckpointError(TrainingError):
    """A checkpoint cannot be read, or belongs to another network."""


class WorkerLostError(TrainingError):
    """A worker process ended during its job: it was killed, or ran out of memory."""


class OutOfTimeError(TrainingError):
    """A job exceeded its time limit."""


class OutOfMemoryError(TrainingError):
    """A job exceeded its memory limit."""


class AbandonedTrialError(TrainingError):
    """The user's code gave up a trial, which is not tried again (KerasTuner's FailedTrialError)."""


class FatalTrialError(TrainingError):
    """The user's code ended the study (KerasTuner's FatalError).

    Args:
        message: The message of the user's error.
        kind: Name of its class in KerasTuner: FatalError, FatalValueError, FatalTypeError or
            FatalRuntimeError.
        expected: What would have been right.
        received: The traceback of the user's code.
        fix: What to do about it.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: str = "FatalError",
        expected: object = None,
        received: object = None,
        fix: str | None = None,
    ) -> None:
        super().__init__(message, expected=expected, received=received, fix=fix)
        self.kind = kind


class TooManyFailuresError(TrainingError, RuntimeError):
    """Too many trials of a study failed in a row."""


class TrackerError(EyetuneError):
    """A tracker cannot be reached, or what it logs to cannot be written."""


class WorkspaceError(EyetuneError):
    """The workspace's records cannot be opened, read or written."""


class RunBusyError(WorkspaceError):
    """Another process is training the run."""


class StudyBusyError(RunBusyError):
    """Another process is running the study."""


def nearest(name: str, names: Iterable[str], *, listed_by: str | None = None) -> str:
    """Return a sentence that suggests valid names, for the `fix` of an error.

    A short list is given in full and in its order, a long one as the five names that are most
    similar, the nearest first.

    Args:
        name: The name that was not valid.
        names: All valid names.
        listed_by: A command that lists all names; mentioned where the list is shortened.

    Example:
        >>> nearest("lerning_rate", ["learning_rate", "momentum"])
        'Did you mean learning_rate? Valid names: learning_rate, momentum.'
        >>> nearest("zzz", ["adam", "sgd"])
        'Valid names: adam, sgd.'
        >>> print(nearest("zq", "abcdefghijz", listed_by="eyetune letters"))
        Did you mean z? Nearest: z, a, b, c, d (11 in all: eyetune letters).
    """
    candidates = list(names)
    name = name[:MAX_COMPARED]
    by_folded = {candidate.lower(): candidate for candidate in candidates}
    close = difflib.get_close_matches(name.lower(), by_folded, n=1)
    hint = f"Did you mean {by_folded[close[0]]}? " if close else ""
    if len(candidates) <= MAX_LISTED:
        return f"{hint}Valid names: {', '.join(candidates)}."
    ranked = sorted(candidates, key=lambda candidate: -_similarity(name, candidate))
    all_names = f"{len(candidates)} in all" + (f": {listed_by}" if listed_by else "")
    return f"{hint}Nearest: {', '.join(ranked[:NUM_NEAREST])} ({all_names})."


def _similarity(name: str, other: str) -> float:
    return difflib.SequenceMatcher(None, name.lower(), other.lower()).ratio()
