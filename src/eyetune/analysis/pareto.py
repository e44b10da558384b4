"""The Pareto front: what nothing else beats in both cost and accuracy."""

from __future__ import annotations

from collections.abc import Sequence


def pareto_front(costs: Sequence[float], accuracies: Sequence[float]) -> list[int]:
    """Return the places of the points that no other is as cheap and as accurate as, the cheapest first.

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
    for place in sorted(range(len(costs)), key=lambda place: (costs[place], -accuracies[place], place)):
        if accuracies[place] > best:
            front.append(place)
            best = accuracies[place]
    return front
