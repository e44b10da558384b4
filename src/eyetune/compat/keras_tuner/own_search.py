"""KerasTuner's own search on the same function, images, seed and budget, for comparison."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from eyetune.api.preparing import checked_recipe, workspace_of
from eyetune.api.study import Study
from eyetune.api.tune import OUTPUT_LOG, source_of
from eyetune.api.tune_arguments import check_arguments
from eyetune.compat.keras_tuner.importing import record_project
from eyetune.compat.keras_tuner.search_process import (
    max_num_trials,
    read_search,
    search_with_keras_tuner,
    supported_search,
)
from eyetune.compat.keras_tuner.search_worker import SearchTask
from eyetune.errors import EyetuneError, UsageError
from eyetune.recipe import Recipe
from eyetune.records import Workspace
from eyetune.records.study import StudyRecord
from eyetune.report.progress.training_progress import WorkersDisplay
from eyetune.tuning.declared_options import declared_options, texts_of
from eyetune.tuning.endings import Ending
from eyetune.tuning.executors import Executor, make_executor
from eyetune.tuning.load_images import ImageLoader
from eyetune.tuning.objectives import (
    BEFORE_TRAINING,
    INT8_ACCURACY,
    SECONDS,
    read_objective,
)
from eyetune.tuning.options import TuneOptions
from eyetune.tuning.options_signature import from_options
from eyetune.tuning.recording import versions
from eyetune.tuning.settings import new_settings
from eyetune.tuning.starting_space import StartingPoint

SUPPORTED = {
    "build_model",
    "data",
    "recipe",
    "objective",
    "sampler",
    "scheduler",
    "max_epochs",
    "max_parameters",
    "seed",
    "fit_arguments",
    "validation_data",
    "validation_split",
    "name",
    "workspace",
    "progress",
    "plots",
}
FIXES = {
    "space": "Leave the engine to eyetune to search recipes.",
    "around": "Leave the engine to eyetune to search recipes.",
    "tune_new_entries": "Leave it out: KerasTuner searches all of them.",
    "trials": "Leave it out: hyperband has as many trials as its brackets take.",
    "factor": "Leave it out, or choose the scheduler hyperband.",
    "workers": "Leave it out: KerasTuner trains one network at a time.",
    "executions": "Leave it out: with this engine, each trial is trained once.",
}
DEFAULT_FIX = "Leave it out, or leave the engine to eyetune."


@from_options(TuneOptions)
def tune_with_keras_tuner(options: TuneOptions) -> Study:
    """Let KerasTuner itself search, in one process, and record its trials as a study.

    It takes the arguments of `tune`. Those that KerasTuner does not have are refused unless they
    have their default. The sampler is random (RandomSearch), gp (BayesianOptimization, the default)
    or grid (GridSearch); the scheduler is full (the default) or, with the sampler random, hyperband
    (Hyperband). KerasTuner adds up several objectives. Trials have no runs: networks are in
    KerasTuner's own project folder, `keras-tuner` in the folder of the study. The search cannot be
    resumed.

    Returns:
        The study.

    Raises:
        UsageError: An option cannot be used.
        EyetuneError: The data cannot be used, or KerasTuner failed; its trials so far are recorded.

    Source: https://keras.io/keras_tuner/api/tuners/

    Example:
        >>> import eyetune as et
        >>> study = et.tune_with_keras_tuner("model.py:build_model")  # doctest: +SKIP
        >>> study.best_value, study.record.seconds  # doctest: +SKIP
    """
    sampler, scheduler = supported_search(options.sampler, options.scheduler)
    _refuse_unsupported(options, is_hyperband=scheduler == "hyperband")
    options = replace(options, sampler=sampler, scheduler=scheduler)
    check_arguments(options)
    _check_objectives(texts_of("objective", options.objective))
    workspace = workspace_of(options.workspace)
    workspace.prepare()
    source = source_of(workspace, options)
    start = StartingPoint(_recipe(workspace, options), data=source, is_given=True)
    images = ImageLoader(progress=options.progress)
    with make_executor("local", 1) as executor:
        settings = new_settings(workspace, start, options, executor, images)
        dataset = images.load(settings.recipe)
        record = workspace.studies.create(
            options.name,
            settings.model_copy(update={"engine": "keras-tuner"}),
            data_fingerprint=dataset.fingerprint,
            data_name=dataset.name,
            versions=versions(),
        )
        executor.log_output(workspace.studies.folder(record.id) / OUTPUT_LOG)
        study = _run_search(workspace, record, executor, progress=options.progress)
    if options.plots and study.best():
        study.save_plots()
        study.report()
    return study


def _run_search(
    workspace: Workspace, record: StudyRecord, executor: Executor, *, progress: bool
) -> Study:
    """Let KerasTuner search and record its trials, also if the search ends early."""
    folder = workspace.studies.folder(record.id)
    task = SearchTask(record.settings, folder, executor.threads)
    started_at = time.monotonic()
    try:
        with workspace.studies.claim(record.id), WorkersDisplay(enabled=progress) as display:
            display.expect(max_num_trials(record.settings))
            project = search_with_keras_tuner(task, executor, display)
    except BaseException as error:
        is_interrupted = isinstance(error, KeyboardInterrupt)
        ending = Ending.INTERRUPTED if is_interrupted else Ending.KERAS_TUNER_FAILED
        seconds = time.monotonic() - started_at
        try:
            record_project(workspace, record, read_search(task), ending, seconds)
        except EyetuneError:  # there are no trials
            workspace.studies.purge(record.id)
        raise
    seconds = time.monotonic() - started_at
    return record_project(workspace, record, project, Ending.TRIALS_DONE, seconds)


def _refuse_unsupported(options: TuneOptions, *, is_hyperband: bool) -> None:
    """Refuse options that KerasTuner does not have for this search."""
    supported = {*SUPPORTED, "factor" if is_hyperband else "trials"}
    for option in declared_options():
        value = getattr(options, option.name)
        is_one_worker = option.name == "workers" and value == 1
        if option.name in supported or value == option.unset or is_one_worker:
            continue
        raise UsageError(
            f"KerasTuner has no option {option.name} for this search.",
            received=f"{option.name}={value}",
            fix=FIXES.get(option.name, DEFAULT_FIX),
        )


def _check_objectives(objectives: Sequence[str]) -> None:
    for text in objectives:
        name = read_objective(text).name
        if name in (*BEFORE_TRAINING, SECONDS, INT8_ACCURACY):
            raise UsageError(
                f"KerasTuner cannot search for {name}: training does not measure it.",
                expected="metrics of the network, such as val_accuracy",
                received=text,
                fix=DEFAULT_FIX,
            )


def _recipe(workspace: Workspace, options: TuneOptions) -> Recipe:
    from eyetune.models.model_function import keep

    if options.build_model is None:
        raise UsageError(
            "KerasTuner can only search model functions.",
            expected="a build_model(hp) or a HyperModel, or file.py:name of one",
            fix="Name one, or leave the engine to eyetune to search recipes.",
        )
    recipe = checked_recipe(options.recipe)
    if recipe.augments_images:
        raise UsageError(
            "KerasTuner cannot augment images.",
            fix="Leave the recipe's augment section and data.camera out.",
        )
    if recipe.fit.precision != "auto":
        raise UsageError(
            "KerasTuner keeps the arithmetic that the model function compiled.",
            received=f"fit.precision={recipe.fit.precision}",
            fix="Leave the precision out, or leave the engine to eyetune.",
        )
    fit_arguments = dict(options.fit_arguments or {})
    name = keep(options.build_model, workspace.path("functions"), fit_arguments)
    return recipe.with_({"model": {"function": name}})
