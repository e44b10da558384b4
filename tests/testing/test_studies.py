from __future__ import annotations

from pathlib import Path

import pytest

from eyetune.analysis.study_summary import count_states
from eyetune.records import RunState, Workspace
from eyetune.records.study import StudyState
from eyetune.records.trial import TrialState
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
            max(epoch.value("val_accuracy") for epoch in records.runs.history(run.id)),
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


def test_executions_are_recorded_as_a_search_records_them(workspace: Path) -> None:
    records = Workspace(workspace)
    study = fabricated_study(8, executions=3, complete=False, failing=0, workspace=records)
    assert tuple(records.studies.trials(study.record.id)) == study.trials
    for trial in study.trials[:-3]:
        runs = [records.runs.get(run) for run in trial.runs]
        assert [run.seed for run in runs] == [0, 1, 2]
        accuracies = [
            max(epoch.value("val_accuracy") for epoch in records.runs.history(run.id))
            for run in runs
        ]
        assert trial.objectives == pytest.approx((sum(accuracies) / 3,))
        assert trial.run == trial.runs[accuracies.index(max(accuracies))]
        assert trial.rungs[-1].spread[0] > 0
    paused, cut, waiting = study.trials[-3:]
    assert (paused.state, len(paused.rungs)) == (TrialState.PAUSED, 1)
    assert cut.partial is not None
    assert waiting.runs == ()
