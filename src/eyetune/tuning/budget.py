"""What a study has used of its budget, and what it has promised to running trials."""

from __future__ import annotations

import time
from typing import final

from eyetune.records.study import Budget, Objective
from eyetune.records.trial import TrialRecord
from eyetune.tuning.endings import Ending

SECONDS_TO_CONCLUDE = 20.0  # of a limited time, reserved for the network of the best trial


@final
class BudgetTracker:
    """The budget of a running study.

    Args:
        budget: When the study ends.
        objective: The first objective, which has the target.
        seconds: Wall time of earlier invocations.
        num_executions: Trainings of each trial.
    """

    def __init__(
        self, budget: Budget, objective: Objective, seconds: float, num_executions: int = 1
    ) -> None:
        self._budget = budget
        self._objective = objective
        self._num_executions = num_executions
        self._seconds_before = seconds
        self._started_at = time.monotonic()
        self._granted: dict[int, int] = {}  # total epochs of running trials, by trial
        self._trained: dict[int, int] = {}  # epochs, by trial
        self._num_promised = 0
        self._num_trained = 0

    @property
    def seconds(self) -> float:
        """Wall time of the study, earlier invocations included."""
        return self._seconds_before + time.monotonic() - self._started_at

    def promise(self, trial: TrialRecord) -> None:
        """Reserve the epochs that a trial was granted and has not trained yet."""
        self.release(trial)
        granted = trial.lost_epochs + self._num_executions * trial.epochs_granted
        self._granted[trial.number] = granted
        self._num_promised += max(0, granted - trial.epochs_trained)

    def release(self, trial: TrialRecord) -> None:
        """Count the epochs that a trial has trained, and drop what was reserved for it."""
        granted = self._granted.pop(trial.number, 0)
        before = self._trained.get(trial.number, 0)
        self._num_promised -= max(0, granted - before)
        self._num_trained += trial.epochs_trained - before
        self._trained[trial.number] = trial.epochs_trained

    def allows(self, num_epochs: int) -> bool:
        """Return whether this many more epochs are left."""
        if self._budget.epochs is None:
            return True
        return self._num_trained + self._num_promised + num_epochs <= self._budget.epochs

    def ending(self, best: TrialRecord | None) -> Ending | None:
        """Return why the study ends now; None while it does not."""
        limit, target = self._budget.seconds, self._budget.target
        if limit is not None and self.seconds >= limit - min(SECONDS_TO_CONCLUDE, 0.2 * limit):
            return Ending.OUT_OF_TIME
        if target is None or best is None or best.objectives is None:
            return None
        score = self._objective.oriented(best.objectives[0])
        is_reached = score >= self._objective.oriented(target)
        return Ending.TARGET_REACHED if is_reached else None
