"""A resumed study: its record with the new budget, after a check that nothing else changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from eyetune.errors import StudyChangedError, UsageError
from eyetune.recipe import Recipe
from eyetune.records import Workspace
from eyetune.records.study import Budget, Objective, StudyRecord, StudySettings
from eyetune.records.trial import TrialState
from eyetune.tuning.declared_options import budget_of, declared_options, limits_of
from eyetune.tuning.executors import Executor
from eyetune.tuning.load_images import ImageLoader
from eyetune.tuning.objectives import constraints_of, objectives_of
from eyetune.tuning.options import TuneOptions
from eyetune.tuning.settings import DEFAULT_TRIALS, board_reference
from eyetune.tuning.starting_space import (
    StartingPoint,
    limited_starting_space,
    starting_space,
    with_source,
)


def resumed_record(
    workspace: Workspace,
    record: StudyRecord,
    start: StartingPoint,
    options: TuneOptions,
    executor: Executor,
    images: ImageLoader,
) -> StudyRecord:
    """Return a recorded study with the budget, limits and workers of the new options.

    Args:
        workspace: Workspace of the study.
        record: The study as it is recorded.
        start: What trials start from, as far as the caller named it.
        options: What is asked for now.
        executor: Executor whose worker reads the space of a model function.
        images: Loader of the study's images.

    Raises:
        StudyChangedError: The options name another space, objective, model or data set.
        UsageError: An option cannot be used, or eyetune does not train the trials of this study.
    """
    settings = record.settings
    if settings.engine == "keras-tuner":
        raise UsageError(
            f"Study {record.name} was searched by KerasTuner and cannot be resumed.",
            fix="Start a new study with another name.",
        )
    if settings.engine == "tuner-subclass":
        raise UsageError(
            f"The trials of study {record.name} are run by a tuner in a script.",
            fix="Run the script again: its search continues.",
        )
    changed = [
        *_changed_options(settings, options),
        *_changed_start(workspace, record, start, executor, images),
    ]
    if changed:
        raise StudyChangedError(
            f"Study {record.name} cannot be resumed with other settings.",
            expected="the same space, objectives, scheduler and data; "
            "budget, limits and workers may change",
            received="; ".join(changed),
            fix="Leave these options out, or start a new study: another --name, no --resume.",
        )
    budget, limits = budget_of(options), limits_of(options)
    scheduler = settings.schedule
    if budget != Budget():
        scheduler = scheduler.model_copy(update={"iterations": None})
    update = {
        "budget": _extended_budget(workspace, record, budget),
        "limits": settings.limits.model_copy(update=limits.model_dump(exclude_none=True)),
        "schedule": scheduler,
        "workers": executor.recorded_workers,
    }
    return record.model_copy(update={"settings": settings.model_copy(update=update)})


def _changed_options(settings: StudySettings, options: TuneOptions) -> list[str]:
    """Return the differences in options that a resumed study must keep."""
    changed = []
    for option in declared_options():
        if not option.declaration.is_fixed or getattr(options, option.name) is None:
            continue
        recorded: Any = settings
        for name in option.declaration.recorded.split("."):
            recorded = getattr(recorded, name)
        value = getattr(options, option.name)
        if option.name == "objective":
            value = objectives_of(options)
        elif option.name == "board":  # an earlier version recorded the path as it was given
            recorded, value = board_reference(recorded), board_reference(value)
        if option.name != "constraints" and value != recorded:
            changed.append(f"{option.name}: {_text(recorded)} became {_text(value)}")
    return [*changed, *_changed_constraints(settings, options)]


def _changed_constraints(settings: StudySettings, options: TuneOptions) -> list[str]:
    """Return the difference in constraints; those of an option that is left out stay."""
    given, recorded = constraints_of(options, settings.board), settings.constraints
    if options.constraints is None:
        is_changed = not set(given) <= set(recorded)
    else:
        stays = [limit for limit in recorded if limit.name == "fps" and options.fps is None]
        is_changed = {*given, *stays} != set(recorded)
    return [f"constraints: {_text(recorded)} became {_text(given)}"] if is_changed else []


def _changed_start(
    workspace: Workspace,
    record: StudyRecord,
    start: StartingPoint,
    executor: Executor,
    images: ImageLoader,
) -> list[str]:
    """Return the differences in recipe, space and data from the recorded study."""
    settings = record.settings
    if start.is_given or start.space is not None:
        start = replace(start, data=start.data or settings.recipe.data.source)
        now = starting_space(
            workspace,
            start,
            settings.schedule.max_epochs,
            settings.objectives,
            executor,
            images,
        )
        # A study of an earlier version has the values that cannot work with its images, too.
        spaces = (now.space, limited_starting_space(now, images).space)
        differences = [settings.space.difference(space) for space in spaces]
        changed_space = differences[-1] if all(differences) else ()
        return [*changed_space, *_changed_recipe(settings.recipe, now.recipe)]
    if start.data is not None:
        dataset = images.load(with_source(settings.recipe, start.data))
        if dataset.fingerprint != record.data_fingerprint:
            return ["the images are different"]
    return []


def _changed_recipe(recorded: Recipe, recipe: Recipe) -> list[str]:
    changed = []
    if recorded.model.has_function and recipe.model.has_function:
        old_name, new_name = recorded.model.function, recipe.model.function
        # A function of a notebook never has the same name twice.
        if ".py" in old_name and ".py" in new_name and old_name != new_name:
            changed.append("the file of the model function is different")
        recipe = recipe.with_({"model": {"function": old_name}})
        if recipe.fit.precision == "measured":  # it was, when the study was started
            recipe = recipe.with_({"fit.precision": recorded.fit.precision})
    for path, (old, new) in recorded.difference(recipe).items():
        changed.append(f"{path}: {_text(old)} became {_text(new)}")
    return changed


def _extended_budget(workspace: Workspace, record: StudyRecord, given: Budget) -> Budget:
    """Return the budget of a resumed study: new values replace earlier ones."""
    budget = record.settings.budget
    if given != Budget() and given.trials is None and budget.trials == DEFAULT_TRIALS:
        budget = budget.model_copy(update={"trials": None})  # that was only the default
    budget = budget.model_copy(update=given.model_dump(exclude_none=True))
    trials = workspace.studies.trials(record.id)
    num_started = sum(trial.state is not TrialState.INFEASIBLE for trial in trials)
    if budget.trials is not None and budget.trials < num_started:
        raise UsageError(
            f"Study {record.name} has started more trials already.",
            expected=f"a budget of at least {num_started} trials",
            received=budget.trials,
        )
    return budget


def _text(value: object) -> str:
    """Return a setting as text for an error."""
    if isinstance(value, tuple):
        return ", ".join(_text(item) for item in value) or "none"
    if isinstance(value, Objective):
        return f"{value.name} ({value.direction})"
    return str(value) or "none"
