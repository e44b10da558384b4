"""Rankings of the trials that reached a rung, updated as they arrive."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left, insort
from itertools import islice
from typing import final

from eyetune.analysis.pareto import dominates
from eyetune.analysis.ranking import comparable
from eyetune.tuning.schedulers.fronts import Fronts, Scores


class RungRanking(ABC):
    """The trials that reached a rung, and those that wait there: neither promoted nor stopped."""

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of trials that reached the rung with scores."""

    @property
    @abstractmethod
    def num_waiting(self) -> int:
        """Number of trials that wait."""

    @abstractmethod
    def add(self, trial: int, scores: Scores) -> None:
        """Add a trial; it waits."""

    @abstractmethod
    def is_waiting(self, trial: int) -> bool:
        """Return whether a trial is here and waits."""

    @abstractmethod
    def take(self, trial: int) -> None:
        """Stop a trial's wait; its scores still count."""

    @abstractmethod
    def best(self, places: int, coming: float) -> int | None:
        """Return the best waiting trial that is certainly among the first `places`.

        Args:
            places: Number of places.
            coming: Number of trials that may still arrive, with any scores.
        """

    @abstractmethod
    def drop(self, places: int, coming: float) -> list[int]:
        """Remove and return the waiting trials that are certainly not among the first `places`.

        Args:
            places: Number of places.
            coming: Number of trials that may still arrive, with any scores.
        """

    @abstractmethod
    def is_in_better_half(self, trial: int) -> bool:
        """Return whether a waiting trial is at least as good as the median of the others."""


@final
class _ScalarRanking(RungRanking):
    """A ranking by one objective; each operation costs two binary searches."""

    def __init__(self) -> None:
        self._keys: list[tuple[float, int]] = []
        self._waiting: list[tuple[float, int]] = []
        self._key_of: dict[int, tuple[float, int]] = {}

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def num_waiting(self) -> int:
        return len(self._waiting)

    def add(self, trial: int, scores: Scores) -> None:
        key = (-comparable(scores)[0], trial)
        self._key_of[trial] = key
        insort(self._keys, key)
        insort(self._waiting, key)

    def is_waiting(self, trial: int) -> bool:
        return trial in self._key_of

    def take(self, trial: int) -> None:
        del self._waiting[bisect_left(self._waiting, self._key_of.pop(trial))]

    def best(self, places: int, coming: float) -> int | None:
        if not self._waiting or places <= coming:
            return None
        last = min(places - int(coming), len(self._keys)) - 1
        first = self._waiting[0]
        return first[1] if first <= self._keys[last] else None

    def drop(self, places: int, coming: float) -> list[int]:  # noqa: ARG002 - arrivals only push back
        if places >= len(self._keys):
            return []
        begin = bisect_left(self._waiting, self._keys[places])
        dropped = [trial for _, trial in self._waiting[begin:]]
        del self._waiting[begin:]
        for trial in dropped:
            del self._key_of[trial]
        return dropped

    def is_in_better_half(self, trial: int) -> bool:
        key = self._key_of[trial]
        mine, others = bisect_left(self._keys, key), len(self._keys) - 1
        if not others:
            return True
        middle = ((others - 1) // 2, others // 2)
        upper, lower = (self._keys[index + (index >= mine)][0] for index in middle)
        return key[0] <= (upper + lower) / 2


@final
class _ParetoRanking(RungRanking):
    """A ranking by several objectives: fronts, and the crowding within them."""

    def __init__(self) -> None:
        self._points: dict[int, Scores] = {}
        self._fronts = Fronts()
        self._waiting: set[int] = set()
        # Number of trials that dominate each one, and that it dominates; counted only while more
        # trials may arrive.
        self._ahead: dict[int, int] = {}
        self._behind: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._points)

    @property
    def num_waiting(self) -> int:
        return len(self._waiting)

    def add(self, trial: int, scores: Scores) -> None:
        self._points[trial] = comparable(scores)
        self._fronts.add(trial, self._points[trial])
        self._waiting.add(trial)

    def is_waiting(self, trial: int) -> bool:
        return trial in self._waiting

    def take(self, trial: int) -> None:
        self._waiting.remove(trial)

    def best(self, places: int, coming: float) -> int | None:
        if not self._waiting or places <= coming:
            return None
        if not coming:
            return self._first(places)
        # The crowding within a front changes with arrivals, but a dominated trial always stays
        # behind.
        self._count()
        rivals = len(self._points) - 1 + coming
        sure = [trial for trial in self._waiting if rivals - self._behind[trial] < places]
        return min(sure, key=lambda trial: (-self._behind[trial], trial), default=None)

    def drop(self, places: int, coming: float) -> list[int]:
        if coming:
            self._count()
        if not self._waiting or places >= len(self._points):
            return []
        if coming:
            dropped = [trial for trial in self._waiting if self._ahead[trial] >= places]
        else:
            dropped = [trial for trial in self._fronts.order()[places:] if trial in self._waiting]
        self._waiting.difference_update(dropped)
        return dropped

    def is_in_better_half(self, trial: int) -> bool:
        return 2 * self._fronts.position(trial, self._points[trial]) <= len(self._points) - 1

    def _first(self, places: int) -> int | None:
        for rank, front in enumerate(self._fronts):
            if places <= 0:
                return None
            if not self._waiting.isdisjoint(front):
                order = self._fronts.ordered(rank)[:places]
                return next((trial for trial in order if trial in self._waiting), None)
            places -= len(front)
        return None

    def _count(self) -> None:
        for trial in islice(self._points, len(self._ahead), None):
            point = self._points[trial]
            self._ahead[trial] = self._behind[trial] = 0
            for other in self._ahead:
                # Only the greater of two tuples can dominate the other.
                better, worse = (trial, other) if point > self._points[other] else (other, trial)
                if dominates(self._points[better], self._points[worse]):
                    self._behind[better] += 1
                    self._ahead[worse] += 1


def rung_ranking_for(num_objectives: int) -> RungRanking:
    """Return an empty ranking for a number of objectives."""
    return _ScalarRanking() if num_objectives == 1 else _ParetoRanking()
