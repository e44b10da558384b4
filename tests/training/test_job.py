"""Jobs: what a worker tells while it trains, and what it returns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eyetune.errors import RunBusyError
from eyetune.recipe import Recipe
from eyetune.testing.datasets import tiny_dataset
from eyetune.training.job import Job, inspect, work

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
