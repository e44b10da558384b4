"""The precision of all trials of a model function, measured once."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from eyetune.models.model_function import discover, keep
from eyetune.recipe import Recipe
from eyetune.records.study import Budget, Objective, SchedulerSettings
from eyetune.testing.datasets import tiny_images
from eyetune.training import precision
from eyetune.training.step_seconds import StepSeconds, Trainee
from eyetune.tuning.executors.in_process import InProcessExecutor
from eyetune.tuning.study_precision import with_precision

OBJECTIVES = [Objective(name="val_accuracy", direction="max")]


def build_model(hp: Any) -> Any:
    layers = [keras.layers.Flatten(), keras.layers.Dense(hp.Int("units", 1, 64), "relu")]
    model = keras.Sequential([keras.Input((8, 8, 3)), *layers, keras.layers.Dense(3, "softmax")])
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return model


def failing(hp: Any) -> Any:
    raise ValueError(hp.Int("units", 1, 64))


class Measured:
    """Stands in for `measure`: notes what was measured, and returns what is set."""

    def __init__(self, seconds: StepSeconds) -> None:
        self.seconds = seconds
        self.units: list[int] = []

    def __call__(self, float32: Trainee, _: Trainee) -> StepSeconds:
        self.units.append(float32.model.layers[1].units)
        return self.seconds


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("EYETUNE_CACHE", str(tmp_path / "cache"))
    x, y = tiny_images(30, 3, size=8)
    np.savez(tmp_path / "images.npz", x=x, y=y)
    return str(tmp_path / "images.npz")


def chosen(
    tmp_path: Path, source: str, function: Any = build_model, name: str = "measured", **budget: Any
) -> Recipe:
    word = keep(function, tmp_path / "functions")
    edits = {"model": {"function": word}, "data.source": source, "fit.batch_size": 4}
    recipe = Recipe().with_({**edits, "fit.precision": name})
    space = discover(keep(build_model, tmp_path / "functions"))
    with InProcessExecutor() as executor:
        return with_precision(
            recipe,
            space,
            OBJECTIVES,
            SchedulerSettings(name="hyperband", max_epochs=10),
            Budget(**budget),
            executor,
            progress=False,
        )


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(StepSeconds(1.0, 0.5), "bfloat16"), (StepSeconds(1.0, 1.0), "float32")],
)
def test_larger_network_decides_for_all(
    tmp_path: Path,
    source: str,
    monkeypatch: pytest.MonkeyPatch,
    seconds: StepSeconds,
    expected: str,
) -> None:
    measured = Measured(seconds)
    monkeypatch.setattr(precision, "measure", measured)
    monkeypatch.setattr(precision, "MAX_SHARE", math.inf)
    assert chosen(tmp_path, source).fit.precision == expected
    (units,) = measured.units  # one of three networks
    assert units > 1


@pytest.mark.parametrize("budget", [{}, {"epochs": 2}, {"trials": 2}, {"seconds": 1.0}])
def test_short_study_is_not_measured(
    tmp_path: Path, source: str, monkeypatch: pytest.MonkeyPatch, budget: dict[str, Any]
) -> None:
    measured = Measured(StepSeconds(1.0, 0.5))
    monkeypatch.setattr(precision, "measure", measured)
    assert chosen(tmp_path, source, **budget).fit.precision == "float32"
    assert not measured.units


def test_other_precisions_and_failing_functions_stay(tmp_path: Path, source: str) -> None:
    assert chosen(tmp_path, source, name="auto").fit.precision == "auto"
    assert chosen(tmp_path, source, name="bfloat16").fit.precision == "bfloat16"
    assert chosen(tmp_path, source, failing).fit.precision == "measured"
