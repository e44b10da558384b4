"""Preparing a network: built once, then inspected and trained."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eyetune.errors import DataError, RecipeError, TrainingError
from eyetune.models import build as networks
from eyetune.recipe import Recipe
from eyetune.testing.datasets import tiny_dataset
from eyetune.training.backend import choose_arithmetic
from eyetune.training.fit import fit
from eyetune.training.job import Job, work
from eyetune.training.prepared_network import PreparedNetwork, prepare_network
from tests.training.fitting import fit_recipe

DATASET = tiny_dataset()
SMALL = Recipe().with_(
    {"model.blocks": [4], "model.dense": [8], "fit.batch_size": 16, "fit.epochs": 1}
)


def prepare(recipe: Recipe = SMALL, precision: Any = "float32") -> PreparedNetwork:
    return prepare_network(recipe, DATASET, seed=0, arithmetic=choose_arithmetic(precision))


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record the dtype of each network that is built."""
    dtypes: list[str] = []
    build = networks.build

    def counted(*args: Any, dtype: str = "float32", **kwargs: Any) -> Any:
        dtypes.append(dtype)
        return build(*args, dtype=dtype, **kwargs)

    monkeypatch.setattr(networks, "build", counted)
    return dtypes


def test_work_builds_its_network_once(tmp_path: Path, builds: list[str]) -> None:
    work(Job(SMALL, tmp_path, 0, "float32"), DATASET)
    assert builds == ["float32"]


def test_work_trains_a_prepared_network(tmp_path: Path, builds: list[str]) -> None:
    prepared = prepare()
    prepared.inspect()
    outcome = work(Job(SMALL, tmp_path, 0, "float32"), DATASET, prepared=prepared)
    assert builds == ["float32"]
    assert outcome.is_over


def test_bfloat16_adds_one_float32_network(tmp_path: Path, builds: list[str]) -> None:
    fitted = fit(prepare(SMALL, "bfloat16"), tmp_path)
    assert builds == ["mixed_bfloat16", "float32"]
    assert fitted.model.layers[0].compute_dtype == "float32"


def test_trained_network_stays_uncompiled(tmp_path: Path) -> None:
    prepared = prepare()
    fitted = fit(prepared, tmp_path)
    assert fitted.model is prepared.model
    assert not fitted.model.compiled


def test_inspection_changes_no_result(tmp_path: Path) -> None:
    prepared = prepare()
    states = random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index]
    network, costs = prepared.inspect(with_footprint=True)
    assert network.parameters == costs["parameters"] == prepared.model.count_params()
    assert states == (random.getstate(), np.random.get_state()[1].tolist())  # type: ignore[index]
    (tmp_path / "inspected").mkdir()
    inspected = fit(prepared, tmp_path / "inspected")
    plain = fit_recipe(SMALL, DATASET, tmp_path / "plain")
    for mine, other in zip(inspected.model.weights, plain.model.weights, strict=True):
        np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize(
    ("edits", "error"),
    [
        ({"fit.batch_size": 61}, DataError),
        ({"augment.shift": 16}, RecipeError),
        ({"augment.cutout": 16}, RecipeError),
        ({"model.blocks": [4, 4, 4, 4]}, RecipeError),
    ],
)
def test_prepare_network_rejects_what_cannot_train(
    edits: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        prepare(SMALL.with_(edits))


def test_prepare_network_explains_errors_of_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("too large")

    monkeypatch.setattr("eyetune.models.cnn.build", broken)
    with pytest.raises(TrainingError) as caught:
        prepare()
    assert caught.value.received == "RuntimeError: too large"
