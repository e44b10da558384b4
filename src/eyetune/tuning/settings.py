"""The settings of a new study, from its options."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from eyetune.device.export.int8_accuracy import MAX_IMAGES
from eyetune.errors import UsageError, nearest
from eyetune.recipe import Recipe
from eyetune.records import Workspace
from eyetune.records.study import (
    Budget,
    Objective,
    SamplerSettings,
    SchedulerSettings,
    StudySettings,
)
from eyetune.report.progress.training_progress import print_note, slow_step
from eyetune.space.presets import StartingSpace
from eyetune.training.backend import MAX_SEED
from eyetune.training.job import Discovered
from eyetune.tuning.declared_options import (
    budget_of,
    check_choices,
    limits_of,
    recorded_section,
)
from eyetune.tuning.executors import Executor
from eyetune.tuning.final_training import MAX_FINAL_EPOCHS
from eyetune.tuning.load_images import ImageLoader
from eyetune.tuning.objectives import (
    BEFORE_TRAINING,
    INT8_ACCURACY,
    SECONDS,
    check_board,
    constraints_of,
    measures_int8,
    objectives_of,
    read_objective,
)
from eyetune.tuning.options import TuneOptions
from eyetune.tuning.schedulers import make_scheduler
from eyetune.tuning.starting_space import (
    StartingPoint,
    discover,
    limited_starting_space,
    located_recipe,
    starting_space,
    with_length,
)
from eyetune.tuning.study_precision import with_precision

LEARNING_FROM_POINTS = ("tpe", "gp")  # samplers that begin with random trials
DEFAULT_TRIALS = 30  # if nothing else ends a study
MIN_RUNG_STEPS = 400  # of the first rung in a study with a final training


def check_options(options: TuneOptions, board_name: str = "") -> None:
    """Check the options that need neither images nor workers, before either is started.

    Args:
        options: What is asked for.
        board_name: The board of the study that is resumed, or "".

    Raises:
        UsageError: A name, objective, constraint or board is not valid, an objective or
            constraint cannot be computed, or a limit needs worker processes and there are none.
    """
    check_choices(options)
    if options.workers == 0:
        _check_no_limits(options)
    board_name = options.board or board_name
    check_board(objectives_of(options), constraints_of(options, board_name), board_name)


def check_sampling(options: TuneOptions, sampler: str) -> None:
    """Refuse options that a sampler does not have.

    Args:
        options: What is asked for.
        sampler: Name of the sampler.

    Raises:
        UsageError: There is one.
    """
    samplers_by_option = {
        "initial_points": LEARNING_FROM_POINTS,
        "gp_alpha": ("gp",),
        "gp_beta": ("gp",),
    }
    for name, samplers in samplers_by_option.items():
        if getattr(options, name) is not None and sampler not in samplers:
            raise UsageError(
                f"The sampler {sampler} has no {name}.",
                expected=f"the sampler {' or '.join(samplers)}",
                received=f"{name}={getattr(options, name)!r} with the sampler {sampler}",
                fix=f"Leave {name} out, or choose the sampler {samplers[-1]}.",
            )


def _check_no_limits(options: TuneOptions) -> None:
    """Refuse limits that need a worker process, which can be ended."""
    for name in ("trial_seconds", "trial_bytes"):
        if getattr(options, name) is not None:
            raise UsageError(
                f"{name} needs worker processes.",
                expected="workers=1 or more",
                received="workers=0",
                fix=f"Leave {name} out, or train in a worker process.",
            )


def board_reference(board: str) -> str:
    """Return a board as a study records it: its name, or the absolute path of its profile.

    Example:
        >>> board_reference("esp-eye")
        'esp-eye'
    """
    return str(Path(board).expanduser().absolute()) if board.endswith(".toml") else board


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
    check_options(options)
    discovered = None
    if start.recipe.model.has_function:
        recipe = located_recipe(start, images)
        with slow_step("Checking the model function ...", enabled=options.progress):
            discovered = discover(recipe, executor)
    objectives = objectives_of(options) or _default_objective(discovered, options)
    if discovered is not None:
        check_measured(objectives, discovered)
    if len({objective.name for objective in objectives}) < len(objectives):
        names = ", ".join(objective.name for objective in objectives)
        raise UsageError("An objective is given twice.", received=names)
    sampler = options.sampler or ("nsga2" if len(objectives) > 1 else "tpe")
    check_sampling(options, sampler)
    sampling = recorded_section(options, "sampling", SamplerSettings)
    budget, limits = budget_of(options), limits_of(options)
    ends_with_training = _final_training(options, start, objectives, budget)
    starting = starting_space(
        workspace,
        start,
        options.max_epochs,
        objectives,
        executor,
        images,
        seconds=budget.seconds if ends_with_training else None,
        discovered=discovered,
    )
    further_stage = _further_stage(starting)
    if ends_with_training and further_stage:
        if options.final_training:
            raise _no_final_training((f"no {further_stage}",))
        note = f"There is no final training: {further_stage} do not follow the clock."
        print_note(note, enabled=options.progress)
        ends_with_training = False
    if ends_with_training and options.scheduler is None:
        options = replace(options, scheduler="halving")
    scheduler = recorded_section(options, "schedule", SchedulerSettings)
    _check_seeds(options.seed or 0, scheduler.executions + (limits.retries or 0))
    limited = limited_starting_space(starting, images)
    for sentence in limited.left_out:
        print_note(sentence, enabled=options.progress)
    recipe = starting.recipe
    has_epochs = (
        options.max_epochs is not None
        or options.min_epochs is not None
        or "epochs" in start.recipe.fit.model_fields_set
    )
    if ends_with_training and scheduler.name == "halving" and not has_epochs:
        scheduler = _with_rungs(scheduler, recipe, len(images.load_images(recipe).train))
        recipe = with_length(recipe, scheduler.max_epochs, objectives)
    schedule = _scheduler_settings(scheduler, recipe.fit.total_epochs, budget)
    ending_budget = _ending_budget(budget, scheduler)
    recipe = with_precision(
        recipe,
        limited.space,
        objectives,
        schedule,
        ending_budget,
        executor,
        progress=options.progress,
    )
    num_int8_images = 0
    if measures_int8(objectives):
        num_int8_images = min(MAX_IMAGES, len(images.load_images(recipe).validation))
    starts = [values for values in starting.starts if limited.space.contains(values)]
    return StudySettings.model_validate(
        {
            "recipe": recipe,
            "space": limited.space,
            "objectives": objectives,
            "constraints": constraints_of(options, options.board or ""),
            "board": board_reference(options.board or ""),
            "int8_images": num_int8_images,
            "sampler": sampler,
            "sampling": sampling,
            "schedule": schedule,
            "budget": ending_budget,
            "limits": limits,
            "seed": options.seed or 0,
            "workers": executor.recorded_workers,
            "executor": options.executor or "local",
            "tune_new_entries": options.tune_new_entries is not False,
            "starts": tuple(starts),
            "portfolio": starting.portfolio,
            "final_training": ends_with_training,
        }
    )


def _default_objective(
    discovered: Discovered | None, options: TuneOptions
) -> tuple[Objective, ...]:
    """Return the objective of a study that names none: accuracy, or else loss, on validation.

    Raises:
        UsageError: There is no data to validate on.
    """
    names = ("val_accuracy",) if discovered is None else discovered.metrics
    for name in ("val_accuracy", "val_loss"):
        if name in names:
            if name != "val_accuracy":
                note = "The network measures no accuracy: the objective is val_loss."
                print_note(note, enabled=options.progress)
            return (read_objective(name),)
    raise UsageError(
        "There is no data to validate on, and no objective is named.",
        expected="validation data, or an objective that training measures",
        received=f"metrics {', '.join(names)}",
        fix='Pass validation_data or validation_split, or name one: objective="loss".',
    )


def check_measured(objectives: tuple[Objective, ...], discovered: Discovered) -> None:
    """Refuse objectives that no epoch of a model function's network measures.

    Args:
        objectives: Objectives of the study.
        discovered: What is known about the model function.

    Raises:
        UsageError: There is one. What a `fit` or `train_step` of the user's own measures is known
            only after it.
    """
    if discovered.may_measure_others:
        return
    names = (*discovered.metrics, INT8_ACCURACY, *BEFORE_TRAINING, SECONDS)
    for objective in objectives:
        if objective.name not in names:
            raise UsageError(
                f"Nothing measures the objective {objective.name}.",
                expected=", ".join(discovered.metrics),
                received=objective.name,
                fix=f"{nearest(objective.name, names)} Or compile the model with that metric, or "
                "pass validation data for a metric that begins with val_.",
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
    names = [objective.name for objective in objectives]
    is_accuracy = names in (["val_accuracy"], [INT8_ACCURACY])
    obstacles = {
        "a time limit": budget.seconds is None,
        f"val_accuracy or {INT8_ACCURACY} as the only objective": not is_accuracy,
        "no limit besides the time": budget != Budget(seconds=budget.seconds),
    }
    missing = [need for need, is_missing in obstacles.items() if is_missing]
    if options.final_training and missing:
        raise _no_final_training(missing)
    wanted = options.final_training
    if wanted is None:  # the schedule of a model function does not follow the clock
        wanted = not start.recipe.model.has_function
    return wanted and not missing


def _check_seeds(first: int, count: int) -> None:
    """Refuse a seed that leaves too few others for the executions of a trial and its retries."""
    if first + count - 1 > MAX_SEED:
        raise UsageError(
            "The seed is out of range.",
            expected=f"0 to {MAX_SEED - count + 1}, since a trial takes up to {count} seeds",
            received=first,
        )


def _no_final_training(missing: Sequence[str]) -> UsageError:
    return UsageError(
        "This study cannot end with a final training.",
        expected=" and ".join(missing),
        fix="Leave final_training out.",
    )


def _further_stage(starting: StartingSpace) -> str:
    """Return the recipe value that gives trials a stage with epochs of its own; "" for none."""
    fit, names = starting.recipe.fit, starting.space.names
    if fit.fine_tune_epochs or "fit.fine_tune_epochs" in names:
        return "fit.fine_tune_epochs"
    if fit.quantize != "none" or "fit.quantize" in names:
        return "fit.quantize_epochs"
    return ""


def _with_rungs(given: SchedulerSettings, recipe: Recipe, num_images: int) -> SchedulerSettings:
    """Return rungs that suit a final training: at the first, an accuracy says something.

    No trial is longer than the longest final training.
    """
    min_epochs = math.ceil(MIN_RUNG_STEPS * recipe.fit.batch_size / num_images)
    min_epochs = min(min_epochs, MAX_FINAL_EPOCHS // 9)
    return given.model_copy(update={"min_epochs": min_epochs, "max_epochs": 9 * min_epochs})


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
    num_epochs = 0 if first is None else first.epochs * settings.executions
    if budget.epochs is not None and budget.epochs < num_epochs:
        raise UsageError(
            "The epochs are not enough for one trial.",
            expected=f"at least {num_epochs}, which the first trial trains",
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
