"""One trial: the recipe that it trains, what its inspection and its jobs say, and the record that
follows from it.
"""

from __future__ import annotations

import hashlib

from eyetune.errors import EyetuneError, UsageError
from eyetune.recipe import Recipe
from eyetune.records.study import Objective, Rung, StudySettings, TrialRecord, TrialState
from eyetune.space.presets import apply
from eyetune.space.space import Values
from eyetune.training.job import Inspection
from eyetune.tuning.objectives import broken, values_of
from eyetune.values.history import History


def trial_recipe(settings: StudySettings, trial: TrialRecord) -> Recipe:
    """Return what a trial trains: the study's recipe with its values.

    Raises:
        RecipeError: The values contradict each other.
    """
    if settings.has_function:
        return settings.recipe.with_({"model.hyperparameters": trial.all_values})
    return apply(settings.recipe, trial.values)


def run_id(study_id: str, number: int) -> str:
    """Return the id of a trial's run: always the same, so that one that a crash left behind is
    found and replaced.
    """
    return hashlib.sha256(f"{study_id}/{number}".encode()).hexdigest()[:8]


def scores(objectives: tuple[Objective, ...], values: tuple[float, ...]) -> tuple[float, ...]:
    """Return objectives' values so that higher is better, as schedules take them."""
    return tuple(one.oriented(value) for one, value in zip(objectives, values, strict=True))


def inspected(settings: StudySettings, trial: TrialRecord, inspection: Inspection) -> TrialRecord:
    """Return a trial after its network was built, untrained: WAITING, INFEASIBLE or FAILED."""
    if inspection.error is not None:
        return trial.with_(state=TrialState.FAILED, error=error_text(inspection.error))
    reasons = tuple(
        f"{one} is broken: {inspection.costs[one.name]:,.0f}"
        for one, _ in broken(settings.constraints, inspection.costs)
    )
    most = settings.limits.parameters
    if most is not None and inspection.costs["parameters"] > most:
        reasons = (
            *reasons,
            f"the network is larger than allowed: {inspection.costs['parameters']:,.0f} parameters",
        )
    state = TrialState.INFEASIBLE if reasons else TrialState.WAITING
    trial = with_hyperparameters(trial, inspection.hyperparameters)
    return trial.with_(state=state, network=dict(inspection.costs), infeasible=reasons)


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


def excesses(settings: StudySettings, trial: TrialRecord) -> tuple[float, ...]:
    """Return how far an infeasible trial breaks what it breaks, for a sampler to learn from."""
    found = [
        excess / max(one.limit, 1.0) for one, excess in broken(settings.constraints, trial.network)
    ]
    most = settings.limits.parameters
    if most is not None and trial.network.get("parameters", 0) > most:
        found.append(trial.network["parameters"] / most - 1)
    return tuple(found) or (1.0,)


def reached(
    objectives: tuple[Objective, ...], trial: TrialRecord, history: History, *, is_over: bool
) -> TrialRecord:
    """Return a trial that has reached the rung that it was granted.

    Raises:
        UsageError: Nothing measures an objective.
    """
    seconds = sum(epoch.duration_seconds for epoch in history)
    rung = Rung(
        epochs=len(history), values=values_of(objectives, history, trial.network, seconds=seconds)
    )
    return trial.with_(
        state=TrialState.COMPLETE if is_over else TrialState.PAUSED,
        epochs=len(history),
        is_over=is_over,
        rungs=(*trial.rungs, rung),
        partial=None,
        seconds=seconds,
    )


def cut_off(objectives: tuple[Objective, ...], trial: TrialRecord, history: History) -> TrialRecord:
    """Return a trial whose training was ended between two rungs, with what it had reached by then."""
    if not history:
        return trial
    seconds = sum(epoch.duration_seconds for epoch in history)
    trial = trial.with_(epochs=len(history), seconds=seconds)
    try:
        rung = Rung(
            epochs=len(history),
            values=values_of(objectives, history, trial.network, seconds=seconds),
        )
    except UsageError:  # nothing measures an objective
        return trial
    return trial.with_(partial=rung)


def failed(trial: TrialRecord, history: History, error: BaseException) -> TrialRecord:
    """Return a trial that cannot go on, with the epochs that it cost."""
    seconds = sum(epoch.duration_seconds for epoch in history)
    return trial.with_(
        state=TrialState.FAILED, error=error_text(error), epochs=len(history), seconds=seconds
    )


def error_text(error: BaseException) -> str:
    """Return what is kept of an error."""
    return str(error) if isinstance(error, EyetuneError) else f"{type(error).__name__}: {error}"
