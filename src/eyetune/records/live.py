"""The records of a workspace in memory, brought up to date at little cost.

A page that shows 2,000 runs every second cannot read all of them each time. A stamp of each row
says which ones have changed, and only these are read as whole records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from eyetune.records.run import RunRecord, RunState
from eyetune.records.trial import TrialRecord
from eyetune.records.workspace import Workspace


@dataclass(frozen=True)
class LiveRuns:
    """The runs that are not in the trash, as they were at some moment.

    Attributes:
        records: The runs by their ids, oldest first.
        stamps: The stamp of each run then.
    """

    records: Mapping[str, RunRecord] = field(default_factory=dict)
    stamps: Mapping[str, int] = field(default_factory=dict)


def refreshed_runs(workspace: Workspace, runs: LiveRuns = LiveRuns()) -> LiveRuns:
    """Return the runs as they are now; the same object if nothing has changed.

    Args:
        workspace: Their workspace.
        runs: The runs as they were before.
    """
    stamps = workspace.runs.stamps()
    changed = [
        run_id
        for run_id, stamp in stamps.items()
        if runs.stamps.get(run_id) != stamp
        # Its process may have died, which no row says.
        or runs.records[run_id].state is RunState.RUNNING
    ]
    new = {run.id: run for run in workspace.runs.some(changed)}
    if stamps.keys() == runs.stamps.keys() and all(
        runs.records.get(key) == run for key, run in new.items()
    ):
        return runs
    records = {
        run_id: new.get(run_id) or runs.records[run_id]
        for run_id in stamps
        if run_id in new or run_id in runs.records
    }
    return LiveRuns(records, {run_id: stamps[run_id] for run_id in records})


@dataclass(frozen=True)
class LiveTrials:
    """The trials of a study, as they were at some moment.

    Attributes:
        records: The trials in the order of their numbers.
        stamps: The stamp of each trial then, by its number.
    """

    records: Sequence[TrialRecord] = ()
    stamps: Mapping[int, int] = field(default_factory=dict)


def refreshed_trials(
    workspace: Workspace,
    study_id: str,
    trials: LiveTrials = LiveTrials(),
) -> LiveTrials:
    """Return the trials of a study as they are now; the same object if nothing has changed.

    Args:
        workspace: Its workspace.
        study_id: Id of the study.
        trials: Its trials as they were before.
    """
    stamps = workspace.studies.trial_stamps(study_id)
    if stamps == trials.stamps:
        return trials
    changed = [number for number, stamp in stamps.items() if trials.stamps.get(number) != stamp]
    records = {trial.number: trial for trial in trials.records if trial.number in stamps}
    records |= {trial.number: trial for trial in workspace.studies.some_trials(study_id, changed)}
    return LiveTrials(tuple(records[number] for number in sorted(records)), stamps)
