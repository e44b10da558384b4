"""The steps of a range test: those of a real training, each at its own rate."""

from __future__ import annotations

import math
from itertools import islice
from typing import Any

import keras
import numpy as np
import pytest

from eyetune.analysis.learning_rates import rising_rates
from eyetune.data import Dataset, Split
from eyetune.errors import DataError
from eyetune.recipe import Recipe
from eyetune.testing.datasets import tiny_dataset
from eyetune.training.precision import Arithmetic
from eyetune.training.range_test import batches_per_epoch, step_losses
from tests.training.fitting import fit_recipe

DATASET = tiny_dataset()
SMALL = Recipe().with_(
    {"model.blocks": [4], "model.dense": [8], "fit.batch_size": 16, "fit.epochs": 3}
)


def losses(recipe: Recipe, rates: list[float], dataset: Dataset = DATASET) -> list[float]:
    return list(step_losses(recipe, dataset, rates, seed=0, arithmetic=Arithmetic("float32")))


def test_step_losses_at_a_fixed_rate_are_those_of_fit(tmp_path: Any) -> None:
    recipe = SMALL.with_(augment__flip=True, augment__noise=0.05, fit__class_weight="balanced")
    fitted = fit_recipe(recipe, DATASET, tmp_path)
    found = losses(recipe, [recipe.optimizer.learning_rate] * 12)
    sizes = [16, 16, 16, 12]  # 60 images in batches of 16
    means = [np.average(found[4 * epoch : 4 * epoch + 4], weights=sizes) for epoch in range(3)]
    assert means == pytest.approx([epoch.loss for epoch in fitted.history], rel=1e-4)


def test_each_step_has_its_rate_and_no_schedule_interferes(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []
    train = keras.Model.train_on_batch

    def spy(self: keras.Model, *words: Any, **options: Any) -> Any:
        seen.append(float(self.optimizer.learning_rate))
        return train(self, *words, **options)

    monkeypatch.setattr(keras.Model, "train_on_batch", spy)
    recipe = SMALL.with_(optimizer__schedule="one_cycle", optimizer__warmup_epochs=1)
    rates = rising_rates(1e-5, 1.0, 20)
    losses(recipe, rates)
    assert seen == pytest.approx(rates)


def test_step_losses_train_lazily_and_reuse_images() -> None:
    steps = step_losses(SMALL, DATASET, [1e-3] * 100, seed=0, arithmetic=Arithmetic("float32"))
    assert len(list(islice(steps, 9))) == 9  # more than two passes of four batches
    assert batches_per_epoch(SMALL, DATASET) == 4
    assert batches_per_epoch(SMALL.with_(augment__flip=True, augment__copies=2), DATASET) == 12


@pytest.mark.parametrize(
    "edits",
    [
        {"optimizer.name": "lion", "loss.name": "categorical_focal_crossentropy"},
        {"optimizer.name": "muon", "fit.weight_averaging": 0.9, "optimizer.schedule": "plateau"},
    ],
)
def test_other_optimizers_and_losses_are_tested_alike(edits: dict[str, Any]) -> None:
    found = losses(SMALL.with_(edits), rising_rates(1e-6, 0.1, 5))
    assert len(found) == 5
    assert all(map(math.isfinite, found))


def test_step_losses_may_be_nan() -> None:
    recipe = SMALL.with_({"optimizer.name": "sgd", "model.activation": "linear"})
    assert not math.isfinite(losses(recipe, [100.0] * 60)[-1])


def test_step_losses_use_only_training_images() -> None:
    class Forbidden(Split):
        def __len__(self) -> int:
            raise AssertionError("looked at")

    nothing = Forbidden(DATASET.test.images, DATASET.test.labels)
    hidden = Dataset("tiny", "tiny", DATASET.class_names, DATASET.train, nothing, nothing, "hidden")
    assert len(losses(SMALL, [1e-3] * 2, hidden)) == 2


def test_batch_larger_than_the_data_is_rejected() -> None:
    with pytest.raises(DataError):
        losses(SMALL.with_(fit__batch_size=100), [1e-3])
