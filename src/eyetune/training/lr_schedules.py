"""Learning-rate schedules: the whole curve as plain numbers, which Keras then looks up step by
step.

Sources: cosine with warm-up, Loshchilov and Hutter, 2017 (arXiv:1608.03983) and Goyal et al., 2017
    (arXiv:1706.02677);
one-cycle, Smith and Topin, 2018 (arXiv:1708.07120); reduction on a plateau as Keras's
ReduceLROnPlateau.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from eyetune.recipe import OptimizerSection
from eyetune.values.history import History

STEPS_AT = (0.5, 0.75)  # shares of the training after which "step" divides the rate
STEP_FACTOR = 0.1
EXPONENTIAL_END = 0.01  # share of the rate that "exponential" ends with
ONE_CYCLE_RISE = 0.3  # share of the training in which "one_cycle" rises
ONE_CYCLE_START = 1 / 25
ONE_CYCLE_END = 1e-4
PLATEAU_PATIENCE = (
    2  # epochs without a better validation loss after which "plateau" reduces the rate
)
PLATEAU_FACTOR = 0.3


def rates(section: OptimizerSection, steps_per_epoch: int, epochs: int) -> NDArray[np.float32]:
    """Return the learning rate of every step of a training, shape (steps_per_epoch * epochs,).

    A warm-up rises in a straight line to the rate; the schedule then spans the steps that are left.

    Example:
        >>> section = OptimizerSection(learning_rate=1.0, schedule="cosine", warmup_epochs=1)
        >>> [round(float(rate), 2) for rate in rates(section, steps_per_epoch=2, epochs=3)]
        [0.5, 1.0, 1.0, 0.85, 0.5, 0.15]
    """
    total = steps_per_epoch * epochs
    warmup = min(round(section.warmup_epochs * steps_per_epoch), total - 1)
    share = np.arange(total - warmup) / (total - warmup)
    rising = (np.arange(warmup) + 1) / max(warmup, 1)
    return (
        section.learning_rate * np.concatenate([rising, _shape(section.schedule, share)])
    ).astype(np.float32)


def _shape(schedule: str, share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the factor on the rate at each share, 0 to 1, of the training."""
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
        case _:  # constant, and plateau, which goes by what happens
            return np.ones_like(share)


def _half_cosine(share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rise from 0 to 1, slowly at both ends."""
    return (1 - np.cos(np.pi * np.clip(share, 0, 1))) / 2


def plateau_rate(section: OptimizerSection, history: History) -> float:
    """Return the rate that the epochs so far lead to: reduced each time that validation loss has
    not improved.

    It follows from the history alone, so a resumed training goes on with the same rate.
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
    """Return what a Keras optimizer takes as its learning rate: a number, or a schedule that looks
    up `rates`.
    """
    if section.schedule in ("constant", "plateau") and not section.warmup_epochs:
        return section.learning_rate
    import keras

    table = rates(section, steps_per_epoch, epochs)

    class Lookup(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
        def __call__(self, step: Any) -> Any:
            place = keras.ops.minimum(keras.ops.cast(step, "int32"), len(table) - 1)
            return keras.ops.take(keras.ops.convert_to_tensor(table), place)

    return Lookup()
