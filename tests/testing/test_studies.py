from __future__ import annotations

from pathlib import Path

import pytest

from eyetune.analysis.study_summary import count_states
from eyetune.records import RunState, Workspace
from eyetune.records.study import StudyState, TrialState
from eyetune.testing.studies import ACCURACY, PARAMETERS, fabricated_space, fabricated_study


def test_a_study_is_recorded_as_a_search_records_it(workspace: Path) -> None:
    records = Workspace(workspace)
    study = fabricated_study(22, infeasible=0.1, workspace=records)
    assert records.studies.find("first") == study.record
    assert tuple(records.studies.trials(study.record.id)) == study.trials
    trained = [trial for trial in study.trials if trial.run]
    for trial in trained:
        run = records.runs.get(trial.run or "")
        assert records.runs.history(run.id) == study.histories[run.id]
        assert (run.state is RunState.COMPLETE) == (trial.state is TrialState.COMPLETE)
        assert trial.objectives == (
            max(epoch.val_accuracy for epoch in records.runs.history(run.id)),
        )
        assert trial.epochs == len(records.runs.history(run.id)) == trial.rungs[-1].epochs
    assert len(trained) < 22


@pytest.mark.parametrize("count", [0, 1, 3, 40])
def test_every_trial_lies_in_the_space_and_keeps_the_plan(count: int) -> None:
    study = fabricated_study(count, objectives=(ACCURACY, PARAMETERS))
    assert [trial.number for trial in study.trials] == list(range(count))
    for trial in study.trials:
        assert study.record.space.contains(trial.values)
        assert [rung.epochs for rung in trial.rungs] in (
            [],
            [2],
            [2, 4],
            [2, 4, 10],
            [4],
            [4, 10],
            [10],
        )


def test_one_that_is_under_way_has_trials_that_are_open() -> None:
    study = fabricated_study(22, complete=False, failing=0)
    assert study.record.state is StudyState.RUNNING
    counts = count_states(study.trials)
    assert (
        counts[TrialState.RUNNING] == counts[TrialState.PAUSED] == counts[TrialState.WAITING] == 1
    )


def test_spaces_of_any_size() -> None:
    assert [len(fabricated_space(size)) for size in (1, 7, 12)] == [1, 7, 12]
