"""Trials that were rejected or failed, and what follows when there are too many of them."""

from __future__ import annotations

from typing import final

from eyetune.errors import BoardError, FatalTrialError, TooManyFailuresError
from eyetune.records.trial import TrialRecord, TrialState
from eyetune.tuning.endings import Ending
from eyetune.tuning.trials import OPERATOR

MAX_FAILURES = 5  # without any result: then the cause is not the trials but the study
MAX_UNSUPPORTED = 10  # networks with the same operator, which the board cannot run: the same
MAX_INFEASIBLE = 300  # in a row
MAX_UNBUILDABLE = 20  # in a row


@final
class RejectionCounter:
    """Counts the suggestions in a row that were not trained."""

    def __init__(self) -> None:
        self._num_infeasible = 0
        self._num_unbuildable = 0

    def add(self, trial: TrialRecord) -> None:
        """Count a trial that was not trained: INFEASIBLE, or FAILED since it cannot be built."""
        if trial.state is TrialState.INFEASIBLE:
            self._num_infeasible += 1
        else:
            self._num_unbuildable += 1

    def reset(self) -> None:
        """Start again: a suggestion can be trained."""
        self._num_infeasible = 0
        self._num_unbuildable = 0

    @property
    def ending(self) -> Ending | None:
        """Why there should be no more suggestions; None while there may be."""
        if self._num_infeasible >= MAX_INFEASIBLE:
            return Ending.INFEASIBLE
        if self._num_unbuildable >= MAX_UNBUILDABLE:
            return Ending.UNBUILDABLE
        return None


@final
class FailureGuard:
    """Ends a study with an error where its trials fail, as counted in this invocation.

    Args:
        max_in_a_row: Failed trials in a row that end the study, 1 or more. None: `MAX_FAILURES`, as
            long as no trial has a result.
        has_result: Whether a trial of an earlier invocation has a result.
        has_feasible: Whether a network of an earlier invocation could be trained.
    """

    def __init__(
        self, max_in_a_row: int | None = None, *, has_result: bool, has_feasible: bool
    ) -> None:
        self._max_in_a_row = max_in_a_row
        self._has_result = has_result
        self._num_in_a_row = 0
        self._last: TrialRecord | None = None  # the failed trial that ends the study
        self._fatal: FatalTrialError | None = None
        self._unsupported: list[TrialRecord] = []
        self._has_feasible = has_feasible

    def add(self, trial: TrialRecord, error: Exception | None = None) -> None:
        """Take note of a failed trial, or of an infeasible one.

        Args:
            trial: The trial.
            error: Why it failed.
        """
        if trial.state is TrialState.INFEASIBLE:
            self._unsupported.append(trial)
            return
        if isinstance(error, FatalTrialError):
            self._fatal = self._fatal or error
        self._num_in_a_row += 1
        limit = self._max_in_a_row
        if limit is None and not self._has_result:
            limit = MAX_FAILURES
        if limit is not None and self._num_in_a_row >= limit:
            self._last = trial

    def note_result(self) -> None:
        """Take note that a trial has a result."""
        self._has_result = True
        self._num_in_a_row = 0
        if self._max_in_a_row is None:
            self._last = None

    def note_feasible(self) -> None:
        """Take note that a network can be trained: the board can run some networks."""
        self._has_feasible = True

    def raise_if_hopeless(self, study_name: str) -> None:
        """Stop a study that the user's code ended, whose trials fail, or whose board runs nothing.

        Raises:
            FatalTrialError: The user's code ended it.
            TooManyFailuresError: Too many trials in a row failed.
            BoardError: All first networks have the same operator, which the board cannot run.
        """
        if self._fatal is not None:
            raise self._fatal
        self._raise_if_unsupported()
        if self._last is None:
            return
        count = self._max_in_a_row or self._num_in_a_row
        message = f"The last {count} trials all failed."
        if not self._has_result:
            message = f"The first {count} trials all failed."
        if count == 1:
            message = f"Trial {self._last.number} failed."
        raise TooManyFailuresError(
            message,
            received=_reason(self._last.error),
            fix=f"To see the whole error: eyetune study {study_name} --trial {self._last.number}",
        )

    def _raise_if_unsupported(self) -> None:
        if self._has_feasible or len(self._unsupported) < MAX_UNSUPPORTED:
            return
        rules = [
            {reason.rule for reason in trial.infeasible_reasons if reason.quantity == OPERATOR}
            for trial in self._unsupported
        ]
        shared = sorted(set.intersection(*rules))
        if shared:
            raise BoardError(
                f"The board can run none of the first {len(rules)} networks.",
                expected="layers that TensorFlow Lite Micro can run",
                received=" ".join(shared),
                fix="Change the activation or the layer: eyetune fit-check suggests a replacement.",
            )


def _reason(error: str) -> str:
    """Return the first line of an error and, if the user's code raised it, that exception.

    Example:
        >>> _reason("The training failed.\\n  received:   File ...\\nValueError: too small")
        'The training failed. ValueError: too small'
    """
    lines = error.splitlines() or [""]
    has_traceback = len(lines) > 1 and lines[1].lstrip().startswith("received:   File ")
    return f"{lines[0]} {lines[-1]}" if has_traceback else lines[0]
