"""Who is better than whom, with one objective or several."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from eyetune.errors import UsageError
from eyetune.tuning.schedulers.fronts import Fronts, Scores


def ranking(scores: Sequence[Scores | None]) -> list[int]:
    """Return the places of the scores, the best first.

    With one objective the highest score is best. With several, fronts of scores that do not
    dominate each other follow one another, and within a front those with the most room around them
    come first (NSGA-II: Deb et al. 2002, https://doi.org/10.1109/4235.996017). What is still equal
    keeps its order.

    Args:
        scores: One tuple a trial, a value an objective, higher is better. One with a NaN is worse
            than any without; None (a trial that failed) comes last.

    Raises:
        UsageError: The tuples are not all of one length, or empty.

    Example:
        >>> ranking([(0.5,), None, (0.9,), (float("nan"),)])
        [2, 0, 3, 1]
        >>> ranking([(0.6, -10.0), (0.9, -30.0), (0.5, -20.0), (0.8, -11.0)])
        [0, 1, 3, 2]
    """
    points = {place: comparable(one) for place, one in enumerate(scores) if one is not None}
    widths = sorted({len(point) for point in points.values()})
    if len(widths) > 1 or 0 in widths:
        raise UsageError(
            "Scores of different kinds cannot be ranked.",
            expected="one value for each objective, as many for every trial",
            received=f"tuples of {' and '.join(map(str, widths))} values",
        )
    return _ranked(points) + [place for place, one in enumerate(scores) if one is None]


def comparable(scores: Scores) -> Scores:
    """Return scores without NaN: one that holds any is minus infinity in every objective.

    A network that diverged may well be the smallest of all; it must not win by that.
    """
    return (-math.inf,) * len(scores) if any(map(math.isnan, scores)) else scores


def _ranked(points: Mapping[int, Scores]) -> list[int]:
    if all(len(point) == 1 for point in points.values()):
        return sorted(points, key=lambda key: (-points[key][0], key))
    fronts = Fronts()
    # The highest first: none that comes later pushes another back (ENS: Zhang et al. 2015,
    # https://doi.org/10.1109/TEVC.2014.2308305).
    for key in sorted(points, key=lambda key: points[key], reverse=True):
        fronts.add(key, points[key])
    return fronts.order()
