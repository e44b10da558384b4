"""The search of a study, with trainings that are a formula: what is granted, kept, recorded and
gone on with.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyetune.api.study import Study
from eyetune.errors import TrainingError, WorkerLostError
from eyetune.recipe import Recipe
from eyetune.records import RunState, Workspace
from eyetune.records.study import (
    Budget,
    Rung,
    SchedulerSettings,
    StudyRecord,
    StudySettings,
    StudyState,
    TrialRecord,
    TrialState,
)
from eyetune.space.presets import recipe_space
from eyetune.space.space import Choice, Space
from eyetune.testing.datasets import tiny_dataset
from eyetune.testing.simulated_executor import SimulatedExecutor, quick_curve
from eyetune.training.job import inspect_apart
from eyetune.tuning.endings import Ending
from eyetune.tuning.objectives import read_constraint, read_objective
from eyetune.tuning.prior_runs import Seed
from eyetune.tuning.retention import ModelRetention
from eyetune.tuning.search import search


class Silence:
    """A display that shows nothing, and can be made to interrupt."""

    def __init__(self, interrupt_after: int | None = None) -> None:
        self.left = interrupt_after
        self.notes: list[str] = []

    def note(self, words: str) -> None:
        self.notes.append(words)

    def begin(self, key: str, label: str, num_epochs: int) -> None: ...

    def on_news(self, key: str, news: Any) -> None: ...

    def end(self, key: str, words: str) -> None: ...

    def on_trial(self, trial: Any) -> None:  # noqa: ARG002
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt


def new(workspace: Workspace, **words: Any) -> StudyRecord:
    max_epochs = words.pop("max_epochs", 9)
    recipe, space = recipe_space("lab", Recipe().with_(fit__epochs=max_epochs))
    schedule = words.pop("schedule", "full")
    iterations = words.pop("iterations", 1)
    values: dict[str, Any] = {
        "recipe": recipe,
        "space": words.pop("space", space),
        "objectives": tuple(map(read_objective, words.pop("objectives", ("val_accuracy",)))),
        "constraints": tuple(map(read_constraint, words.pop("constraints", ()))),
        "schedule": SchedulerSettings(name=schedule, max_epochs=max_epochs, iterations=iterations),
        "sampler": words.pop("sampler", "random"),
        "budget": words.pop("budget", Budget()),
        **words,
    }
    return workspace.studies.create("study", StudySettings(**values))


def do(
    workspace: Workspace,
    record: StudyRecord,
    executor: SimulatedExecutor | None = None,
    display: Any = None,
    **words: Any,
) -> StudyRecord:
    with executor or SimulatedExecutor() as crew, workspace.studies.claim(record.id):
        return search(record, workspace, crew, display or Silence(), tiny_dataset(), **words)


def outline(workspace: Workspace, record: StudyRecord) -> list[Any]:
    """Return everything of a study but times."""
    trials = workspace.studies.trials(record.id)
    return [
        (
            trial.with_(seconds=0.0),
            [epoch.val_accuracy for epoch in workspace.runs.history(trial.run)]
            if trial.run
            else [],
        )
        for trial in trials
    ]


@pytest.mark.parametrize("schedule", ["full", "halving", "hyperband", "median"])
@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_every_epoch_is_trained_once_and_all_are_accounted_for(schedule: str, sampler: str) -> None:
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


def test_hyperband_trains_what_keras_tuner_would_for_ten_epochs() -> None:
    workspace = Workspace()
    record = new(workspace, schedule="hyperband", max_epochs=10)
    do(workspace, record)
    trials = workspace.studies.trials(record.id)
    assert (
        sum(len(trial.rungs) for trial in trials) == 30
    )  # KerasTuner counts each promotion as a trial
    # It counts 120 epochs; a promoted trial that goes on has trained its first ones already.
    assert sum(trial.epochs for trial in trials) <= 120


@settings(max_examples=15)
@given(
    st.lists(st.integers(0, 25), max_size=6),
    st.integers(1, 3),
    st.sampled_from(["full", "hyperband"]),
)
def test_interrupted_anywhere_and_gone_on_with_it_ends_as_if_it_had_not_been(
    interruptions: list[int], workers: int, schedule: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        whole, broken = Workspace(Path(folder) / "whole"), Workspace(Path(folder) / "broken")
        words: dict[str, Any] = {"schedule": schedule, "max_epochs": 4}
        if (
            workers == 1
        ):  # with several, who gets an infeasible one's place hangs on when that is found out
            words["constraints"] = ("parameters < 1500",)
        words["budget"] = Budget() if schedule == "hyperband" else Budget(trials=8)
        expected = new(whole, **words)
        do(whole, expected, SimulatedExecutor(workers))
        record = new(broken, **words)
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
def test_a_schedule_that_goes_by_who_comes_first_trains_nothing_twice_either(schedule: str) -> None:
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


def test_what_breaks_a_constraint_costs_no_epoch_and_its_place_goes_to_another() -> None:
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
        assert len(trial.infeasible) == 1
    assert all(trial.network["parameters"] < 1000 for trial in trials if trial.rungs)
    assert executor.num_inspected == len(trials)


def test_when_no_network_keeps_to_the_constraints_the_study_ends_and_says_so() -> None:
    workspace = Workspace()
    record = new(workspace, constraints=("parameters < 10",), budget=Budget(trials=5))
    done = do(workspace, record)
    assert done.ending == Ending.INFEASIBLE
    assert not any(trial.epochs for trial in workspace.studies.trials(record.id))


def test_a_small_space_ends_when_every_combination_has_been_tried() -> None:
    workspace = Workspace()
    space = Space.make(
        [Choice(name="optimizer.learning_rate", values=(0.01, 0.001, 0.0001), ordered=True)]
    )
    record = new(workspace, space=space, budget=Budget(trials=10), sampler="tpe")
    done = do(workspace, record)
    assert done.ending == Ending.OUT_OF_COMBINATIONS
    assert len(workspace.studies.trials(record.id)) == 3


def test_the_budget_of_epochs_is_never_exceeded() -> None:
    workspace = Workspace()
    record = new(workspace, budget=Budget(epochs=30), max_epochs=9, iterations=None)
    done = do(workspace, record, SimulatedExecutor(3))
    assert (
        sum(trial.epochs for trial in workspace.studies.trials(record.id)) == 27
    )  # a fourth trial would take nine more
    assert done.ending == Ending.OUT_OF_EPOCHS


def test_a_target_that_is_reached_ends_the_study() -> None:
    workspace = Workspace()
    record = new(workspace, budget=Budget(trials=50, target=0.5))
    done = do(workspace, record)
    assert done.ending == Ending.TARGET_REACHED
    assert len(workspace.studies.trials(record.id)) < 50


def test_when_the_time_is_up_the_best_so_far_is_usable_and_later_it_goes_on() -> None:
    workspace = Workspace()
    record = new(workspace, budget=Budget(seconds=3.0), iterations=None, max_epochs=50)
    executor = SimulatedExecutor(2, seconds=0.2)  # a trial takes longer than there is time
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


def test_a_worker_that_dies_costs_nothing_and_one_that_keeps_dying_costs_its_trial() -> None:
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


def test_a_study_whose_trials_all_fail_stops_early_and_says_why() -> None:
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
    ] * 5  # the last one, which the words name, too
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


def test_a_worker_that_dies_while_it_builds_a_network_costs_nothing_unless_it_always_does() -> None:
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


def test_with_two_objectives_the_front_is_kept_usable() -> None:
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


def test_only_checkpoints_that_may_still_be_needed_are_on_disk() -> None:
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


def test_runs_made_by_hand_seed_the_search() -> None:
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


def test_the_value_of_a_trial_is_that_of_its_best_epoch() -> None:
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


def test_epochs_of_trainings_that_fail_are_spent_too() -> None:
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


def test_combinations_that_are_all_tried_do_not_leave_the_best_untrained() -> None:
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


def test_of_equal_trials_the_first_is_best_and_its_network_is_kept() -> None:
    workspace = Workspace()
    record = new(workspace, schedule="halving", budget=Budget(trials=6), max_epochs=3)
    do(workspace, record, SimulatedExecutor(3, curve=lambda *_: 0.5, seconds=0.001))
    best = Study(workspace, workspace.studies.get(record.id)).best_trial
    assert workspace.runs.get(best.run or "").results is not None


def test_a_trial_whose_run_was_purged_fails_and_the_study_goes_on() -> None:
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
def test_what_a_study_was_asked_for_is_recorded_as_it_was(iterations: int | None) -> None:
    workspace = Workspace()
    record = new(
        workspace, schedule="hyperband", iterations=iterations, constraints=("parameters < 1e6",)
    )
    assert workspace.studies.get(record.id).settings == record.settings
    assert record.settings.schedule.iterations == iterations


def test_a_trial_that_becomes_no_number_is_never_the_best() -> None:
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
