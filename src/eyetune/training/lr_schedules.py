"""Learning-rate schedules: a table of all learning rates, which Keras looks up step by step.

Sources: cosine and restarts, Loshchilov and Hutter, 2017 (arXiv:1608.03983); warm-up, Goyal et
al., 2017 (arXiv:1706.02677); one-cycle, Smith and Topin, 2018 (arXiv:1708.07120); plateau, Keras's
ReduceLROnPlateau.
"""

from __future__ import annotations

import math
import statistics
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eyetune.recipe import FitSection, OptimizerSection, Recipe
from eyetune.values.history import History
from eyetune.values.rungs import geometric_rungs

STEPS_AT = (0.5, 0.75)  # shares of the training after which "step" reduces the rate
STEP_FACTOR = 0.1
EXPONENTIAL_END = 0.01  # share of the rate that "exponential" ends with
ONE_CYCLE_RISE = 0.3  # share of the training in which "one_cycle" rises
ONE_CYCLE_START = 1 / 25
ONE_CYCLE_END = 1e-4
PLATEAU_PATIENCE = 2  # epochs without a better validation loss before "plateau" reduces the rate
PLATEAU_FACTOR = 0.3
TABLE_SIZE = 4096  # points at which a schedule that follows the clock is computed
# An epoch is started if at least this share of it fits into the time that is left.
MIN_LAST_EPOCH = 0.5


def rates(section: OptimizerSection, steps_per_epoch: int, epochs: int) -> NDArray[np.float32]:
    """Return the learning rate of every step of a training.

    The warm-up rises linearly to the recipe's rate. The schedule covers the remaining steps, or
    those up to the end of its cycle or to a restart, after which it starts again.

    Args:
        section: Learning rate, schedule and warm-up.
        steps_per_epoch: Batches in an epoch, 1 or more.
        epochs: Number of epochs, 1 or more.

    Returns:
        float32, shape (steps_per_epoch * epochs,).

    Example:
        >>> section = OptimizerSection(learning_rate=1.0, schedule="cosine", warmup_epochs=1)
        >>> [round(float(rate), 2) for rate in rates(section, steps_per_epoch=2, epochs=3)]
        [0.5, 1.0, 1.0, 0.85, 0.5, 0.15]
    """
    first, *later = *section.restarts, epochs
    cycles: tuple[int, ...] = (first,)
    if section.cycle_epochs:
        cycles = geometric_rungs(first, section.cycle_factor, section.cycle_epochs)
    ends = [cycle * steps_per_epoch for cycle in (*cycles, *later)]
    warmup = min(round(section.warmup_epochs * steps_per_epoch), ends[0] - 1)
    factors = [(np.arange(warmup) + 1) / max(warmup, 1)]
    start = warmup
    for end in ends:
        share = np.arange(end - start) / (end - start)
        factors.append(_shape(section.schedule, share))
        start = end
    return (section.learning_rate * np.concatenate(factors)).astype(np.float32)


def _shape(schedule: str, share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the factor on the learning rate at each share (0 to 1) of the training."""
    match schedule:
        case "cosine":
            return (1 + np.cos(np.pi * share)) / 2
        case "one_cycle":
            up = ONE_CYCLE_START + (1 - ONE_CYCLE_START) * _half_cosine(share / ONE_CYCLE_RISE)
            down = 1 - (1 - ONE_CYCLE_END) * _half_cosine(
                (share - ONE_CYCLE_RISE) / (1 - ONE_CYCLE_RISE)
            )
            return np.where(share < ONE_CYCLE_RISE, up, down)
        case "step":
            return np.asarray(
                STEP_FACTOR ** np.searchsorted(STEPS_AT, share, side="right"), np.float64
            )
        case "exponential":
            return np.power(EXPONENTIAL_END, share)
        case _:  # constant; and plateau, which depends on the validation loss
            return np.ones_like(share)


def _half_cosine(share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values that rise from 0 to 1 along half a cosine wave."""
    return (1 - np.cos(np.pi * np.clip(share, 0, 1))) / 2


def plateau_rate(section: OptimizerSection, history: History) -> float:
    """Return the learning rate of the schedule "plateau" after the given epochs.

    It is reduced each time the validation loss has not improved for `PLATEAU_PATIENCE` epochs. It
    depends on the history alone, so a resumed training continues with the same rate.
    """
    rate, best, waited = section.learning_rate, float("inf"), 0
    for epoch in history:
        loss = epoch.value("val_loss")
        if loss < best:
            best, waited = loss, 0
            continue
        waited += 1
        if waited >= PLATEAU_PATIENCE:
            rate, waited = rate * PLATEAU_FACTOR, 0
    return rate


def share_of_training(history: History, section: FitSection) -> tuple[float, float]:
    """Return which part of the training the next epoch is: the shares before and after it.

    With a time limit, the time of the epochs so far decides, so a slower machine trains fewer
    epochs and the schedule still reaches its end. It depends on the history alone: a resumed
    training continues with the same share.

    Args:
        history: The epochs so far.
        section: Number of epochs and time limit.

    Returns:
        Two shares from 0 to 1. They are equal before the first epoch of a training with a time
        limit: how long an epoch takes is unknown then.

    Example:
        >>> share_of_training((), FitSection(epochs=4))
        (0.0, 0.25)
    """
    done = len(history)
    start, end = done / section.epochs, min(1.0, (done + 1) / section.epochs)
    if not section.seconds:
        return start, end
    if not history:
        return start, start
    start = max(start, min(1.0, elapsed_seconds(history) / section.seconds))
    epoch_seconds = usual_epoch_seconds(history)
    is_last = seconds_left(history, section) < (1 + MIN_LAST_EPOCH) * epoch_seconds
    return start, 1.0 if is_last else min(1.0, max(end, start + epoch_seconds / section.seconds))


def seconds_left(history: History, section: FitSection) -> float:
    """Return the time that is left for the training, in seconds; infinite without a limit."""
    return section.seconds - elapsed_seconds(history) if section.seconds else math.inf


def elapsed_seconds(history: History) -> float:
    """Return the time of all epochs in seconds."""
    return sum(epoch.duration_seconds for epoch in history)


def usual_epoch_seconds(history: History) -> float:
    """Return the median time of the last three epochs in seconds, of at least one epoch."""
    return statistics.median(epoch.duration_seconds for epoch in history[-3:])


def build_rate(recipe: Recipe, steps_per_epoch: int, num_epochs: int | None = None) -> Any:
    """Return an optimizer's `learning_rate`: a number, or a Keras schedule.

    Args:
        recipe: Its optimizer section is used.
        steps_per_epoch: Batches in an epoch.
        num_epochs: Epochs of the schedule. Default: those of the recipe.
    """
    section = recipe.optimizer
    if section.schedule in ("constant", "plateau") and not section.warmup_epochs:
        return section.learning_rate
    if recipe.fit.seconds:
        return clocked_rate(section, steps_per_epoch)
    import keras

    table = rates(section, steps_per_epoch, num_epochs or recipe.fit.epochs)

    class Lookup(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
        def __call__(self, step: Any) -> Any:
            index = keras.ops.minimum(keras.ops.cast(step, "int32"), len(table) - 1)
            return keras.ops.take(keras.ops.convert_to_tensor(table), index)

    return Lookup()


def clocked_rate(section: OptimizerSection, steps_per_epoch: int) -> Any:
    """Return a Keras schedule for a training with a time limit.

    Its method `begin_epoch` takes the number of steps before the epoch and the shares from
    `share_of_training`. Within the epoch, the share grows with each step.
    """
    import keras

    table = _shape(section.schedule, np.linspace(0, 1, TABLE_SIZE)).astype(np.float32)
    warmup = round(section.warmup_epochs * steps_per_epoch)

    class Clocked(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
        def __init__(self) -> None:
            names = ("first_step", "start", "end")
            self._first_step, self._start, self._end = (
                keras.Variable(0.0, trainable=False, dtype="float32", name=name) for name in names
            )

        def begin_epoch(self, first_step: int, start: float, end: float) -> None:
            self._first_step.assign(first_step)
            self._start.assign(start)
            self._end.assign(end)

        def __call__(self, step: Any) -> Any:
            step = keras.ops.cast(step, "float32")
            done = (step - self._first_step) / steps_per_epoch
            share = self._start + (self._end - self._start) * keras.ops.clip(done, 0.0, 1.0)
            index = keras.ops.cast(share * (TABLE_SIZE - 1), "int32")
            rising = keras.ops.minimum(1.0, (step + 1.0) / max(warmup, 1))
            shape = keras.ops.take(keras.ops.convert_to_tensor(table), index)
            return section.learning_rate * rising * shape

    return Clocked()
