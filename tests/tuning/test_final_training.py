"""The final training of a study, with simulated trainings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eyetune.errors import TrainingError
from eyetune.recipe import Recipe
from eyetune.records import Workspace
from eyetune.records.study import (
    Budget,
    Objective,
    SchedulerSettings,
    StudyRecord,
    StudySettings,
    StudyState,
    TrialRecord,
    TrialState,
)
from eyetune.space.presets import recipe_space
from eyetune.testing.datasets import tiny_dataset
from eyetune.testing.simulated_executor import SimulatedExecutor
from eyetune.tuning.endings import Ending
from eyetune.tuning.exploration import look_ahead, planned_final
from eyetune.tuning.final_training import (
    OVERHEAD_SECONDS,
    final_trial,
    train_final,
    unfinished_final,
)
from eyetune.tuning.search import search
from eyetune.tuning.trials import trial_recipe
from tests.tuning.test_search import Silence


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


def new_study(workspace: Workspace, seconds: float) -> StudyRecord:
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
    workspace: Workspace, record: StudyRecord, trial: TrialRecord, display: Any = None
) -> StudyRecord:
    executor = SimulatedExecutor(1)
    with executor, workspace.studies.claim(record.id):
        return train_final(record, workspace, executor, display or Silence(), tiny_dataset(), trial)


def test_study_ends_with_its_best_recipe(workspace: Workspace) -> None:
    record = run_search(workspace, new_study(workspace, OVERHEAD_SECONDS + 4.0))
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


def test_final_training_that_fails_is_recorded(workspace: Workspace) -> None:
    record = new_study(workspace, 60.0)
    values = {**record.settings.starts[0], "optimizer.learning_rate": -1.0}
    with pytest.raises((TrainingError, ValueError)):
        train(workspace, record, final_trial(0, values, 30.0))
    assert workspace.studies.get(record.id).state is StudyState.PAUSED
