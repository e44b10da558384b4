"""Jobs: what a worker tells while it trains, and what it returns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eyetune.data.split import stratified_part
from eyetune.device.boards.profiles import load_board
from eyetune.device.export import tflm
from eyetune.device.export.int8_accuracy import Int8Task
from eyetune.device.export.int8_values import accuracy
from eyetune.device.export.quantize import quantize
from eyetune.device.export.tflm import MicroInterpreter
from eyetune.errors import RunBusyError
from eyetune.recipe import Recipe
from eyetune.testing.datasets import tiny_dataset
from eyetune.training.job import Job, inspect, work
from eyetune.training.model_files import load_classifier

SMALL = {"model.blocks": [4], "model.dense": [8], "fit.batch_size": 16, "fit.epochs": 2}


MODEL = """
import keras

{policy}


def build_model(hp):
    layers = [keras.layers.Flatten(), keras.layers.Dense(3, "softmax", dtype="float32")]
    model = keras.Sequential([keras.Input((16, 16, 3)), *layers])
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return model
"""


def test_work_trains_saves_and_classifies(tmp_path: Path) -> None:
    dataset, recipe = tiny_dataset(), Recipe().with_(SMALL)
    told: list[int] = []
    job = Job(recipe, tmp_path, 0, "float32", splits=("validation",))
    outcome = work(job, dataset, on_epoch=lambda one: told.append(one.epoch))
    assert told == [1, 2]
    assert outcome.kept_epoch == 2
    assert set(outcome.predictions) == {"validation"}
    probabilities, labels = outcome.predictions["validation"]
    assert probabilities.shape == (20, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert labels.tolist() == dataset.validation.labels.tolist()
    assert (tmp_path / "model.keras").exists()


@pytest.mark.skipif(not tflm.is_available(), reason="tflite-micro has no wheel for this platform")
def test_work_measures_int8_at_each_pause(tmp_path: Path) -> None:
    """With the saved network, the same conversion and images give the same accuracy."""
    dataset, recipe = tiny_dataset(), Recipe().with_(SMALL)
    job = Job(recipe, tmp_path, 0, "float32", splits=("validation",), int8=Int8Task(12))
    paused = work(replace(job, stop_after=1), dataset)
    assert paused.int8 is not None
    assert not paused.is_over
    int8 = work(job, dataset).int8
    assert int8 is not None
    assert int8.num_images == 12
    content = quantize(load_classifier(tmp_path / "model.keras"), dataset.train.images)
    part = stratified_part(dataset.validation, 12)
    assert part.class_counts(3).tolist() == [4, 4, 4]
    scores = MicroInterpreter(content).scores(part.images)
    assert int8.accuracy == accuracy(scores, part.labels)
    assert int8.interpreter == tflm.version()


def test_inspect_judges_a_network_for_a_board() -> None:
    board = load_board("esp-eye")
    costs = inspect(Recipe().with_(SMALL), tiny_dataset(), with_footprint=True, board=board).costs
    assert costs["fps"] == pytest.approx(1000 / costs["latency_ms"])
    assert costs["latency_error_ms"] == pytest.approx(0.35 * costs["latency_ms"])
    gelu = Recipe().with_({**SMALL, "model.activation": "gelu"})
    inspection = inspect(gelu, tiny_dataset(), with_footprint=True, board=board)
    assert inspection.error is None
    assert any("GELU" in obstacle for obstacle in inspection.obstacles)
    assert not inspect(gelu, tiny_dataset(), with_footprint=True).obstacles


def test_two_processes_do_not_work_in_one_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from filelock import FileLock

    monkeypatch.setattr("eyetune.training.job.ORPHAN_SECONDS", 0.2)
    with FileLock(tmp_path / "work.lock"), pytest.raises(RunBusyError):
        work(Job(Recipe().with_(SMALL), tmp_path, 0, "float32"), tiny_dataset())


def test_inspect_returns_the_network_or_the_error() -> None:
    good = inspect(Recipe().with_(SMALL), tiny_dataset())
    assert good.network is not None
    assert good.network.parameters == 4 * 28 + 7 * 7 * 4 * 8 + 8 + 8 * 3 + 3
    assert good.precision in ("float32", "bfloat16")
    bad = inspect(Recipe().with_({"model.blocks": [4, 4, 4, 4]}), tiny_dataset())
    assert bad.network is None
    assert "shrinks its images to nothing" in str(bad.error)


@pytest.mark.parametrize(
    ("policy", "precision"),
    [("", "float32"), ('keras.config.set_dtype_policy("mixed_bfloat16")', "bfloat16")],
)
def test_inspect_returns_the_precision_of_a_model_function(
    tmp_path: Path, policy: str, precision: str
) -> None:
    path = tmp_path / "model.py"
    path.write_text(MODEL.format(policy=policy), encoding="utf-8")
    inspection = inspect(Recipe().with_({"model.function": f"{path}:build_model"}), tiny_dataset())
    assert (inspection.error, inspection.precision) == (None, precision)
