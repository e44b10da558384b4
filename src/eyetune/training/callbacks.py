"""What happens between the batches and epochs of a fit: progress, divergence, checkpoints, early stopping."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, Protocol

from eyetune.errors import DivergedError
from eyetune.history import Epoch, History, Progress, best_epoch
from eyetune.recipe import FitSection, Recipe


class Watcher(Protocol):
    """The callback for Keras, and what it saw."""

    callback: Any
    history: History

    @property
    def finished(self) -> bool:
        """Whether no epoch is left to train."""


def should_stop(history: History, section: FitSection) -> bool:
    """Tell from the history alone whether training is over, so that a resumed run decides as an unbroken one.

    Keras's EarlyStopping counts inside itself and starts anew on each `fit`.

    Example:
        >>> losses = [2.0, 1.0, 1.5, 1.6]
        >>> history = tuple(Epoch(i + 1, 0, 0, loss, 0, 0, 0, 0) for i, loss in enumerate(losses))
        >>> should_stop(history, FitSection(early_stopping=2)), should_stop(history, FitSection(early_stopping=3))
        (True, False)
    """
    if len(history) >= section.epochs:
        return True
    best = best_epoch(history, section.monitor)
    return bool(section.early_stopping and best and len(history) - best.epoch >= section.early_stopping)


def epoch_callback(
    recipe: Recipe,
    history: History,
    *,
    num_images: int,
    set_epoch: Callable[[int], None],
    save: Callable[[History, bool], None],
    on_epoch: Callable[[Epoch], None],
    on_progress: Callable[[Progress], None],
) -> Watcher:
    """Return the one callback of a fit (Keras's base class is imported late, so its child is made here).

    Args:
        recipe: For epochs, batch size and early stopping.
        history: Epochs that were trained before.
        num_images: Training images of an epoch.
        set_epoch: Tells the pipeline which epoch comes.
        save: Writes a checkpoint of the history so far; the second argument says whether it is the best to keep.
        on_epoch: Called with each epoch after its checkpoint is written.
        on_progress: Called after every few batches.
    """
    import keras

    section = recipe.fit

    class EpochCallback(keras.callbacks.Callback):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.history: History = history
            self.callback = self
            self.started = self.trained = 0.0

        @property
        def finished(self) -> bool:
            return should_stop(self.history, section)

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
            set_epoch(epoch)
            self.started = time.perf_counter()

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            loss, accuracy = float(logs["loss"]), float(logs["accuracy"])
            epoch = len(self.history) + 1
            if not math.isfinite(loss):
                raise diverged(recipe, epoch, loss, _learning_rate(self.model))
            self.trained = time.perf_counter() - self.started
            images = min((batch + 1) * section.batch_size, num_images)
            on_progress(Progress(epoch, section.epochs, images, num_images, loss, accuracy, images / self.trained))

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            done = Epoch(
                epoch=epoch + 1,
                loss=float(logs["loss"]),
                accuracy=float(logs["accuracy"]),
                val_loss=float(logs["val_loss"]),
                val_accuracy=float(logs["val_accuracy"]),
                learning_rate=_learning_rate(self.model),
                duration_seconds=time.perf_counter() - self.started,
                images_per_second=num_images / self.trained,
            )
            if not math.isfinite(done.val_loss):
                raise diverged(recipe, done.epoch, done.val_loss, done.learning_rate)
            so_far = (*self.history, done)
            keep_best = bool(section.early_stopping) and section.restore_best
            save(so_far, keep_best and best_epoch(so_far, section.monitor) is done)
            self.history = so_far
            on_epoch(done)
            self.model.stop_training = self.finished

    return EpochCallback()


def _learning_rate(model: Any) -> float:
    return float(model.optimizer.learning_rate)


def diverged(recipe: Recipe, epoch: int, loss: float, learning_rate: float) -> DivergedError:
    """Build the error for a loss that is not a number any more, with what to try for this recipe."""
    tries = [f"a smaller rate (--learning-rate {learning_rate / 10:g})"]
    if not recipe.optimizer.clip_norm:
        tries.append("clipped gradients (--set optimizer.clip_norm=1)")
    if not recipe.model.batch_norm:
        tries.append("batch normalization (--set model.batch_norm=true)")
    if recipe.fit.precision != "float32":
        tries.append("full precision (--set fit.precision=float32)")
    return DivergedError(
        f"The loss became {loss:g} in epoch {epoch} at learning rate {learning_rate:g}: the training diverged.",
        expected="a finite loss",
        received=f"{loss:g}",
        fix=f"Try {', '.join(tries)}.",
    )
