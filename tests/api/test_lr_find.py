"""The search for a learning rate."""

from __future__ import annotations

import numpy as np
import pytest

import eyetune as et
from eyetune.testing.datasets import tiny_dataset

SMALL = et.Recipe().with_(
    {"model.blocks": [4], "model.dense": [8], "fit.epochs": 3, "fit.batch_size": 16}
)


def test_find_learning_rate_records_nothing() -> None:
    recipe = SMALL.with_(optimizer__schedule="cosine", data__train_on_validation=True)
    test = et.find_learning_rate(recipe, tiny_dataset(), largest=1.0, steps=60, progress=False)
    assert test.suggestion is not None
    assert 1e-4 < test.suggestion < 0.1
    assert len(test.rates) == len(test.losses) == len(test.smoothed) <= 60
    assert et.Workspace().runs.all() == []
    again = et.find_learning_rate(recipe, tiny_dataset(), largest=1.0, steps=60, progress=False)
    assert again.losses.tolist() == test.losses.tolist()


def test_find_learning_rate_takes_fewer_steps_on_small_data(
    capfd: pytest.CaptureFixture[str],
) -> None:
    test = et.find_learning_rate(SMALL, tiny_dataset())
    assert test.num_steps == 50
    errors = capfd.readouterr().err
    assert "Range test of adam on tiny: 50 steps" in errors
    assert "step  5/50" in errors


def test_find_learning_rate_ends_when_the_loss_diverges() -> None:
    recipe = SMALL.with_({"optimizer.name": "sgd", "model.activation": "linear"})
    test = et.find_learning_rate(recipe, tiny_dataset(), largest=100.0, steps=80, progress=False)
    assert test.diverged
    assert np.isfinite(test.losses).all()
    assert "diverged" in test.rows()["steps"]


def test_find_learning_rate_starts_from_the_weights_of_a_run() -> None:
    start = et.train(SMALL, tiny_dataset(), name="start", progress=False, plots=False)
    losses = [
        et.find_learning_rate(
            SMALL.with_(model__initial_weights=name), tiny_dataset(), steps=20, progress=False
        ).losses[0]
        for name in ("start", "")
    ]
    assert start.recipe.model.initial_weights == ""
    assert losses[0] != losses[1]
