"""What happens between the batches and epochs of a fit: progress, divergence, checkpoints, early
stopping.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import keras

from eyetune.errors import DivergedError
from eyetune.recipe import FitSection, Recipe
from eyetune.training.lr_schedules import plateau_rate
from eyetune.values.history import Epoch, History, Progress, best_epoch


def should_stop(history: History, section: FitSection) -> bool:
    """Tell from the history alone whether training is over, so that a resumed run decides as an
    unbroken one.

    Keras's EarlyStopping counts inside itself and starts anew on each `fit`.

    Example:
        >>> losses = [2.0, 1.0, 1.5, 1.6]
        >>> history = tuple(Epoch(i + 1, 0, 0, loss, 0, 0, 0, 0) for i, loss in enumerate(losses))
        >>> should_stop(history, FitSection(early_stopping=2)), should_stop(history, FitSection(early_stopping=3))
        (True, False)
    """
    if len(history) >= section.total_epochs:
        return True
    best = best_epoch(history, section.monitor)
    return bool(
        section.early_stopping and best and len(history) - best.epoch >= section.early_stopping
    )


class EpochCallback(keras.callbacks.Callback):  # type: ignore[misc]
    """The one callback of a stage; `history` is what it saw, `set_epoch` tells the pipeline which
    epoch comes.

    Args:
        recipe: For epochs, batch size, early stopping, schedule and averaging.
        history: Epochs that were trained before.
        num_images: Training images of an epoch.
        save: Writes a checkpoint of the history so far; the second argument says whether it is the
            best to keep.
        on_epoch: Called with each epoch after its checkpoint is written.
        on_progress: Called after every few batches.
        stop_after: Epochs in the history after which to stop for now (None: only when training is
            over).
        accuracy: What the network calls its accuracy.
        validate: Measures on the validation images, asked where an epoch came without.
    """

    def __init__(
        self,
        recipe: Recipe,
        history: History,
        *,
        num_images: int,
        save: Callable[[History, bool], None],
        on_epoch: Callable[[Epoch], None],
        on_progress: Callable[[Progress], None],
        stop_after: int | None = None,
        accuracy: str = "accuracy",
        validate: Callable[[], Mapping[str, float]] = dict,
    ) -> None:
        super().__init__()
        self.recipe = recipe
        self.history = history
        self.num_images = num_images
        self.batch_size = recipe.fit.batch_size
        self.ended = False
        self.set_epoch: Callable[[int], None] = lambda _: None
        self._save = save
        self._on_epoch = on_epoch
        self._on_progress = on_progress
        self._stop_after = stop_after
        self._accuracy = accuracy
        self._validate = validate
        self._started_at = self._training_seconds = 0.0
        self._own_weights: list[Any] = []

    @property
    def finished(self) -> bool:
        """Whether no epoch is left to train, or a callback of the user's wants no more."""
        return self.ended or should_stop(self.history, self.recipe.fit)

    def finish(self, history: History) -> None:
        """Take a history of which no epoch came through here, and tell of its last epoch."""
        self.history = history
        self._on_epoch(history[-1])

    @property
    def stops(self) -> bool:
        """Whether no epoch is to be trained now: none is left, or so many were asked for."""
        return self.finished or (
            self._stop_after is not None and len(self.history) >= self._stop_after
        )

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Set the order of the images and, by the history, the rate."""
        self.set_epoch(len(self.history))
        if self.recipe.optimizer.schedule == "plateau":
            self.model.optimizer.learning_rate = plateau_rate(self.recipe.optimizer, self.history)
        self._started_at = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Tell the progress, and stop a training that diverged."""
        section, epoch = self.recipe.fit, len(self.history) + 1
        loss, accuracy = float(logs["loss"]), float(logs[self._accuracy])
        check_finite(self.recipe, epoch, loss, _learning_rate(self.model))
        self._training_seconds = seconds = time.perf_counter() - self._started_at
        images = min((batch + 1) * self.batch_size, self.num_images)
        self._on_progress(
            Progress(
                epoch,
                section.total_epochs,
                images,
                self.num_images,
                loss,
                accuracy,
                images / seconds,
            )
        )

    def on_test_begin(self, logs: Any = None) -> None:  # noqa: ARG002
        """With averaging, let validation judge the averaged weights, since they are what is kept."""
        if self.recipe.fit.weight_averaging:
            self._own_weights = self.model.get_weights()
            self.model.optimizer.finalize_variable_values(self.model.trainable_variables)

    def on_test_end(self, logs: Any = None) -> None:  # noqa: ARG002
        """Go on with the weights that training left."""
        if self.recipe.fit.weight_averaging:
            self.model.set_weights(self._own_weights)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Keep the epoch: checkpoint first, then history, then whoever listens."""
        logs = logs if "val_loss" in logs else {**logs, **self._validate()}
        done = Epoch(
            epoch=len(self.history) + 1,
            **named(logs, self._accuracy),
            learning_rate=_learning_rate(self.model),
            duration_seconds=time.perf_counter() - self._started_at,
            images_per_second=self.num_images / self._training_seconds,
        )
        for value in (done.val_loss, done.accuracy, done.val_accuracy):
            check_finite(self.recipe, done.epoch, value, done.learning_rate)
        so_far = (*self.history, done)
        self.ended = bool(self.model.stop_training)  # a callback before this one says so
        self._save(so_far, _is_best_to_keep(so_far, self.recipe.fit))
        self.history = so_far
        self._on_epoch(done)
        self.model.stop_training = self.stops


def named(logs: Mapping[str, Any], accuracy: str) -> dict[str, Any]:
    """Return what an epoch measured by the names of `Epoch`; what has no place of its own is among
    the others.

    Example:
        >>> named({"loss": 2.0, "acc": 0.1, "val_loss": 2.2, "val_acc": 0.2}, "acc")["others"]
        {'acc': 0.1, 'val_acc': 0.2}
    """
    metrics = {name: float(value) for name, value in logs.items()}
    known = {field.name for field in fields(Epoch)}
    return {
        "loss": metrics["loss"],
        "accuracy": metrics[accuracy],
        "val_loss": metrics["val_loss"],
        "val_accuracy": metrics[f"val_{accuracy}"],
        "others": {name: value for name, value in metrics.items() if name not in known},
    }


def _learning_rate(model: Any) -> float:
    """Return the optimizer's rate; 0 where it has none."""
    return float(getattr(model.optimizer, "learning_rate", 0.0))


def _is_best_to_keep(history: History, section: FitSection) -> bool:
    """Tell whether the last epoch is the one that training would end with if it were over now."""
    return returns_to_best(section) and best_epoch(history, section.monitor) is history[-1]


def returns_to_best(section: FitSection) -> bool:
    """Tell whether training ends with the weights of its best epoch, and not of its last."""
    return section.keep_best or (bool(section.early_stopping) and section.restore_best)


def check_finite(recipe: Recipe, epoch: int, loss: float, learning_rate: float) -> None:
    """Raise a DivergedError with what to try for this recipe, where a loss is not a number any
    more.
    """
    if math.isfinite(loss):
        return
    if recipe.model.has_function:
        tries = ["a smaller learning rate or clipped gradients in the model function"]
    else:
        tries = _tries(recipe, learning_rate)
    raise DivergedError(
        f"The loss became {loss:g} in epoch {epoch} at learning rate {learning_rate:g}: the training diverged.",
        expected="a finite loss",
        received=f"{loss:g}",
        fix=f"Try {', '.join(tries)}.",
    )


def _tries(recipe: Recipe, learning_rate: float) -> list[str]:
    tries = [f"a smaller rate (--learning-rate {learning_rate / 10:g})"]
    if not recipe.optimizer.clip_norm:
        tries.append("clipped gradients (--set optimizer.clip_norm=1)")
    if not recipe.model.batch_norm and not recipe.model.has_backbone:
        tries.append("batch normalization (--set model.batch_norm=true)")
    if recipe.fit.precision != "float32":
        tries.append("full precision (--set fit.precision=float32)")
    return tries
