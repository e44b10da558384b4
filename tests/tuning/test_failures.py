"""Trials that fail: retries, errors by which a user's code ends a trial or a study, and limits."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from eyetune.errors import (
    AbandonedTrialError,
    FatalTrialError,
    FunctionError,
    OutOfTimeError,
    TooManyFailuresError,
)
from eyetune.recipe import Recipe
from eyetune.records import RunState, Workspace
from eyetune.records.study import Budget, Limits, StudyState
from eyetune.records.trial import TrialState
from eyetune.testing.simulated_executor import SimulatedExecutor, quick_curve
from eyetune.training.job import inspect_apart
from tests.tuning.searching import do, new


def luck_with(errors: dict[int, Exception]) -> Callable[[int], float]:
    """Return a function that raises the error of a seed, and else returns 0."""

    def luck(seed: int) -> float:
        if seed in errors:
            raise errors[seed]
        return 0.0

    return luck


def test_failed_trial_is_trained_again_with_another_seed() -> None:
    workspace = Workspace()
    record = new(workspace, budget=Budget(trials=2), max_epochs=3, limits=Limits(retries=1))
    do(workspace, record, SimulatedExecutor(2, luck=luck_with({0: ValueError("unlucky")})))
    for trial in workspace.studies.trials(record.id):
        assert (trial.state, trial.retries) == (TrialState.COMPLETE, 1)
        assert workspace.runs.get(trial.run or "").seed == 1
        (first,) = [run for run in workspace.runs.all() if run.name == f"study/{trial.number}"]
        assert first.state is RunState.FAILED
        assert "unlucky" in (first.error or "")


def test_trial_whose_result_is_no_number_is_trained_again() -> None:
    workspace = Workspace()
    record = new(
        workspace,
        objectives=("val_score:max",),
        budget=Budget(trials=1),
        max_epochs=3,
        limits=Limits(retries=1),
    )
    scores = {0: math.nan, 1: 0.5}
    executor = SimulatedExecutor(1, metrics=lambda seed: {"val_score": scores[seed]})
    do(workspace, record, executor)
    (trial,) = workspace.studies.trials(record.id)
    assert (trial.state, trial.retries, trial.objectives) == (TrialState.COMPLETE, 1, (0.5,))
    assert (trial.epochs, trial.lost_epochs, trial.epochs_trained) == (3, 3, 6)


def test_trial_fails_after_its_last_retry() -> None:
    workspace = Workspace()
    record = new(workspace, budget=Budget(trials=1), limits=Limits(retries=2))
    errors: dict[int, Exception] = {seed: ValueError(f"unlucky {seed}") for seed in range(9)}
    executor = SimulatedExecutor(1, luck=luck_with(errors))
    do(workspace, record, executor)
    (trial,) = workspace.studies.trials(record.id)
    assert (trial.state, trial.retries, executor.num_jobs) == (TrialState.FAILED, 2, 3)
    assert "unlucky 2" in trial.error
    assert sorted(run.seed for run in workspace.runs.all()) == [0, 1, 2]


def test_retry_repeats_only_the_execution_that_failed() -> None:
    workspace = Workspace()
    record = new(
        workspace,
        budget=Budget(trials=1),
        max_epochs=3,
        executions=3,
        limits=Limits(retries=2),
    )
    errors: dict[int, Exception] = {0: ValueError("unlucky"), 3: ValueError("again")}
    executor = SimulatedExecutor(1, luck=luck_with(errors))
    do(workspace, record, executor)
    (trial,) = workspace.studies.trials(record.id)
    assert (trial.state, trial.retries) == (TrialState.COMPLETE, 2)
    assert [execution.seed for execution in trial.executions] == [4, 1, 2]
    assert sum(executor.trained.values()) == 9


@pytest.mark.parametrize("error", [AbandonedTrialError("too slow"), OutOfTimeError("too long")])
def test_some_errors_are_never_retried(error: Exception) -> None:
    workspace = Workspace()
    record = new(workspace, budget=Budget(trials=2), limits=Limits(retries=5))
    executor = SimulatedExecutor(1, luck=luck_with({0: error}))
    do(workspace, record, executor)
    trials = workspace.studies.trials(record.id)
    assert [trial.state for trial in trials] == [TrialState.FAILED] * 2
    assert executor.num_jobs == 2
    assert str(error) in trials[0].error


def test_retries_keep_to_the_budget_of_epochs() -> None:
    def breaks(recipe: Recipe, epoch: int) -> float:
        if epoch > 3:
            raise ValueError("no more")
        return quick_curve(recipe, epoch)

    workspace = Workspace()
    budget = Budget(epochs=20)
    record = new(workspace, budget=budget, iterations=None, limits=Limits(retries=9))
    executor = SimulatedExecutor(1, curve=breaks)
    do(workspace, record, executor)
    trials = workspace.studies.trials(record.id)
    assert sum(trial.epochs_trained for trial in trials) == sum(executor.trained.values()) <= 20
    assert trials[0].retries == 3  # a fourth one could take 9 more epochs than the 12 so far


def test_fatal_error_ends_the_search_at_once() -> None:
    workspace = Workspace()
    record = new(workspace, budget=Budget(trials=20), limits=Limits(retries=5))
    error = FatalTrialError("The disk is full.", kind="FatalValueError")
    executor = SimulatedExecutor(2, luck=luck_with({0: error}))
    with pytest.raises(FatalTrialError) as caught:
        do(workspace, record, executor)
    assert (caught.value.message, caught.value.kind) == ("The disk is full.", "FatalValueError")
    assert executor.num_jobs <= 2
    states = [trial.state for trial in workspace.studies.trials(record.id)]
    assert TrialState.FAILED in states
    assert workspace.studies.get(record.id).state is StudyState.PAUSED


def curve_of(fates: str) -> Callable[[Recipe, int], float]:
    """Return a curve of trials that fail ("f") or not ("."), one after the other."""
    remaining = iter(fates)

    def curve(recipe: Recipe, epoch: int) -> float:
        if next(remaining) == "f":
            raise ValueError("no such layer")
        return quick_curve(recipe, epoch)

    return curve


@pytest.mark.parametrize(
    ("fates", "limit", "num_trials"),
    [
        ("ff........", 2, 2),
        (".f.ff.....", 2, 5),
        ("ffffff.f..", 7, 10),  # more than the usual five without a result
        (".ffffffff.", None, 10),
    ],
)
def test_failures_in_a_row_end_the_study(fates: str, limit: int | None, num_trials: int) -> None:
    workspace = Workspace()
    record = new(
        workspace,
        budget=Budget(trials=10),
        max_epochs=1,
        limits=Limits(consecutive_failures=limit),
    )
    executor = SimulatedExecutor(1, curve=curve_of(fates))
    if num_trials < 10:
        with pytest.raises(TooManyFailuresError) as caught:
            do(workspace, record, executor)
        assert isinstance(caught.value, RuntimeError)  # as KerasTuner's error is
        assert "no such layer" in str(caught.value)
    else:
        do(workspace, record, executor)
    states = [trial.state for trial in workspace.studies.trials(record.id)]
    expected = {"f": TrialState.FAILED, ".": TrialState.COMPLETE}
    assert states == [expected[fate] for fate in fates[:num_trials]]


class Builder(SimulatedExecutor):
    """Raises the given errors, one after the other, when networks are built."""

    def __init__(self, *errors: Exception | None) -> None:
        super().__init__(1)
        self.errors = list(errors)

    def submit(self, function: Any, *arguments: Any, **limits: Any) -> Any:
        error = self.errors.pop(0) if function is inspect_apart and self.errors else None
        if error is not None:
            function, arguments = _raise, (error,)
        return super().submit(function, *arguments, **limits)


def _raise(error: Exception) -> None:
    raise error


def test_network_that_could_not_be_built_is_built_again() -> None:
    workspace = Workspace()
    record = new(workspace, budget=Budget(trials=2), limits=Limits(retries=2))
    do(workspace, record, Builder(*[FunctionError("no memory")] * 2))
    trials = workspace.studies.trials(record.id)
    assert [(trial.state, trial.retries) for trial in trials] == [
        (TrialState.COMPLETE, 2),
        (TrialState.COMPLETE, 0),
    ]


def test_abandoned_network_is_not_built_again() -> None:
    workspace = Workspace()
    record = new(workspace, budget=Budget(trials=2), limits=Limits(retries=2))
    do(workspace, record, Builder(AbandonedTrialError("too large")))
    states = [trial.state for trial in workspace.studies.trials(record.id)]
    assert states == [TrialState.FAILED, TrialState.COMPLETE, TrialState.COMPLETE]


def test_fatal_error_in_a_model_function_ends_the_search() -> None:
    workspace = Workspace()
    record = new(workspace, budget=Budget(trials=5), limits=Limits(retries=2))
    with pytest.raises(FatalTrialError):
        do(workspace, record, Builder(FatalTrialError("No such data.")))
    assert len(workspace.studies.trials(record.id)) == 1
