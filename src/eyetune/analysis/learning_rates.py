"""The learning-rate range test: from the loss at each rate to the rates that are worth training
with.

While a network trains, its rate rises from far too small to far too large; the loss stays, falls,
and at last rises.
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
MAX_RATE = 100.0  # what a recipe takes as a rate
NARROWEST = 10.0  # largest by smallest rate: a tenth of the best must still have been tried
STEPS = 500
MIN_STEPS = 20
MAX_STEPS = 100_000
PASSES = 10  # over small data, before the default number of steps goes down
MIN_DEFAULT_STEPS = 50

MEMORY_SHARE = 0.05  # share of the steps that the running average looks back on
SHORTEST_MEMORY = 2.0
DIVERGED_FACTOR = 4.0  # the test ends once the average is so many times its best
FALLEN_SHARE = (
    0.1  # share of the whole fall after which the loss counts as falling, if it is more than chance
)
SAFETY_FACTOR = 10.0  # between the rate of the lowest loss and the suggestion
# Pure chance rarely reaches 4; on CIFAR-10 with 500 steps, the falls of six optimizers were 10 and
# above.
# a fall counts if it is so many times what chance does to the difference of two averages ...
CLEAR_FALL = 5.0
DEVIATION_OF_MEDIAN = (
    1.4826  # standard deviation by the median of absolute values, of a normal distribution
)
MIN_FALL = 0.005  # ... and at least this share of the loss it began with

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RangeTest:
    """What a range test found. Rates and losses are of the steps that were taken, in order.

    Attributes:
        rates: The rate of each step, rising, shape (steps taken,).
        losses: The loss of each step's images before the step, shape (steps taken,).
        smoothed: Their running average, shape (steps taken,).
        num_steps: How many steps were planned; fewer were taken where the loss diverged.
        suggestion: The rate to train with (None: the loss did not fall, so there is nothing to
            suggest).
        usable: Smallest and largest rate between which the loss falls (None: it did not).
        reason: Why, in a sentence or two.
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
        """Whether the test ended early because the loss rose beyond all bounds."""
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
    """Refuse a range or a number of steps that no test can be made with.

    Args:
        smallest: The first rate.
        largest: The last rate.
        steps: How many there are from the first to the last (None: as `default_steps` says).

    Raises:
        UsageError: A value is out of its range, or the range is too narrow.

    Example:
        >>> check_range(1e-6, 10, 200)
    """
    if not 0 < smallest < largest <= MAX_RATE:  # NaN fails too
        raise UsageError(
            "The rates make no range.",
            expected=f"smallest above 0, below largest, and largest at most {MAX_RATE:g}",
            received=f"smallest {smallest:g}, largest {largest:g}",
            fix=f"eyetune lr-find --smallest {SMALLEST:g} --largest {LARGEST:g}",
        )
    if largest < NARROWEST * smallest * (1 - 1e-9):
        raise UsageError(
            "The range of rates is too narrow to tell anything.",
            expected=f"a largest rate of at least {NARROWEST:g} times the smallest: {NARROWEST * smallest:g}",
            received=f"{largest:g}",
        )
    if steps is not None and not MIN_STEPS <= steps <= MAX_STEPS:
        raise UsageError(
            "The number of steps is out of its range.",
            expected=f"{MIN_STEPS} to {MAX_STEPS:,} (--steps); {STEPS} do for most networks",
            received=steps,
        )


def default_steps(batches_per_epoch: int) -> int:
    """Return how many steps to take: fewer where that would pass over the images more than ten
    times.

    Example:
        >>> default_steps(1250), default_steps(20), default_steps(1)
        (500, 200, 50)
    """
    return min(STEPS, max(MIN_DEFAULT_STEPS, PASSES * batches_per_epoch))


def rising_rates(smallest: float, largest: float, num_steps: int) -> list[float]:
    """Return the rate of each step, each one by the same factor above the last.

    Example:
        >>> [round(rate, 6) for rate in rising_rates(0.001, 0.1, 3)]
        [0.001, 0.01, 0.1]
    """
    return [float(rate) for rate in np.geomspace(smallest, largest, num_steps)]


def smoothed(losses: Iterable[float], num_steps: int) -> Iterator[float]:
    """Yield the exponential running average of losses, with the bias of its beginning corrected.

    Args:
        losses: One a step.
        num_steps: How many are planned: the average looks back on a twentieth of them.

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
    """Return how many steps the running average looks back on."""
    return max(SHORTEST_MEMORY, MEMORY_SHARE * num_steps)


def until_diverged(losses: Iterable[float], num_steps: int) -> Iterator[float]:
    """Pass losses on until their running average is many times its best and above its beginning, or
    one is not finite.

    The loss that is not finite is left out. No further loss is asked for, so no further step is
    trained.

    Example:
        >>> list(until_diverged([2.0, 1.0, 1.5, float("nan"), 1.0], num_steps=40))
        [2.0, 1.0, 1.5]
        >>> len(list(until_diverged([2.0] * 20 + [1e9] * 20, num_steps=40)))
        21
    """
    mine, theirs = tee(losses)
    best = beginning = math.inf
    for number, (loss, average) in enumerate(zip(mine, smoothed(theirs, num_steps), strict=False)):
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
    training bears less than the few steps of the test, but no rate that was not tried. (The rate of
    steepest descent, the other common choice, varied more from seed to seed.) The usable range goes
    from the first rate from which on the loss has fallen by more than chance makes it, or from the
    suggestion where that is smaller, to the rate at which the loss is lowest.

    Args:
        rates: Rising, above 0.
        losses: One for each rate, finite; fewer where the test ended early.
        num_steps: How many were planned: the number of rates.

    Example:
        >>> rates = rising_rates(1e-6, 10.0, 500)
        >>> test = judge(rates, [2.0 if rate < 1e-4 else 1.0 if rate < 1e-2 else 3.0 for rate in rates], 500)
        >>> test.suggestion, test.usable
        (0.001, (0.00011, 0.01))
    """
    raw = np.asarray(losses, np.float64)
    tried = np.asarray(rates[: len(raw)], np.float64)
    averages = np.fromiter(smoothed(losses, num_steps), np.float64, len(raw))
    found = partial(RangeTest, tried, raw, averages, num_steps)
    first = (
        math.ceil(_memory(num_steps)) - 1
    )  # the first average that looks back on as much as it should
    if len(raw) < first + 2:
        return found(
            None, None, f"The loss rose at once: a rate of {rates[0]:g} is too large (--smallest)."
        )
    lowest = first + int(averages[first:].argmin())
    fall, chance = averages[first] - averages[lowest], _chance(raw[: lowest + 1], num_steps)
    if fall <= max(chance, MIN_FALL * averages[first]):
        return found(None, None, _why_nothing(averages[first:], num_steps))
    above = np.flatnonzero(
        averages[first:lowest] > averages[first] - max(FALLEN_SHARE * fall, chance)
    )
    falling = first + int(above[-1]) + 1
    best = max(tried[lowest] / SAFETY_FACTOR, tried[0])
    suggestion, usable = (
        _rounded(best),
        (_rounded(min(best, tried[falling])), _rounded(tried[lowest])),
    )
    still = lowest == num_steps - 1
    return found(
        suggestion, usable, _why(averages[first], averages[lowest], usable[1], still=still)
    )


def _chance(losses: Floats, num_steps: int) -> float:
    """Return the fall that chance alone may make between two averages, from how the losses jump
    from step to step.

    The median of the jumps is not moved by the few huge ones of a training that is about to
    diverge.
    """
    deviation = float(np.median(np.abs(np.diff(losses)))) * DEVIATION_OF_MEDIAN / math.sqrt(2)
    return CLEAR_FALL * deviation * math.sqrt(2 / (2 * _memory(num_steps) - 1))


def _why(before: float, lowest: float, rate: float, *, still: bool) -> str:
    fall = f"The loss falls from {before:.3g} to {lowest:.3g}, its lowest, at a rate of {rate:g}"
    if still:
        return f"{fall}, the largest that was tried: larger ones may be better, so test them too (--largest)."
    return f"{fall}; a tenth of that leaves room for a whole training."


def _why_nothing(averages: Floats, num_steps: int) -> str:
    nothing = "The loss did not clearly fall at any rate, so there is nothing to suggest."
    if averages.argmin() < len(averages) / 10 and averages[-1] > DIVERGED_FACTOR * averages[0]:
        return f"{nothing} It rises from early on: test smaller rates (--smallest)."
    return f"{nothing} Test with more steps (--steps {2 * num_steps}); if it stays so, look at images and labels."


def _rounded(rate: float) -> float:
    """Round to two significant digits: no test knows more."""
    return float(f"{rate:.1e}")
