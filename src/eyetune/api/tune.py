"""Search for the best network: a study of a user's `build_model(hp)`, or of recipes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from eyetune.api.preparing import check_seed, checked_recipe, workspace_of
from eyetune.api.study import Study
from eyetune.data.arrays import keep_arrays
from eyetune.errors import EyetuneError, StudyChangedError, UsageError
from eyetune.recipe import Recipe
from eyetune.records import RunRecord, RunState, Workspace
from eyetune.records.study import Budget, Limits, StudyRecord, StudySettings, StudyState
from eyetune.space.presets import values_in
from eyetune.space.space import Space
from eyetune.training.job import start
from eyetune.tuning.executors import Executor, default_workers, make_executor
from eyetune.tuning.load_images import load_images
from eyetune.tuning.objectives import broken, values_of
from eyetune.tuning.recording import versions
from eyetune.tuning.schedulers import hyperband_brackets
from eyetune.tuning.search import Seed, search
from eyetune.tuning.settings import (
    StartingPoint,
    TuneOptions,
    checked,
    new_settings,
    resumed_record,
)


def tune(  # noqa: PLR0913 (a user says what he wants by name, and leaves the rest out)
    build_model: Any = None,
    data: Any = None,
    *,
    space: str | Path | Space | None = None,
    around: str | None = None,
    recipe: Recipe | None = None,
    objective: str | Sequence[str] | None = None,
    constraints: str | Sequence[str] | None = None,
    board: str | None = None,
    sampler: str | None = None,
    schedule: str | None = None,
    max_epochs: int | None = None,
    min_epochs: int | None = None,
    factor: float | None = None,
    trials: int | None = None,
    epochs_total: int | None = None,
    seconds: float | None = None,
    target: float | None = None,
    max_parameters: int | None = None,
    trial_seconds: float | None = None,
    trial_bytes: int | None = None,
    seed: int | None = None,
    tune_new_entries: bool | None = None,
    fit_arguments: Mapping[str, Any] | None = None,
    validation_data: tuple[Any, Any] | None = None,
    validation_split: float = 0.2,
    name: str = "",
    resume: bool = False,
    workers: int | None = None,
    executor: str | None = None,
    workspace: str | Path | Workspace | None = None,
    progress: bool = True,
    plots: bool = True,
) -> Study:
    """Search for the best network, in parallel, and record everything.

    Args:
        build_model: KerasTuner's `build_model(hp)` or `HyperModel` as it is, or "file.py:name" of
            one. None: recipes are searched.
        data: A source (see `load`), or images and labels as arrays, `(x, y)`.
        space: Without a model function: what recipes may change: `lab`, `small`, `fine`, a TOML
            file, or a `Space`.
        around: A run: search near its recipe (`space="fine"` with its recipe).
        recipe: What every trial begins from; the default is the lab's. With a model function its
            data, augment and fit sections count.
        objective: One or several names; a direction that is not known is written behind:
            "val_auc:max".
        constraints: On what is known before training, such as "parameters < 200000".
        board: A device whose limits networks must keep (`esp-eye`, or the path of a profile).
        sampler: random, grid, quasi-random, tpe (the default), gp, cma-es or nsga2.
        schedule: full (the default), halving, hyperband or median.
        max_epochs: Of a trial; by default the recipe's `fit.epochs`.
        min_epochs: Of a trial's first rung, by default 1.
        factor: Of halving and hyperband: one of so many trials goes on; by default 3.
        trials: New trials; by default 30, hyperband's brackets, or as many as another budget
            allows.
        epochs_total: Epochs over all trials.
        seconds: Wall time, over all sittings.
        target: Value of the first objective that is good enough.
        max_parameters: A larger network is infeasible (KerasTuner's `max_model_size`).
        trial_seconds: A trial that takes longer between two rungs fails.
        trial_bytes: A trial whose worker takes more memory fails.
        seed: Of suggestions and trainings, by default 0.
        tune_new_entries: Whether hyperparameters that appear late are searched too (the default),
            or keep their defaults.
        fit_arguments: With a model function: more arguments of `fit`, such as callbacks; each trial
            gets a copy.
        validation_data: With arrays: images and labels to choose on.
        validation_split: With arrays: share of the last ones to choose on instead.
        name: What to call the study.
        resume: Go on with the study of this name, or with the latest.
        workers: Trainings at once; by default one for each core, as far as the memory goes.
        executor: Where they run: "local" (the default, or what a study that goes on began with),
            "ray" or "ray://HOST:PORT".
        workspace: As for `train`.
        progress: As for `train`.
        plots: Draw pictures and a report into the study's folder at the end.

    Raises:
        UsageError: Words that cannot be used.
        StudyChangedError: A study that is to go on was asked for with another space, objective,
            model or data.
        StudyBusyError: Another process is at work on it.
        TrainingError: No trial has a result.
        EyetuneError: The data cannot be used.

    Example:
        >>> import eyetune as et
        >>> study = et.tune("model.py:build_model", "cifar10")  # doctest: +SKIP
        >>> study.best_values, study.best_model()                                         # doctest: +SKIP
    """
    _check_words(data, validation_data, seed)
    workspace = workspace_of(workspace)
    options = TuneOptions(
        objectives=_words(objective),
        constraints=_words(constraints),
        board=board,
        sampler=sampler,
        schedule=schedule,
        max_epochs=max_epochs,
        min_epochs=min_epochs,
        factor=factor,
        seed=seed,
        tune_new_entries=tune_new_entries,
        budget=checked(Budget, trials=trials, epochs=epochs_total, seconds=seconds, target=target),
        limits=checked(
            Limits, seconds=trial_seconds, memory_bytes=trial_bytes, parameters=max_parameters
        ),
    )
    workspace.prepare()
    known = workspace.studies.find(name or "latest") if resume else None
    executor = executor or (known.settings.executor if known else "local")
    if isinstance(data, tuple):
        data = keep_arrays(
            workspace, *data, validation_data=validation_data, validation_split=validation_split
        )
    base = _base(workspace, build_model, recipe, around, fit_arguments)
    base = replace(base, space="fine" if around and space is None else space, data=_source(data))
    workers = default_workers() if workers is None and executor == "local" else workers
    with ExitStack() as hold:
        if (
            known is not None
        ):  # held before it is read, so that what another process has just done is in it
            hold.enter_context(workspace.studies.claim(known.id))
            known = workspace.studies.get(known.id)
        crew = hold.enter_context(make_executor(executor, workers))
        for _ in range(
            crew.num_workers
        ):  # all at once, while the first reads the space and others have nothing to do
            crew.submit(start, crew.threads)
        if known is None:
            record = _created(
                workspace, name, new_settings(workspace, base, options, crew, executor)
            )
            hold.enter_context(workspace.studies.claim(record.id))
        else:
            record = resumed_record(workspace, known, base, options, crew)
        record = _run_search(workspace, record, crew, progress=progress)
    study = Study(workspace, record)
    if plots and study.trials:
        study.save_plots()
        study.report()
    _ = study.best_trial  # says so where no trial has a result
    return study


def _check_words(data: Any, validation_data: Any, seed: int | None) -> None:
    """Refuse what is of the wrong kind, before anything is begun."""
    pair = isinstance(validation_data, tuple) and len(validation_data) == 2
    if validation_data is not None and not (isinstance(data, tuple) and pair):
        raise UsageError(
            "validation_data goes with arrays.", expected="data=(x, y), validation_data=(x, y)"
        )
    if isinstance(data, tuple) and len(data) != 2:
        raise UsageError(
            "The data are no pair.", expected="(images, labels)", received=f"{len(data)} values"
        )
    if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool)):
        raise UsageError("The seed is no whole number.", received=repr(seed))
    check_seed(seed or 0)


def _source(data: Any) -> str | Path | None:
    if data is None or isinstance(data, str | Path):
        return data
    raise UsageError(
        "Worker processes cannot see these images.",
        expected="a source (a name or a path), or arrays as (x, y)",
        received=repr(data)[:60],
        fix="Save them as an .npz file or a folder of images, and name that.",
    )


def _words(given: str | Sequence[str] | None) -> tuple[str, ...] | None:
    if given is None:
        return None
    words = (
        (given,) if isinstance(given, str) else tuple(given) if isinstance(given, Iterable) else ()
    )
    if not all(isinstance(word, str) for word in words) or not words:
        raise UsageError(
            "Objectives and constraints are words.",
            expected="one word or several",
            received=repr(given),
        )
    return words


def _base(
    workspace: Workspace,
    build_model: Any,
    recipe: Recipe | None,
    around: str | None,
    fit_arguments: Mapping[str, Any] | None,
) -> StartingPoint:
    if build_model is None:
        if fit_arguments:
            raise UsageError(
                "fit_arguments are for a model function.", fix="Of a recipe, set its fit section."
            )
        start = workspace.runs.find(around).recipe if around else checked_recipe(recipe)
        return StartingPoint(start, is_given=bool(around) or recipe is not None)
    from eyetune.models.model_function import keep

    if around:
        raise UsageError("A model function has a space of its own.", received=f"around={around}")
    word = keep(build_model, workspace.folder / "functions", dict(fit_arguments or {}))
    return StartingPoint(checked_recipe(recipe).with_({"model": {"function": word}}), is_given=True)


def _created(workspace: Workspace, name: str, settings: StudySettings) -> StudyRecord:
    images = load_images(settings.recipe, progress=False)
    settings = settings.model_copy(
        update={"seeds": _seeding(workspace, settings, images.fingerprint)}
    )
    return workspace.studies.create(
        name,
        settings,
        data_fingerprint=images.fingerprint,
        data_name=images.name,
        versions=versions(),
    )


def _run_search(
    workspace: Workspace, record: StudyRecord, crew: Executor, *, progress: bool
) -> StudyRecord:
    from eyetune.report.progress.study_progress import StudyDisplay

    images = load_images(record.settings.recipe, progress=progress)
    if images.fingerprint != record.data_fingerprint:
        raise StudyChangedError(
            f"The images of study {record.name} are not those that it began with.",
            expected=f"fingerprint {record.data_fingerprint}",
            received=f"fingerprint {images.fingerprint}",
            fix="Put them back as they were, or begin a new study.",
        )
    trials = workspace.studies.trials(record.id)
    shown = StudyDisplay(
        record, trials, planned_epochs=_planned_epochs(record.settings), enabled=progress
    )
    with shown as display:
        record = record.model_copy(update={"state": StudyState.RUNNING, "ending": ""})
        workspace.studies.save(record)
        seeds = _seeds(workspace, record)
        if seeds and not trials:
            display.note(f"{len(seeds)} run(s) made by hand seed the search")
        return search(record, workspace, crew, display, images, seeds)


def _planned_epochs(settings: StudySettings) -> int | None:
    """Return how many epochs hyperband will train; None where nothing is planned."""
    asked = settings.schedule
    if asked.name != "hyperband" or asked.iterations is None or settings.budget.trials is not None:
        return None
    brackets = hyperband_brackets(asked.max_epochs, asked.factor, asked.min_epochs)
    return asked.iterations * sum(bracket.epochs_trained for bracket in brackets)


def _seeding(workspace: Workspace, settings: StudySettings, fingerprint: str) -> tuple[str, ...]:
    """Return the runs made by hand that the search begins with: complete, on these images, and of
    this space.
    """
    if settings.has_function:
        return ()
    of_trials = workspace.studies.run_ids()
    made_by_hand = [
        run
        for run in workspace.runs.all()
        if run.state is RunState.COMPLETE
        and run.id not in of_trials
        and run.data.fingerprint == fingerprint
        and run.seed == settings.seed
        and run.recipe.fit.total_epochs == settings.recipe.fit.total_epochs
    ]
    return tuple(
        run.id
        for run in made_by_hand
        if _seed(workspace, settings, settings.space, run) is not None
    )


def _seeds(workspace: Workspace, record: StudyRecord) -> tuple[Seed, ...]:
    """Return what the runs that a study began with reached; one that was purged since says nothing."""
    runs = {run.id: run for run in workspace.runs.all()} if record.settings.seeds else {}
    known = [runs[one] for one in record.settings.seeds if one in runs]
    found = [_seed(workspace, record.settings, record.settings.space, run) for run in known]
    return tuple(one for one in found if one is not None)


def _seed(
    workspace: Workspace, settings: StudySettings, space: Space, run: RunRecord
) -> Seed | None:
    values = values_in(run.recipe, settings.recipe, space)
    costs = {
        "parameters": run.network.parameters,
        "macs": run.network.macs,
        "multiply_adds": run.network.macs,
    }
    if values is None or broken(settings.constraints, costs):
        return None
    try:
        reached = values_of(
            settings.objectives, workspace.runs.history(run.id), costs, seconds=run.duration_seconds
        )
    except EyetuneError:  # an objective that was not measured then
        return None
    return Seed(values, reached)
