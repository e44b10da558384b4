"""Studies whose objectives are those of a board, with real costs and simulated trainings."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from eyetune.api.fit_check import fit_check
from eyetune.api.study import Study
from eyetune.device.boards.profiles import load_board
from eyetune.device.estimate.footprint import footprint
from eyetune.models.build import build
from eyetune.recipe import Recipe
from eyetune.records import Workspace
from eyetune.records.study import Budget, Objective, SchedulerSettings, StudySettings
from eyetune.records.trial import TrialRecord, TrialState
from eyetune.space.hyperparameters import Choice, Values
from eyetune.space.presets import apply
from eyetune.space.space import Space
from eyetune.testing.datasets import tiny_dataset
from eyetune.testing.simulated_executor import SimulatedExecutor
from eyetune.training.job import inspect
from eyetune.tuning.final_training import final_trial, train_final
from eyetune.tuning.objectives import read_constraint, read_objective
from eyetune.tuning.search import search
from tests.tuning.searching import Silence

BOARD = load_board("esp-eye")
RECIPE = Recipe().with_(
    {"model.blocks": [4], "fit.precision": "float32", "fit.epochs": 3, "fit.batch_size": 16}
)
# With larger kernels, a network has more work, and a smaller dense layer: fewer parameters.
SPACE = Space.make(
    [
        Choice(name="model.blocks.0.kernel_size", values=(1, 3, 5, 7), ordered=True),
        Choice(name="model.blocks.0.filters", values=(2, 3, 4, 6), ordered=True),
        Choice(name="model.dense.0.units", values=(8, 16), ordered=True),
        Choice(name="model.activation", values=("relu", "tanh")),
    ]
)
NETWORKS = 64
INT8_IMAGES = 1000


@cache
def real_costs(recipe: Recipe) -> Mapping[str, float]:
    """Return the costs of a recipe's network on the board, as a worker computes them."""
    inspection = inspect(recipe, tiny_dataset(), with_footprint=True, board=BOARD)
    return inspection.costs


def network_of(recipe: Recipe) -> Recipe:
    return RECIPE.with_({"model": recipe.model})


def accuracy(recipe: Recipe, epoch: int) -> float:
    """Return an accuracy that grows with the epochs, and otherwise looks random."""
    chance = zlib.crc32(network_of(recipe).fingerprint.encode()) / 2**32
    return (0.4 + 0.5 * chance) * (1 - 0.3 / epoch)


def int8_loss(recipe: Recipe) -> float:
    return 0.1 if recipe.model.activation == "tanh" else 0.01


def run_study(folder: Path, *objectives: str, **settings: Any) -> Study:
    """Train all 64 networks, simulated, and return the study."""
    workspace = Workspace(folder)
    constraints = settings.pop("constraints", ())
    record = workspace.studies.create(
        "study",
        StudySettings(
            recipe=RECIPE,
            space=SPACE,
            objectives=tuple(map(read_objective, objectives)),
            constraints=tuple(map(read_constraint, constraints)),
            board=BOARD.name,
            sampler="grid",
            schedule=SchedulerSettings(max_epochs=3),
            budget=Budget(trials=NETWORKS),
            int8_images=INT8_IMAGES if "int8_accuracy" in objectives else 0,
            **settings,
        ),
    )
    executor = SimulatedExecutor(
        2,
        curve=accuracy,
        costs=lambda recipe: real_costs(network_of(recipe)),
        int8_loss=int8_loss,
    )
    with executor, workspace.studies.claim(record.id):
        record = search(record, workspace, executor, Silence(), tiny_dataset())
    return Study(workspace, record)


def all_networks() -> list[tuple[Values, Recipe]]:
    values: list[Values] = [{}]
    for choice in SPACE.distributions:
        assert isinstance(choice, Choice)
        values = [{**one, choice.name: value} for one in values for value in choice.values]
    return [(one, apply(RECIPE, one)) for one in values]


def test_fastest_network_is_not_the_smallest(tmp_path: Path) -> None:
    by_time = run_study(tmp_path / "time", "latency_ms").best()[0]
    by_size = run_study(tmp_path / "size", "parameters").best()[0]
    costs = {recipe: real_costs(network_of(recipe)) for _, recipe in all_networks()}
    assert by_time.objectives == (min(cost["latency_ms"] for cost in costs.values()),)
    assert by_size.objectives == (min(cost["parameters"] for cost in costs.values()),)
    assert by_time.network["parameters"] > by_size.network["parameters"]
    assert by_time.network["latency_ms"] < by_size.network["latency_ms"]
    assert by_time.values["model.blocks.0.kernel_size"] == 1
    assert by_size.values["model.blocks.0.kernel_size"] == 7


@pytest.mark.parametrize("speed", ["latency_ms", "fps"])
def test_front_is_that_of_all_networks(tmp_path: Path, speed: str) -> None:
    study = run_study(tmp_path, "int8_accuracy", speed)
    assert len(study.trials) == NETWORKS
    points = {}
    for values, recipe in all_networks():
        int8 = round(INT8_IMAGES * (accuracy(recipe, 3) - int8_loss(recipe))) / INT8_IMAGES
        points[SPACE.key(values)] = (int8, real_costs(network_of(recipe))["latency_ms"])
    front = {
        point
        for point in points.values()
        if not any(
            other[0] >= point[0] and other[1] <= point[1] and other != point
            for other in points.values()
        )
    }
    found = {points[SPACE.key(trial.values)] for trial in study.front}
    assert found == front
    assert study.to_json()["front"] == [trial.number for trial in study.front]
    assert 3 <= len(front) < NETWORKS / 2
    for trial in study.trials:
        expected, time = points[SPACE.key(trial.values)]
        assert trial.objectives == (expected, time if speed == "latency_ms" else 1000 / time)


def test_networks_that_are_too_slow_are_infeasible(tmp_path: Path) -> None:
    times = sorted(real_costs(network_of(recipe))["latency_ms"] for _, recipe in all_networks())
    limit = (times[19] + times[20]) / 2
    study = run_study(tmp_path, "val_accuracy", constraints=(f"latency_ms < {limit}",))
    slow = [trial for trial in study.trials if trial.state is TrialState.INFEASIBLE]
    assert len(slow) == NETWORKS - 20
    for trial in slow:
        (reason,) = trial.infeasible_reasons
        assert (reason.quantity, trial.epochs, trial.run) == ("latency_ms", 0, None)
        assert reason.value is not None
        assert reason.value >= limit
    assert all(trial.network["latency_ms"] < limit for trial in study.trials if trial.rungs)


def test_arena_of_a_trial_includes_the_scratch_memory_of_the_board() -> None:
    """ESP-NN copies weights and inputs on the ESP32-S3."""
    recipe = RECIPE.with_({"model.blocks": [{"filters": 12}, {"filters": 16}]})
    board = load_board("esp32-s3-eye")
    images = tiny_dataset()
    arena_bytes = inspect(recipe, images, with_footprint=True, board=board).costs["arena_bytes"]
    needs = footprint(build(recipe.model, images.image_shape, images.num_classes))
    assert needs.arena_on(board).scratch_bytes > 0
    assert arena_bytes == needs.arena_bytes_on(board) > needs.arena_bytes


def test_int8_accuracy_is_measured_at_each_rung(tmp_path: Path) -> None:
    study = run_study(tmp_path, "int8_accuracy")
    for trial in study.trials:
        assert trial.int8 is not None
        assert (trial.objectives, trial.int8.num_images) == ((trial.int8.accuracy,), INT8_IMAGES)
    (best, *_) = study.best()
    assert best.values["model.activation"] == "relu"  # tanh loses ten points in int8
    shown = study.to_json()["best"]
    low, high = shown["int8"]["interval"]
    assert low < shown["int8_accuracy"] < high
    assert shown["int8"]["validation_images"] == INT8_IMAGES
    check = fit_check(study.run(), BOARD)
    assert check.int8 == best.int8
    assert check.to_json()["int8_accuracy"] == shown["int8_accuracy"]
    assert check.to_json()["latency_ms"] == pytest.approx(best.network["latency_ms"])
    assert fit_check(study.run(), "esp32-cam").int8 is None  # it was measured for another board


@pytest.mark.parametrize("objective", ["val_accuracy", "int8_accuracy"])
def test_final_training_keeps_the_objectives_of_a_board(tmp_path: Path, objective: str) -> None:
    workspace = Workspace(tmp_path)
    settings = StudySettings(
        recipe=RECIPE,
        space=SPACE,
        objectives=(Objective(name=objective, direction="max"),),
        constraints=(read_constraint("fps >= 1"),),
        board=BOARD.name,
        budget=Budget(seconds=60.0),
        int8_images=INT8_IMAGES if objective == "int8_accuracy" else 0,
        final_training=True,
    )
    record = workspace.studies.create("study", settings)
    trial: TrialRecord = final_trial(0, all_networks()[0][0], 30.0)
    executor = SimulatedExecutor(
        1, curve=accuracy, costs=lambda recipe: real_costs(network_of(recipe))
    )
    with executor, workspace.studies.claim(record.id):
        train_final(record, workspace, executor, Silence(), tiny_dataset(), trial)
    (final,) = workspace.studies.trials(record.id)
    assert (final.state, final.is_final) == (TrialState.COMPLETE, True)
    assert final.network["fps"] >= 1
    assert (final.int8 is not None) == (objective == "int8_accuracy")
