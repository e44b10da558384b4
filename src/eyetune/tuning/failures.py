"""Trials that were rejected or failed, and what follows when there are too many of them."""

from __future__ import annotations

from typing import final

from eyetune.errors import BoardError, TrainingError
from eyetune.records.study import TrialRecord, TrialState
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
class EarlyFailures:
    """The failed trials of this invocation, as long as no trial has a result.

    Args:
        has_result: Whether a trial of an earlier invocation has a result.
        has_feasible: Whether a network of an earlier invocation could be trained.
    """

    def __init__(self, *, has_result: bool, has_feasible: bool) -> None:
        self._has_result = has_result
        self._trials: list[TrialRecord] = []
        self._unsupported: list[TrialRecord] = []
        self._has_feasible = has_feasible

    def add(self, trial: TrialRecord) -> None:
        """Take note of a failed trial, or of an infeasible one."""
        if trial.state is TrialState.INFEASIBLE:
            self._unsupported.append(trial)
        else:
            self._trials.append(trial)

    def note_result(self) -> None:
        """Take note that a trial has a result: failures no longer end the study."""
        self._has_result = True

    def note_feasible(self) -> None:
        """Take note that a network can be trained: the board can run some networks."""
        self._has_feasible = True

    def raise_if_all_failed(self, study_name: str) -> None:
        """Stop a study whose first trials all failed, or that the board cannot run at all.

        Raises:
            TrainingError: They all failed.
            BoardError: All first networks have the same operator, which the board cannot run.
        """
        self._raise_if_unsupported()
        if self._has_result or len(self._trials) < MAX_FAILURES:
            return
        last = self._trials[-1]
        raise TrainingError(
            f"The first {len(self._trials)} trials all failed.",
            received=last.error.splitlines()[0] if last.error else "",
            fix=f"To see the whole error: eyetune study {study_name} --trial {last.number}",
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
