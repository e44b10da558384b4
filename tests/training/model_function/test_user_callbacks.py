"""A user's callbacks over the pauses of a recipe's training, and for each of its batches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from eyetune.errors import UsageError
from eyetune.recipe import Recipe
from eyetune.testing.datasets import tiny_dataset
from eyetune.training.evaluate import probabilities
from eyetune.training.fit import Ending, Fitted
from eyetune.training.model_function.user_callbacks import check_same, description
from tests.training.fitting import fit_recipe

DATASET = tiny_dataset(size=8)
SMALL = Recipe().with_(
    {
        "model.blocks": [4],
        "model.dense": [8],
        "fit.batch_size": 16,
        "fit.epochs": 4,
        "optimizer.learning_rate": 0.3,
    }
)


class Seen(keras.callbacks.Callback):  # type: ignore[misc]
    """Keeps what it was called for."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.epochs: list[int] = []

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002
        self.calls.append("begin")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        assert set(logs) == {"loss", "accuracy", "val_loss", "val_accuracy"}
        self.epochs.append(epoch)

    def on_train_end(self, logs: Any = None) -> None:  # noqa: ARG002
        self.calls.append("end")


class Slowing(keras.callbacks.Callback):  # type: ignore[misc]
    """Changes what is learned, by its state and at random."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        self.count += 1
        self.model.optimizer.learning_rate = 0.01 * float(np.random.random_sample()) / self.count


def stopping() -> list[Any]:
    return [keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True), Seen()]


def slowing() -> list[Any]:
    return [Slowing(), keras.callbacks.ReduceLROnPlateau(patience=1, min_delta=0.5)]


def train(folder: Path, recipe: Recipe, callbacks: list[Any], **options: Any) -> Fitted:
    return fit_recipe(recipe, DATASET, folder, callbacks=callbacks, **options)


def metrics(fitted: Fitted) -> list[tuple[float, ...]]:
    return [(one.value("loss"), one.value("val_loss"), one.learning_rate) for one in fitted.history]


@pytest.mark.parametrize(("made", "epochs"), [(stopping, 40), (slowing, 3)])
def test_fit_with_pauses_and_callbacks_equals_one_without(
    tmp_path: Path, made: Callable[[], list[Any]], epochs: int
) -> None:
    recipe = SMALL.with_(fit__epochs=epochs)
    whole = train(tmp_path / "whole", recipe, made())
    for stop_after in range(2, epochs + 2, 2):
        part = train(
            tmp_path / "parts", recipe, made(), resume=True, stop_after=min(stop_after, epochs)
        )
        if part.ending is Ending.COMPLETE:
            break
    assert metrics(part) == metrics(whole)
    assert part.kept_epoch == whole.kept_epoch
    for mine, theirs in zip(part.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_early_stopping_restores_its_best_weights(tmp_path: Path) -> None:
    callbacks = stopping()
    notes: list[str] = []
    fitted = train(tmp_path, SMALL.with_(fit__epochs=40), callbacks, on_note=notes.append)
    losses = [epoch.value("val_loss") for epoch in fitted.history]
    best = losses.index(min(losses)) + 1
    assert fitted.ending is Ending.COMPLETE
    assert fitted.kept_epoch == best == len(losses) - 2 < 38
    right = (
        probabilities(fitted.model, DATASET.validation).argmax(axis=1) == DATASET.validation.labels
    )
    assert right.mean() == pytest.approx(fitted.history[best - 1].val_accuracy)
    _, seen = callbacks
    assert seen.calls == ["begin", "end"]
    assert seen.epochs == list(range(len(losses)))
    assert len(notes) == 1


def test_recipe_that_keeps_its_best_overrides_callbacks(tmp_path: Path) -> None:
    recipe = SMALL.with_(fit__keep_best=True, fit__monitor="val_accuracy", fit__epochs=6)
    fitted = train(tmp_path, recipe, stopping())
    accuracies = [epoch.value("val_accuracy") for epoch in fitted.history]
    assert fitted.kept_epoch == accuracies.index(max(accuracies)) + 1


def test_callback_that_watches_batches_sees_each_one(tmp_path: Path) -> None:
    batches: list[int] = []

    def seen(batch: int, logs: Any = None) -> None:
        batches.append(batch)

    watcher = keras.callbacks.LambdaCallback(on_train_batch_end=seen)
    recipe = SMALL.with_(fit__batch_size=3, fit__epochs=1)  # two batches at once without it
    fitted = train(tmp_path / "watched", recipe, [watcher])
    assert batches == list(range(20))
    other = train(tmp_path / "other", recipe, [])
    assert fitted.history[0].loss == pytest.approx(other.history[0].loss, rel=1e-4)


def test_interrupted_training_does_not_end_for_callbacks(tmp_path: Path) -> None:
    def interrupt(position: Any) -> None:
        if position.epoch == 2:
            raise KeyboardInterrupt

    seen = Seen()
    fitted = train(tmp_path, SMALL, [seen], on_progress=interrupt)
    assert fitted.ending is Ending.INTERRUPTED
    assert (seen.calls, seen.epochs) == (["begin"], [0])


def test_check_same_compares_the_classes() -> None:
    before = [description(callback) for callback in stopping()]
    assert before[0].startswith("EarlyStopping(")
    assert "patience=2" in before[0]
    check_same(stopping(), before)
    check_same(stopping(), [])
    for others in ([], slowing(), stopping()[::-1]):
        with pytest.raises(UsageError):
            check_same(others, before)
