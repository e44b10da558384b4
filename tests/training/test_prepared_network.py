"""Preparing a network: built once, then inspected and trained."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eyetune.errors import CheckpointError, DataError, RecipeError, TrainingError
from eyetune.models import build as networks
from eyetune.models import initial_weights
from eyetune.recipe import Recipe
from eyetune.testing.datasets import tiny_dataset
from eyetune.training.fit import fit
from eyetune.training.job import Job, inspect, work
from eyetune.training.precision import Arithmetic
from eyetune.training.prepared_network import PreparedNetwork, prepare_network
from tests.training.fitting import fit_recipe

DATASET = tiny_dataset()
SMALL = Recipe().with_(
    {"model.blocks": [4], "model.dense": [8], "fit.batch_size": 16, "fit.epochs": 1}
)


def prepare(recipe: Recipe = SMALL, precision: Any = "float32") -> PreparedNetwork:
    return prepare_network(recipe, DATASET, seed=0, arithmetic=Arithmetic(precision))


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
    inspection = prepared.inspect(with_footprint=True)
    parameters = inspection.costs["parameters"]
    assert inspection.network.parameters == parameters == prepared.model.count_params()
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


def weights_file(path: Path, seed: int = 5) -> Path:
    """Write the weights of a small network with other random weights."""
    network = networks.build(SMALL.model, DATASET.image_shape, 7)
    generator = np.random.default_rng(seed)
    network.set_weights([generator.random(weight.shape) for weight in network.get_weights()])
    initial_weights.save(network, path)
    return path


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_prepare_network_starts_from_weights(tmp_path: Path, precision: str) -> None:
    path = weights_file(tmp_path / "weights.npz")
    prepared = prepare(SMALL.with_(model__initial_weights=str(path)), precision)
    assert prepared.initial_weights
    stored = prepared.initial_weights.layers[0]
    for value, expected in zip(stored, prepared.model.layers[0].get_weights(), strict=True):
        np.testing.assert_array_equal(value, expected)
    head, expected_head = prepared.model.layers[-1], prepare().model.layers[-1]
    np.testing.assert_array_equal(head.kernel, expected_head.kernel)


def test_prepare_network_rejects_weights_of_other_blocks(tmp_path: Path) -> None:
    path = weights_file(tmp_path / "weights.npz")
    recipe = SMALL.with_({"model.initial_weights": str(path), "model.width": 2})
    with pytest.raises(RecipeError):
        prepare(recipe)
    inspection = inspect(recipe, DATASET)
    assert isinstance(inspection.error, RecipeError)


def test_initial_weights_belong_to_a_checkpoint(tmp_path: Path) -> None:
    path = weights_file(tmp_path / "weights.npz")
    recipe = SMALL.with_({"model.initial_weights": str(path), "fit.epochs": 2})
    whole = fit_recipe(recipe, DATASET, tmp_path / "whole")
    fit_recipe(recipe, DATASET, tmp_path / "halves", stop_after=1)
    resumed = fit_recipe(recipe, DATASET, tmp_path / "halves", resume=True)
    for mine, other in zip(resumed.model.weights, whole.model.weights, strict=True):
        np.testing.assert_array_equal(mine, other)
    weights_file(path, seed=6)
    with pytest.raises(CheckpointError):
        fit_recipe(recipe, DATASET, tmp_path / "halves", resume=True)


def test_weights_that_saw_the_validation_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(initial_weights, "FOLDER", tmp_path)
    weights_file(tmp_path / "cifar10-small.npz")
    recipe = SMALL.with_(model__initial_weights="cifar10")
    cifar10 = replace(DATASET, name="cifar10")
    arithmetic = Arithmetic("float32")
    with pytest.raises(RecipeError):
        prepare_network(recipe, cifar10, seed=0, arithmetic=arithmetic)
    final = replace(cifar10, validation_is_seen=True)
    assert prepare_network(recipe, final, seed=0, arithmetic=arithmetic).initial_weights
