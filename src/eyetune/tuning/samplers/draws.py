"""Suggestions that ask for no results: at random, evenly spread, and one by one.

Each hangs on the seed and the number of the trial alone, so that studies which were interrupted, or
which have several trials under way, try the same as others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from eyetune.errors import SpaceError
from eyetune.space.encoding import Axes
from eyetune.space.space import MAX_POINTS, Space, Value

Draw = Callable[[int, int], dict[str, Value]]  # from the number of a trial and the attempt


def generator(seed: int, number: int, attempt: int) -> np.random.Generator:
    """Return the source of chance of one attempt at one trial."""
    return np.random.default_rng(np.random.SeedSequence((abs(seed), seed < 0, number, attempt)))


def random_draw(space: Space, axes: Axes, seed: int, number: int, attempt: int) -> dict[str, Value]:
    """Return values at random, each hyperparameter as its scale says."""
    return from_shares(space, axes, generator(seed, number, attempt).random(len(axes)).tolist())


def quasi_random_draw(
    space: Space, axes: Axes, seed: int, number: int, attempt: int
) -> dict[str, Value]:
    """Return the values at a place of a scrambled Sobol sequence, which fills the space more evenly
    than chance.

    Source: Owen, 1998, Scrambling Sobol' and Niederreiter-Xing Points, by scipy.stats.qmc.
    """
    from scipy.stats.qmc import Sobol

    if not axes:
        return {}
    sequence = Sobol(len(axes), scramble=True, rng=generator(seed, 0, attempt))
    if number:
        sequence.fast_forward(number)
    return from_shares(space, axes, sequence.random(1)[0].tolist())


def from_shares(space: Space, axes: Axes, shares: Sequence[float]) -> dict[str, Value]:
    """Return the values at a place of the unit cube that has a side for each hyperparameter; only
    those that count.
    """
    return space.active(
        {
            name: axis.value(axis.at(share))
            for (name, axis), share in zip(axes.items(), shares, strict=True)
        }
    )


def shuffled_points(space: Space, seed: int) -> list[dict[str, Value]]:
    """Return every combination of values once, in an order of chance: a search that ends early is
    not one-sided.

    Raises:
        SpaceError: There is no end of them, or there are too many.
    """
    if space.size() is None:
        next(space.points())  # says which hyperparameter has no end of values
        raise SpaceError(
            f"The space has more than {MAX_POINTS:,} combinations.",
            fix="Give it fewer values, or choose another sampler than grid.",
        )
    points = list(space.points())
    return [points[index] for index in generator(seed, 0, 0).permutation(len(points))]
