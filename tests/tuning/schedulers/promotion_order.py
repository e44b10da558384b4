"""The order of promotion, sorted at once: what schedulers keep as scores come in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eyetune.analysis.ranking import comparable
from eyetune.tuning.schedulers.fronts import Fronts, Scores


def promotion_order(scores: Sequence[Scores | None]) -> list[int]:
    """Return the indices of the scores, the best first.

    With one objective the highest score is best. With several, fronts of scores that do not
    dominate each other follow one another, and within a front those with the most room around them
    come first (NSGA-II: Deb et al. 2002, https://doi.org/10.1109/4235.996017). What is still equal
    keeps its order.

    Args:
        scores: One tuple per trial, higher is better; None (a trial that failed) comes last.
    """
    points = {
        index: comparable(values) for index, values in enumerate(scores) if values is not None
    }
    failed = [index for index, values in enumerate(scores) if values is None]
    return _ranked(points) + failed


def _ranked(points: Mapping[int, Scores]) -> list[int]:
    if all(len(point) == 1 for point in points.values()):
        return sorted(points, key=lambda key: (-points[key][0], key))
    fronts = Fronts()
    # The highest first: none that comes later pushes another back (ENS: Zhang et al. 2015,
    # https://doi.org/10.1109/TEVC.2014.2308305).
    for key in sorted(points, key=lambda key: points[key], reverse=True):
        fronts.add(key, points[key])
    return fronts.order()
