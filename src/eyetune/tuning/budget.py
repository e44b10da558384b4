"""What a study has spent of its budget, and what it has promised to trials under way."""

from __future__ import annotations

import time

from eyetune.records.study import Budget, Objective, TrialRecord

SECONDS_TO_CONCLUDE = 20.0  # of limited time, kept for the network of the best trial
OUT_OF_TIME = "the time is up"


class BudgetTracker:
    """The budget of a study under way.

    Args:
        budget: When the study ends.
        objective: The first, which the target is about.
        seconds: Of the sittings before.
    """

    def __init__(self, budget: Budget, objective: Objective, seconds: float) -> None:
        self._budget, self._objective, self._seconds_before = budget, objective, seconds
        self._started_at = time.monotonic()
        self._promised: dict[int, int] = {}  # epochs in all, by trial
        self._trained: dict[int, int] = {}
        self._num_promised = self._num_trained = 0

    @property
    def seconds(self) -> float:
        """Wall time of all sittings."""
        return self._seconds_before + time.monotonic() - self._started_at

    def promise(self, trial: TrialRecord) -> None:
        """Take note that a trial may train up to the epochs that it was granted."""
        self.release(trial)
        self._promised[trial.number] = trial.epochs_granted
        self._num_promised += max(0, trial.epochs_granted - trial.epochs)

    def release(self, trial: TrialRecord) -> None:
        """Take note of what a trial has trained; what was promised to it is over with that."""
        granted = self._promised.pop(trial.number, 0)
        before = self._trained.get(trial.number, 0)
        self._num_promised -= max(0, granted - before)
        self._num_trained += trial.epochs - before
        self._trained[trial.number] = trial.epochs

    def allows(self, epochs: int) -> bool:
        """Tell whether so many more epochs are left."""
        most = self._budget.epochs
        return most is None or self._num_trained + self._num_promised + epochs <= most

    def ending(self, best: TrialRecord | None) -> str:
        """Say why the study ends now; an empty word where it does not."""
        limit, target = self._budget.seconds, self._budget.target
        if limit is not None and self.seconds >= limit - min(SECONDS_TO_CONCLUDE, 0.2 * limit):
            return OUT_OF_TIME
        if target is None or best is None or best.objectives is None:
            return ""
        reached = self._objective.oriented(best.objectives[0]) >= self._objective.oriented(target)
        return f"the target of {target:g} is reached" if reached else ""
