"""The one order called "best": of a study's trials, with one objective or several.

`Study.best`, tables, figures and the retention of networks all use it.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from operator import ge

from eyetune.analysis.pareto import dominates
from eyetune.records.study import Objective
from eyetune.records.trial import TrialRecord

Scores = tuple[float, ...]


def comparable(scores: Scores) -> Scores:
    """Return scores that can be ranked: minus infinity throughout where any is not finite.

    A network that diverged may well be the smallest of all; it must not win by that.

    Args:
        scores: One value per objective, higher is better.

    Example:
        >>> comparable((0.9, -3.0)), comparable((float("nan"), -1.0))
        ((0.9, -3.0), (-inf, -inf))
    """
    if all(math.isfinite(score) for score in scores):
        return scores
    return (-math.inf,) * len(scores)


def trial_scores(objectives: Sequence[Objective], trial: TrialRecord) -> Scores | None:
    """Return the objectives of a trial such that higher is better; None where it has no result."""
    if trial.objectives is None:
        return None
    pairs = zip(objectives, trial.objectives, strict=False)
    return comparable(tuple(objective.oriented(value) for objective, value in pairs))


def is_ahead(objectives: Sequence[Objective], trial: TrialRecord, other: TrialRecord) -> bool:
    """Return whether a trial beats another one for certain, whichever trials join them later.

    It does if it dominates the other, or if both have equal results and it has the lower number.
    """
    scores = trial_scores(objectives, trial)
    other_scores = trial_scores(objectives, other)
    if scores is None or other_scores is None:
        return scores is not None
    if scores == other_scores:
        return trial.number < other.number
    return dominates(scores, other_scores)


def rank_trials(
    objectives: Sequence[Objective], trials: Sequence[TrialRecord]
) -> list[TrialRecord]:
    """Return the trials that have a result, the best first.

    With one objective, its value decides. With several, the trials that no other one beats come
    first, then those that only these beat, and so on; within such a front, the first objective
    decides. Of equal results, the lower number comes first. Results that are not finite come last.

    Args:
        objectives: The study's objectives; the first one decides within a front.
        trials: Any number of trials.

    Example:
        >>> from eyetune.records.trial import Rung, TrialState
        >>> objectives = (Objective(name="val_accuracy", direction="max"),)
        >>> trials = [
        ...     TrialRecord(number=number, state=TrialState.COMPLETE, values={}, rungs=(rung,))
        ...     for number, rung in enumerate(Rung(epochs=1, values=(v,)) for v in (0.5, 0.9))
        ... ]
        >>> [trial.number for trial in rank_trials(objectives, trials)]
        [1, 0]
    """
    return [trial for front in _fronts(objectives, trials) for trial in front]


def non_dominated_trials(
    objectives: Sequence[Objective], trials: Sequence[TrialRecord]
) -> list[TrialRecord]:
    """Return the trials that no other one beats, the best in the first objective first.

    They are the first ones of `rank_trials`. Results that are not finite are never among them.
    """
    fronts = _fronts(objectives, trials)
    if not fronts:
        return []
    return [trial for trial in fronts[0] if -math.inf not in _scores(objectives, trial)]


def _fronts(
    objectives: Sequence[Objective], trials: Sequence[TrialRecord]
) -> list[list[TrialRecord]]:
    """Sort trials into fronts (ENS-BS: Zhang et al. 2015, doi:10.1109/TEVC.2014.2308305).

    The highest scores come first: no trial that comes later is ahead of one before it, so a trial
    belongs to the first front of which no member is at least as good in every objective.
    """
    fronts: list[list[TrialRecord]] = []
    scores_by_front: list[list[Scores]] = []
    with_result = [trial for trial in trials if trial.objectives is not None]
    order = sorted(with_result, key=lambda trial: _sort_key(objectives, trial))
    if len(objectives) == 1:
        return [[trial] for trial in order]
    for trial in order:
        scores = _scores(objectives, trial)
        rank = bisect_left(scores_by_front, True, key=lambda front: not _is_beaten(scores, front))
        if rank == len(fronts):
            fronts.append([])
            scores_by_front.append([])
        fronts[rank].append(trial)
        scores_by_front[rank].append(scores)
    return fronts


def _sort_key(objectives: Sequence[Objective], trial: TrialRecord) -> tuple[float, ...]:
    costs = tuple(-score for score in _scores(objectives, trial))
    return (*costs, trial.number)


def _is_beaten(scores: Scores, front: Sequence[Scores]) -> bool:
    # With one or two objectives, the last member of a front is the best in the last objective.
    rivals = front[-1:] if len(scores) <= 2 else front
    return any(all(map(ge, rival, scores)) for rival in rivals)


def _scores(objectives: Sequence[Objective], trial: TrialRecord) -> Scores:
    scores = trial_scores(objectives, trial)
    assert scores is not None
    return scores
