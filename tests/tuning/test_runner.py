"""The runner: trains what is missing, finds what is there, and survives whatever happens to a
worker.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from eyetune.api.run import Run
from eyetune.errors import WorkerLostError
from eyetune.recipe import Recipe
from eyetune.records import RunState, Workspace
from eyetune.report.progress.training_progress import WorkersDisplay
from eyetune.training.job import inspect_apart
from eyetune.tuning.dispatch import MAX_TRIES
from eyetune.tuning.executors import LocalExecutor
from eyetune.tuning.runner import Plan, Runner


@pytest.fixture(scope="module")
def executor() -> Iterator[LocalExecutor]:
    with LocalExecutor(1) as workers:
        workers.threads = 1  # as each of several workers
        yield workers


@pytest.fixture
def recipe(archive: Path) -> Recipe:
    values = {"model.blocks": [4], "model.dense": [8], "fit.batch_size": 16, "fit.epochs": 2}
    return Recipe().with_({"data.source": str(archive), **values})


class Elsewhere:
    """An executor that does jobs as a test says; networks are built in this process."""

    num_workers, threads = 1, 1

    def __init__(self, *outcomes: BaseException) -> None:
        self.outcomes = list(outcomes)
        self.jobs: list[Any] = []

    def submit(self, function: Any, *arguments: Any, **_limits: float | None) -> Future[Any]:
        future: Future[Any] = Future()
        if function is inspect_apart:
            future.set_result(function(arguments[0], 0, *arguments[2:]))
        else:
            self.jobs.append(arguments[0])
            future.set_exception(self.outcomes.pop(0))
        return future

    def result(self, future: Future[Any]) -> Any:
        return future.result()


def runner(workspace: Workspace, executor: Any) -> Runner:
    return Runner(workspace, executor, WorkersDisplay(enabled=False))


def test_runner_trains_only_what_is_not_recorded(recipe: Recipe, executor: LocalExecutor) -> None:
    workspace = Workspace()
    faster = recipe.with_(optimizer__learning_rate=0.01)
    hopeless = recipe.with_({"model.blocks": [4, 4, 4, 4, 4, 4]})
    diverging = recipe.with_(
        {"optimizer.name": "sgd", "optimizer.learning_rate": 100.0, "model.activation": "linear"}
    )
    plans = [
        Plan("baseline", recipe, 0),
        Plan("faster", faster, 0),
        Plan("hopeless", hopeless, 0),
        Plan("diverging", diverging, 0),
        Plan("the same", recipe, 0),
    ]
    baseline, faster_done, hopeless_done, diverging_done, same = runner(workspace, executor).train(
        plans
    )
    assert baseline.run is not None
    assert baseline.run.state is RunState.COMPLETE
    assert len(workspace.runs.history(baseline.run.id)) == 2
    assert baseline.run.results is not None
    assert baseline.run.results.test_accuracy is None  # the test images are unused
    assert workspace.predictions.load(baseline.run.id, "test") is None
    assert baseline.run.threads == executor.threads
    assert faster_done.run is not None
    assert faster_done.run.state is RunState.COMPLETE
    assert hopeless_done.run is None
    assert "shrinks its images to nothing" in hopeless_done.reason
    assert diverging_done.run is not None
    assert diverging_done.run.state is RunState.FAILED
    assert "diverged" in diverging_done.reason
    assert same.run is not None
    assert same.run.id == baseline.run.id
    assert len(workspace.runs.all()) == 3

    again = runner(workspace, Elsewhere()).train(
        [plans[0], plans[1], plans[3]]
    )  # an executor that trains nothing
    assert [done.was_recorded for done in again] == [True, True, True]
    assert [one.run and one.run.id for one in again] == [
        baseline.run.id,
        faster_done.run.id,
        diverging_done.run.id,
    ]
    assert "diverged" in again[2].reason


def test_runner_loses_one_epoch_of_a_killed_worker(
    recipe: Recipe, executor: LocalExecutor, tmp_path: Path
) -> None:
    longer = recipe.with_(fit__epochs=60)
    whole, broken = Workspace(tmp_path / "whole"), Workspace(tmp_path / "broken")
    (undisturbed,) = runner(whole, executor).train([Plan("whole", longer, 3)])
    done: list[Any] = []
    thread = threading.Thread(
        target=lambda: done.extend(runner(broken, executor).train([Plan("broken", longer, 3)]))
    )
    thread.start()
    while not broken.runs.all() or len(broken.runs.history(broken.runs.all()[0].id)) < 3:
        time.sleep(0.02)
    for worker in multiprocessing.active_children():
        os.kill(worker.pid or 0, signal.SIGKILL)
    thread.join()
    assert undisturbed.run is not None
    (one,) = done
    assert one.run.state is RunState.COMPLETE
    expected, received = whole.runs.history(undisturbed.run.id), broken.runs.history(one.run.id)
    assert [epoch.val_loss for epoch in received] == [epoch.val_loss for epoch in expected]
    assert len(broken.runs.all()) == 1


def test_runner_gives_up_after_three_dead_workers(recipe: Recipe) -> None:
    dead = WorkerLostError(
        "A worker process ended.", fix="If the machine ran out of memory: fewer --workers."
    )
    elsewhere = Elsewhere(*[dead] * 5)
    (one,) = runner(Workspace(), elsewhere).train([Plan("doomed", recipe, 0)])
    assert len(elsewhere.jobs) == MAX_TRIES == 3
    assert one.run is not None
    assert one.run.state is RunState.FAILED
    assert "worker process ended" in one.reason
    assert "memory" in (one.run.error or "")


def test_runner_pauses_on_ctrl_c_and_resumes(recipe: Recipe, executor: LocalExecutor) -> None:
    workspace = Workspace()
    with pytest.raises(KeyboardInterrupt):
        runner(workspace, Elsewhere(KeyboardInterrupt())).train(
            [Plan("one", recipe, 0), Plan("other", recipe, 1)]
        )
    states = {run.name: run.state for run in workspace.runs.all()}
    assert states == {"one": RunState.PAUSED}
    (paused,) = workspace.runs.all()
    done = runner(workspace, executor).train([Plan("one", recipe, 0), Plan("other", recipe, 1)])
    assert done[0].run is not None
    assert done[0].run.id == paused.id
    assert all(one.run is not None and one.run.state is RunState.COMPLETE for one in done)


def test_runner_skips_runs_that_another_process_trains(recipe: Recipe) -> None:
    workspace = Workspace()
    with pytest.raises(KeyboardInterrupt):
        runner(workspace, Elsewhere(KeyboardInterrupt())).train([Plan("one", recipe, 0)])
    with workspace.runs.claim(workspace.runs.all()[0].id):
        found = workspace.runs.all()[0]
        assert found.state is RunState.PAUSED
        (one,) = runner(workspace, Elsewhere()).train([Plan("one", recipe, 0)])
    assert "another process" in one.reason


def test_runner_starts_nothing_after_the_time_limit(recipe: Recipe) -> None:
    workspace = Workspace()
    (one,) = runner(workspace, Elsewhere()).train(
        [Plan("late", recipe, 0)], may_start=lambda: False
    )
    assert one.reason == "out of time"
    assert workspace.runs.all() == []


def test_runner_resolves_teachers_before_training(recipe: Recipe, trained: Run) -> None:
    taught = recipe.with_(loss__teacher="trained")
    elsewhere = Elsewhere(RuntimeError("nothing is trained here"))
    (done,) = runner(trained.workspace, elsewhere).train([Plan("taught", taught, 0)])
    (job,) = elsewhere.jobs
    assert (job.teacher, job.recipe.loss.teacher) == (trained.folder / "model.keras", trained.id)
    assert done.plan.recipe == taught
    trained.workspace.runs.purge(job.folder.name)
