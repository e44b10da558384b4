"""Learning-rate schedules: a table of all learning rates, which Keras looks up step by step.

Sources: cosine and restarts, Loshchilov and Hutter, 2017 (arXiv:1608.03983); warm-up, Goyal et
al., 2017 (arXiv:1706.02677); one-cycle, Smith and Topin, 2018 (arXiv:1708.07120); plateau, Keras's
ReduceLROnPlateau.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from eyetune.recipe import OptimizerSection
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


def rates(section: OptimizerSection, steps_per_epoch: int, epochs: int) -> NDArray[np.float32]:
    """Return the learning rate of every step of a training.

    The warm-up rises linearly to the recipe's rate. The schedule covers the remaining steps, or
    those up to the end of its cycle, after which it starts again.

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
    cycles: tuple[int, ...] = (epochs,)
    if section.cycle_epochs:
        cycles = geometric_rungs(epochs, section.cycle_factor, section.cycle_epochs)
    ends = [cycle * steps_per_epoch for cycle in cycles]
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
        if epoch.val_loss < best:
            best, waited = epoch.val_loss, 0
            continue
        waited += 1
        if waited >= PLATEAU_PATIENCE:
            rate, waited = rate * PLATEAU_FACTOR, 0
    return rate


def build_rate(section: OptimizerSection, steps_per_epoch: int, epochs: int) -> Any:
    """Return an optimizer's `learning_rate`: a number, or a Keras schedule that reads `rates`."""
    if section.schedule in ("constant", "plateau") and not section.warmup_epochs:
        return section.learning_rate
    import keras

    table = rates(section, steps_per_epoch, epochs)

    class Lookup(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
        def __call__(self, step: Any) -> Any:
            index = keras.ops.minimum(keras.ops.cast(step, "int32"), len(table) - 1)
            return keras.ops.take(keras.ops.convert_to_tensor(table), index)

    return Lookup()
