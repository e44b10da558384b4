"""The Pareto front: what nothing else beats in both cost and accuracy, or in all objectives."""

from __future__ import annotations

from collections.abc import Sequence
from operator import ge


def pareto_front(costs: Sequence[float], accuracies: Sequence[float]) -> list[int]:
    """Return the places of the points that no other is as cheap and as accurate as, the cheapest
    first.

    Of equal points the first counts.

    Args:
        costs: Any measure that should be small.
        accuracies: As many, 0 to 1.

    Example:
        >>> pareto_front([3, 1, 2, 2], [0.9, 0.6, 0.8, 0.7])
        [1, 2, 0]
    """
    front: list[int] = []
    best = float("-inf")
    for place in sorted(
        range(len(costs)), key=lambda place: (costs[place], -accuracies[place], place)
    ):
        if accuracies[place] > best:
            front.append(place)
            best = accuracies[place]
    return front


def dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    """Tell whether scores are nowhere lower than others, and somewhere higher.

    Example:
        >>> dominates((0.9, -3.0), (0.9, -5.0)), dominates((0.9, -3.0), (0.8, -1.0)), dominates((1.0,), (1.0,))
        (True, False, False)
    """
    return tuple(one) != tuple(other) and all(map(ge, one, other))
