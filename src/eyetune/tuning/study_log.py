"""The records of a running study and its trials, which are written at each change."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Protocol, final

from eyetune.records import RunState, Workspace
from eyetune.records.study import StudyRecord, StudyState
from eyetune.records.trial import TrialRecord, TrialState
from eyetune.space.space import Space
from eyetune.tuning.dispatch import Display
from eyetune.tuning.endings import Ending
from eyetune.tuning.trials import next_trial_number

SECONDS_BETWEEN_SAVES = 5.0


class StudyDisplay(Display, Protocol):
    """The display of a running study."""

    def on_trial(self, trial: TrialRecord) -> None:
        """Show the state of a trial."""


@final
class StudyLog:
    """The records of a study and its trials in memory, equal to those in the workspace.

    Args:
        record: The study.
        workspace: Workspace of the study.
        display: Display that shows the changes.
    """

    def __init__(self, record: StudyRecord, workspace: Workspace, display: StudyDisplay) -> None:
        self._record = record
        self._workspace = workspace
        self._display = display
        self._trials = {trial.number: trial for trial in workspace.studies.trials(record.id)}
        self._saved_at = time.monotonic()

    @property
    def record(self) -> StudyRecord:
        """The study."""
        return self._record

    @property
    def next_number(self) -> int:
        """The number of the next trial; damaged trials that were removed leave gaps."""
        return next_trial_number(self._trials.values())

    def __len__(self) -> int:
        return len(self._trials)

    def __getitem__(self, number: int) -> TrialRecord:
        return self._trials[number]

    def __iter__(self) -> Iterator[TrialRecord]:
        """Yield the trials in the order of their numbers."""
        return iter(self._trials.values())  # read from the workspace, and started, in this order

    def write(self, *changed: TrialRecord) -> tuple[TrialRecord, ...]:
        """Record trials and show them; of several versions of a trial, the last one counts.

        Returns:
            The trials as they are recorded now.
        """
        for trial in changed:
            self._trials[trial.number] = trial
        latest = {trial.number: self._trials[trial.number] for trial in changed}
        self._workspace.studies.save_trials(self._record.id, latest.values())
        for trial in latest.values():
            self._display.on_trial(trial)
            if trial.state is TrialState.STOPPED:
                for run in trial.unfinished_runs:
                    self._workspace.runs.set_state(run, RunState.STOPPED)
        return tuple(latest.values())

    def extend_space(self, space: Space) -> bool:
        """Add new hyperparameters to the space, and return whether there are any."""
        extended = self._record.space.merge(space)
        if extended is self._record.space:
            return False
        self._record = self._record.model_copy(update={"space": extended})
        self._saved_at = 0.0  # so that the next call of `save_if_due` saves
        return True

    def save_if_due(self, seconds: float) -> None:
        """Save the study unless it was saved a few seconds ago.

        Args:
            seconds: Wall time of the study.
        """
        if time.monotonic() - self._saved_at >= SECONDS_BETWEEN_SAVES:
            self.save(StudyState.RUNNING, seconds)

    def save(self, state: StudyState, seconds: float, ending: Ending | None = None) -> None:
        """Save the study.

        Args:
            state: Its state.
            seconds: Its wall time.
            ending: Why it ended; None if it did not.
        """
        self._saved_at = time.monotonic()
        update = {"seconds": seconds, "state": state, "ending": "" if ending is None else ending}
        self._workspace.studies.save(self._record.model_copy(update=update))
