"""Plans of rungs and brackets: after how many epochs trials pause, and how many are promoted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from eyetune.errors import UsageError
from eyetune.values.rungs import geometric_rungs

# Early enough to save most epochs of a poor trial, late enough for its curve to mean something.
MEDIAN_STEPS = 5


@dataclass(frozen=True)
class BracketPlan:
    """The rounds of a bracket of Hyperband.

    Attributes:
        places: Number of trials of each round; those of the first round are new.
        epochs: Total epochs of these trials at the end of each round.
    """

    places: tuple[int, ...]
    epochs: tuple[int, ...]

    @property
    def epochs_trained(self) -> int:
        """Number of trained epochs if promoted trials continue from their checkpoints."""
        steps = (self.epochs[0], *(after - before for before, after in pairwise(self.epochs)))
        return sum(places * step for places, step in zip(self.places, steps, strict=True))

    def limited(self, num_trials: int) -> BracketPlan:
        """Return the plan for fewer new trials, with the same share of promotions in each round."""
        first = min(num_trials, self.places[0])
        return BracketPlan(
            tuple(-(-places * first // self.places[0]) for places in self.places), self.epochs
        )


def hyperband_brackets(
    max_epochs: int, factor: float = 3, min_epochs: int = 1
) -> tuple[BracketPlan, ...]:
    """Return the brackets of one iteration of Hyperband, as in KerasTuner, most rounds first.

    They differ slightly from those of Li et al. 2018 (JMLR 18-185,
    https://jmlr.org/papers/v18/16-558.html): sizes are rounded up from that of the last round
    (https://keras.io/keras_tuner/api/tuners/hyperband/).

    Args:
        max_epochs: Total epochs of the trials of a last round, 1 or more.
        factor: One trial in `factor` is promoted, to `factor` times the epochs; above 1.
        min_epochs: Minimum epochs of a round, 1 or more.

    Raises:
        UsageError: A value is out of its range.

    Example:
        >>> for bracket in hyperband_brackets(10):
        ...     print(bracket.places, bracket.epochs)
        (12, 4, 2) (2, 4, 10)
        (6, 2) (4, 10)
        (4,) (10,)
    """
    check_epochs(max_epochs, min_epochs, factor)
    num_brackets = 0
    epochs: float = max_epochs
    while epochs >= min_epochs:
        epochs /= factor
        num_brackets += 1
    last_size = math.ceil(1 + math.log(max_epochs / min_epochs, factor))
    return tuple(
        BracketPlan(
            tuple(math.ceil(last_size / (last + 1) * factor**rest) for rest in range(last, -1, -1)),
            tuple(math.ceil(max_epochs / factor**rest) for rest in range(last, -1, -1)),
        )
        for last in range(num_brackets - 1, -1, -1)
    )


def halving_rungs(max_epochs: int, factor: float = 3, min_epochs: int = 1) -> tuple[int, ...]:
    """Return the rungs of successive halving (see `values.rungs`).

    Raises:
        UsageError: A value is out of its range.

    Example:
        >>> halving_rungs(27), halving_rungs(10), halving_rungs(50)
        ((1, 3, 9, 27), (1, 3, 10), (1, 3, 9, 27, 50))
    """
    check_epochs(max_epochs, min_epochs, factor)
    return geometric_rungs(max_epochs, factor, min_epochs)


def median_rungs(max_epochs: int, min_epochs: int = 1) -> tuple[int, ...]:
    """Return the rungs of the median rule: the fifths of `max_epochs` from `min_epochs` on.

    Raises:
        UsageError: A value is out of its range.

    Example:
        >>> median_rungs(10), median_rungs(3), median_rungs(50, min_epochs=15)
        ((2, 4, 6, 8, 10), (1, 2, 3), (20, 30, 40, 50))
    """
    check_epochs(max_epochs, min_epochs)
    rungs = {-(-max_epochs * step // MEDIAN_STEPS) for step in range(1, MEDIAN_STEPS + 1)}
    return tuple(sorted(epochs for epochs in rungs if epochs >= min_epochs))


def check_epochs(max_epochs: int, min_epochs: int, factor: float = 3) -> None:
    """Refuse epochs and factors from which no rungs can be made.

    Raises:
        UsageError: A value is out of its range.
    """
    check_count("max_epochs", max_epochs)
    check_count("min_epochs", min_epochs)
    if min_epochs > max_epochs:
        raise UsageError(
            "min_epochs is larger than max_epochs.",
            expected=f"at most {max_epochs}",
            received=min_epochs,
            fix="Lower min_epochs or raise max_epochs.",
        )
    if not 1 < factor < math.inf:
        raise UsageError(
            "factor is out of its range.",
            expected="above 1; 3 is usual: one trial in three is promoted",
            received=factor,
        )


def check_count(name: str, value: int) -> None:
    """Refuse a value that is not a whole number of 1 or more.

    Raises:
        UsageError: It is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UsageError(
            f"{name} is out of its range.", expected="a whole number, 1 or more", received=value
        )
