"""Jobs in this process: no other process, no limits, and Ctrl-C ends the search as with workers."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import numpy as np
import pytest

from eyetune.api.tune import tune
from eyetune.errors import UsageError
from eyetune.recipe import Recipe
from eyetune.records import RunState, Workspace
from eyetune.records.study import Budget, StudyState
from eyetune.records.trial import TrialState
from eyetune.testing.simulated_executor import (
    SimulatedExecutor,
    SimulatedInProcessExecutor,
    quick_curve,
)
from eyetune.tuning.executors import InProcessExecutor, make_executor
from tests.tuning.executors.jobs import add, own_pid, raise_unreadable_error
from tests.tuning.searching import do, new, outline


def interrupt() -> None:
    raise KeyboardInterrupt


def test_in_process_executor_runs_jobs_here() -> None:
    with make_executor("local", 0) as executor:
        assert isinstance(executor, InProcessExecutor)
        assert executor.submit(own_pid).result() == os.getpid()
        assert executor.submit(add, 1, 2).done()
        assert executor.recorded_workers == 0


def test_in_process_executor_returns_every_error() -> None:
    with InProcessExecutor() as executor:
        futures = [executor.submit(raise_unreadable_error), executor.submit(interrupt)]
    assert [type(future.exception()).__name__ for future in futures] == [
        "TwoPartsError",
        "KeyboardInterrupt",
    ]


def test_in_process_executor_preserves_random_state() -> None:
    def draws() -> tuple[float, float]:
        return random.random(), float(np.random.random())

    random.seed(1)
    np.random.seed(1)
    expected = [draws(), draws()]
    random.seed(1)
    np.random.seed(1)
    first = draws()
    InProcessExecutor().submit(np.random.seed, 7)
    InProcessExecutor().submit(random.seed, 7)
    assert [first, draws()] == expected


@pytest.mark.parametrize("limit", [{"limit_seconds": 1.0}, {"limit_bytes": 10**9}])
def test_in_process_executor_refuses_limits(limit: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        InProcessExecutor().submit(own_pid, **limit)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options",
    [{"executor": "ray"}, {"trial_seconds": 9.0}, {"trial_bytes": 10**9}],
    ids=["ray", "time", "memory"],
)
def test_tune_refuses_what_this_process_cannot_do(options: dict[str, object]) -> None:
    recipe = Recipe().with_(data__subset=20)
    with pytest.raises(UsageError) as caught:
        tune(None, "digits", recipe=recipe, workers=0, progress=False, **options)  # type: ignore[arg-type]
    assert caught.value.fix
    assert Workspace().studies.all() == []


def test_search_records_epochs_during_a_job_in_this_process() -> None:
    workspace = Workspace()
    record = new(workspace, max_epochs=3, budget=Budget(trials=1))
    known: list[int] = []

    def curve(recipe: Recipe, epoch: int) -> float:
        known.append(sum(len(workspace.runs.history(run.id)) for run in workspace.runs.all()))
        return quick_curve(recipe, epoch)

    done = do(workspace, record, SimulatedInProcessExecutor(curve))
    assert done.state is StudyState.COMPLETE
    assert known == [0, 1, 2]


def test_search_in_this_process_is_that_of_one_worker(tmp_path: Path) -> None:
    outlines = []
    for name, executor in (
        ("worker", SimulatedExecutor(1)),
        ("here", SimulatedInProcessExecutor()),
    ):
        workspace = Workspace(tmp_path / name)
        record = new(workspace, schedule="hyperband", max_epochs=4)
        do(workspace, record, executor)
        rows = outline(workspace, record)
        outlines.append([(trial.with_(run=None), accuracies) for trial, accuracies in rows])
    assert outlines[0] == outlines[1]


def test_ctrl_c_in_this_process_keeps_whole_epochs() -> None:
    workspace = Workspace()
    record = new(workspace, schedule="halving", max_epochs=3, budget=Budget(trials=2))
    interrupted = iter([False, False, True])

    def curve(recipe: Recipe, epoch: int) -> float:
        if next(interrupted, False):
            raise KeyboardInterrupt
        return quick_curve(recipe, epoch)

    executor = SimulatedInProcessExecutor(curve)
    with pytest.raises(KeyboardInterrupt):
        do(workspace, record, executor)
    assert workspace.studies.get(record.id).state is StudyState.PAUSED
    assert sum(len(workspace.runs.history(run.id)) for run in workspace.runs.all()) == 2
    assert RunState.RUNNING not in {run.state for run in workspace.runs.all()}
    again = SimulatedInProcessExecutor()
    done = do(workspace, workspace.studies.get(record.id), again)
    assert done.state is StudyState.COMPLETE
    trained = executor.trained + again.trained
    assert set(trained.values()) == {1}
    assert TrialState.COMPLETE in {trial.state for trial in workspace.studies.trials(record.id)}


def test_make_executor_trains_on_a_cluster_with_workers_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError) as caught:
        make_executor("ray", 0)
    assert "local" in (caught.value.fix or "")
