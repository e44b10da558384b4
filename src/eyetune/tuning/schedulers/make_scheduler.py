"""Schedules by name."""

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
    """Return a schedule as it is before the first trial.

    Args:
        name: `full`: every trial gets all epochs at once. `halving`: one in `factor` goes on at
            each rung. `hyperband`: halving in brackets of different patience, as KerasTuner has
            them. `median`: what is worse than the median is stopped.
        max_epochs: What a trial trains at most.
        min_epochs: What it trains at least before it can be left behind.
        factor: Of `halving` and `hyperband`: one in so many goes on, to so many times the epochs;
            above 1.
        num_trials: How many trials are begun, not counting replaced ones. None: any number, and
            with `hyperband` those of its brackets. The last bracket of `hyperband` is made smaller
            to fit.
        iterations: Of `hyperband`: how often all brackets are run through; None: for ever.

    Raises:
        UsageError: The name is unknown or a value is out of its range.

    Example:
        >>> make_scheduler("hyperband", max_epochs=10).next()
        Promotion(trial=None, bracket=0, rung=0, epochs=2)
        >>> make_scheduler("full", max_epochs=10).next()
        Promotion(trial=None, bracket=0, rung=0, epochs=10)
    """
    if name not in get_args(SchedulerName):
        raise UsageError(
            f"There is no schedule {name!r}.", fix=nearest(str(name), get_args(SchedulerName))
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
        iteration, place = divmod(number, len(plans))
        plan = plans[place]
        if iterations is not None and iteration >= iterations:
            return None
        if num_trials is not None:
            left = num_trials - iteration * sum(sizes) - sum(sizes[:place])
            if left <= 0:
                return None
            plan = plan.limited(left)
        return Bracket(plan.epochs, plan.places[0], best_of_round(plan.places))

    return Scheduler(open_bracket)
