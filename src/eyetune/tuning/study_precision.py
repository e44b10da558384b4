"""The arithmetic of a study of a model function: measured once, for all of its networks."""

from __future__ import annotations

import math
from collections.abc import Sequence

from eyetune.recipe import Recipe
from eyetune.records.study import Budget, Objective, SchedulerSettings
from eyetune.report.progress.training_progress import print_note, slow_step
from eyetune.space.space import Space
from eyetune.training.job import choose_arithmetic_apart
from eyetune.tuning.executors import Executor
from eyetune.tuning.samplers import Sampler
from eyetune.tuning.schedulers import hyperband_brackets

NUM_NETWORKS = 3  # drawn from the space; the largest of them is measured
MAX_EPOCHS = 100_000  # the largest number that a recipe takes


def with_precision(
    recipe: Recipe,
    space: Space,
    objectives: Sequence[Objective],
    scheduler: SchedulerSettings,
    budget: Budget,
    executor: Executor,
    *,
    progress: bool,
) -> Recipe:
    """Return a recipe with the faster precision, if its model function is to be measured.

    To measure each network would take as long as it saves in trials of a few epochs.

    Args:
        recipe: Recipe of the study.
        space: Space of its model function.
        objectives: Objectives of the study.
        scheduler: How it distributes epochs.
        budget: When it ends.
        executor: Executor of the measurement.
        progress: Whether to print what was chosen.
    """
    if not recipe.model.has_function or recipe.fit.precision != "measured":
        return recipe
    sampler = Sampler("random", space, list(objectives), seed=0)
    suggestions = (sampler.suggest(number) for number in range(NUM_NETWORKS))
    recipes = tuple(
        recipe.with_({"model.hyperparameters": suggestion.values})
        for suggestion in suggestions
        if suggestion is not None
    )
    max_seconds = math.inf
    if budget.seconds is not None:
        max_seconds = budget.seconds * executor.num_workers
    num_epochs = _num_epochs(scheduler, budget)
    future = executor.submit(
        choose_arithmetic_apart, recipes, executor.threads, num_epochs, max_seconds
    )
    with slow_step("Measuring which precision is faster ...", enabled=progress):
        arithmetic = future.result()
    if arithmetic is None:  # the trials will say why no network can be trained
        return recipe
    print_note(f"Precision of all trials: {arithmetic}", enabled=progress)
    return recipe.with_({"fit.precision": arithmetic.precision})


def _num_epochs(scheduler: SchedulerSettings, budget: Budget) -> int:
    """Return how many epochs a study trains, at most; it may end sooner by its time."""
    num_epochs = MAX_EPOCHS
    if budget.epochs is not None:
        num_epochs = budget.epochs
    elif budget.trials is not None:
        num_epochs = budget.trials * scheduler.max_epochs * scheduler.executions
    elif budget.seconds is None:
        brackets = hyperband_brackets(scheduler.max_epochs, scheduler.factor, scheduler.min_epochs)
        num_epochs = sum(bracket.epochs_trained for bracket in brackets) * scheduler.executions
        num_epochs *= scheduler.iterations or 1
    return min(num_epochs, MAX_EPOCHS)
