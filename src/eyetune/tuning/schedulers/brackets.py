"""A running bracket: trials that climb the same rungs, and the rule for their promotion."""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass
from typing import final

from eyetune.tuning.schedulers.fronts import Scores
from eyetune.tuning.schedulers.rungs import RungRanking, rung_ranking_for

# A median of fewer trials says little; Optuna's median pruner waits for as many.
FIRST_TRIALS = 5


@dataclass(frozen=True)
class Rule:
    """Which trials are promoted from a rung: the best of those that reach it.

    Attributes:
        factor: One in this many is promoted; 1 for all.
        sizes: Number of trials of each rung, instead of the factor. Then a trial is promoted only
            when no trial that is still to come can replace it, so the timing of workers has no
            effect.
        stops_at_median: Whether a trial that is worse than the median of the others is stopped when
            it arrives.
    """

    factor: float = 1
    sizes: tuple[int, ...] | None = None
    stops_at_median: bool = False

    def num_promoted(self, rung: int, reached: float) -> float:
        """Return the number of trials that are promoted from a rung that `reached` trials reach."""
        return reached / self.factor if self.sizes is None else self.sizes[rung + 1]


def top_share(factor: float) -> Rule:
    """Return the rule of asynchronous successive halving: the best `1 / factor` so far.

    Source: Li et al. 2018, https://arxiv.org/abs/1810.05934.
    """
    return Rule(factor=factor)


def best_of_round(sizes: tuple[int, ...]) -> Rule:
    """Return the rule of Hyperband: the best of a round, each as soon as that is certain."""
    return Rule(sizes=sizes)


def median_stop() -> Rule:
    """Return the median rule: all as good as the median of the others, and the first few.

    Source: Golovin et al. 2017, https://doi.org/10.1145/3097983.3098043; here with the score at the
    rung instead of a running mean.
    """
    return Rule(stops_at_median=True)


@final
class Bracket:
    """Trials that climb the same rungs.

    Args:
        epochs: Total epochs at each rung.
        num_trials: Number of new trials; infinity for no limit.
        rule: Which trials are promoted.
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
        self._rankings: list[RungRanking] = [rung_ranking_for(1) for _ in range(self._last)]
        self._num_coming: list[float] = [num_trials] * self._last

    @property
    def has_place(self) -> bool:
        """Whether another new trial can start in it."""
        return self._entered[0] < self._num_trials

    @property
    def is_over(self) -> bool:
        """Whether all its trials have ended."""
        is_idle = self._finished == self._entered and not any(
            ranking.num_waiting for ranking in self._rankings
        )
        return is_idle and not self.has_place

    def promotion(self) -> tuple[int, int] | None:
        """Return which trial is promoted next and to which rung, the highest first."""
        for rung in range(self._last - 1, -1, -1):
            ranking, coming = self._rankings[rung], self._num_coming[rung]
            num_promoted = int(self._rule.num_promoted(rung, len(ranking)))
            # Once no more can come, at least one is promoted: the best of a small study is trained
            # to its end.
            places = num_promoted if coming else max(num_promoted, 1)
            trial = ranking.best(places, coming if self._rule.sizes else 0)
            if trial is not None:
                return trial, rung + 1
        return None

    def may_enter(self, trial: int, rung: int) -> bool:
        """Return whether a trial can start on a rung."""
        return self._rankings[rung - 1].is_waiting(trial) if rung else self.has_place

    def enter(self, trial: int, rung: int) -> None:
        """Let a trial start on a rung: a new one on rung 0, or one that waits below."""
        if rung:
            self._rankings[rung - 1].take(trial)
        else:
            insort(self._trials, trial)
        self._entered[rung] += 1

    def leave(self, trial: int) -> None:
        """Remove a trial that is running on rung 0; another one may take its place."""
        del self._trials[bisect_left(self._trials, trial)]
        self._entered[0] -= 1

    def arrive(self, trial: int, rung: int, scores: Scores | None) -> None:
        """Take in the scores of a trial that was running on a rung; None where it failed."""
        self._finished[rung] += 1
        if scores is None:
            self._failed[rung] += 1
        elif rung < self._last:
            if not len(self._rankings[rung]):
                self._rankings[rung] = rung_ranking_for(len(scores))
            self._rankings[rung].add(trial, scores)

    def decide(self, trial: int, rung: int, *, is_stopped: bool | None = None) -> list[int]:
        """Return the trials that will not be promoted any more, now that one has arrived.

        Args:
            trial: The trial that has arrived.
            rung: The rung that it has reached.
            is_stopped: Whether it was stopped on arrival; None where the rule decides.
        """
        if rung == self._last or not self._rankings[rung].is_waiting(trial):
            return [trial, *self.drop_hopeless()]
        if is_stopped is None:
            is_stopped = self._rule.stops_at_median and self._is_poor(trial, rung)
        if is_stopped:
            self._rankings[rung].take(trial)
            return [trial, *self.drop_hopeless()]
        return self.drop_hopeless()

    def close(self) -> list[int]:
        """Start no more new trials; return the trials that will not be promoted any more."""
        self._num_trials = self._entered[0]
        return self.drop_hopeless()

    def _is_poor(self, trial: int, rung: int) -> bool:
        is_early = bisect_left(self._trials, trial) < FIRST_TRIALS
        return not is_early and not self._rankings[rung].is_in_better_half(trial)

    def drop_hopeless(self) -> list[int]:
        """Remove and return the trials that cannot be promoted any more.

        From the lowest rung up: fewer promotions mean fewer trials that reach the next rung.
        """
        dropped: list[int] = []
        reaching = self._num_trials
        for rung, ranking in enumerate(self._rankings):
            coming = reaching - self._failed[rung] - len(ranking)
            self._num_coming[rung] = coming
            num_promoted = self._rule.num_promoted(rung, len(ranking) + coming)
            if num_promoted < len(ranking) + coming:
                dropped += ranking.drop(max(int(num_promoted), 1), coming)
            reaching = self._entered[rung + 1] + ranking.num_waiting + coming
            if self._rule.sizes:
                reaching = min(reaching, num_promoted)
        return dropped
