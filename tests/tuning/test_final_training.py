"""The final training of a study, with simulated trainings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eyetune.api.study import Study
from eyetune.errors import DivergedError, RecipeError
from eyetune.recipe import Recipe
from eyetune.records import Workspace
from eyetune.records.study import (
    Budget,
    Limits,
    Objective,
    SchedulerSettings,
    StudyRecord,
    StudySettings,
    StudyState,
)
from eyetune.records.trial import Rung, TrialRecord, TrialState
from eyetune.space.presets import recipe_space
from eyetune.space.space import Space
from eyetune.testing.datasets import tiny_dataset
from eyetune.testing.simulated_executor import SimulatedExecutor, quick_curve
from eyetune.tuning.endings import Ending
from eyetune.tuning.exploration import Outlook, look_ahead, planned_final
from eyetune.tuning.final_training import (
    final_trial,
    train_final,
    unfinished_final,
)
from eyetune.tuning.objectives import read_constraint
from eyetune.tuning.search import search
from eyetune.tuning.trials import trial_recipe
from tests.tuning.searching import Silence


class InterruptedOnce(Silence):
    """A display where Ctrl-C is pressed once."""

    def on_trial(self, trial: Any) -> None:
        try:
            super().on_trial(trial)
        except KeyboardInterrupt:
            self.left = None
            raise


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path / "workspace")
    workspace.prepare()
    return workspace


def new_study(workspace: Workspace, seconds: float, *constraints: str) -> StudyRecord:
    start = recipe_space(
        "portfolio",
        Recipe().with_(fit__epochs=9),
        num_images=40_000,
        image_shape=(32, 32, 3),
        seconds=seconds,
    )
    settings = StudySettings(
        recipe=start.recipe,
        space=start.space,
        objectives=(Objective(name="val_accuracy", direction="max"),),
        schedule=SchedulerSettings(name="halving", max_epochs=9, iterations=None, cycles=True),
        budget=Budget(seconds=seconds),
        sampler="random",
        constraints=tuple(map(read_constraint, constraints)),
        starts=start.starts,
        portfolio=start.portfolio,
        final_training=True,
    )
    return workspace.studies.create("study", settings)


def run_search(workspace: Workspace, record: StudyRecord) -> StudyRecord:
    executor = SimulatedExecutor(2, seconds=0.001)
    with executor, workspace.studies.claim(record.id):
        return search(record, workspace, executor, Silence(), tiny_dataset())


def train(
    workspace: Workspace,
    record: StudyRecord,
    trial: TrialRecord,
    display: Any = None,
    **options: Any,
) -> StudyRecord:
    executor = SimulatedExecutor(1, **options)
    with executor, workspace.studies.claim(record.id):
        return train_final(record, workspace, executor, display or Silence(), tiny_dataset(), trial)


def test_study_ends_with_its_best_recipe(workspace: Workspace) -> None:
    record = new_study(workspace, 200.0).model_copy(update={"seconds": 115.0})
    record = run_search(workspace, record)
    assert record.ending == Ending.EXPLORED
    trials = workspace.studies.trials(record.id)
    assert trials[0].values == record.settings.starts[0]
    view = look_ahead(
        record.settings, trials, tiny_dataset(), num_workers=2, seconds=record.seconds
    )
    assert view is not None
    planned = planned_final(record, trials, view)
    assert planned is not None
    assert planned.number == len(trials)
    ended = train(workspace, record, planned)
    final = workspace.studies.trials(record.id)[-1]
    assert ended.state is StudyState.COMPLETE
    assert (final.state, final.is_final, final.is_over) == (TrialState.COMPLETE, True, True)
    assert final.values == next(trial.values for trial in trials if trial.number == view.trial)
    assert planned_final(ended, [*trials, final], view) is None  # nothing would change


def test_final_recipe_has_one_schedule_that_follows_the_clock(workspace: Workspace) -> None:
    settings = new_study(workspace, 60.0).settings
    trial = TrialRecord(number=0, state=TrialState.WAITING, values=settings.starts[0])
    assert trial_recipe(settings, trial).optimizer.cycle_epochs == 1
    recipe = trial_recipe(settings, final_trial(1, settings.starts[0], 30.0))
    assert (recipe.fit.seconds, recipe.optimizer.cycle_epochs) == (30.0, 0)
    assert recipe.optimizer.schedule == "cosine"
    assert not recipe.fit.keep_best


@pytest.mark.parametrize(("start_seconds", "is_longer"), [(20.0, True), (0.0, False)])
def test_final_training_uses_the_time_that_its_start_leaves(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, start_seconds: float, is_longer: bool
) -> None:
    monkeypatch.setattr("eyetune.tuning.final_training.START_SECONDS", start_seconds)
    record = new_study(workspace, 60.0)
    train(workspace, record, final_trial(0, record.settings.starts[0], 30.0))
    (final,) = workspace.studies.trials(record.id)
    assert (final.final_seconds > 30.0) is is_longer
    assert final.run is not None
    assert workspace.runs.get(final.run).recipe.fit.seconds == final.final_seconds


def test_interrupted_final_training_is_resumed(workspace: Workspace) -> None:
    record = new_study(workspace, 60.0)
    trial = final_trial(0, record.settings.starts[0], 30.0)
    with pytest.raises(KeyboardInterrupt):
        train(workspace, record, trial, InterruptedOnce(interrupt_after=1))
    assert workspace.studies.get(record.id).state is StudyState.PAUSED
    unfinished = unfinished_final(workspace.studies.trials(record.id))
    assert unfinished is not None
    train(workspace, workspace.studies.get(record.id), unfinished)
    (final,) = workspace.studies.trials(record.id)
    assert final.state is TrialState.COMPLETE
    assert unfinished_final([final]) is None


def failing(rate: float) -> Any:
    """Return an accuracy curve of trainings that diverge at a learning rate."""

    def curve(recipe: Recipe, epoch: int) -> float:
        if recipe.optimizer.learning_rate == rate:
            raise DivergedError("The training diverged.")
        return quick_curve(recipe, epoch)

    return curve


@pytest.mark.parametrize("rate", [-1.0, 0.07])  # no network, and a training that diverges
def test_final_training_that_fails_is_recorded(workspace: Workspace, rate: float) -> None:
    record = new_study(workspace, 60.0)
    values = {**record.settings.starts[0], "optimizer.learning_rate": rate}
    ended = train(workspace, record, final_trial(0, values, 30.0), curve=failing(rate))
    (final,) = workspace.studies.trials(record.id)
    assert (final.state, bool(final.error)) == (TrialState.FAILED, True)
    assert ended.state is StudyState.COMPLETE
    assert unfinished_final([final]) is None


def test_final_training_that_does_not_fit_is_recorded(workspace: Workspace) -> None:
    record = new_study(workspace, 60.0)
    limits = Limits(parameters=1)
    record = record.model_copy(
        update={"settings": record.settings.model_copy(update={"limits": limits})}
    )
    train(workspace, record, final_trial(0, record.settings.starts[0], 30.0))
    (final,) = workspace.studies.trials(record.id)
    assert final.state is TrialState.INFEASIBLE
    view = look_ahead(record.settings, [final], tiny_dataset(), num_workers=1, seconds=1.0)
    planned = planned_final(record, [final], view) if view is not None else None
    assert planned is not None
    assert planned.values == record.settings.starts[1]


def test_final_training_counts_by_the_network_that_it_keeps(workspace: Workspace) -> None:
    record = new_study(workspace, 60.0)
    trial = final_trial(0, record.settings.starts[0], 30.0)
    train(workspace, record, trial, curve=lambda _, epoch: 0.9 if epoch == 2 else 0.5)
    (final,) = workspace.studies.trials(record.id)
    assert final.objectives == (0.5,)


def test_search_ends_once_a_recipe_is_known_to_fit(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No trial is worth its time, and the first recipe of the portfolio does not fit."""
    at_once = Outlook(None, epochs=10.0, accuracy=0.8, gain=0.0, loss=0.1)
    monkeypatch.setattr("eyetune.tuning.search.look_ahead", lambda *_, **__: at_once)
    record = run_search(workspace, new_study(workspace, 60.0, "parameters < 2000"))
    trials = workspace.studies.trials(record.id)
    assert record.ending == Ending.EXPLORED
    assert [trial.epochs for trial in trials] == [0, 0]
    assert trials[0].state is TrialState.INFEASIBLE
    view = look_ahead(record.settings, trials, tiny_dataset(), num_workers=1, seconds=1.0)
    planned = planned_final(record, trials, view) if view is not None else None
    assert planned is not None
    assert planned.values == record.settings.starts[1]


def test_best_trial_may_be_cut_off_in_its_next_part(workspace: Workspace) -> None:
    settings = new_study(workspace, 3600.0).settings
    paused = TrialRecord(
        number=0,
        state=TrialState.PAUSED,
        values=settings.starts[0],
        rungs=(Rung(epochs=3, values=(0.7,)),),
        epochs=3,
        seconds=30.0,
    )
    cut = paused.with_(state=TrialState.RUNNING, epochs=8, seconds=80.0)
    before, after = (
        look_ahead(settings, [trial], tiny_dataset(), num_workers=1, seconds=100.0)
        for trial in (paused, cut)
    )
    assert before == after


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_trial_recipe_may_follow_the_clock(workspace: Workspace, schedule: str) -> None:
    settings = new_study(workspace, 60.0).settings
    edits = {"fit.seconds": 5.0, "optimizer.schedule": schedule}
    recipe = settings.recipe.with_(edits)
    settings = settings.model_copy(update={"recipe": recipe})
    trial = TrialRecord(number=0, state=TrialState.WAITING, values=settings.starts[0])
    assert trial_recipe(settings, trial).fit.seconds == 5.0
    assert trial_recipe(settings, final_trial(1, trial.values, 30.0)).fit.seconds == 30.0


def test_retraining_keeps_the_stages_of_the_recipe(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Early stopping would end the training before the stage for int8."""
    trial = TrialRecord(
        number=0, state=TrialState.COMPLETE, values={}, rungs=(Rung(epochs=3, values=(0.5,)),)
    )
    settings = StudySettings(
        recipe=Recipe().with_({"fit.epochs": 2, "fit.quantize": "int8", "fit.quantize_epochs": 1}),
        space=Space(),
        objectives=(Objective(name="val_accuracy", direction="max"),),
    )
    record = workspace.studies.create("study", settings)
    workspace.studies.save_trials(record.id, [trial])
    recipes: list[Recipe] = []
    monkeypatch.setattr("eyetune.api.study.train", lambda recipe, **_: recipes.append(recipe))
    study = Study(workspace, record)
    study.retrain(epochs=7)
    with pytest.raises(RecipeError):
        study.retrain(epochs=7, early_stopping=5)
    (recipe,) = recipes
    assert (recipe.fit.total_epochs, recipe.fit.early_stopping, recipe.fit.keep_best) == (
        8,
        0,
        True,
    )


def test_retraining_a_final_training_has_one_schedule_of_epochs(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = new_study(workspace, 60.0)
    train(workspace, record, final_trial(0, record.settings.starts[0], 30.0))
    recipes: list[Recipe] = []
    monkeypatch.setattr("eyetune.api.study.train", lambda recipe, **_: recipes.append(recipe))
    study = Study(workspace, record)
    assert study.best_recipe.fit.seconds > 0.0
    study.retrain(epochs=7)
    (recipe,) = recipes
    assert (recipe.fit.epochs, recipe.fit.seconds, recipe.optimizer.cycle_epochs) == (7, 0.0, 0)
