"""A running study pauses, stops and tries values when others ask for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eyetune.errors import EyetuneWarning
from eyetune.records import Workspace
from eyetune.records.requests import RequestKind
from eyetune.records.study import Budget, StudyState
from eyetune.records.trial import TrialState
from eyetune.testing.simulated_executor import SimulatedExecutor
from eyetune.tuning.endings import Ending
from tests.tuning.searching import Silence, do, new, outline


class _Asking(Silence):
    """A display that asks for something once some changes of trials are recorded."""

    def __init__(self, workspace: Workspace, study_id: str, kind: RequestKind, after: int) -> None:
        super().__init__()
        self._workspace, self._study_id, self._kind = workspace, study_id, kind
        self._left = after

    def on_trial(self, trial: Any) -> None:  # noqa: ARG002
        self._left -= 1
        if self._left == 0:
            self._workspace.requests.add(self._study_id, self._kind)


@pytest.fixture(autouse=True)
def look_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eyetune.tuning.requests.SECONDS_BETWEEN_LOOKS", 0.0)


@pytest.mark.parametrize("sampler", ["random", "tpe", "grid"])
def test_values_by_hand_are_tried_next(sampler: str) -> None:
    workspace = Workspace()
    record = new(workspace, sampler=sampler, budget=Budget(trials=5))
    do_other = new_values(record.space.defaults(), "optimizer.learning_rate", record)
    workspace.requests.add(record.id, RequestKind.TRIAL, do_other)
    done = do(workspace, record)
    trials = workspace.studies.trials(record.id)
    assert (done.state, len(trials)) == (StudyState.COMPLETE, 5)
    assert trials[0].values == do_other
    assert trials[0].state is TrialState.COMPLETE
    assert len({record.space.key(trial.values) for trial in trials}) == 5
    assert workspace.requests.pending(record.id) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"model.function": "other.py:build"},
        {"optimizer.learning_rate": 1e9},
        {"optimizer.learning_rate": "fast"},
    ],
)
def test_values_that_are_not_of_the_space_are_left_out(changed: dict[str, Any]) -> None:
    workspace = Workspace()
    record = new(workspace, budget=Budget(trials=3))
    asked = {**record.space.defaults(), **changed}
    workspace.requests.add(record.id, RequestKind.TRIAL, asked)
    with pytest.warns(EyetuneWarning, match=next(iter(changed))):
        do(workspace, record)
    trials = workspace.studies.trials(record.id)
    assert len(trials) == 3
    assert all(trial.values != asked for trial in trials)
    assert workspace.requests.pending(record.id) == []


def test_values_by_hand_come_after_the_starts() -> None:
    workspace = Workspace()
    start = new_values({}, "optimizer.learning_rate", new(workspace))
    workspace.studies.purge(workspace.studies.find("study").id)
    record = new(workspace, budget=Budget(trials=3), starts=(start,))
    asked = new_values(start, "optimizer.learning_rate", record)
    workspace.requests.add(record.id, RequestKind.TRIAL, asked)
    do(workspace, record)
    trials = workspace.studies.trials(record.id)
    assert [trial.values for trial in trials[:2]] == [start, asked]


def test_paused_study_ends_like_an_undisturbed_one(tmp_path: Path) -> None:
    whole, paused = Workspace(tmp_path / "whole"), Workspace(tmp_path / "paused")
    options: dict[str, Any] = {"schedule": "hyperband", "max_epochs": 4}
    expected = new(whole, **options)
    do(whole, expected, SimulatedExecutor(1))
    record = new(paused, **options)
    asking = _Asking(paused, record.id, RequestKind.PAUSE, after=9)
    with pytest.raises(KeyboardInterrupt):
        do(paused, record, SimulatedExecutor(1), asking)
    assert paused.studies.get(record.id).state is StudyState.PAUSED
    assert paused.requests.pending(record.id) == []
    do(paused, record, SimulatedExecutor(1))
    received = [trial.with_(run=None) for trial, _ in outline(paused, record)]
    assert received == [trial.with_(run=None) for trial, _ in outline(whole, expected)]


def test_stopped_study_keeps_its_best_network_and_can_go_on() -> None:
    workspace = Workspace()
    record = new(workspace, schedule="halving", budget=Budget(trials=30))
    asking = _Asking(workspace, record.id, RequestKind.STOP, after=20)
    done = do(workspace, record, SimulatedExecutor(1), asking)
    assert (done.state, done.ending) == (StudyState.COMPLETE, Ending.STOPPED)
    trials = workspace.studies.trials(record.id)
    assert 0 < len(trials) < 30
    best = max((trial for trial in trials if trial.rungs), key=lambda trial: trial.rungs[-1].values)
    assert workspace.runs.get(best.run or "").results is not None
    again = do(workspace, done)
    assert again.ending == Ending.TRIALS_DONE
    assert len(workspace.studies.trials(record.id)) == 30


def new_values(values: dict[str, Any], name: str, record: Any) -> dict[str, Any]:
    """Return values of the space of a study with another value of one hyperparameter."""
    complete = record.space.complete(values)
    grid = record.space[name].grid()
    return {**complete, name: next(value for value in grid if value != complete[name])}
