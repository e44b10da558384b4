"""The precision of a training: named, by measurement, or that of a model function."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import eyetune as et
from eyetune.data import cache
from eyetune.errors import FunctionError
from eyetune.models.model_function import keep
from eyetune.recipe import Recipe
from eyetune.testing.datasets import tiny_dataset
from eyetune.training import precision
from eyetune.training.evaluate import probabilities
from eyetune.training.job import inspect
from eyetune.training.precision import Arithmetic, choose_arithmetic
from eyetune.training.prepared_network import prepare_network
from eyetune.training.step_seconds import StepSeconds, Trainee, measure, trainee
from tests.training.fitting import fit_recipe

DATASET = tiny_dataset(size=8)
SMALL = Recipe().with_(
    {"model.blocks": [4], "model.dense": [8], "fit.batch_size": 16, "fit.epochs": 1}
)
FASTER, SLOWER = StepSeconds(1.0, 0.5), StepSeconds(1.0, 2.0)


class Measurements:
    """Stands in for `measure`: counts the calls, and returns or raises what is set."""

    def __init__(self) -> None:
        self.result: StepSeconds | Exception = FASTER
        self.num_calls = 0

    def __call__(self, float32: Trainee, bfloat16: Trainee) -> StepSeconds:
        self.num_calls += 1
        assert all(layer.compute_dtype == "float32" for layer in float32.model.layers)
        assert any(layer.compute_dtype == "bfloat16" for layer in bfloat16.model.layers)
        time.sleep(0.05)
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


@pytest.fixture
def measurements(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Measurements:
    """Simulate measurements, with an empty cache, which are worth their time for any training."""
    simulated = Measurements()
    monkeypatch.setattr(precision, "measure", simulated)
    monkeypatch.setattr(precision, "MAX_SHARE", 1e12)
    monkeypatch.setenv("EYETUNE_CACHE", str(tmp_path / "cache"))
    return simulated


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_named_precision_is_not_measured(measurements: Measurements, name: str) -> None:
    chosen = choose_arithmetic(SMALL.with_(fit__precision=name), DATASET)
    assert chosen.precision == name
    assert measurements.num_calls == 0


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (FASTER, "bfloat16"),
        (StepSeconds(1.0, 0.99), "float32"),  # not clearly faster
        (SLOWER, "float32"),
    ],
)
def test_auto_is_the_faster_precision(
    measurements: Measurements, seconds: StepSeconds, expected: str
) -> None:
    measurements.result = seconds
    notes: list[str] = []
    assert choose_arithmetic(SMALL, DATASET, on_note=notes.append).precision == expected
    assert len(notes) == 1


def test_short_training_is_not_measured(
    measurements: Measurements, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "MAX_SHARE", 0.05)
    assert choose_arithmetic(SMALL, DATASET).precision == "float32"
    assert measurements.num_calls == 0
    long, dataset = SMALL.with_(fit__epochs=100_000), tiny_dataset(size=32, num_train=1000)
    choose_arithmetic(long.with_(fit__seconds=2), dataset)
    assert measurements.num_calls == 0
    choose_arithmetic(long, dataset)
    assert measurements.num_calls == 1


def test_training_of_a_head_is_not_measured(measurements: Measurements) -> None:
    recipe = SMALL.with_({"model": "vgg16", "model.weights": "random"})
    assert choose_arithmetic(recipe, DATASET).precision == "float32"
    assert measurements.num_calls == 0


@pytest.mark.parametrize(
    ("capability", "expected"), [((7, 5), "float32"), ((8, 0), "bfloat16"), ((9, 0), "bfloat16")]
)
def test_auto_depends_on_the_gpu_if_there_is_one(
    measurements: Measurements,
    monkeypatch: pytest.MonkeyPatch,
    capability: tuple[int, int],
    expected: str,
) -> None:
    monkeypatch.setattr(precision, "_gpu_capabilities", lambda: [capability])
    assert choose_arithmetic(SMALL, DATASET).precision == expected
    assert measurements.num_calls == 0


@pytest.mark.parametrize(
    ("edits", "num_calls"),
    [
        ({"optimizer.learning_rate": 0.1, "fit.epochs": 7}, 1),
        ({"model.dropout": 0.2}, 1),
        ({"fit.batch_size": 8}, 2),
        ({"model.dense": [9]}, 2),
        ({"model.batch_norm": True}, 2),
    ],
)
def test_same_network_and_batch_size_are_measured_once(
    measurements: Measurements, edits: Mapping[str, Any], num_calls: int
) -> None:
    recipe = SMALL.with_(model__dropout=0.1)
    first = choose_arithmetic(recipe, DATASET)
    measurements.result = SLOWER
    second = choose_arithmetic(recipe.with_(edits), DATASET)
    assert measurements.num_calls == num_calls
    assert (first == second) == (num_calls == 1)


def test_several_processes_measure_once(measurements: Measurements) -> None:
    with ThreadPoolExecutor(3) as pool:
        chosen = set(pool.map(lambda _: choose_arithmetic(SMALL, DATASET), range(3)))
    assert (len(chosen), measurements.num_calls) == (1, 1)


@pytest.mark.parametrize("damage", [b"", b"{}", b"[1]", b"\xff", b'{"key": 1, "float32": "x"}'])
def test_damaged_cache_is_replaced(
    measurements: Measurements, tmp_path: Path, damage: bytes
) -> None:
    choose_arithmetic(SMALL, DATASET)
    (file,) = (tmp_path / "cache").rglob("*.json")
    file.write_bytes(damage)
    for _ in range(2):
        assert choose_arithmetic(SMALL, DATASET).precision == "bfloat16"
    assert measurements.num_calls == 2


def test_unwritable_cache_is_harmless(
    measurements: Measurements, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("EYETUNE_CACHE", str(file))
    for _ in range(2):
        assert choose_arithmetic(SMALL, DATASET).precision == "bfloat16"
    assert measurements.num_calls == 2


def test_cleared_cache_is_measured_again(measurements: Measurements) -> None:
    choose_arithmetic(SMALL, DATASET)
    cache.clear()
    choose_arithmetic(SMALL, DATASET)
    assert measurements.num_calls == 2


def test_failed_measurement_means_float32(measurements: Measurements) -> None:
    measurements.result = ValueError("no bfloat16 here")
    chosen = choose_arithmetic(SMALL, DATASET)
    assert chosen.precision == "float32"
    assert "no bfloat16 here" in chosen.reason


@pytest.mark.parametrize(
    "edits",
    [
        {"model.batch_norm": True, "model.dropout": 0.1, "loss.teacher": "some.keras"},
        {"model": "mobilenet_v1", "model.weights": "random"},
    ],
)
def test_measure_takes_a_step_of_any_recipe(edits: Mapping[str, Any]) -> None:
    recipe, dataset = SMALL.with_(edits), tiny_dataset(size=32)
    policies = ("float32", "mixed_bfloat16")
    seconds = measure(*(trainee(recipe, dataset, policy) for policy in policies))
    assert min(seconds.float32, seconds.bfloat16, seconds.speedup) > 0


def test_measurement_does_not_change_the_training(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(precision, "MAX_SHARE", 1e12)
    monkeypatch.setattr(precision, "MIN_SPEEDUP", 1e12)
    monkeypatch.setenv("EYETUNE_CACHE", str(tmp_path / "cache"))
    recipe = SMALL.with_(model__dropout=0.1, augment__noise=0.1)
    losses = [
        fit_recipe(recipe.with_(fit__precision=name), DATASET, tmp_path / name).history[0].loss
        for name in ("float32", "auto")
    ]
    assert losses[0] == losses[1]


def test_train_records_the_choice(measurements: Measurements, tmp_path: Path) -> None:
    def train(recipe: Recipe) -> et.Run:
        return et.train(recipe, DATASET, workspace=tmp_path / "ws", progress=False, plots=False)

    measured, named = train(SMALL), train(SMALL.with_(fit__precision="bfloat16"))
    assert (measured.record.precision, measurements.num_calls) == ("bfloat16", 1)
    assert measured.history[0].loss == named.history[0].loss


@pytest.mark.usefixtures("no_pictures")
def test_resumed_run_is_not_measured_again(
    measurements: Measurements, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    workspace = tmp_path / "ws"
    with monkeypatch.context() as patch:
        patch.setattr("eyetune.api.train.work", interrupt)
        with pytest.raises(KeyboardInterrupt):
            et.train(SMALL, DATASET, workspace=workspace, progress=False, plots=False)
    measurements.result = SLOWER
    cache.clear()
    resumed = et.resume("latest", data=DATASET, workspace=workspace, progress=False)
    assert (resumed.record.precision, measurements.num_calls) == ("bfloat16", 1)


@pytest.mark.parametrize(("feasible", "num_calls"), [(True, 1), (False, 0)])
def test_inspect_measures_feasible_networks_only(
    measurements: Measurements, feasible: bool, num_calls: int
) -> None:
    inspection = inspect(SMALL, DATASET, is_feasible=lambda _: feasible)
    assert inspection.precision == ("bfloat16" if feasible else "float32")
    assert measurements.num_calls == num_calls


# Model functions


def classifier(*last: Any, loss: Any = "categorical_crossentropy") -> Any:
    """Return a compiled network that ends with the given layers."""
    layers = [keras.layers.Conv2D(4, 3), keras.layers.BatchNormalization(), keras.layers.Flatten()]
    inner = keras.Sequential([keras.Input((8, 8, 3)), *layers])
    model = keras.Sequential([inner, *(last or [keras.layers.Dense(3, "softmax")])])
    model.compile("adam", loss, metrics=["accuracy"])
    return model


def recipe_of(function: Any, folder: Path, name: str) -> Recipe:
    edits = {"model.function": keep(function, folder), "fit.precision": name, "fit.epochs": 1}
    return Recipe().with_(edits)


def prepared_precision(recipe: Recipe, asked: Any = "float32") -> str:
    prepared = prepare_network(recipe, DATASET, seed=0, arithmetic=Arithmetic(asked))
    assert prepared.function is not None
    assert prepared.precision == prepared.function.precision
    return prepared.precision


def test_function_keeps_its_arithmetic_with_auto(
    measurements: Measurements, tmp_path: Path
) -> None:
    def mixed(hp: Any) -> Any:
        keras.config.set_dtype_policy("mixed_bfloat16")
        return classifier(keras.layers.Dense(3, "softmax", dtype="float32"))

    recipes = [
        recipe_of(lambda _: classifier(), tmp_path, "auto"),
        recipe_of(mixed, tmp_path, "auto"),
    ]
    for recipe, expected in zip(recipes, ("float32", "bfloat16"), strict=True):
        choose_arithmetic(recipe, DATASET)
        assert prepared_precision(recipe) == expected
        assert inspect(recipe, DATASET).precision == expected
    assert measurements.num_calls == 0


@pytest.mark.parametrize(("seconds", "expected"), [(FASTER, "bfloat16"), (SLOWER, "float32")])
def test_function_is_measured_if_asked(
    measurements: Measurements, tmp_path: Path, seconds: StepSeconds, expected: str
) -> None:
    measurements.result = seconds
    recipe = recipe_of(lambda _: classifier(), tmp_path, "measured")
    inspection = inspect(recipe, DATASET)
    assert (inspection.precision, measurements.num_calls) == (expected, 1)
    assert choose_arithmetic(recipe, DATASET).precision == expected
    assert prepared_precision(recipe, expected) == expected
    assert measurements.num_calls == 1


def test_named_precision_replaces_that_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "model.py"
    file.write_text(
        "import keras\n"
        "keras.config.set_dtype_policy('mixed_bfloat16')\n"
        "def build_model(hp):\n"
        "    layers = [keras.layers.Flatten(), keras.layers.Dense(3, 'softmax')]\n"
        "    model = keras.Sequential([keras.Input((8, 8, 3)), *layers])\n"
        "    model.compile('adam', 'categorical_crossentropy', metrics=['accuracy'])\n"
        "    return model\n"
    )
    assert prepared_precision(recipe_of(f"{file}:build_model", tmp_path, "float32")) == "float32"


def test_bfloat16_function_has_float32_outputs(tmp_path: Path) -> None:
    recipe = recipe_of(lambda _: classifier(), tmp_path, "bfloat16")
    prepared = prepare_network(recipe, DATASET, seed=0, arithmetic=Arithmetic("bfloat16"))
    outputs = prepared.model(np.zeros((2, 8, 8, 3)))
    inner, last = prepared.model.layers
    assert outputs.dtype == "float32"
    assert [layer.compute_dtype for layer in inner.layers] == ["bfloat16"] * 3
    assert last.compute_dtype == "float32"


def test_bfloat16_function_is_evaluated_in_float32(tmp_path: Path) -> None:
    recipe = recipe_of(lambda _: classifier(), tmp_path, "bfloat16")
    fitted = fit_recipe(recipe, DATASET, tmp_path / "run")
    inner, last = fitted.model.layers
    layers = [*inner.layers, last]
    assert {layer.compute_dtype for layer in layers} == {"float32"}
    assert {weight.dtype for weight in fitted.model.weights} == {"float32"}
    assert probabilities(fitted.model, DATASET.test).sum(axis=1) == pytest.approx(1)


class OwnClass(keras.Model):  # type: ignore[misc]
    def __init__(self, loss: Any, activation: str | None, **options: Any) -> None:
        super().__init__()
        self.last = keras.layers.Dense(3, activation, **options)
        self.flat = keras.layers.Flatten()
        self.compile("adam", loss, metrics=["accuracy"])

    def call(self, images: Any) -> Any:
        return self.last(self.flat(images))


def test_coarse_probabilities_are_refused(tmp_path: Path) -> None:
    coarse = recipe_of(
        lambda _: OwnClass("categorical_crossentropy", "softmax"), tmp_path, "bfloat16"
    )
    with pytest.raises(FunctionError):
        prepared_precision(coarse, "bfloat16")
    fine = recipe_of(
        lambda _: OwnClass("categorical_crossentropy", "softmax", dtype="float32"),
        tmp_path,
        "bfloat16",
    )
    assert prepared_precision(fine, "bfloat16") == "bfloat16"


def test_coarse_probabilities_are_measured_as_float32(
    measurements: Measurements, tmp_path: Path
) -> None:
    recipe = recipe_of(
        lambda _: OwnClass("categorical_crossentropy", "softmax"), tmp_path, "measured"
    )
    assert choose_arithmetic(recipe, DATASET).precision == "float32"
    assert measurements.num_calls == 0


@pytest.mark.parametrize("name", ["float32", "bfloat16", "measured"])
def test_function_with_its_own_policy_refuses_another(tmp_path: Path, name: str) -> None:
    own = "float32" if name == "bfloat16" else "mixed_bfloat16"

    def build_model(hp: Any) -> Any:
        keras.config.set_dtype_policy(own)
        return classifier(keras.layers.Dense(3, "softmax", dtype="float32"))

    with pytest.raises(FunctionError):
        prepared_precision(
            recipe_of(build_model, tmp_path, name),
            "bfloat16" if name == "bfloat16" else "float32",
        )


@pytest.mark.parametrize("sparse", [False, True])
def test_measure_takes_a_step_of_a_model_function(tmp_path: Path, sparse: bool) -> None:
    loss: Any = "categorical_crossentropy"
    if sparse:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    last = None if sparse else "softmax"
    recipe = recipe_of(
        lambda _: classifier(keras.layers.Dense(3, last), loss=loss), tmp_path, "measured"
    )
    policies = ("float32", "mixed_bfloat16")
    seconds = measure(*(trainee(recipe, DATASET, policy) for policy in policies))
    assert seconds.speedup > 0
