"""The settings of a new study, and the check of the options of a resumed study."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from eyetune.data import Dataset
from eyetune.errors import StudyChangedError, UsageError, nearest
from eyetune.models.initial_weights import in_package
from eyetune.recipe import CIFAR10_WEIGHTS, Recipe
from eyetune.records import Workspace
from eyetune.records.study import (
    Budget,
    Constraint,
    Objective,
    SchedulerSettings,
    StudyRecord,
    StudySettings,
    TrialState,
)
from eyetune.report.progress.training_progress import print_note
from eyetune.space.presets import StartingSpace, check_space, recipe_space
from eyetune.space.space import Space
from eyetune.training.job import discover_apart
from eyetune.tuning.declared_options import (
    budget_of,
    check_choices,
    declared_options,
    limits_of,
    recorded_section,
    texts_of,
)
from eyetune.tuning.executors import Executor
from eyetune.tuning.final_training import MAX_FINAL_EPOCHS
from eyetune.tuning.image_limits import LimitedSpace, limited_space
from eyetune.tuning.load_images import ImageLoader
from eyetune.tuning.objectives import (
    BEFORE_TRAINING,
    ON_A_BOARD,
    SECONDS,
    USUAL,
    monitor_of,
    read_constraint,
    read_objective,
)
from eyetune.tuning.options import TuneOptions
from eyetune.tuning.references import resolve
from eyetune.tuning.schedulers import make_scheduler

DEFAULT_TRIALS = 30  # if nothing else ends a study
MIN_RUNG_STEPS = 400  # of the first rung in a study with a final training


@dataclass(frozen=True)
class StartingPoint:
    """What trials start from, as far as the caller named it.

    Attributes:
        recipe: Recipe of every trial.
        space: What trials may change: a built-in space's name, a TOML file, or a space; None for
            the function's own, or `lab`.
        data: A source in place of the recipe's.
        is_given: Whether the caller named a model function, a recipe or a run.
    """

    recipe: Recipe
    space: str | Path | Space | None = None
    data: str | Path | None = None
    is_given: bool = False


def check_options(options: TuneOptions) -> None:
    """Check the options that need neither images nor workers, before either is started.

    Raises:
        UsageError: A name, objective, constraint or board is not valid.
    """
    check_choices(options)
    _objectives(options)
    _constraints(options, options.board or "")


def new_settings(
    workspace: Workspace,
    start: StartingPoint,
    options: TuneOptions,
    executor: Executor,
    images: ImageLoader,
) -> StudySettings:
    """Return the settings of a new study.

    Args:
        workspace: Workspace that resolves references to runs and keeps model functions.
        start: What trials start from.
        options: What is asked for.
        executor: Executor whose worker reads the space of a model function.
        images: Loader of the study's images.

    Raises:
        UsageError: An option cannot be used.
        SpaceError: No network of the study can be trained on the images.
    """
    check_choices(options)
    objectives = _objectives(options) or (read_objective("val_accuracy"),)
    if len({objective.name for objective in objectives}) < len(objectives):
        raise UsageError("An objective is given twice.", received=_text(objectives))
    budget, limits = budget_of(options), limits_of(options)
    ends_with_training = _final_training(options, start, objectives, budget)
    starting = _starting_space(
        workspace,
        start,
        options.max_epochs,
        objectives,
        executor,
        images,
        seconds=budget.seconds if ends_with_training else None,
    )
    if ends_with_training and _fine_tunes(starting):
        if options.final_training:
            raise _no_final_training(("no fit.fine_tune_epochs",))
        note = "There is no final training: fit.fine_tune_epochs do not follow the clock."
        print_note(note, enabled=options.progress)
        ends_with_training = False
    if ends_with_training and options.scheduler is None:
        options = replace(options, scheduler="halving")
    scheduler = recorded_section(options, "schedule", SchedulerSettings)
    limited = _limited_space(starting, images)
    for sentence in limited.left_out:
        print_note(sentence, enabled=options.progress)
    recipe = starting.recipe
    has_epochs = (
        options.max_epochs is not None
        or options.min_epochs is not None
        or "epochs" in start.recipe.fit.model_fields_set
    )
    if ends_with_training and scheduler.name == "halving" and not has_epochs:
        scheduler = _with_rungs(scheduler, recipe, len(images.load(recipe).train))
        recipe = _with_length(recipe, scheduler.max_epochs, objectives)
    starts = [values for values in starting.starts if limited.space.contains(values)]
    default_sampler = "nsga2" if len(objectives) > 1 else "tpe"
    return StudySettings.model_validate(
        {
            "recipe": recipe,
            "space": limited.space,
            "objectives": objectives,
            "constraints": _constraints(options, options.board or ""),
            "board": options.board or "",
            "sampler": options.sampler or default_sampler,
            "schedule": _scheduler_settings(scheduler, recipe.fit.total_epochs, budget),
            "budget": _ending_budget(budget, scheduler),
            "limits": limits,
            "seed": options.seed or 0,
            "workers": executor.num_workers,
            "executor": options.executor or "local",
            "tune_new_entries": options.tune_new_entries is not False,
            "starts": tuple(starts),
            "portfolio": starting.portfolio,
            "final_training": ends_with_training,
        }
    )


def _final_training(
    options: TuneOptions,
    start: StartingPoint,
    objectives: tuple[Objective, ...],
    budget: Budget,
) -> bool:
    """Return whether the study ends with a longer training of its best recipe.

    Raises:
        UsageError: The options ask for it, and the study cannot have it.
    """
    is_accuracy = [objective.name for objective in objectives] == ["val_accuracy"]
    obstacles = {
        "a time limit": budget.seconds is None,
        "val_accuracy as the only objective": not is_accuracy,
        "no limit besides the time": budget != Budget(seconds=budget.seconds),
    }
    missing = [need for need, is_missing in obstacles.items() if is_missing]
    if options.final_training and missing:
        raise _no_final_training(missing)
    wanted = options.final_training
    if wanted is None:  # the schedule of a model function does not follow the clock
        wanted = not start.recipe.model.has_function
    return wanted and not missing


def _no_final_training(missing: Sequence[str]) -> UsageError:
    return UsageError(
        "This study cannot end with a final training.",
        expected=" and ".join(missing),
        fix="Leave final_training out.",
    )


def _fine_tunes(starting: StartingSpace) -> bool:
    """Return whether a trial may fine-tune a backbone, in a number of epochs of its own."""
    path = "fit.fine_tune_epochs"
    return bool(starting.recipe.fit.fine_tune_epochs) or path in starting.space.names


def _with_rungs(given: SchedulerSettings, recipe: Recipe, num_images: int) -> SchedulerSettings:
    """Return rungs that suit a final training: at the first, an accuracy says something.

    No trial is longer than the longest final training.
    """
    min_epochs = math.ceil(MIN_RUNG_STEPS * recipe.fit.batch_size / num_images)
    min_epochs = min(min_epochs, MAX_FINAL_EPOCHS // 9)
    return given.model_copy(update={"min_epochs": min_epochs, "max_epochs": 9 * min_epochs})


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
        UsageError: An option cannot be used, or KerasTuner searched this study.
    """
    settings = record.settings
    if settings.engine != "eyetune":
        raise UsageError(
            f"Study {record.name} was searched by KerasTuner and cannot be resumed.",
            fix="Start a new study with another name.",
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
        "workers": executor.num_workers,
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
            value = _objectives(options)
        elif option.name == "constraints":
            value = _constraints(options, settings.board)
        if value != recorded:
            changed.append(f"{option.name}: {_text(recorded)} became {_text(value)}")
    return changed


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
        now = _starting_space(
            workspace,
            start,
            settings.schedule.max_epochs,
            settings.objectives,
            executor,
            images,
        )
        # A study of an earlier version has the values that cannot work with its images, too.
        spaces = (now.space, _limited_space(now, images).space)
        differences = [settings.space.difference(space) for space in spaces]
        changed_space = differences[-1] if all(differences) else ()
        return [*changed_space, *_changed_recipe(settings.recipe, now.recipe)]
    if start.data is not None:
        dataset = images.load(_with_source(settings.recipe, start.data))
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


def _starting_space(
    workspace: Workspace,
    start: StartingPoint,
    max_epochs: int | None,
    objectives: tuple[Objective, ...],
    executor: Executor,
    images: ImageLoader,
    seconds: float | None = None,
) -> StartingSpace:
    """Return the recipe that trials start from, with their number of epochs, and the space.

    With a time in seconds, the starts are in the order of what they promise within it.
    """
    if not start.recipe.model.has_function:
        _check_objective_names(objectives)
    recipe = _with_source(start.recipe, start.data)
    dataset = images.load(recipe)
    recipe = recipe.with_({"data.source": dataset.source})  # by its absolute path
    recipe = _with_length(recipe, max_epochs, objectives)
    starting = _with_space(recipe, start.space, executor, dataset, seconds)
    return replace(starting, recipe=resolve(starting.recipe, workspace))


def _limited_space(starting: StartingSpace, images: ImageLoader) -> LimitedSpace:
    """Return a space of recipes without the values that cannot work with the images."""
    if starting.recipe.model.has_function:
        return LimitedSpace(starting.space, ())
    return limited_space(starting.recipe, starting.space, images.load(starting.recipe))


def _check_objective_names(objectives: tuple[Objective, ...]) -> None:
    """Refuse names that no recipe measures; what a model function measures is known later."""
    names = (*USUAL, *BEFORE_TRAINING, SECONDS)
    for objective in objectives:
        if objective.name not in names:
            raise UsageError(
                f"{objective.name} is not a known objective.",
                received=objective.name,
                fix=nearest(objective.name, names),
            )


def _with_source(recipe: Recipe, source: str | Path | None) -> Recipe:
    """Return a recipe with another source, if one is given, and images to validate on."""
    edits: dict[str, Any] = {"data.train_on_validation": False}
    if source is not None:
        edits["data.source"] = str(source)
    return recipe.with_(edits)


def _with_length(
    recipe: Recipe, max_epochs: int | None, objectives: tuple[Objective, ...]
) -> Recipe:
    """Return a recipe that trains for `max_epochs` and keeps the epoch with the best metric."""
    epochs = recipe.fit.epochs if max_epochs is None else max_epochs
    edits: dict[str, Any] = {
        "fit.epochs": epochs,
        "fit.keep_best": True,
        "fit.monitor": monitor_of(objectives),
    }
    if recipe.optimizer.warmup_epochs >= epochs:
        edits["optimizer.warmup_epochs"] = epochs / 4
    return recipe.with_(edits)


def _with_space(
    recipe: Recipe,
    space: str | Path | Space | None,
    executor: Executor,
    dataset: Dataset,
    seconds: float | None = None,
) -> StartingSpace:
    if recipe.model.has_function:
        if space is not None:
            raise UsageError(
                "A model function defines its own space.",
                received=space,
                fix="Leave the space out.",
            )
        future = executor.submit(discover_apart, recipe.model.function, executor.threads)
        return StartingSpace(recipe, future.result())
    if isinstance(space, Space):
        check_space(recipe, space)
        return StartingSpace(recipe, space)
    return recipe_space(
        str(space or "lab"),
        recipe,
        num_images=len(dataset.train),
        image_shape=dataset.image_shape,
        # The weights in the package have seen the validation images of CIFAR-10.
        pretrained=bool(in_package()) and dataset.name != CIFAR10_WEIGHTS,
        seconds=seconds,
    )


def _objectives(options: TuneOptions) -> tuple[Objective, ...]:
    texts = texts_of("objective", options.objective)
    return tuple(read_objective(text) for text in texts)


def _constraints(options: TuneOptions, board_name: str) -> tuple[Constraint, ...]:
    """Return the constraints of the options and the limits of the board."""
    texts = texts_of("constraints", options.constraints)
    constraints = [read_constraint(text) for text in texts]
    if board_name:
        from eyetune.device.boards.profiles import load_board

        profile = load_board(board_name)
        limits = (profile.max_model_bytes, profile.max_arena_bytes)
        for name, limit in zip(ON_A_BOARD, limits, strict=True):
            constraints.append(Constraint(name=name, sign="<=", limit=limit))
    return tuple(constraints)


def _scheduler_settings(
    given: SchedulerSettings, max_epochs: int, budget: Budget
) -> SchedulerSettings:
    """Return how epochs are distributed, checked against the budget."""
    settings = given.model_copy(
        update={
            "max_epochs": max_epochs,
            "iterations": 1 if budget == Budget() else None,
            "cycles": given.name == "halving",
        }
    )
    scheduler = make_scheduler(
        settings.name,
        max_epochs=settings.max_epochs,
        min_epochs=settings.min_epochs,
        factor=settings.factor,
    )
    first = scheduler.next()
    if first is not None and budget.epochs is not None and budget.epochs < first.epochs:
        raise UsageError(
            "The epochs are not enough for one trial.",
            expected=f"at least {first.epochs}, which the first trial trains",
            received=budget.epochs,
        )
    return settings


def _ending_budget(budget: Budget, scheduler: SchedulerSettings) -> Budget:
    """Return a budget that ends the study, by default after a number of trials."""
    is_limited = any((budget.trials, budget.epochs, budget.seconds))
    ends_by_itself = scheduler.name == "hyperband" and budget.target is None
    if is_limited or ends_by_itself:
        return budget
    return budget.model_copy(update={"trials": DEFAULT_TRIALS})


def _text(value: object) -> str:
    """Return a setting as text for an error."""
    if isinstance(value, tuple):
        return ", ".join(_text(item) for item in value) or "none"
    if isinstance(value, Objective):
        return f"{value.name} ({value.direction})"
    return str(value) or "none"
