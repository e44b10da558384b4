"""Which trials are the best so far, and which of their files may still be needed."""

from __future__ import annotations

from eyetune.analysis.ranking import is_ahead, rank_trials
from eyetune.records import Workspace
from eyetune.records.study import Objective
from eyetune.records.trial import TrialRecord, TrialState

# Networks of complete trials that are kept; the others can be trained again from their recipes.
MODELS_KEPT = 10


class ModelRetention:
    """Keeps the files of a study's trials as long as they may be needed.

    It keeps the checkpoints of trials that may be promoted and of those that no other one beats.
    Of the complete trials it keeps each network that may still be among the best `MODELS_KEPT`
    (in the order of `rank_trials`): one that as many complete trials are ahead of is deleted.
    Of several executions of a trial that has ended, it keeps the network of the best one.

    Args:
        workspace: The workspace that holds the runs.
        objectives: The study's objectives.
    """

    def __init__(self, workspace: Workspace, objectives: tuple[Objective, ...]) -> None:
        self._workspace = workspace
        self._objectives = objectives
        self._front: dict[int, TrialRecord] = {}
        self._latest: dict[int, TrialRecord] = {}  # those of the front, as they are recorded
        self._complete: dict[int, TrialRecord] = {}  # those whose networks are kept
        self._num_ahead: dict[int, int] = {}  # complete trials ahead of each, by its number
        self._unneeded: list[tuple[str, bool]] = []  # runs, and whether their networks go too

    @property
    def front(self) -> list[TrialRecord]:
        """The trials that no other one beats, the best in the first objective first."""
        return rank_trials(self._objectives, list(self._front.values()))

    @property
    def best(self) -> TrialRecord | None:
        """The best trial; None as long as no trial has a result."""
        return next(iter(self.front), None)

    def note(self, trial: TrialRecord) -> None:
        """Take note of a trial's results."""
        if trial.objectives is None:
            return
        others = {number: other for number, other in self._front.items() if number != trial.number}
        if any(is_ahead(self._objectives, other, trial) for other in others.values()):
            self._front = others
            return
        beaten = {
            number: other
            for number, other in others.items()
            if is_ahead(self._objectives, trial, other)
        }
        self._front = {number: other for number, other in others.items() if number not in beaten}
        self._front[trial.number] = trial
        for number, other in beaten.items():
            self.tidy(self._latest.pop(number, other))

    def tidy(self, trial: TrialRecord) -> None:
        """Set aside the files of a trial that are no longer needed; `sweep` deletes them."""
        if trial.number in self._front:
            self._latest[trial.number] = trial
        if trial.run is None or trial.is_open:
            return
        for run in trial.runs:
            if run != trial.run:
                self.discard(run)
        if trial.state is TrialState.COMPLETE:
            self._unneeded.append((trial.run, False))
            self._keep_model(trial)
        elif trial.number not in self._front:
            self._unneeded.append((trial.run, False))

    def discard(self, run: str) -> None:
        """Set aside all files of a run whose network is not that of its trial."""
        self._unneeded.append((run, True))

    def sweep(self) -> None:
        """Delete the files that were set aside. Call it once the trials' states are recorded."""
        unneeded, self._unneeded = self._unneeded, []
        models: dict[str, bool] = {}
        for run, model in unneeded:
            models[run] = model or models.get(run, False)
        for run, model in models.items():
            self._workspace.runs.drop_checkpoints(run, model=model)

    def _keep_model(self, trial: TrialRecord) -> None:
        """Keep the network of a complete trial, and set aside those that it makes unneeded.

        A trial that is ahead of another one stays ahead of it, so a network that is set aside can
        never be among the best again.
        """
        if trial.number in self._num_ahead:
            return
        self._complete[trial.number] = trial
        self._num_ahead[trial.number] = 0
        for other in list(self._complete.values()):
            self._num_ahead[trial.number] += is_ahead(self._objectives, other, trial)
            self._num_ahead[other.number] += is_ahead(self._objectives, trial, other)
        for candidate in list(self._complete.values()):
            if self._num_ahead[candidate.number] < MODELS_KEPT:
                continue
            del self._complete[candidate.number]
            if candidate.run is not None:
                self._unneeded.append((candidate.run, True))
