"""The learning-rate range test: from the loss at each rate to the rate to train with.

While a network trains, its learning rate rises from far too small to far too large. The loss first
stays as it is, then falls, and finally rises.

Source: Smith, 2017, Cyclical Learning Rates for Training Neural Networks (arXiv:1506.01186),
section 3.3.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import tee
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eyetune.errors import UsageError

SMALLEST = 1e-6
LARGEST = 10.0
MAX_RATE = 100.0  # the largest rate that a recipe takes
NARROWEST = 10.0  # largest by smallest rate: a tenth of the best rate must have been tried too
STEPS = 500
MIN_STEPS = 20
MAX_STEPS = 100_000
PASSES = 10  # over the images at most, in the default number of steps
MIN_DEFAULT_STEPS = 50

MEMORY_SHARE = 0.05  # share of the steps that the running average looks back on
SHORTEST_MEMORY = 2.0
DIVERGED_FACTOR = 4.0  # the test ends once the average is this many times its lowest value
# Share of the whole fall after which the loss counts as falling, if it is more than chance.
FALLEN_SHARE = 0.1
SAFETY_FACTOR = 10.0  # between the rate of the lowest loss and the suggestion
# A fall counts if it is this many times the standard deviation of the difference of two averages
# and at least this share of the first loss. Pure chance rarely reaches 4; on CIFAR-10 with 500
# steps, six optimizers had falls of 10 and above.
CLEAR_FALL = 5.0
MIN_FALL = 0.005
# Standard deviation by the median of absolute values, of a normal distribution.
DEVIATION_OF_MEDIAN = 1.4826

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RangeTest:
    """The result of a range test.

    Attributes:
        rates: The rate of each step, rising, shape (steps taken,).
        losses: The loss of each step's images before the step, shape (steps taken,).
        smoothed: The running average of the losses, shape (steps taken,).
        num_steps: Number of steps that were planned; fewer were taken if the loss diverged.
        suggestion: The rate to train with (None: the loss did not fall).
        usable: Smallest and largest rate between which the loss falls (None: it did not).
        reason: The reason in one or two sentences.
    """

    rates: Floats
    losses: Floats
    smoothed: Floats
    num_steps: int
    suggestion: float | None
    usable: tuple[float, float] | None
    reason: str

    @property
    def diverged(self) -> bool:
        """Whether the test ended early because the loss diverged."""
        return len(self.rates) < self.num_steps

    def to_json(self) -> dict[str, Any]:
        """Return the test as plain JSON values."""
        return {
            "suggested_learning_rate": self.suggestion,
            "usable_range": None if self.usable is None else list(self.usable),
            "reason": self.reason,
            "steps_planned": self.num_steps,
            "steps_taken": len(self.rates),
            "diverged": self.diverged,
            "rates": self.rates.tolist(),
            "losses": self.losses.tolist(),
            "smoothed_losses": self.smoothed.tolist(),
        }


def check_range(smallest: float, largest: float, steps: int | None = None) -> None:
    """Check the range and the number of steps of a test.

    Args:
        smallest: The first rate, above 0.
        largest: The last rate, at most 100 and at least 10 times the first.
        steps: Number of steps, 20 to 100,000 (None: see `default_steps`).

    Raises:
        UsageError: A value is out of its range, or the range is too narrow.

    Example:
        >>> check_range(1e-6, 10, 200)
    """
    if not 0 < smallest < largest <= MAX_RATE:  # NaN fails too
        raise UsageError(
            "The learning rates are not a valid range.",
            expected=f"smallest above 0, below largest, and largest at most {MAX_RATE:g}",
            received=f"smallest {smallest:g}, largest {largest:g}",
            fix=f"eyetune lr-find --smallest {SMALLEST:g} --largest {LARGEST:g}",
        )
    if largest < NARROWEST * smallest * (1 - 1e-9):
        raise UsageError(
            "The range of learning rates is too narrow.",
            expected=f"a largest rate of at least {NARROWEST:g} times the smallest, "
            f"{NARROWEST * smallest:g}",
            received=f"{largest:g}",
        )
    if steps is not None and not MIN_STEPS <= steps <= MAX_STEPS:
        raise UsageError(
            "The number of steps is out of range.",
            expected=f"{MIN_STEPS} to {MAX_STEPS:,} (--steps); {STEPS} is enough for most networks",
            received=steps,
        )


def default_steps(batches_per_epoch: int) -> int:
    """Return the default number of steps: 500, or fewer to use each image at most ten times.

    Args:
        batches_per_epoch: Number of batches in one pass over the training images.

    Example:
        >>> default_steps(1250), default_steps(20), default_steps(1)
        (500, 200, 50)
    """
    return min(STEPS, max(MIN_DEFAULT_STEPS, PASSES * batches_per_epoch))


def rising_rates(smallest: float, largest: float, num_steps: int) -> list[float]:
    """Return the rates of all steps, in geometric progression.

    Example:
        >>> [round(rate, 6) for rate in rising_rates(0.001, 0.1, 3)]
        [0.001, 0.01, 0.1]
    """
    return [float(rate) for rate in np.geomspace(smallest, largest, num_steps)]


def smoothed(losses: Iterable[float], num_steps: int) -> Iterator[float]:
    """Yield the exponential moving average of losses, corrected for the bias of its start.

    Args:
        losses: One per step.
        num_steps: Number of steps planned: the average covers about a twentieth of them.

    Example:
        >>> [round(value, 2) for value in smoothed([2.0, 2.0, 1.0, 1.0], num_steps=40)]
        [2.0, 2.0, 1.43, 1.2]
    """
    kept = 1 - 1 / _memory(num_steps)
    total = weight = 0.0
    for loss in losses:
        total = kept * total + (1 - kept) * loss
        weight = kept * weight + (1 - kept)
        yield total / weight


def _memory(num_steps: int) -> float:
    """Return how many steps the running average covers."""
    return max(SHORTEST_MEMORY, MEMORY_SHARE * num_steps)


def until_diverged(losses: Iterable[float], num_steps: int) -> Iterator[float]:
    """Yield losses until they diverge.

    They diverge when one is not finite, which is left out, or when their running average is four
    times its lowest value and above its first ones. Then no further loss is requested, so that no
    further step is trained.

    Args:
        losses: One per step.
        num_steps: Number of steps planned.

    Example:
        >>> list(until_diverged([2.0, 1.0, 1.5, float("nan"), 1.0], num_steps=40))
        [2.0, 1.0, 1.5]
        >>> len(list(until_diverged([2.0] * 20 + [1e9] * 20, num_steps=40)))
        21
    """
    yielded, averaged = tee(losses)
    pairs = zip(yielded, smoothed(averaged, num_steps), strict=False)
    best = beginning = math.inf
    for number, (loss, average) in enumerate(pairs):
        if not math.isfinite(loss):
            return
        yield loss
        if number < _memory(num_steps):
            beginning = average
        best = min(best, average)
        if average > max(DIVERGED_FACTOR * best, beginning):
            return


def judge(rates: Sequence[float], losses: Sequence[float], num_steps: int) -> RangeTest:
    """Find the rates between which the loss falls, and the one to train with.

    The suggestion is a tenth of the rate at which the running average is lowest, since a whole
    training tolerates less than the few steps of the test, but no rate that was not tried. (The
    rate of steepest descent, the other common choice, varied more from seed to seed.) The usable
    range begins at the first rate from which on the loss has fallen by more than chance explains,
    or at the suggestion if that is smaller. It ends at the rate at which the loss is lowest.

    Args:
        rates: Rising, above 0.
        losses: One per rate, finite; fewer if the test ended early.
        num_steps: Number of steps planned, which is the number of rates.

    Example:
        >>> rates = rising_rates(1e-6, 10.0, 500)
        >>> losses = [2.0 if rate < 1e-4 else 1.0 if rate < 1e-2 else 3.0 for rate in rates]
        >>> test = judge(rates, losses, 500)
        >>> test.suggestion, test.usable
        (0.001, (0.00011, 0.01))
    """
    raw = np.asarray(losses, np.float64)
    tried = np.asarray(rates[: len(raw)], np.float64)
    averages = np.fromiter(smoothed(losses, num_steps), np.float64, len(raw))
    result = partial(RangeTest, tried, raw, averages, num_steps)
    first = math.ceil(_memory(num_steps)) - 1  # the first average over as many steps as it should
    if len(raw) < first + 2:
        reason = (
            f"The loss rose at once: a learning rate of {rates[0]:g} is too large (--smallest)."
        )
        return result(None, None, reason)
    lowest = first + int(averages[first:].argmin())
    fall = averages[first] - averages[lowest]
    chance = _fall_by_chance(raw[: lowest + 1], num_steps)
    if fall <= max(chance, MIN_FALL * averages[first]):
        return result(None, None, _reason_for_nothing(averages[first:], num_steps))
    is_high = averages[first:lowest] > averages[first] - max(FALLEN_SHARE * fall, chance)
    falling = first + int(np.flatnonzero(is_high)[-1]) + 1
    best = max(tried[lowest] / SAFETY_FACTOR, tried[0])
    usable = _rounded(min(best, tried[falling])), _rounded(tried[lowest])
    still_falling = lowest == num_steps - 1
    reason = _reason(averages[first], averages[lowest], usable[1], still_falling=still_falling)
    return result(_rounded(best), usable, reason)


def _fall_by_chance(losses: Floats, num_steps: int) -> float:
    """Return the fall between two averages that chance may explain, from the jumps of the losses.

    The median of the jumps is not moved by the few huge ones of a training that is about to
    diverge.
    """
    jumps = np.abs(np.diff(losses))
    deviation = float(np.median(jumps)) * DEVIATION_OF_MEDIAN / math.sqrt(2)
    return CLEAR_FALL * deviation * math.sqrt(2 / (2 * _memory(num_steps) - 1))


def _reason(before: float, lowest: float, rate: float, *, still_falling: bool) -> str:
    fall = f"The loss falls from {before:.3g} to its lowest value, {lowest:.3g}, at {rate:g}"
    if still_falling:
        return f"{fall}, the largest rate tried. Larger ones may be better: test them (--largest)."
    return f"{fall}. The suggestion is a tenth of that, which is safe for a whole training."


def _reason_for_nothing(averages: Floats, num_steps: int) -> str:
    nothing = "The loss did not fall clearly at any rate, so there is no suggestion."
    rises_early = averages.argmin() < len(averages) / 10
    if rises_early and averages[-1] > DIVERGED_FACTOR * averages[0]:
        return f"{nothing} It rises from the start: test smaller rates (--smallest)."
    return (
        f"{nothing} Test with more steps (--steps {2 * num_steps}). If that changes nothing, check "
        "the images and labels."
    )


def _rounded(rate: float) -> float:
    """Round to two significant digits, the precision of the test."""
    return float(f"{rate:.1e}")
