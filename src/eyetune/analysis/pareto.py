"""The Pareto front: what nothing else beats in both cost and accuracy, or in all objectives."""

from __future__ import annotations

from collections.abc import Sequence
from operator import ge


def pareto_front(costs: Sequence[float], accuracies: Sequence[float]) -> list[int]:
    """Return the indices of the points that no other one beats, the cheapest first.

    A point is beaten by one that is at least as cheap and at least as accurate. Of equal points,
    the first one counts.

    Args:
        costs: A measure that should be small, for each point.
        accuracies: 0 to 1, for each point.

    Example:
        >>> pareto_front([3, 1, 2, 2], [0.9, 0.6, 0.8, 0.7])
        [1, 2, 0]
    """
    front: list[int] = []
    best = float("-inf")
    by_cost = sorted(range(len(costs)), key=lambda index: (costs[index], -accuracies[index]))
    for index in by_cost:
        if accuracies[index] > best:
            front.append(index)
            best = accuracies[index]
    return front


def dominates(scores: Sequence[float], others: Sequence[float]) -> bool:
    """Return whether scores are nowhere lower than other scores, and somewhere higher.

    Args:
        scores: One value per objective, higher is better.
        others: As many values.

    Example:
        >>> dominates((0.9, -3.0), (0.9, -5.0)), dominates((0.9, -3.0), (0.8, -1.0))
        (True, False)
    """
    return tuple(scores) != tuple(others) and all(map(ge, scores, others))
