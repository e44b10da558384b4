"""A bracket at work: trials that run_lab the same rungs, and the rule for who of them may go on."""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass
from typing import final

from eyetune.tuning.schedulers.fronts import Scores
from eyetune.tuning.schedulers.rungs import RungRanking, rung_ranking_for

# Before so many trials a median says little; Optuna's median pruner waits for as many.
FIRST_TRIALS = 5


@dataclass(frozen=True)
class Rule:
    """Who may go on from a rung: the best of those who reach it.

    Attributes:
        factor: One in so many; 1: all.
        sizes: How many trials each rung takes instead. Then one goes on only when nobody who is
            still to come can take its place, so that the workers' timing decides nothing.
        stops_at_median: Whether one that is worse than the median of the others is stopped as it
            arrives.
    """

    factor: float = 1
    sizes: tuple[int, ...] | None = None
    stops_at_median: bool = False

    def going_on(self, rung: int, reached: float) -> float:
        """Return how many go on from a rung that so many reach."""
        return reached / self.factor if self.sizes is None else self.sizes[rung + 1]


def top_share(factor: float) -> Rule:
    """Return the rule of asynchronous successive halving: the best `1 / factor` of those that are
    there by now.

    Li et al. 2018, https://arxiv.org/abs/1810.05934.
    """
    return Rule(factor=factor)


def best_of_round(sizes: tuple[int, ...]) -> Rule:
    """Return the rule of Hyperband: the best of a whole round, each as soon as nothing can change
    it.
    """
    return Rule(sizes=sizes)


def median_stop() -> Rule:
    """Return the median rule: all who are as good as the median of the others at this rung, and the
    first few.

    Golovin et al. 2017, https://doi.org/10.1145/3097983.3098043, with the score at the rung in
    place of a running mean.
    """
    return Rule(stops_at_median=True)


@final
class Bracket:
    """Trials that run_lab the same rungs.

    Args:
        epochs: The rungs.
        num_trials: How many new trials it takes; infinity: any number.
        rule: Who may go on.
    """

    def __init__(self, epochs: tuple[int, ...], num_trials: float, rule: Rule) -> None:
        self.epochs = epochs
        self._num_trials = num_trials
        self._rule = rule
        self._last = len(epochs) - 1
        self._trials: list[int] = []
        self._entered = [0] * len(epochs)
        self._finished = [0] * len(epochs)
        self._failed = [0] * len(epochs)
        self._standings: list[RungRanking] = [rung_ranking_for(1) for _ in range(self._last)]
        self._coming: list[float] = [num_trials] * self._last

    @property
    def has_place(self) -> bool:
        """Whether it takes another new trial."""
        return self._entered[0] < self._num_trials

    @property
    def is_over(self) -> bool:
        """Whether all that it takes have come to their end."""
        is_idle = self._finished == self._entered and not any(
            standing.num_waiting for standing in self._standings
        )
        return is_idle and not self.has_place

    def promotion(self) -> tuple[int, int] | None:
        """Return who goes on next and to which rung, the highest first."""
        for rung in range(self._last - 1, -1, -1):
            standing, coming = self._standings[rung], self._coming[rung]
            going_on = int(self._rule.going_on(rung, len(standing)))
            # Where no more can come, one goes on at least: the best of a small study is trained to
            # its end.
            places = going_on if coming else max(going_on, 1)
            trial = standing.best(places, coming if self._rule.sizes else 0)
            if trial is not None:
                return trial, rung + 1
        return None

    def may_enter(self, trial: int, rung: int) -> bool:
        """Say whether a trial can be set to work on a rung."""
        return self._standings[rung - 1].is_waiting(trial) if rung else self.has_place

    def enter(self, trial: int, rung: int) -> None:
        """Let a trial, new at rung 0 or waiting below, work on a rung."""
        if rung:
            self._standings[rung - 1].take(trial)
        else:
            insort(self._trials, trial)
        self._entered[rung] += 1

    def leave(self, trial: int) -> None:
        """Give the place of a trial that works on rung 0 to another."""
        del self._trials[bisect_left(self._trials, trial)]
        self._entered[0] -= 1

    def arrive(self, trial: int, rung: int, scores: Scores | None) -> None:
        """Note what a trial that worked on a rung brings; None: it failed."""
        self._finished[rung] += 1
        if scores is None:
            self._failed[rung] += 1
        elif rung < self._last:
            if not len(self._standings[rung]):
                self._standings[rung] = rung_ranking_for(len(scores))
            self._standings[rung].add(trial, scores)

    def decide(self, trial: int, rung: int, *, is_stopped: bool | None = None) -> list[int]:
        """Return the trials for which all is over, now that one has arrived.

        Args:
            trial: Who has arrived.
            rung: Where.
            is_stopped: Whether it was stopped on arrival; None: the rule says.
        """
        if rung == self._last or not self._standings[rung].is_waiting(trial):
            return [trial, *self._drop()]
        if is_stopped is None:
            is_stopped = self._rule.stops_at_median and self._is_poor(trial, rung)
        if is_stopped:
            self._standings[rung].take(trial)
            return [trial, *self._drop()]
        return self._drop()

    def close(self) -> list[int]:
        """Take no new trial any more; return the trials for which all is over with that."""
        self._num_trials = self._entered[0]
        return self._drop()

    def _is_poor(self, trial: int, rung: int) -> bool:
        is_early = bisect_left(self._trials, trial) < FIRST_TRIALS
        return not is_early and not self._standings[rung].is_in_better_half(trial)

    def _drop(self) -> list[int]:
        """Take out who will never go on. From the lowest rung up: fewer that go on mean fewer that
        reach the next.
        """
        dropped: list[int] = []
        reaching = self._num_trials
        for rung, standing in enumerate(self._standings):
            coming = reaching - self._failed[rung] - len(standing)
            self._coming[rung] = coming
            going_on = self._rule.going_on(rung, len(standing) + coming)
            if going_on < len(standing) + coming:
                dropped += standing.drop(max(int(going_on), 1), coming)
            reaching = self._entered[rung + 1] + standing.num_waiting + coming
            if self._rule.sizes:
                reaching = min(reaching, going_on)
        return dropped
