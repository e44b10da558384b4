"""Every error that eyetune raises on purpose.

    EyetuneError                    exit status 1: the work failed
    ├── UsageError                  exit status 2: the words were wrong
    │   ├── RecipeError             a recipe with an unknown name or a value out of range
    │   ├── SpaceError              a space with a name or a value that cannot be used
    │   ├── FunctionError           a model function that cannot be loaded, or whose network cannot
    be trained │   ├── SourceError             a data source that is not there │   ├──
    RunNotFoundError        a run id that matches no run, or several │   ├── LabNotFoundError
    a lab id that matches no lab, or several │   ├── StudyNotFoundError      a study's name that
    matches no study, or several │   └── StudyChangedError       a study that is to go on with
    another space, objective or data ├── DataError                   images or labels that cannot be
    used ├── BoardError                  a network that a board cannot hold or run ├── TrainingError
    a training that could not be carried out │   ├── DivergedError           its loss became NaN or
    infinite │   ├── CheckpointError         its checkpoint cannot be read or is of another network
    │   ├── WorkerLostError         its worker process ended before it was done │   ├──
    OutOfTimeError          it took longer than it was given │   └── OutOfMemoryError        it took
    more memory than it was given └── WorkspaceError              the records cannot be opened, read
    or written
        └── RunBusyError            another process is at work on the run
            └── StudyBusyError      another process is at work on the study

Each one says what happened, and where they help, what was expected, what was received and how to
fix it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class EyetuneError(Exception):
    """An error that a user can act on.

    Args:
        what: What happened, in one sentence.
        expected: What would have been right.
        received: What came instead.
        fix: What to do about it.

    Example:
        >>> print(EyetuneError("No such board.", received="esp", fix="Name one of `eyetune boards`."))
        No such board.
          received: esp
          fix:      Name one of `eyetune boards`.
    """

    exit_status = 1

    def __init__(
        self, what: str, *, expected: object = None, received: object = None, fix: str | None = None
    ) -> None:
        super().__init__(what)
        self.what = what
        self.expected = None if expected is None else str(expected)
        self.received = None if received is None else str(received)
        self.fix = fix

    def details(self) -> dict[str, str]:
        """Return the parts that were given, by name, in the order in which they are shown."""
        parts = {"expected": self.expected, "received": self.received, "fix": self.fix}
        return {name: value for name, value in parts.items() if value is not None}

    def __str__(self) -> str:
        lines = [self.what]
        lines += [f"  {name + ':':<9} {value}" for name, value in self.details().items()]
        return "\n".join(lines)

    def _render_traceback_(self) -> list[str]:
        """Show a notebook the words alone; IPython asks for this in place of a traceback."""
        return [f"{type(self).__name__}: {self}"]

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions pickle by their positional arguments alone; worker processes must lose nothing.
        return (_rebuild, (type(self), self.what, self.details()))


def _rebuild(kind: type[EyetuneError], what: str, details: dict[str, str]) -> EyetuneError:
    return kind(what, **details)


class UsageError(EyetuneError):
    """The words of a command or call were wrong."""

    exit_status = 2


class RecipeError(UsageError):
    """A recipe holds an unknown name or a value out of its range."""


class SpaceError(UsageError):
    """A space holds an unknown name or a value that cannot be used."""


class FunctionError(UsageError):
    """A user's model function cannot be loaded, or what it builds cannot be trained."""


class SourceError(UsageError):
    """A data source is unknown or not there."""


class RunNotFoundError(UsageError):
    """A run id matches no run, or more than one."""


class LabNotFoundError(UsageError):
    """A lab id matches no lab, or more than one."""


class StudyNotFoundError(UsageError):
    """A study's name or id matches no study, or more than one."""


class StudyChangedError(UsageError):
    """A study is to go on with another space, objective, model or data than it began with."""


class DataError(EyetuneError):
    """Images or labels cannot be used."""


class BoardError(EyetuneError):
    """A network cannot be held or run by a board, or cannot be brought to it."""


class TrainingError(EyetuneError):
    """A training could not be carried out."""


class DivergedError(TrainingError):
    """The loss of a training became NaN or infinite."""


class CheckpointError(TrainingError):
    """A checkpoint cannot be read, or belongs to another network."""


class WorkerLostError(TrainingError):
    """A worker process ended in the middle of its job: it was killed, or ran out of memory."""


class OutOfTimeError(TrainingError):
    """A job took longer than its time limit."""


class OutOfMemoryError(TrainingError):
    """A job took more memory than its limit."""


class WorkspaceError(EyetuneError):
    """The workspace's records cannot be opened, read or written."""


class RunBusyError(WorkspaceError):
    """Another process is at work on the run."""


class StudyBusyError(RunBusyError):
    """Another process is at work on the study."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Say which known names could have been meant, for the `fix` of an error.

    Example:
        >>> nearest("lerning_rate", ["learning_rate", "momentum"])
        'Did you mean learning_rate? Known: learning_rate, momentum.'
        >>> nearest("zzz", ["adam", "sgd"])
        'Known: adam, sgd.'
    """
    names = list(known)
    by_folded = {candidate.lower(): candidate for candidate in names}
    close = difflib.get_close_matches(name.lower(), by_folded, n=1)
    hint = f"Did you mean {by_folded[close[0]]}? " if close else ""
    return f"{hint}Known: {', '.join(names)}."
