"""Schedulers by name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import get_args

from eyetune.errors import UsageError, nearest
from eyetune.records.study import SchedulerName
from eyetune.tuning.schedulers.brackets import Bracket, Rule, best_of_round, median_stop, top_share
from eyetune.tuning.schedulers.plans import (
    BracketPlan,
    check_count,
    check_epochs,
    halving_rungs,
    hyperband_brackets,
    median_rungs,
)
from eyetune.tuning.schedulers.scheduler import Scheduler


def make_scheduler(
    name: SchedulerName,
    *,
    max_epochs: int,
    min_epochs: int = 1,
    factor: float = 3,
    num_trials: int | None = None,
    iterations: int | None = 1,
) -> Scheduler:
    """Return a scheduler as it is before the first trial.

    Args:
        name: `full`: every trial gets all epochs at once. `halving`: one trial in `factor` is
            promoted at each rung. `hyperband`: halving in brackets that start with different
            numbers of epochs, as in KerasTuner. `median`: a trial that is worse than the median is
            stopped.
        max_epochs: Epochs of a trial that is trained to its end, 1 or more.
        min_epochs: Epochs of a trial before it may be stopped, 1 or more. Default: 1.
        factor: With `halving` and `hyperband` one trial in `factor` is promoted, to `factor` times
            the epochs; above 1. Default: 3.
        num_trials: Number of new trials, replaced ones not counted; the last bracket of `hyperband`
            is reduced to fit. None for no limit, and with `hyperband` for those of its brackets.
        iterations: How often `hyperband` runs all its brackets; None for no limit. Default: 1.

    Raises:
        UsageError: The name is unknown, or a value is out of its range.

    Example:
        >>> make_scheduler("hyperband", max_epochs=10).next()
        Promotion(trial=None, bracket=0, rung=0, epochs=2)
        >>> make_scheduler("full", max_epochs=10).next()
        Promotion(trial=None, bracket=0, rung=0, epochs=10)
    """
    if name not in get_args(SchedulerName):
        raise UsageError(
            f"{name} is not a known scheduler.",
            received=name,
            fix=nearest(str(name), get_args(SchedulerName)),
        )
    check_epochs(max_epochs, min_epochs, factor)
    if num_trials is not None:
        check_count("num_trials", num_trials)
    if iterations is not None:
        check_count("iterations", iterations)
    match name:
        case "full":
            return _single((max_epochs,), num_trials, top_share(factor))
        case "halving":
            return _single(
                halving_rungs(max_epochs, factor, min_epochs), num_trials, top_share(factor)
            )
        case "median":
            return _single(median_rungs(max_epochs, min_epochs), num_trials, median_stop())
        case "hyperband":
            return _repeated(
                hyperband_brackets(max_epochs, factor, min_epochs), num_trials, iterations
            )


def _single(rungs: tuple[int, ...], num_trials: int | None, rule: Rule) -> Scheduler:
    places = math.inf if num_trials is None else num_trials
    return Scheduler(lambda number: None if number else Bracket(rungs, places, rule))


def _repeated(
    plans: Sequence[BracketPlan], num_trials: int | None, iterations: int | None
) -> Scheduler:
    sizes = [plan.places[0] for plan in plans]

    def open_bracket(number: int) -> Bracket | None:
        iteration, index = divmod(number, len(plans))
        plan = plans[index]
        if iterations is not None and iteration >= iterations:
            return None
        if num_trials is not None:
            left = num_trials - iteration * sum(sizes) - sum(sizes[:index])
            if left <= 0:
                return None
            plan = plan.limited(left)
        return Bracket(plan.epochs, plan.places[0], best_of_round(plan.places))

    return Scheduler(open_bracket)
