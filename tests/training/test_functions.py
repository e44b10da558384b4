"""A model function as what a recipe trains: exact over pauses, with the user's own callbacks and `fit`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
import pytest

from eyetune.data import Dataset
from eyetune.history import Epoch
from eyetune.models.functions import keep
from eyetune.recipe import Recipe
from eyetune.testing import tiny_dataset
from eyetune.training.backend import choose_arithmetic
from eyetune.training.evaluate import probabilities
from eyetune.training.fit import Ending, Fitted, fit

DATASET = tiny_dataset(size=8)
ARITHMETIC = choose_arithmetic("float32")


def network(
    units: int = 4,
    rate: float = 0.01,
    *,
    loss: Any = "categorical_crossentropy",
    metrics: Any = ("accuracy",),
    last: str | None = "softmax",
    shape: tuple[int, ...] = (8, 8, 3),
) -> Any:
    model = keras.Sequential(
        [
            keras.Input(shape),
            keras.layers.Flatten(),
            keras.layers.Dense(units, "relu"),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(3, last),
        ]
    )
    model.compile(keras.optimizers.Adam(rate), loss, metrics=list(metrics))
    return model


def simple(hp: Any) -> Any:
    return network(hp.Int("units", 4, 16, step=4), hp.Choice("rate", [0.01, 0.001]))


def recipe_of(function: Any, folder: Path, arguments: Mapping[str, Any] | None = None, /, **edits: Any) -> Recipe:
    word = keep(function, folder / "functions", arguments)
    return Recipe().with_({"model": {"function": word}, "fit.epochs": 3, "fit.batch_size": 16}).with_(**edits)


def train(folder: Path, recipe: Recipe, dataset: Dataset = DATASET, **options: Any) -> Fitted:
    folder.mkdir(exist_ok=True)
    return fit(recipe, dataset, folder, seed=0, arithmetic=ARITHMETIC, **options)


def train_in_parts(folder: Path, recipe: Recipe, dataset: Dataset = DATASET) -> Fitted:
    """Train with a pause after every epoch, and go on from the checkpoint each time."""
    for stop_after in range(1, recipe.fit.epochs + 2):
        fitted = train(folder, recipe, dataset, resume=True, stop_after=stop_after)
        if fitted.ending is Ending.COMPLETE:
            return fitted
        assert (fitted.ending, len(fitted.history), fitted.kept_epoch) == (Ending.PAUSED, stop_after, stop_after)
    raise AssertionError("it never ended")


def metrics(fitted: Fitted) -> list[tuple[float, ...]]:
    return [
        (epoch.loss, epoch.accuracy, epoch.val_loss, epoch.val_accuracy, epoch.learning_rate, *epoch.others.values())
        for epoch in fitted.history
    ]


def assert_equal(one: Fitted, other: Fitted) -> None:
    assert metrics(one) == metrics(other)
    assert one.kept_epoch == other.kept_epoch
    for mine, theirs in zip(one.model.get_weights(), other.model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert one.hyperparameters == other.hyperparameters
    assert one.space == other.space


def test_a_function_is_trained_with_the_values_of_its_hyperparameters(tmp_path: Path) -> None:
    recipe = recipe_of(simple, tmp_path, model__hyperparameters={"units": 8}, fit__epochs=8)
    seen: list[Epoch] = []
    fitted = train(tmp_path / "run", recipe, on_epoch=seen.append)
    assert fitted.ending is Ending.COMPLETE
    assert tuple(seen) == fitted.history
    assert fitted.history[-1].val_loss < fitted.history[0].val_loss
    assert all(epoch.learning_rate == pytest.approx(0.01) for epoch in fitted.history)
    assert fitted.hyperparameters == {"units": 8, "rate": 0.01}
    assert fitted.space.names == ("units", "rate")
    assert fitted.model.layers[1].units == 8
    right = probabilities(fitted.model, DATASET.validation).argmax(axis=1) == DATASET.validation.labels
    assert right.mean() == pytest.approx(fitted.history[-1].val_accuracy)


def test_the_images_are_those_of_any_other_training_in_their_order(tmp_path: Path) -> None:
    from eyetune.models.build import build

    plain = Recipe().with_({"model.blocks": [4], "model.dense": [], "fit.epochs": 2, "fit.batch_size": 16})

    def same(hp: Any) -> Any:
        model = build(plain.model, (8, 8, 3), 3)
        model.compile(keras.optimizers.Adam(0.001), "categorical_crossentropy", metrics=["accuracy"])
        return model

    mine = train(tmp_path / "function", recipe_of(same, tmp_path, fit__epochs=2))
    assert metrics(mine) == metrics(train(tmp_path / "recipe", plain))


PATIENT = {"monitor": "val_loss", "patience": 2}


class Counting(keras.callbacks.Callback):  # type: ignore[misc]
    """Changes what is learned by what it counted so far."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.seen = np.zeros(2)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        self.count += 1
        self.seen = self.seen + np.array([epoch, 1])
        self.model.optimizer.learning_rate = 0.01 / (self.count + self.seen[1])


def schedule(hp: Any) -> Any:
    decay = keras.optimizers.schedules.ExponentialDecay(0.01, 4, 0.9)
    return network(rate=decay)  # type: ignore[arg-type]


def averaged(hp: Any) -> Any:
    model = network()
    model.compile(
        keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.8), "categorical_crossentropy", metrics=["accuracy"]
    )
    return model


class OwnFit(keras_tuner.HyperModel):  # type: ignore[misc]
    def build(self, hp: Any) -> Any:
        return network(hp.Int("units", 4, 8))

    def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        return model.fit(*args, batch_size=hp.Choice("batch_size", [8, 16]), epochs=hp.Int("epochs", 2, 4), **kwargs)


class OwnImages(keras_tuner.HyperModel):  # type: ignore[misc]
    def build(self, hp: Any) -> Any:
        return averaged(hp)

    def fit(self, hp: Any, model: Any, x: Any, y: Any, validation_data: Any, **kwargs: Any) -> Any:
        shift = hp.Float("shift", 0.5, 1.0)
        assert 0 < float(np.max(x)) <= 1
        return model.fit(x - shift, y, validation_data=(validation_data[0] - shift, validation_data[1]), **kwargs)


class TwoCalls(keras_tuner.HyperModel):  # type: ignore[misc]
    def build(self, hp: Any) -> Any:  # noqa: ARG002
        return network()

    def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG002
        kwargs.pop("epochs")
        model.layers[1].trainable = False
        model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
        model.fit(*args, epochs=2, **kwargs)
        model.layers[1].trainable = True
        model.compile("sgd", "categorical_crossentropy", metrics=["accuracy"])
        return model.fit(*args, epochs=2, **kwargs)


@pytest.mark.parametrize(
    ("function", "arguments", "epochs"),
    [
        (simple, {}, 3),
        (simple, {"callbacks": [keras.callbacks.EarlyStopping(restore_best_weights=True, **PATIENT), Counting()]}, 9),
        (simple, {"callbacks": [keras.callbacks.ReduceLROnPlateau(patience=1, min_delta=0.5), Counting()]}, 4),
        (schedule, {}, 3),
        (averaged, {}, 3),
        (OwnFit, {}, 3),
        (OwnImages(), {}, 3),
        (TwoCalls, {}, 5),
    ],
    ids=["simple", "early", "plateau", "schedule", "averaged", "own fit", "own images", "two calls"],
)
def test_a_training_in_parts_equals_one_in_a_piece_bit_for_bit(
    tmp_path: Path, function: Any, arguments: dict[str, Any], epochs: int
) -> None:
    recipe = recipe_of(function, tmp_path, arguments, fit__epochs=epochs)
    whole = train(tmp_path / "whole", recipe)
    assert whole.ending is Ending.COMPLETE
    assert_equal(whole, train_in_parts(tmp_path / "parts", recipe))
    assert_equal(whole, train(tmp_path / "whole", recipe, resume=True))
