"""Which trials are best so far, and which files of theirs may still be needed."""

from __future__ import annotations

from eyetune.analysis.pareto import dominates
from eyetune.records import Workspace
from eyetune.records.study import Objective, TrialRecord, TrialState
from eyetune.tuning.schedulers import ranking
from eyetune.tuning.schedulers.ranking import comparable

MODELS_KEPT = (
    10  # networks of the best complete trials; the others can be trained again from their recipes
)


class ModelRetention:
    """Keeps the checkpoints of trials that may go on and of the best, and the networks of the best
    complete ones.

    Args:
        place: Where the runs are.
        objectives: Of the study.
    """

    def __init__(self, workspace: Workspace, objectives: tuple[Objective, ...]) -> None:
        self._workspace = workspace
        self._objectives = objectives
        self._front: dict[int, TrialRecord] = {}
        self._latest: dict[int, TrialRecord] = {}  # of those in the front, as they are recorded
        self._complete: list[TrialRecord] = []
        self._unneeded: list[tuple[str, bool]] = []  # runs, and whether their networks go too

    @property
    def front(self) -> list[TrialRecord]:
        """The best trial; with several objectives those that no other dominates, the best in the
        first one first.
        """
        first = self._objectives[0]
        worst = float("-inf")
        return sorted(
            self._front.values(),
            key=lambda trial: -(first.oriented(trial.objectives[0]) if trial.objectives else worst),
        )

    @property
    def best(self) -> TrialRecord | None:
        """The best trial by the first objective; None as long as there is none."""
        return next(iter(self.front), None)

    def note(self, trial: TrialRecord) -> None:
        """Take note of what a trial has reached."""
        scores = self._scores(trial)
        if scores is None:
            return
        others = {number: one for number, one in self._front.items() if number != trial.number}
        if any(self._is_ahead(one, trial) for one in others.values()):
            self._front = others
            return
        beaten = {number: one for number, one in others.items() if self._is_ahead(trial, one)}
        self._front = {number: one for number, one in others.items() if number not in beaten}
        self._front[trial.number] = trial
        for number, one in beaten.items():
            self.tidy(self._latest.pop(number, one))

    def tidy(self, trial: TrialRecord) -> None:
        """Set aside the files of a trial that nobody needs any more; `sweep` deletes them."""
        if trial.number in self._front:
            self._latest[trial.number] = trial
        if trial.run is None or trial.is_open:
            return
        if trial.state is TrialState.COMPLETE:
            self._unneeded.append((trial.run, False))
            self._keep_model(trial)
        elif trial.number not in self._front:
            self._unneeded.append((trial.run, False))

    def sweep(self) -> None:
        """Delete what was set aside: to be called once it is recorded that nobody needs it."""
        unneeded, self._unneeded = self._unneeded, []
        for run, model in unneeded:
            self._workspace.drop_checkpoints(run, model=model)

    def _keep_model(self, trial: TrialRecord) -> None:
        known = [one for one in self._complete if one.number != trial.number]
        ranked = [
            [*known, trial][place]
            for place in ranking([self._scores(one) for one in [*known, trial]])
        ]
        for one in ranked[MODELS_KEPT:]:
            if one.number not in self._front and one.run is not None:
                self._unneeded.append((one.run, True))
        self._complete = ranked[:MODELS_KEPT]

    def _scores(self, trial: TrialRecord) -> tuple[float, ...] | None:
        if trial.objectives is None:
            return None
        return comparable(
            tuple(
                one.oriented(value)
                for one, value in zip(self._objectives, trial.objectives, strict=True)
            )
        )

    def _is_ahead(self, one: TrialRecord, other: TrialRecord) -> bool:
        """Tell whether a trial dominates another one; of equals the one with the lower number
        counts.
        """
        mine, theirs = self._scores(one) or (), self._scores(other) or ()
        return dominates(mine, theirs) or (mine == theirs and one.number < other.number)
