"""Suggestions that do not depend on results: random, quasi-random, and every combination once.

Each depends only on the seed and the number of the trial, so interruptions and parallel trials do
not change the suggestions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from eyetune.errors import SpaceError
from eyetune.space.encoding import Axes
from eyetune.space.hyperparameters import MAX_POINTS, Value
from eyetune.space.space import Space

Draw = Callable[[int, int], dict[str, Value]]  # from the number of a trial and of the attempt


def generator(seed: int, number: int, attempt: int) -> np.random.Generator:
    """Return the random generator of one attempt at one trial."""
    return np.random.default_rng(np.random.SeedSequence((abs(seed), seed < 0, number, attempt)))


def random_draw(space: Space, axes: Axes, seed: int, number: int, attempt: int) -> dict[str, Value]:
    """Return random values, each hyperparameter on its scale."""
    return from_shares(space, axes, generator(seed, number, attempt).random(len(axes)).tolist())


def quasi_random_draw(
    space: Space, axes: Axes, seed: int, number: int, attempt: int
) -> dict[str, Value]:
    """Return the values at an index of a scrambled Sobol sequence.

    It fills the space more evenly than random values do.

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
    """Return the active values at a point of the unit cube with a side for each hyperparameter."""
    values: dict[str, Value] = {}
    for (name, axis), share in zip(axes.items(), shares, strict=True):
        values[name] = axis.value(axis.at(share))
    return space.active(values)


def shuffled_points(space: Space, seed: int) -> list[dict[str, Value]]:
    """Return every combination of values once, in random order.

    So a search that ends early covers the whole space.

    Raises:
        SpaceError: The combinations are infinite or too many.
    """
    if space.size() is None:
        next(space.points())  # raises with the name of the hyperparameter that is not finite
        raise SpaceError(
            f"The space has more than {MAX_POINTS:,} combinations.",
            fix="Give it fewer values, or choose another sampler than grid.",
        )
    points = list(space.points())
    return [points[index] for index in generator(seed, 0, 0).permutation(len(points))]
