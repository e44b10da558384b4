"""From the words with which a study is asked for to its settings; for one that goes on, what may
not have changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

import pydantic

from eyetune.errors import StudyChangedError, UsageError, nearest
from eyetune.recipe import Recipe
from eyetune.records import Workspace
from eyetune.records.study import (
    Budget,
    Constraint,
    Limits,
    Objective,
    SamplerName,
    SchedulerName,
    SchedulerSettings,
    StudyRecord,
    StudySettings,
    TrialState,
)
from eyetune.space.presets import check_space, recipe_space
from eyetune.space.space import Space
from eyetune.training.job import discover_apart
from eyetune.tuning.executors import Executor
from eyetune.tuning.load_images import load_images
from eyetune.tuning.objectives import (
    BEFORE_TRAINING,
    ON_A_BOARD,
    SECONDS,
    USUAL,
    monitor_of,
    read_constraint,
    read_objective,
)
from eyetune.tuning.references import resolve
from eyetune.tuning.schedulers import make_scheduler

DEFAULT_TRIALS = 30  # where nothing else ends a study


@dataclass(frozen=True)
class TuneOptions:
    """What a study was asked for in words; None: nothing was said, so the usual, or what is
    recorded, holds.

    Attributes:
        objectives: Names, or name:max or name:min.
        constraints: Such as "parameters < 200000".
        board: Whose limits networks must keep.
        sampler: random, grid, quasi-random, tpe, gp, cma-es or nsga2.
        schedule: full, halving, hyperband or median.
        max_epochs: Of a trial; by default the recipe's.
        min_epochs: Of a trial's first rung.
        factor: Of halving and hyperband.
        seed: Of the suggestions and of every trial.
        tune_new_entries: Whether hyperparameters that appear late are searched too.
        budget: When the study ends.
        limits: Of one trial.
    """

    objectives: tuple[str, ...] | None = None
    constraints: tuple[str, ...] | None = None
    board: str | None = None
    sampler: str | None = None
    schedule: str | None = None
    max_epochs: int | None = None
    min_epochs: int | None = None
    factor: float | None = None
    seed: int | None = None
    tune_new_entries: bool | None = None
    budget: Budget = field(default_factory=Budget)
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class StartingPoint:
    """What trials begin from, as far as the caller named it.

    Attributes:
        recipe: Of every trial.
        space: What trials may change: a built-in space's name, a TOML file, or a space; None: the
            function's, or `lab`.
        data: A source in place of the recipe's.
        is_given: Whether the caller named a model function, a recipe or a run.
    """

    recipe: Recipe
    space: str | Path | Space | None = None
    data: str | Path | None = None
    is_given: bool = False


def new_settings(
    workspace: Workspace, base: StartingPoint, options: TuneOptions, crew: Executor, executor: str
) -> StudySettings:
    """Return the settings of a new study.

    Args:
        workspace: The workspace.
        base: What trials begin from.
        options: What was asked for.
        crew: Whose worker reads a model function's space.
        executor: Its name.

    Raises:
        UsageError: Words that cannot be used.
    """
    objectives = tuple(read_objective(word) for word in options.objectives or ("val_accuracy",))
    if len({one.name for one in objectives}) < len(objectives):
        raise UsageError("An objective is there twice.", received=_shown(objectives))
    recipe, space = _begin(workspace, base, options.max_epochs, objectives, crew)
    usual_sampler = "nsga2" if len(objectives) > 1 else "tpe"
    return StudySettings(
        recipe=recipe,
        space=space,
        objectives=objectives,
        constraints=_constraints(options.constraints or (), options.board or ""),
        board=options.board or "",
        sampler=_known("sampler", options.sampler or usual_sampler, get_args(SamplerName)),
        schedule=_schedule(options, recipe.fit.total_epochs),
        budget=_budget(options),
        limits=options.limits,
        seed=options.seed or 0,
        workers=crew.num_workers,
        executor=executor,
        tune_new_entries=options.tune_new_entries is not False,
    )


def resumed_record(
    workspace: Workspace,
    known: StudyRecord,
    base: StartingPoint,
    options: TuneOptions,
    crew: Executor,
) -> StudyRecord:
    """Return a recorded study that is to go on, with the budget, limits and workers that are asked
    for now.

    Arguments are those of `new_settings`, and:
        known: The study as it is recorded.

    Raises:
        StudyChangedError: It is asked for with another space, objective, model or data.
    """
    settings = known.settings
    if settings.engine != "eyetune":
        raise UsageError(
            f"Study {known.name} was done by KerasTuner.",
            fix="Begin a new study with another name.",
        )
    changed = _changes(settings, options)
    if base.is_given or base.space is not None:
        source = base.data or settings.recipe.data.source
        epochs = settings.schedule.max_epochs
        recipe, space = _begin(
            workspace, replace(base, data=source), epochs, settings.objectives, crew
        )
        changed += [*settings.space.difference(space), *_recipe_changes(settings, recipe)]
    elif base.data is not None:
        images = load_images(_with_data(settings.recipe, base.data), None, progress=True)
        changed += ["the images are others"] if images.fingerprint != known.data_fingerprint else []
    if changed:
        raise StudyChangedError(
            f"Study {known.name} cannot go on as something else.",
            expected="the same space, objectives, schedule and data; budget, limits and workers may change",
            received="; ".join(changed),
            fix="Leave these words out; or begin a new study with another --name and without --resume.",
        )
    schedule = settings.schedule
    if options.budget != Budget():
        schedule = schedule.model_copy(update={"iterations": None})
    update = {
        "budget": _extended(workspace, known, options.budget),
        "limits": settings.limits.model_copy(update=options.limits.model_dump(exclude_none=True)),
        "schedule": schedule,
        "workers": crew.num_workers,
    }
    return known.model_copy(update={"settings": settings.model_copy(update=update)})


def _extended(workspace: Workspace, known: StudyRecord, asked: Budget) -> Budget:
    """Return the budget of a study that goes on: what is asked for now in place of what was."""
    budget = known.settings.budget
    if asked != Budget() and asked.trials is None and budget.trials == DEFAULT_TRIALS:
        budget = budget.model_copy(update={"trials": None})  # nobody had asked for it
    budget = budget.model_copy(update=asked.model_dump(exclude_none=True))
    begun = sum(
        trial.state is not TrialState.INFEASIBLE for trial in workspace.studies.trials(known.id)
    )
    if budget.trials is not None and budget.trials < begun:
        raise UsageError(
            f"Study {known.name} has begun more trials than that.",
            expected=f"a budget of at least {begun} trials",
            received=budget.trials,
        )
    return budget


def _begin(
    workspace: Workspace,
    base: StartingPoint,
    max_epochs: int | None,
    objectives: tuple[Objective, ...],
    crew: Executor,
) -> tuple[Recipe, Space]:
    """Return what trials begin from, as long as a trial may be, and what they may change."""
    if (
        not base.recipe.model.has_function
    ):  # what a function's networks measure is seen when one is trained
        for one in objectives:
            _known("objective", one.name, (*USUAL, *BEFORE_TRAINING, SECONDS))
    recipe = _with_length(_with_data(base.recipe, base.data), max_epochs, objectives)
    recipe, space = _space_of(recipe, base.space, crew)
    return resolve(recipe, workspace), space


def _with_data(recipe: Recipe, data: str | Path | None) -> Recipe:
    """Return a recipe with a source by its absolute path, and with images to choose on."""
    edits: dict[str, Any] = {"data.train_on_validation": False}
    if data is not None:
        edits["data.source"] = str(data)
    recipe = recipe.with_(edits)
    return recipe.with_({"data.source": load_images(recipe, progress=True).source})


def _with_length(
    recipe: Recipe, max_epochs: int | None, objectives: tuple[Objective, ...]
) -> Recipe:
    """Return a recipe that trains as long as a trial may, and keeps the epoch that the first metric
    says was best.
    """
    epochs = recipe.fit.epochs if max_epochs is None else max_epochs
    edits: dict[str, Any] = {
        "fit.epochs": epochs,
        "fit.keep_best": True,
        "fit.monitor": monitor_of(objectives),
    }
    if recipe.optimizer.warmup_epochs >= epochs:
        edits["optimizer.warmup_epochs"] = epochs / 4
    return recipe.with_(edits)


def _space_of(
    recipe: Recipe, space: str | Path | Space | None, crew: Executor
) -> tuple[Recipe, Space]:
    if recipe.model.has_function:
        if space is not None:
            raise UsageError(
                "A model function has a space of its own.",
                received=space,
                fix="Leave the space out.",
            )
        return recipe, crew.result(crew.submit(discover_apart, recipe.model.function, crew.threads))
    if isinstance(space, Space):
        check_space(recipe, space)
        return recipe, space
    return recipe_space(str(space or "lab"), recipe)


def _constraints(words: Sequence[str], board_name: str) -> tuple[Constraint, ...]:
    own = tuple(read_constraint(word) for word in words)
    if not board_name:
        return own
    from eyetune.device.boards.profiles import board

    chosen = board(board_name)
    limits = zip(ON_A_BOARD, (chosen.largest_model_bytes, chosen.largest_arena_bytes), strict=True)
    return (*own, *(read_constraint(f"{name} <= {limit}") for name, limit in limits))


def _known(what: str, word: str, names: Sequence[str]) -> Any:
    if word not in names:
        raise UsageError(f"There is no {what} {word}.", received=word, fix=nearest(word, names))
    return word


def _schedule(options: TuneOptions, max_epochs: int) -> SchedulerSettings:
    settings: SchedulerSettings = checked(
        SchedulerSettings,
        name=_known("schedule", options.schedule or "full", get_args(SchedulerName)),
        max_epochs=max_epochs,
        min_epochs=1 if options.min_epochs is None else options.min_epochs,
        factor=3.0 if options.factor is None else options.factor,
        iterations=1 if options.budget == Budget() else None,
    )
    schedule = make_scheduler(
        settings.name,
        max_epochs=settings.max_epochs,
        min_epochs=settings.min_epochs,
        factor=settings.factor,
    )
    first, most = schedule.next(), options.budget.epochs
    if first is not None and most is not None and most < first.epochs:
        raise UsageError(
            "The epochs are not enough for one trial.",
            expected=f"at least {first.epochs}, what the first trial trains",
            received=most,
        )
    return settings


def _budget(options: TuneOptions) -> Budget:
    """Return when the study ends: where nothing that must come to pass ends it, after so many
    trials.
    """
    budget = options.budget
    if (options.schedule == "hyperband" and budget.target is None) or any(
        (budget.trials, budget.epochs, budget.seconds)
    ):
        return budget
    return budget.model_copy(update={"trials": DEFAULT_TRIALS})


def _changes(settings: StudySettings, options: TuneOptions) -> list[str]:
    """Say in which of the words a study differs from what is asked for now."""
    constraints = (
        None if options.constraints is None else _constraints(options.constraints, settings.board)
    )
    objectives = (
        None if options.objectives is None else tuple(map(read_objective, options.objectives))
    )
    asked: dict[str, tuple[object, object]] = {
        "objective": (objectives, settings.objectives),
        "constraint": (constraints, settings.constraints),
        "board": (options.board, settings.board),
        "sampler": (options.sampler, settings.sampler),
        "schedule": (options.schedule, settings.schedule.name),
        "max_epochs": (options.max_epochs, settings.schedule.max_epochs),
        "min_epochs": (options.min_epochs, settings.schedule.min_epochs),
        "factor": (options.factor, settings.schedule.factor),
        "seed": (options.seed, settings.seed),
        "tune_new_entries": (options.tune_new_entries, settings.tune_new_entries),
    }
    return [
        f"{what}: {_shown(recorded)} became {_shown(wanted)}"
        for what, (wanted, recorded) in asked.items()
        if wanted is not None and wanted != recorded
    ]


def _recipe_changes(settings: StudySettings, recipe: Recipe) -> list[str]:
    mine, changed = settings.recipe, []
    if mine.model.has_function and recipe.model.has_function:
        word, other = mine.model.function, recipe.model.function
        if (
            ".py" in word and ".py" in other and word != other
        ):  # one of a notebook is never the same twice
            changed = ["the file of the model function is another one"]
        recipe = recipe.with_({"model": {"function": word}})
    return changed + [
        f"{path}: {_shown(old)} became {_shown(new)}"
        for path, (old, new) in mine.difference(recipe).items()
    ]


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(_shown(one) for one in value) or "none"
    return (
        f"{value.name} ({value.direction})"
        if isinstance(value, Objective)
        else str(value) or "none"
    )


def checked(kind: type[Any], **values: Any) -> Any:
    """Build settings of a study.

    Raises:
        UsageError: A value is out of its range.
    """
    try:
        return kind(**values)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        raise UsageError(
            f"{str(first['loc'][0]).replace('_', ' ')} cannot be used.",
            expected=first["msg"].removeprefix("Input should be "),
            received=first["input"],
        ) from None
