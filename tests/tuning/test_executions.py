"""Several executions of a trial: their means, their runs, and the network that is kept."""

from __future__ import annotations

import math
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from eyetune.recipe import Recipe
from eyetune.records import RunState, Workspace
from eyetune.records.study import Budget, StudySettings, StudyState
from eyetune.records.trial import Execution, TrialRecord, TrialState
from eyetune.space.space import Space
from eyetune.testing.labs import fabricated_history
from eyetune.testing.simulated_executor import SimulatedExecutor
from eyetune.tuning.endings import Ending
from eyetune.tuning.executions import arrived, interrupted
from eyetune.tuning.objectives import read_objective
from eyetune.tuning.trials import trial_recipe
from eyetune.values.history import History
from tests.tuning.searching import Silence, do, new, outline

SETTINGS = StudySettings(
    recipe=Recipe(),
    space=Space(),
    objectives=(read_objective("val_accuracy"), read_objective("parameters")),
)
TRIAL = TrialRecord(
    number=0,
    state=TrialState.RUNNING,
    values={},
    run="a",
    epochs_granted=2,
    network={"parameters": 1000.1},
    executions=tuple(Execution(run=run, seed=seed) for seed, run in enumerate("abc")),
)


def history(*accuracies: float) -> History:
    epochs = fabricated_history(len(accuracies), 0.5, seconds=2.0)
    return tuple(
        replace(epoch, val_accuracy=accuracy)
        for epoch, accuracy in zip(epochs, accuracies, strict=True)
    )


def after(trial: TrialRecord, *, is_over: bool = False, **histories: History) -> TrialRecord:
    for run, epochs in histories.items():
        trial = arrived(SETTINGS, trial, run, epochs, is_over=is_over)
    return trial


def lucky(seed: int) -> float:
    """Return a gain of accuracy that is largest for the second of three seeds."""
    return (0.0, 0.03, 0.015)[seed % 3]


def test_trial_waits_for_all_executions() -> None:
    trial = after(TRIAL, c=history(0.5, 0.6), a=history(0.7, 0.4))
    assert (trial.state, trial.objectives, trial.epochs) == (TrialState.RUNNING, None, 0)
    assert trial.pending_runs == ("b",)
    assert trial.epochs_trained == 4


def test_result_of_a_trial_is_the_mean_of_its_executions() -> None:
    trial = after(TRIAL, c=history(0.5, 0.6), a=history(0.7, 0.4), b=history(0.1, 0.8))
    assert trial.state is TrialState.PAUSED
    assert trial.objectives == pytest.approx((0.7, 1000.1))
    (rung,) = trial.rungs
    assert rung.by_execution == ((0.7, 1000.1), (0.8, 1000.1), (0.6, 1000.1))
    assert rung.spread == pytest.approx((0.1, 0.0))
    assert trial.run == "b"  # the best one
    assert (trial.epochs, trial.epochs_trained) == (2, 6)
    assert trial.seconds == sum(execution.seconds for execution in trial.executions) > 0


def test_execution_that_is_over_keeps_its_result_at_the_next_rung() -> None:
    trial = after(TRIAL, is_over=True, a=history(0.9))
    trial = after(trial, b=history(0.2, 0.3), c=history(0.2, 0.3))
    assert (trial.state, trial.is_over) == (TrialState.PAUSED, False)
    trial = trial.with_(state=TrialState.RUNNING, rung=1, epochs_granted=4)
    assert trial.pending_runs == ("b", "c")
    trial = after(trial, is_over=True, b=history(0.2, 0.3, 0.6), c=history(0.2, 0.3, 0.6))
    assert (trial.state, trial.is_over) == (TrialState.COMPLETE, True)
    assert trial.objectives == pytest.approx((0.7, 1000.1))
    assert [rung.epochs for rung in trial.rungs] == [2, 3]


def test_execution_with_a_nan_is_never_the_one_that_is_kept() -> None:
    trial = after(TRIAL, a=history(math.nan), b=history(0.1), c=history(0.2))
    assert trial.run == "c"
    assert math.isnan((trial.objectives or (0.0,))[0])
    assert math.isnan(trial.rungs[0].spread[0])


def test_interrupted_trial_has_the_mean_of_its_furthest_executions() -> None:
    histories = {"a": history(0.4, 0.5), "b": history(0.9), "c": history(0.6, 0.7)}
    trial = interrupted(SETTINGS, TRIAL, histories)
    assert trial.objectives == pytest.approx((0.6, 1000.1))
    assert (trial.state, trial.run) == (TrialState.RUNNING, "c")
    assert [execution.epochs for execution in trial.executions] == [2, 1, 2]
    assert trial.pending_runs == ("a", "b", "c")


def test_interrupted_trial_without_an_epoch_has_no_result() -> None:
    assert interrupted(SETTINGS, TRIAL, dict.fromkeys("abc", ())).objectives is None


@pytest.mark.parametrize("executions", [(), TRIAL.executions])
def test_only_epochs_whose_network_is_kept_count(executions: tuple[Execution, ...]) -> None:
    """With the rounding of int8, the best epoch in float is not the result."""
    edits = {"fit.epochs": 2, "fit.quantize": "int8", "fit.quantize_epochs": 2}
    settings = SETTINGS.model_copy(update={"recipe": Recipe().with_(edits)})
    trial = TRIAL.with_(executions=executions, epochs_granted=4)
    in_float, rounded = history(0.9, 0.8), history(0.9, 0.8, 0.3, 0.5)
    for run in trial.runs:
        trial = arrived(settings, trial, run, rounded, is_over=True)
    assert (trial.objectives or ())[0] == pytest.approx(0.5)
    for epochs, accuracy in [(in_float, 0.9), (rounded, 0.5)]:
        trial = TRIAL.with_(executions=executions)
        trial = interrupted(settings, trial, dict.fromkeys(trial.runs, epochs))
        assert (trial.objectives or ())[0] == pytest.approx(accuracy)


@pytest.mark.parametrize(
    ("start", "values"),
    [
        ({}, {"model": "vgg16", "model.trainable_from": "block5", "fit.fine_tune_epochs": 2}),
        ({"optimizer.warmup_epochs": 3}, {"fit.epochs": 2, "optimizer.warmup_epochs": 0.5}),
    ],
)
def test_values_of_a_trial_count_together(start: dict[str, Any], values: dict[str, Any]) -> None:
    """Those of how long it trains alone would contradict the recipe of the study."""
    settings = SETTINGS.model_copy(update={"recipe": Recipe().with_(start)})
    trial = TRIAL.with_(values=values, executions=())
    assert trial_recipe(settings, trial).fit == settings.fit_of(values)
    assert arrived(settings, trial, "a", history(0.2, 0.6), is_over=True).objectives is not None


@pytest.mark.parametrize("schedule", ["full", "halving"])
def test_search_trains_each_trial_with_several_seeds(schedule: str) -> None:
    workspace = Workspace()
    budget = Budget(trials=4)
    record = new(workspace, schedule=schedule, budget=budget, max_epochs=3, executions=3, seed=3)
    executor = SimulatedExecutor(2, seconds=0.001, luck=lucky)
    done = do(workspace, record, executor)
    trials = workspace.studies.trials(record.id)
    assert done.state is StudyState.COMPLETE
    assert set(executor.trained.values()) == {1}  # each execution continues from its checkpoint
    assert len(executor.trained) == sum(trial.epochs_trained for trial in trials)
    for trial in trials:
        runs = [workspace.runs.get(run) for run in trial.runs]
        assert [run.seed for run in runs] == [3, 4, 5]
        assert [run.name for run in runs] == [f"study/{trial.number}/{seed}" for seed in (3, 4, 5)]
        assert {run.num_epochs_done for run in runs} == {trial.epochs}
        assert {run.state for run in runs} == {
            RunState.COMPLETE if trial.state is TrialState.COMPLETE else RunState.STOPPED
        }
        accuracies = [
            max(epoch.value("val_accuracy") for epoch in workspace.runs.history(run))
            for run in trial.runs
        ]
        assert trial.objectives == pytest.approx((sum(accuracies) / 3,))
        assert trial.run == trial.runs[1]
        assert trial.rungs[-1].spread == pytest.approx((0.015,))


def test_executions_of_a_trial_run_in_parallel() -> None:
    together = threading.Barrier(3)

    def luck(seed: int) -> float:
        together.wait(timeout=60)
        return 0.01 * seed

    workspace = Workspace()
    record = new(workspace, budget=Budget(trials=1), max_epochs=1, executions=3)
    do(workspace, record, SimulatedExecutor(3, luck=luck))
    (trial,) = workspace.studies.trials(record.id)
    assert trial.state is TrialState.COMPLETE


def without_runs(study: list[Any]) -> list[Any]:
    """Return an outline of a study without the ids of runs, which depend on the study's id."""
    return [
        (
            trial.with_(
                run=trial.runs.index(trial.run),
                executions=tuple(
                    execution.model_copy(update={"run": ""}) for execution in trial.executions
                ),
            ),
            histories,
        )
        for trial, histories in study
    ]


@pytest.mark.parametrize("workers", [1, 3])
def test_search_interrupted_within_executions_resumes(workers: int) -> None:
    options: dict[str, Any] = {"schedule": "hyperband", "max_epochs": 4, "executions": 2}
    workspace = Workspace()
    expected = new(workspace, **options)
    do(workspace, expected, SimulatedExecutor(workers, luck=lucky))
    record = workspace.studies.create("broken", expected.settings)
    trained: Counter[tuple[str, int]] = Counter()
    displays = [
        Silence(5),
        Silence(interrupt_after_epochs=1),
        Silence(interrupt_after_epochs=6),
        Silence(12),
        Silence(),
    ]
    for display in displays:
        executor = SimulatedExecutor(workers, seconds=0.0005, luck=lucky)
        with suppress(KeyboardInterrupt):
            do(workspace, record, executor, display)
        trained += executor.trained
    assert set(trained.values()) == {1}
    received = without_runs(outline(workspace, record))
    assert received == without_runs(outline(workspace, expected))


def test_executions_count_in_the_budget_of_epochs() -> None:
    workspace = Workspace()
    budget = Budget(epochs=45)  # two trials take 36, a third one would take 18 more
    record = new(workspace, budget=budget, max_epochs=9, iterations=None, executions=2)
    done = do(workspace, record, SimulatedExecutor(3))
    trials = workspace.studies.trials(record.id)
    assert done.ending == Ending.OUT_OF_EPOCHS
    assert [trial.epochs_trained for trial in trials] == [18, 18]


def test_failed_execution_fails_its_trial_and_stops_the_others() -> None:
    is_second_broken = threading.Event()

    def luck(seed: int) -> float:
        if seed == 1:
            is_second_broken.set()
            raise ValueError("unlucky")
        assert is_second_broken.wait(60)
        return 0.0

    workspace = Workspace()
    record = new(workspace, budget=Budget(trials=2), executions=3, max_epochs=500)
    do(workspace, record, SimulatedExecutor(2, luck=luck, seconds=0.02))
    trials = workspace.studies.trials(record.id)
    assert [trial.state for trial in trials] == [TrialState.FAILED] * 2
    for trial in trials:
        assert "unlucky" in trial.error
        states = [workspace.runs.get(run).state for run in trial.runs]
        assert states == [RunState.STOPPED, RunState.FAILED, RunState.STOPPED]
        assert trial.epochs_trained < 500


def test_int8_accuracy_is_a_mean_and_its_images_are_those_of_the_best() -> None:
    workspace = Workspace()
    record = new(
        workspace,
        objectives=("int8_accuracy", "parameters"),
        board="esp-eye",
        int8_images=1000,
        budget=Budget(trials=1),
        max_epochs=2,
        executions=3,
    )
    do(workspace, record, SimulatedExecutor(1, luck=lucky, int8_loss=lambda _: 0.01))
    (trial,) = workspace.studies.trials(record.id)
    accuracies = [values[0] for values in trial.rungs[-1].by_execution]
    mean = (sum(accuracies) / 3, trial.network["parameters"])
    assert trial.objectives == pytest.approx(mean)
    assert trial.int8 is not None
    assert trial.int8.accuracy == max(accuracies) == accuracies[1]
    assert trial.run == trial.runs[1]
