"""Fronts of scores that do not dominate each other, kept as scores come in."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator
from operator import le
from typing import final

Scores = tuple[float, ...]
Entry = tuple[Scores, int]


@final
class Fronts:
    """Points in fronts, the best first.

    No point of a front is dominated by another one of it or of the fronts after it. A new point
    pushes those that it dominates one front back, and these push others, so nothing is sorted again
    (efficient non-domination level update: Li et al. 2017,
    https://doi.org/10.1109/TCYB.2016.2621008).

    Example:
        >>> fronts = Fronts()
        >>> for key, scores in enumerate([(0.5, 0.5), (0.9, 0.1), (0.6, 0.6)]):
        ...     fronts.add(key, scores)
        >>> fronts.order(), fronts.position(0, (0.5, 0.5))
        ([1, 2, 0], 2)
    """

    def __init__(self) -> None:
        # Entries hold costs, the negated scores: in ascending order a dominating point comes first.
        self._fronts: list[list[Entry]] = []
        self._orders: list[list[int] | None] = []

    def add(self, key: int, scores: Scores) -> None:
        """Add a point under a key of its own; higher is better, and no score may be NaN."""
        arriving = [_entry(key, scores)]
        rank = self._rank_of(arriving[0])
        while arriving:
            if rank == len(self._fronts):
                self._fronts.append([])
                self._orders.append(None)
            front = self._fronts[rank]
            begin = bisect_left(front, min(arriving))
            fallen: list[Entry] = []
            kept = list(arriving)
            for entry in front[begin:]:
                is_beaten = any(_undercuts(costs, entry[0]) for costs, _ in arriving)
                (fallen if is_beaten else kept).append(entry)
            front[begin:] = sorted(kept)
            self._orders[rank] = None
            arriving = fallen
            rank += 1

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the keys of each front, in no particular order."""
        return ([key for _, key in front] for front in self._fronts)

    def order(self) -> list[int]:
        """Return all keys, the best first."""
        return [key for rank in range(len(self._fronts)) for key in self.ordered(rank)]

    def ordered(self, rank: int) -> list[int]:
        """Return the keys of a front: most room around them first, then the lowest key."""
        order = self._orders[rank]
        if order is None:
            room = _crowding(self._fronts[rank])
            order = self._orders[rank] = sorted(room, key=lambda key: (-room[key], key))
        return order

    def position(self, key: int, scores: Scores) -> int:
        """Return how many points come before one that has been added."""
        rank = self._rank_of(_entry(key, scores))
        return sum(map(len, self._fronts[:rank])) + self.ordered(rank).index(key)

    def _rank_of(self, entry: Entry) -> int:
        # A point that a front beats is beaten by all fronts before it, too.
        return bisect_left(self._fronts, True, key=lambda front: not _beats(front, entry))


def _entry(key: int, scores: Scores) -> Entry:
    return tuple(-score for score in scores), key


def _undercuts(costs: Scores, other: Scores) -> bool:
    return costs != other and all(map(le, costs, other))


def _beats(front: list[Entry], entry: Entry) -> bool:
    index = bisect_left(front, entry)
    # With two objectives the costs of a front rise in one and fall in the other, so the nearest
    # neighbor decides.
    rivals = front[max(index - 1, 0) : index] if len(entry[0]) == 2 else front[:index]
    return any(_undercuts(costs, entry[0]) for costs, _ in rivals)


def _crowding(front: list[Entry]) -> dict[int, float]:
    """Return the crowding distance of each point: the sides of the box between its neighbors."""
    keys = [key for _, key in front]
    room = dict.fromkeys(keys, 0.0)
    for values in zip(*(costs for costs, _ in front), strict=True):
        line = sorted(zip(values, keys, strict=True))
        (lowest, first), (highest, last) = line[0], line[-1]
        span = highest - lowest
        if not span > 0:
            continue
        room[first] = room[last] = math.inf
        if math.isfinite(span):
            for (below, _), (_, key), (above, _) in zip(line, line[1:], line[2:], strict=False):
                room[key] += (above - below) / span
    return room
