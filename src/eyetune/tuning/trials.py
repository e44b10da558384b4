"""One trial: the recipe that it trains, and how its record follows from what workers return."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from eyetune.errors import EyetuneError, UsageError
from eyetune.recipe import Recipe
from eyetune.records.study import Objective, SchedulerSettings, StudySettings
from eyetune.records.trial import InfeasibleReason, Rung, TrialRecord, TrialState
from eyetune.space.hyperparameters import Values
from eyetune.space.presets import apply
from eyetune.space.space import Space
from eyetune.training.job import Inspection
from eyetune.tuning.objectives import values_of, violations
from eyetune.values.history import History
from eyetune.values.int8_accuracy import Int8Accuracy

OPERATOR = "operator"  # what an infeasible network has that the board cannot run


def next_trial_number(trials: Iterable[TrialRecord]) -> int:
    """Return the number of a new trial; damaged trials that were removed leave gaps.

    Example:
        >>> trials = [TrialRecord(number=n, state=TrialState.WAITING, values={}) for n in (0, 2)]
        >>> next_trial_number(trials), next_trial_number([])
        (3, 0)
    """
    return max((trial.number for trial in trials), default=-1) + 1


def trial_recipe(settings: StudySettings, trial: TrialRecord) -> Recipe:
    """Return the recipe of a trial: the study's recipe with the trial's values.

    The final training has one schedule, which follows the clock and ends at a rate of zero. What
    a model function does with its rate is unknown, so there the best epoch is kept.

    Raises:
        RecipeError: The values contradict each other.
    """
    if settings.has_function:
        recipe = settings.recipe.with_({"model.hyperparameters": trial.all_values})
    else:
        recipe = apply(settings.recipe, trial.values)
    if not trial.is_final:
        return _in_cycles(recipe, settings.schedule) if settings.schedule.cycles else recipe
    edits: dict[str, Any] = {
        "fit.epochs": trial.epochs_granted,
        "fit.seconds": trial.final_seconds,
        "fit.early_stopping": 0,
        "fit.keep_best": settings.has_function,
        "optimizer.cycle_epochs": 0,
        "optimizer.restarts": (),
    }
    if not settings.has_function and recipe.optimizer.schedule in ("constant", "plateau"):
        edits["optimizer.schedule"] = "cosine"
    return recipe.with_(edits)


def _in_cycles(recipe: Recipe, scheduler: SchedulerSettings) -> Recipe:
    """Return a recipe whose schedule ends at each rung, with a warm-up that leaves room for it.

    A schedule that follows the clock stays as it is.
    """
    section = recipe.optimizer
    has_none = recipe.model.has_function or section.schedule in ("constant", "plateau")
    if has_none or recipe.fit.seconds:
        return recipe
    return recipe.with_(
        {
            "optimizer.cycle_epochs": scheduler.min_epochs,
            "optimizer.cycle_factor": scheduler.factor,
            "optimizer.restarts": (),
            "optimizer.warmup_epochs": min(section.warmup_epochs, scheduler.min_epochs / 4),
        }
    )


def run_id(study_id: str, number: int, seed: int | None = None) -> str:
    """Return the id of a run of a trial.

    It is always the same, so a run that a crash left behind is found and replaced.

    Args:
        study_id: Id of the study.
        number: Number of the trial.
        seed: Seed of the run, if the trial is trained more than once.
    """
    name = f"{study_id}/{number}" if seed is None else f"{study_id}/{number}/{seed}"
    return hashlib.sha256(name.encode()).hexdigest()[:8]


def scores(objectives: tuple[Objective, ...], values: tuple[float, ...]) -> tuple[float, ...]:
    """Return the values of objectives so that higher is better, as schedulers take them."""
    pairs = zip(objectives, values, strict=True)
    return tuple(objective.oriented(value) for objective, value in pairs)


def inspected(settings: StudySettings, trial: TrialRecord, inspection: Inspection) -> TrialRecord:
    """Return a trial whose network was built, untrained: WAITING, INFEASIBLE or FAILED."""
    if inspection.error is not None:
        return trial.with_(state=TrialState.FAILED, error=error_text(inspection.error))
    reasons = []
    for constraint, _ in violations(settings.constraints, inspection.costs):
        reasons.append(
            InfeasibleReason.exceeded(
                f"{constraint} is violated",
                constraint.name,
                inspection.costs[constraint.name],
                constraint.limit,
            )
        )
    max_parameters = settings.limits.parameters
    num_parameters = inspection.costs["parameters"]
    if max_parameters is not None and num_parameters > max_parameters:
        reasons.append(
            InfeasibleReason.exceeded(
                "the network has more parameters than allowed",
                "parameters",
                num_parameters,
                max_parameters,
            )
        )
    reasons += [_obstacle(text) for text in inspection.obstacles]
    state = TrialState.INFEASIBLE if reasons else TrialState.WAITING
    trial = with_hyperparameters(trial, inspection.hyperparameters)
    return trial.with_(
        state=state, network=dict(inspection.costs), infeasible_reasons=tuple(reasons)
    )


def _obstacle(text: str) -> InfeasibleReason:
    """Return the reason of a network that the board cannot run; its rule names no layer."""
    rule = re.sub(r" \(layer [^)]*\)", "", text)
    return InfeasibleReason(rule=rule, text=text, quantity=OPERATOR)


def with_hyperparameters(trial: TrialRecord, used: Values) -> TrialRecord:
    """Return a trial with the hyperparameters that its model function asked for.

    Args:
        trial: The trial.
        used: What the function asked for while it built or trained; empty for a recipe.
    """
    if not used:
        return trial
    appeared = {name: value for name, value in used.items() if name not in trial.values}
    unused = tuple(name for name in trial.values if name not in used)
    return trial.with_(more_values={**trial.more_values, **appeared}, unused=unused)


def with_unsearched(trial: TrialRecord, used: Space, searched: Space) -> TrialRecord:
    """Return a trial with the hyperparameters that it used and that its study does not search.

    Args:
        trial: The trial.
        used: What its model function asked for; empty for a recipe.
        searched: The space of the study.
    """
    more = tuple(entry for entry in used.distributions if entry.name not in searched.names)
    return trial.with_(more_hyperparameters=more) if more else trial


def excesses(settings: StudySettings, trial: TrialRecord) -> tuple[float, ...]:
    """Return how far an infeasible trial exceeds its limits, for a sampler to learn from."""
    excess_shares = [
        excess / max(constraint.limit, 1.0)
        for constraint, excess in violations(settings.constraints, trial.network)
    ]
    max_parameters = settings.limits.parameters
    num_parameters = trial.network.get("parameters", 0)
    if max_parameters is not None and num_parameters > max_parameters:
        excess_shares.append(num_parameters / max_parameters - 1)
    return tuple(excess_shares) or (1.0,)


def reached(
    objectives: tuple[Objective, ...],
    trial: TrialRecord,
    history: History,
    *,
    is_over: bool,
    counted: History | None = None,
    int8: Int8Accuracy | None = None,
    returned: Mapping[str, float] = MappingProxyType({}),
) -> TrialRecord:
    """Return a trial that is trained once after it has reached the rung of its promotion.

    Args:
        objectives: Objectives of the study.
        trial: The trial.
        history: All its epochs.
        is_over: Whether it would train no further even if it was promoted.
        counted: The epochs of which the best one counts. Default: all.
        int8: Accuracy of its int8 network.
        returned: Metrics by name that a user's `fit` returned; they count instead of the epochs'.

    Raises:
        UsageError: Nothing measures an objective.
    """
    seconds = sum(epoch.duration_seconds for epoch in history)
    rung = rung_of(
        objectives,
        trial.network,
        history,
        seconds=seconds,
        counted=counted,
        int8=int8,
        returned=returned,
    )
    return trial.with_(
        state=TrialState.COMPLETE if is_over else TrialState.PAUSED,
        epochs=len(history),
        is_over=is_over,
        rungs=(*trial.rungs, rung),
        partial=None,
        seconds=seconds,
    )


def rung_of(
    objectives: tuple[Objective, ...],
    network: Mapping[str, float],
    history: History,
    *,
    seconds: float,
    counted: History | None = None,
    int8: Int8Accuracy | None = None,
    returned: Mapping[str, float] = MappingProxyType({}),
) -> Rung:
    """Return what a training has reached.

    Args:
        objectives: Objectives of the study.
        network: Costs of its network by name.
        history: All its epochs.
        seconds: Their time in seconds.
        counted: The epochs of which the best one counts. Default: all.
        int8: Accuracy of its int8 network; None if it was not measured.
        returned: Metrics by name that a user's `fit` returned; they count instead of the epochs'.

    Raises:
        UsageError: Nothing measures an objective.
    """
    counted = history if counted is None else counted
    values = values_of(objectives, counted, network, seconds=seconds, int8=int8, returned=returned)
    return Rung(epochs=len(history), values=values, int8=int8)


def reached_again(trial: TrialRecord) -> TrialRecord:
    """Return a promoted trial that is over, so that it is at its next rung already."""
    return trial.with_(
        state=TrialState.COMPLETE,
        epochs_granted=trial.epochs,
        rungs=(*trial.rungs, trial.rungs[-1]),
        partial=None,
    )


def cut_off(settings: StudySettings, trial: TrialRecord, history: History) -> TrialRecord:
    """Return a trial whose only training was stopped between two rungs, with its values so far."""
    if not history:
        return trial
    seconds = sum(epoch.duration_seconds for epoch in history)
    trial = trial.with_(epochs=len(history), seconds=seconds)
    try:
        rung = rung_of(
            settings.objectives,
            trial.network,
            history,
            seconds=seconds,
            counted=settings.fit_of(trial.values).counted(history),
        )
    except UsageError:  # nothing measures an objective
        return trial
    return trial.with_(partial=rung)


def failed(trial: TrialRecord, history: History, error: BaseException) -> TrialRecord:
    """Return a trial that is trained once after it failed, with the epochs that it has trained."""
    seconds = sum(epoch.duration_seconds for epoch in history)
    return trial.with_(
        state=TrialState.FAILED, error=error_text(error), epochs=len(history), seconds=seconds
    )


def error_text(error: BaseException) -> str:
    """Return an error as it is recorded."""
    return str(error) if isinstance(error, EyetuneError) else f"{type(error).__name__}: {error}"
