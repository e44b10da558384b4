"""The callback of a training: progress, divergence, checkpoints and early stopping."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import keras

from eyetune.errors import DivergedError
from eyetune.models.keras_internals import learning_rate_of
from eyetune.recipe import FitSection, Recipe
from eyetune.training.lr_schedules import (
    MIN_LAST_EPOCH,
    plateau_rate,
    seconds_left,
    share_of_training,
    usual_epoch_seconds,
)
from eyetune.values.history import Epoch, History, Progress, best_epoch


def should_stop(history: History, section: FitSection) -> bool:
    """Return whether a training with this history is complete.

    The answer depends on the history alone, so that a resumed training decides like an
    uninterrupted one. Keras's EarlyStopping counts from zero in each `fit`.

    Example:
        >>> losses = [2.0, 1.0, 1.5, 1.6]
        >>> history = tuple(Epoch(i + 1, 0, 0, loss, 0, 0, 0, 0) for i, loss in enumerate(losses))
        >>> [should_stop(history, FitSection(early_stopping=epochs)) for epochs in (2, 3)]
        [True, False]
    """
    if len(history) >= section.total_epochs:
        return True
    if history and seconds_left(history, section) < MIN_LAST_EPOCH * usual_epoch_seconds(history):
        return True
    if not section.early_stopping or not history:
        return False
    best = _best_so_far(history, section.monitor)
    return len(history) - best.epoch >= section.early_stopping


class EpochCallback(keras.callbacks.Callback):  # type: ignore[misc]
    """Records epochs, writes checkpoints, and stops a training that is complete or diverged.

    Args:
        recipe: For epochs, batch size, early stopping, schedule and averaging.
        history: Epochs that were trained before.
        num_images: Training images in an epoch.
        save: Writes a checkpoint with the given history; the second argument is whether its last
            epoch is the best so far.
        on_epoch: Called with each epoch after its checkpoint is written.
        on_progress: Called after every few batches.
        stop_after: Number of epochs in the history at which to pause (None: never).
        accuracy: Name of the network's accuracy metric; None if it has none.
        validate: Measures the validation images, if Keras did not do it in this epoch. Returns
            nothing if there are none.

    Attributes:
        history: All epochs so far.
        batch_size: Images in each call of Keras's `train_function`.
        ended: Whether a callback of the user stopped the training.
        set_epoch: Called with the index of each epoch before it starts.
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
        accuracy: str | None = "accuracy",
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
        self._started_at = 0.0
        self._training_seconds = 0.0
        self._own_weights: list[Any] = []

    @property
    def finished(self) -> bool:
        """Whether the training is complete, or a callback of the user stopped it."""
        return self.ended or should_stop(self.history, self.recipe.fit)

    @property
    def stops(self) -> bool:
        """Whether the training is finished, or is to pause now."""
        if self.finished:
            return True
        return self._stop_after is not None and len(self.history) >= self._stop_after

    def finish(self, history: History) -> None:
        """Take over a history that was trained without this callback, and report its last epoch."""
        self.history = history
        self._on_epoch(history[-1])

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Set the order of the images, and a learning rate that depends on the history."""
        self.set_epoch(len(self.history))
        if self.recipe.optimizer.schedule == "plateau":
            self.model.optimizer.learning_rate = plateau_rate(self.recipe.optimizer, self.history)
        schedule = learning_rate_of(self.model.optimizer)
        if self.recipe.fit.seconds and hasattr(schedule, "begin_epoch"):
            shares = share_of_training(self.history, self.recipe.fit)
            schedule.begin_epoch(int(self.model.optimizer.iterations), *shares)
        self._started_at = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Report progress, and stop a training that diverged."""
        section, epoch = self.recipe.fit, len(self.history) + 1
        loss, accuracy = (
            float(logs[name]) if name in logs else None for name in ("loss", self._accuracy)
        )
        if loss is not None:
            check_finite(self.recipe, epoch, loss, self.model)
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
        """With weight averaging, validate the average, which is what is kept."""
        if self.recipe.fit.weight_averaging:
            self._own_weights = self.model.get_weights()
            self.model.optimizer.finalize_variable_values(self.model.trainable_variables)

    def on_test_end(self, logs: Any = None) -> None:  # noqa: ARG002
        """With weight averaging, continue with the weights from before the validation."""
        if self.recipe.fit.weight_averaging:
            self.model.set_weights(self._own_weights)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Keep the epoch: write its checkpoint, add it to the history, then report it."""
        logs = logs if "val_loss" in logs else {**logs, **self._validate()}
        done = Epoch(
            epoch=len(self.history) + 1,
            **named(logs, self._accuracy),
            learning_rate=_learning_rate(self.model),
            duration_seconds=time.perf_counter() - self._started_at,
            images_per_second=self.num_images / self._training_seconds,
        )
        for value in (done.val_loss, done.accuracy, done.val_accuracy):
            if value is not None:
                check_finite(self.recipe, done.epoch, value, self.model)
        history = (*self.history, done)
        self.ended = bool(self.model.stop_training)  # set by a callback before this one
        self._save(history, _is_best_to_keep(history, self.recipe.fit))
        self.history = history
        self._on_epoch(done)
        self.model.stop_training = self.stops


def named(logs: Mapping[str, Any], accuracy: str | None) -> dict[str, Any]:
    """Return the metrics of an epoch by the names of `Epoch`; other metrics go into `others`.

    Args:
        logs: Metrics as Keras names them.
        accuracy: Keras's name of the accuracy; None if there is none.

    Example:
        >>> logs = {"loss": 2.0, "acc": 0.1, "val_loss": 2.2, "val_acc": 0.2}
        >>> named(logs, "acc")["accuracy"], named(logs, "acc")["others"]
        (0.1, {'acc': 0.1, 'val_acc': 0.2})
        >>> named({"own_score": 2.0}, None)["loss"] is None  # a train_step of the user's own
        True
    """
    metrics = {name: float(value) for name, value in logs.items()}
    field_names = {field.name for field in fields(Epoch)}
    return {
        "loss": metrics.get("loss"),
        "accuracy": metrics.get(accuracy or ""),
        "val_loss": metrics.get("val_loss"),
        "val_accuracy": metrics.get(f"val_{accuracy}"),
        "others": {name: value for name, value in metrics.items() if name not in field_names},
    }


def _learning_rate(model: Any) -> float:
    """Return the optimizer's learning rate; 0 if it has none."""
    return float(getattr(model.optimizer, "learning_rate", 0.0))


def _is_best_to_keep(history: History, section: FitSection) -> bool:
    """Return whether the last epoch would be kept if the training ended now, as the best one."""
    counted = section.counted(history)
    return returns_to_best(section) and _best_so_far(counted, section.monitor) is history[-1]


def _best_so_far(history: History, monitor: str) -> Epoch:
    """Return the best epoch; the last one for a metric that a user's `fit` returns at its end."""
    try:
        best = best_epoch(history, monitor)
    except KeyError:
        best = None
    return best or history[-1]


def returns_to_best(section: FitSection) -> bool:
    """Return whether a training ends with the weights of its best epoch, not of its last."""
    return section.keep_best or (bool(section.early_stopping) and section.restore_best)


def check_finite(recipe: Recipe, epoch: int, loss: float, model: keras.Model) -> None:
    """Check that a loss or metric is finite.

    Args:
        recipe: For suggestions that fit it.
        epoch: The current epoch, from 1.
        loss: The value to check.
        model: The network that is trained.

    Raises:
        DivergedError: The value is NaN or infinite.
    """
    if math.isfinite(loss):
        return
    learning_rate = _learning_rate(model)
    raise DivergedError(
        f"The training diverged: the loss became {loss:g} in epoch {epoch} at learning rate "
        f"{learning_rate:g}.",
        expected="a finite loss",
        received=f"{loss:g}",
        fix=f"Try {', '.join(_suggestions(recipe, learning_rate, model))}.",
    )


def _suggestions(recipe: Recipe, learning_rate: float, model: keras.Model) -> list[str]:
    is_float32 = all(layer.compute_dtype == "float32" for layer in model.layers)
    full_precision = [] if is_float32 else ["full precision (--set fit.precision=float32)"]
    if recipe.model.has_function:
        return [
            "a smaller learning rate or gradient clipping in the model function",
            *full_precision,
        ]
    suggestions = [f"a smaller learning rate (--learning-rate {learning_rate / 10:g})"]
    if not recipe.optimizer.clip_norm:
        suggestions.append("gradient clipping (--set optimizer.clip_norm=1)")
    if not recipe.model.batch_norm and not recipe.model.has_backbone:
        suggestions.append("batch normalization (--set model.batch_norm=true)")
    return [*suggestions, *full_precision]
