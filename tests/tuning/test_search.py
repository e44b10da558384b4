"""The search of a study with simulated trainings: promotions, files, records, resumption."""

from __future__ import annotations

import sqlite3
import tempfile
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyetune.api.study import Study
from eyetune.errors import BoardError, TrainingError, WorkerLostError
from eyetune.recipe import Recipe
from eyetune.records import RunState, Workspace
from eyetune.records.database import FILE_NAME
from eyetune.records.study import Budget, StudyState
from eyetune.records.trial import Rung, TrialRecord, TrialState
from eyetune.space.hyperparameters import Choice
from eyetune.space.space import Space
from eyetune.testing.datasets import tiny_dataset
from eyetune.testing.simulated_executor import SimulatedExecutor, quick_curve
from eyetune.training.job import inspect_apart
from eyetune.tuning.endings import Ending
from eyetune.tuning.image_limits import works
from eyetune.tuning.objectives import is_feasible, read_constraint, read_objective
from eyetune.tuning.prior_runs import Seed
from eyetune.tuning.retention import ModelRetention
from tests.tuning.searching import Silence, do, new, outline


@pytest.mark.parametrize("schedule", ["full", "halving", "hyperband", "median"])
@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_search_trains_every_epoch_once(schedule: str, sampler: str) -> None:
    workspace = Workspace()
    budget = Budget() if schedule == "hyperband" else Budget(trials=12)
    record = new(workspace, schedule=schedule, sampler=sampler, budget=budget)
    executor = SimulatedExecutor(3, seconds=0.001)
    done = do(workspace, record, executor)
    trials = workspace.studies.trials(record.id)
    assert done.state is StudyState.COMPLETE
    assert set(executor.trained.values()) == {1}
    assert sum(executor.trained.values()) == sum(trial.epochs for trial in trials)
    assert sum(trial.epochs for trial in trials) == sum(
        len(workspace.runs.history(trial.run)) for trial in trials if trial.run
    )
    assert not any(trial.is_open for trial in trials)
    keys = [record.space.key(trial.values) for trial in trials]
    assert len(set(keys)) == len(keys)
    for trial in trials:
        assert [rung.epochs for rung in trial.rungs] == sorted(rung.epochs for rung in trial.rungs)
        run = workspace.runs.get(trial.run or "")
        assert run.state is (
            RunState.COMPLETE if trial.state is TrialState.COMPLETE else RunState.STOPPED
        )


def test_hyperband_trains_as_much_as_keras_tuner() -> None:
    workspace = Workspace()
    record = new(workspace, schedule="hyperband", max_epochs=10)
    do(workspace, record)
    trials = workspace.studies.trials(record.id)
    assert (
        sum(len(trial.rungs) for trial in trials) == 30
    )  # KerasTuner counts each promotion as a trial
    # It counts 120 epochs; a promoted trial that goes on has trained its first ones already.
    assert sum(trial.epochs for trial in trials) <= 120


@settings(max_examples=8)
@given(
    st.lists(st.integers(0, 25), max_size=6),
    st.integers(1, 3),
    st.sampled_from(["full", "hyperband"]),
)
def test_resumed_search_ends_like_an_uninterrupted_one(
    interruptions: list[int], workers: int, schedule: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        whole, broken = Workspace(Path(folder) / "whole"), Workspace(Path(folder) / "broken")
        options: dict[str, Any] = {"schedule": schedule, "max_epochs": 4}
        # With several workers, what replaces an infeasible trial depends on timing.
        if workers == 1:
            options["constraints"] = ("parameters < 1500",)
        options["budget"] = Budget() if schedule == "hyperband" else Budget(trials=8)
        expected = new(whole, **options)
        do(whole, expected, SimulatedExecutor(workers))
        record = new(broken, **options)
        trained: Counter[tuple[str, int]] = Counter()
        for after in [*interruptions, None]:
            executor = SimulatedExecutor(workers, seconds=0.0005)
            try:
                do(broken, record, executor, Silence(after))
            except KeyboardInterrupt:
                assert broken.studies.get(record.id).state is StudyState.PAUSED
            trained += executor.trained
        received = outline(broken, record)
        runs = {trial.number: trial.run for trial, _ in received}
        adapted = [
            (trial.with_(run=runs[trial.number]), history)
            for trial, history in outline(whole, expected)
        ]
        assert received == adapted
        assert set(trained.values()) <= {1}


@pytest.mark.parametrize("schedule", ["halving", "median"])
def test_resumed_asynchronous_search_trains_nothing_twice(schedule: str) -> None:
    workspace = Workspace()
    record = new(workspace, schedule=schedule, budget=Budget(trials=15), sampler="tpe")
    trained: Counter[tuple[str, int]] = Counter()
    for after in (5, 20, 40, None):
        executor = SimulatedExecutor(2, seconds=0.001)
        with suppress(KeyboardInterrupt):
            done = do(workspace, record, executor, Silence(after))
        trained += executor.trained
    assert done.state is StudyState.COMPLETE
    assert set(trained.values()) == {1}
    trials = workspace.studies.trials(record.id)
    assert len(trials) == 15
    assert sum(trained.values()) == sum(trial.epochs for trial in trials)


def test_infeasible_trials_cost_no_epoch_and_are_replaced() -> None:
    workspace = Workspace()
    record = new(
        workspace, constraints=("parameters < 1000",), budget=Budget(trials=8), sampler="tpe"
    )
    executor = SimulatedExecutor()
    do(workspace, record, executor)
    trials = workspace.studies.trials(record.id)
    rejected = [trial for trial in trials if trial.state is TrialState.INFEASIBLE]
    assert len(trials) - len(rejected) == 8
    assert rejected
    for trial in rejected:
        assert (trial.epochs, trial.run) == (0, None)
        (reason,) = trial.infeasible_reasons
        assert (reason.quantity, reason.limit) == ("parameters", 1000)
        assert reason.value == trial.network["parameters"]
    assert all(trial.network["parameters"] < 1000 for trial in trials if trial.rungs)
    assert executor.num_inspected == len(trials)


@pytest.mark.parametrize(
    ("parameters", "macs", "expected"),
    [(100, 1e6, True), (101, 1e6, False), (100, 2e6, False)],
)
def test_is_feasible_checks_all_limits(parameters: int, macs: float, expected: bool) -> None:
    costs = {"parameters": parameters, "macs": macs}
    assert is_feasible([read_constraint("macs < 2M")], 100, costs) == expected
    assert is_feasible([], None, costs)


def test_search_ends_when_no_network_is_feasible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eyetune.tuning.failures.MAX_INFEASIBLE", 20)
    workspace = Workspace()
    record = new(workspace, constraints=("parameters < 10",), budget=Budget(trials=5))
    done = do(workspace, record)
    assert done.ending == Ending.INFEASIBLE
    assert not any(trial.epochs for trial in workspace.studies.trials(record.id))


def test_search_stops_when_the_board_can_run_no_network() -> None:
    workspace = Workspace()
    record = new(workspace, budget=Budget(trials=50))
    executor = SimulatedExecutor(
        obstacles=lambda recipe: (f"Micro cannot run GELU (layer {recipe.fingerprint}).",)
    )
    with pytest.raises(BoardError) as caught:
        do(workspace, record, executor)
    assert "GELU" in str(caught.value)
    trials = workspace.studies.trials(record.id)
    assert len(trials) < 20
    (reason,) = trials[0].infeasible_reasons
    assert (trials[0].state, reason.rule) == (TrialState.INFEASIBLE, "Micro cannot run GELU.")


def test_search_avoids_networks_that_the_board_cannot_run() -> None:
    workspace = Workspace()
    record = new(workspace, budget=Budget(trials=6))

    def obstacles(recipe: Recipe) -> tuple[str, ...]:
        return ("Micro cannot run GELU.",) if len(recipe.model.blocks) == 2 else ()

    done = do(workspace, record, SimulatedExecutor(obstacles=obstacles))
    trials = workspace.studies.trials(record.id)
    assert done.ending == Ending.TRIALS_DONE
    for trial in trials:
        is_infeasible = trial.state is TrialState.INFEASIBLE
        assert is_infeasible == (trial.values["model.blocks.count"] == 2)


@pytest.mark.parametrize("sampler", ["random", "quasi-random", "grid", "tpe"])
def test_search_never_suggests_what_cannot_work(sampler: str) -> None:
    workspace = Workspace()
    space = Space.make(
        [
            Choice(name="model.blocks.*.kernel_size", values=(3, 5, 7), ordered=True),
            Choice(name="model.blocks.*.pool_size", values=(1, 2, 4), ordered=True),
            Choice(name="model.padding", values=("valid", "same")),
        ]
    )
    record = new(workspace, space=space, budget=Budget(trials=20), sampler=sampler)
    executor = SimulatedExecutor()
    done = do(workspace, record, executor)
    trials = workspace.studies.trials(record.id)
    recipe, dataset = record.settings.recipe, tiny_dataset()
    working = [values for values in space.points() if works(recipe, values, dataset)]
    assert done.ending == Ending.OUT_OF_COMBINATIONS
    assert len(trials) == len(working) < (space.size() or 0)
    assert all(trial.values in working for trial in trials)


def test_search_ends_when_the_space_is_exhausted() -> None:
    workspace = Workspace()
    space = Space.make(
        [Choice(name="optimizer.learning_rate", values=(0.01, 0.001, 0.0001), ordered=True)]
    )
    record = new(workspace, space=space, budget=Budget(trials=10), sampler="tpe")
    done = do(workspace, record)
    assert done.ending == Ending.OUT_OF_COMBINATIONS
    assert len(workspace.studies.trials(record.id)) == 3


def test_search_never_exceeds_the_budget_of_epochs() -> None:
    workspace = Workspace()
    record = new(workspace, budget=Budget(epochs=30), max_epochs=9, iterations=None)
    done = do(workspace, record, SimulatedExecutor(3))
    assert (
        sum(trial.epochs for trial in workspace.studies.trials(record.id)) == 27
    )  # a fourth trial would take nine more
    assert done.ending == Ending.OUT_OF_EPOCHS


def test_search_ends_at_the_target() -> None:
    workspace = Workspace()
    record = new(workspace, budget=Budget(trials=50, target=0.5))
    done = do(workspace, record)
    assert done.ending == Ending.TARGET_REACHED
    assert len(workspace.studies.trials(record.id)) < 50


def test_search_out_of_time_has_a_model_and_can_be_resumed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The time is up when ten epochs are trained; until then no trial passes its tenth epoch."""
    is_late = threading.Event()

    def curve(recipe: Recipe, epoch: int) -> float:
        if epoch > 10:
            assert is_late.wait(60)
        return quick_curve(recipe, epoch)

    def monotonic() -> float:
        if executor.trained.total() >= 10:
            is_late.set()
        return 100.0 * is_late.is_set()

    executor = SimulatedExecutor(2, curve=curve, seconds=0.2)
    monkeypatch.setattr("eyetune.tuning.budget.time", SimpleNamespace(monotonic=monotonic))
    workspace = Workspace()
    record = new(workspace, budget=Budget(seconds=50.0), iterations=None, max_epochs=50)
    done = do(workspace, record, executor)
    assert done.ending == Ending.OUT_OF_TIME
    trials = workspace.studies.trials(record.id)
    best = max(
        (trial for trial in trials if trial.objectives),
        key=lambda trial: (trial.objectives or (0.0,))[0],
    )
    assert best.partial is not None
    run = workspace.runs.get(best.run or "")
    assert run.results is not None
    assert run.state is RunState.STOPPED
    more = done.settings.model_copy(update={"budget": Budget(trials=len(trials))})
    again = SimulatedExecutor(2)
    do(workspace, done.model_copy(update={"settings": more}), again)
    assert set((executor.trained + again.trained).values()) == {1}
    assert all(trial.state is TrialState.COMPLETE for trial in workspace.studies.trials(record.id))


def test_search_retries_trials_of_dead_workers_twice() -> None:
    workspace = Workspace()
    record = new(workspace, budget=Budget(trials=4), max_epochs=5)
    executor = SimulatedExecutor(1, dies=lambda number: number in (0, 3, 4, 5))
    do(workspace, record, executor)
    states = [trial.state for trial in workspace.studies.trials(record.id)]
    assert states == [
        TrialState.COMPLETE,
        TrialState.COMPLETE,
        TrialState.FAILED,
        TrialState.COMPLETE,
    ]
    assert "ended in the middle" in workspace.studies.trials(record.id)[2].error
    assert set(executor.trained.values()) == {1}


def test_search_stops_when_the_first_trials_all_fail() -> None:
    def broken(recipe: Recipe, epoch: int) -> float:
        raise ValueError("no such layer")

    workspace = Workspace()
    record = new(workspace, budget=Budget(trials=50))
    with pytest.raises(TrainingError) as caught:
        do(workspace, record, SimulatedExecutor(1, curve=broken))
    assert "no such layer" in (caught.value.received or "")
    trials = workspace.studies.trials(record.id)
    assert [trial.state for trial in trials] == [
        TrialState.FAILED
    ] * 5  # the last one too, which the error names
    assert "no such layer" in trials[-1].error


class LosingInspections(SimulatedExecutor):
    """Loses the workers that build certain networks, by the number of the attempt."""

    def __init__(self, lost: set[int]) -> None:
        super().__init__(1)
        self.lost, self.num_attempts = lost, 0

    def submit(self, function: Any, *arguments: Any, **limits: Any) -> Any:
        if function is inspect_apart:
            self.num_attempts += 1
            if self.num_attempts - 1 in self.lost:
                return super().submit(lose_worker)
        return super().submit(function, *arguments, **limits)


def lose_worker() -> None:
    raise WorkerLostError("A worker process ended in the middle of a training.", received="killed")


def test_search_retries_inspections_of_dead_workers_twice() -> None:
    workspace = Workspace()
    record = new(workspace, budget=Budget(trials=3))
    do(workspace, record, LosingInspections({0, 1}))
    assert [trial.state for trial in workspace.studies.trials(record.id)] == [
        TrialState.COMPLETE
    ] * 3
    record = workspace.studies.create("unlucky", record.settings)
    do(workspace, record, LosingInspections({1, 2, 3}))
    states = [trial.state for trial in workspace.studies.trials(record.id)]
    assert states == [
        TrialState.COMPLETE,
        TrialState.FAILED,
        TrialState.COMPLETE,
        TrialState.COMPLETE,
    ]
    assert "ended in the middle" in workspace.studies.trials(record.id)[1].error


def test_search_keeps_the_models_of_the_front() -> None:
    workspace = Workspace()
    record = new(
        workspace,
        objectives=("val_accuracy", "parameters"),
        schedule="halving",
        sampler="nsga2",
        budget=Budget(trials=20),
    )
    do(workspace, record)
    trials = [trial for trial in workspace.studies.trials(record.id) if trial.objectives]
    values = [(trial.objectives or (0, 0)) for trial in trials]
    front = [
        trial
        for trial, (accuracy, size) in zip(trials, values, strict=True)
        if not any(a >= accuracy and s <= size and (a, s) != (accuracy, size) for a, s in values)
    ]
    assert len(front) > 1
    for trial in front:
        assert workspace.runs.get(trial.run or "").results is not None


def test_search_deletes_checkpoints_that_are_not_needed() -> None:
    workspace = Workspace()
    record = new(workspace, schedule="hyperband", max_epochs=9)
    with pytest.raises(KeyboardInterrupt):
        do(workspace, record, SimulatedExecutor(1), Silence(60))
    for trial in workspace.studies.trials(record.id):
        kept = (
            trial.run is not None and (workspace.runs.folder(trial.run) / "checkpoint.npz").exists()
        )
        if trial.state is TrialState.PAUSED:
            assert kept
        if trial.state is TrialState.COMPLETE:
            assert not kept
    do(workspace, record, SimulatedExecutor(1))
    left = [
        trial
        for trial in workspace.studies.trials(record.id)
        if list(workspace.runs.folder(trial.run or "").glob("*.npz"))
    ]
    assert all(trial.state is TrialState.COMPLETE for trial in left)  # predictions only


def test_prior_runs_seed_the_search() -> None:
    workspace = Workspace()
    record = new(workspace, sampler="tpe", budget=Budget(trials=15))
    good = {
        "model.blocks.count": 3,
        "model.blocks.0.filters": 128,
        "model.blocks.1.filters": 128,
        "model.blocks.2.filters": 128,
        "model.dense.0.units": 64,
        "optimizer.learning_rate": 0.001,
    }
    do(workspace, record, seeds=(Seed(good, (0.9,)),))
    assert good not in [
        trial.values for trial in workspace.studies.trials(record.id)
    ]  # it is known already


def test_value_of_a_trial_is_that_of_its_best_epoch() -> None:
    workspace = Workspace()
    record = new(workspace, budget=Budget(trials=1), max_epochs=5)
    do(
        workspace,
        record,
        SimulatedExecutor(1, curve=lambda _, epoch: [0.1, 0.2, 0.6, 0.4, 0.5][epoch - 1]),
    )
    (trial,) = workspace.studies.trials(record.id)
    assert trial.objectives == (0.6,)
    assert quick_curve(Recipe(), 3) > quick_curve(Recipe(), 2)


def test_failed_epochs_count_in_the_budget() -> None:
    def breaks(recipe: Recipe, epoch: int) -> float:
        if epoch > 3:
            raise ValueError("no more")
        return quick_curve(recipe, epoch)

    workspace = Workspace()
    record = new(workspace, budget=Budget(epochs=40), iterations=None, max_epochs=9)
    executor = SimulatedExecutor(1, curve=breaks)
    with pytest.raises(TrainingError):
        do(workspace, record, executor)
    trials = workspace.studies.trials(record.id)
    assert sum(trial.epochs for trial in trials) == sum(executor.trained.values()) > 0


def test_exhausted_search_trains_the_best_to_the_end() -> None:
    workspace = Workspace()
    space = Space.make(
        [Choice(name="optimizer.learning_rate", values=(0.01, 0.001, 0.0001), ordered=True)]
    )
    record = new(workspace, space=space, schedule="hyperband", max_epochs=9)
    done = do(workspace, record)
    trials = workspace.studies.trials(record.id)
    assert done.ending == Ending.OUT_OF_COMBINATIONS
    assert max(trial.epochs for trial in trials) == 9
    assert not any(trial.is_open for trial in trials)


def test_first_of_equal_trials_is_best_and_has_a_model() -> None:
    workspace = Workspace()
    record = new(workspace, schedule="halving", budget=Budget(trials=6), max_epochs=3)
    do(workspace, record, SimulatedExecutor(3, curve=lambda *_: 0.5, seconds=0.001))
    best = Study(workspace, workspace.studies.get(record.id)).best_trial
    assert workspace.runs.get(best.run or "").results is not None


def test_search_survives_a_purged_run() -> None:
    workspace = Workspace()
    record = new(workspace, schedule="halving", budget=Budget(trials=6), max_epochs=9)
    with pytest.raises(KeyboardInterrupt):
        do(workspace, record, SimulatedExecutor(1), Silence(12))
    gone = next(
        trial for trial in workspace.studies.trials(record.id) if trial.run and trial.is_open
    )
    workspace.runs.purge(gone.run or "")
    done = do(workspace, record, SimulatedExecutor(1))
    assert done.state is StudyState.COMPLETE
    after = workspace.studies.trials(record.id)[gone.number]
    assert after.state in (TrialState.FAILED, TrialState.STOPPED)


@pytest.mark.parametrize("iterations", [None, 1, 2])
def test_settings_are_recorded_unchanged(iterations: int | None) -> None:
    workspace = Workspace()
    record = new(
        workspace, schedule="hyperband", iterations=iterations, constraints=("parameters < 1e6",)
    )
    assert workspace.studies.get(record.id).settings == record.settings
    assert record.settings.schedule.iterations == iterations


def test_a_nan_trial_is_never_the_best() -> None:
    def sometimes(recipe: Recipe, epoch: int) -> float:
        return (
            float("nan") if recipe.optimizer.learning_rate == 0.01 else quick_curve(recipe, epoch)
        )

    keeping = ModelRetention(Workspace(), (read_objective("val_accuracy"),))
    sound = TrialRecord(
        number=1, state=TrialState.PAUSED, values={}, rungs=(Rung(epochs=1, values=(0.2,)),)
    )
    lost = TrialRecord(
        number=0,
        state=TrialState.PAUSED,
        values={},
        rungs=(Rung(epochs=1, values=(float("nan"),)),),
    )
    for trial in (lost, sound):
        keeping.note(trial)
    assert keeping.best == sound
    assert sometimes(Recipe(), 1) > 0


def test_numbers_of_removed_trials_are_not_used_again(workspace: Path) -> None:
    """The doctor removes damaged trials; the others keep their numbers."""
    records = Workspace(workspace)
    record = new(records, budget=Budget(trials=3))
    do(records, record)
    before = {trial.number: trial for trial in records.studies.trials(record.id)}
    with sqlite3.connect(records.folder / FILE_NAME) as database:
        database.execute("delete from trials where number = 1")
    database.close()
    budget = record.settings.model_copy(update={"budget": Budget(trials=4)})
    records.studies.save(record.model_copy(update={"settings": budget}))
    do(records, records.studies.get(record.id))
    trials = records.studies.trials(record.id)
    assert [trial.number for trial in trials] == [0, 2, 3, 4]
    assert [trial for trial in trials if trial.number in before] == [before[0], before[2]]


def test_study_ends_without_a_network_whose_run_was_deleted(workspace: Path) -> None:
    records = Workspace(workspace)
    record = new(records, schedule="halving", budget=Budget(trials=9, epochs=30))
    display = Silence(interrupt_after=25)
    with pytest.raises(KeyboardInterrupt):
        do(records, record, display=display)
    record = records.studies.get(record.id)
    for trial in records.studies.trials(record.id):
        if trial.run:
            records.runs.purge(trial.run)
    assert do(records, record).state is StudyState.COMPLETE
