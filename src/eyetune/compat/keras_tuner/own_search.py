"""KerasTuner's own search on the same function, images, seed and budget, to be compared with ours
on the spot.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eyetune.api.preparing import checked_recipe, workspace_of
from eyetune.api.study import Study
from eyetune.compat.keras_tuner import search_process
from eyetune.compat.keras_tuner.importing import record_project
from eyetune.data.arrays import keep_arrays
from eyetune.errors import EyetuneError, UsageError, nearest
from eyetune.recipe import Recipe
from eyetune.records import Workspace
from eyetune.records.study import Budget, Limits, StudyRecord
from eyetune.report.progress.training_progress import WorkersDisplay
from eyetune.tuning.executors import Executor, make_executor
from eyetune.tuning.load_images import load_images
from eyetune.tuning.objectives import BEFORE_TRAINING, SECONDS, read_objective
from eyetune.tuning.recording import versions
from eyetune.tuning.settings import StartingPoint, TuneOptions, checked, new_settings

INSTEAD = {
    "space": "KerasTuner searches model functions alone; leave the engine to eyetune to search recipes.",
    "around": "KerasTuner searches model functions alone; leave the engine to eyetune to search recipes.",
    "tune_new_entries": "Leave it out: KerasTuner searches them all.",
    "trials": "Leave it out: hyperband has as many trials as its brackets take.",
    "factor": "Leave it out, or choose the schedule hyperband.",
    "workers": "Leave it out: KerasTuner trains one network at a time.",
}
USUAL = "Leave it out, or leave the engine to eyetune."


def tune_with_keras_tuner(  # noqa: PLR0913 (the words of `tune`)
    build_model: Any,
    data: Any = None,
    *,
    recipe: Recipe | None = None,
    objective: str | Sequence[str] | None = None,
    sampler: str | None = None,
    schedule: str | None = None,
    max_epochs: int | None = None,
    factor: float | None = None,
    trials: int | None = None,
    max_parameters: int | None = None,
    seed: int | None = None,
    fit_arguments: Mapping[str, Any] | None = None,
    validation_data: tuple[Any, Any] | None = None,
    validation_split: float = 0.2,
    name: str = "",
    workspace: str | Path | Workspace | None = None,
    progress: bool = True,
    plots: bool = True,
    **others: Any,
) -> Study:
    """Let KerasTuner itself search, in one process as it does, and record what it did as a study.

    Words that `tune` has and KerasTuner has not are refused unless they are None. Trials have no
    runs: networks are in KerasTuner's own project folder, `keras-tuner` in the folder of the study.
    The search cannot be resumed.

    Args:
        build_model: As for `tune`.
        data: As for `tune`.
        recipe: Its data and fit sections count.
        objective: Metrics of training; KerasTuner adds several up.
        sampler: random (RandomSearch), gp (BayesianOptimization, the default) or grid (GridSearch).
        schedule: full (the default), or hyperband (Hyperband, with the sampler random).
        max_epochs: Of a trial; by default the recipe's `fit.epochs`.
        factor: Of hyperband, by default 3.
        trials: Of the others, by default 30.
        max_parameters: KerasTuner's `max_model_size`.
        seed: Of the search and of the networks, by default 0.
        fit_arguments: As for `tune`.
        validation_data: As for `tune`.
        validation_split: As for `tune`.
        name: What to call the study.
        workspace: As for `train`.
        progress: As for `train`.
        plots: As for `tune`.
        others: Words of `tune` that KerasTuner has not.

    Raises:
        UsageError: Words that cannot be used.
        EyetuneError: The data cannot be used, or KerasTuner gave up; what it did by then is
            recorded.

    Source: https://keras.io/keras_tuner/api/tuners/

    Example:
        >>> import eyetune as et
        >>> theirs = et.tune_with_keras_tuner("model.py:build_model", "cifar10", schedule="hyperband")  # doctest: +SKIP
        >>> theirs.best_value, theirs.record.seconds                                                # doctest: +SKIP
    """
    sampler, schedule = search_process.what_it_has(sampler, schedule)
    words = (
        ()
        if objective is None
        else (objective,)
        if isinstance(objective, str)
        else tuple(objective)
    )
    is_hyperband = schedule == "hyperband"
    _refuse({**others, **({"trials": trials} if is_hyperband else {"factor": factor})})
    _check_objectives(words)
    workspace = workspace_of(workspace)
    options = TuneOptions(
        objectives=words or None,
        sampler=sampler,
        schedule=schedule,
        max_epochs=max_epochs,
        factor=factor,
        seed=seed,
        budget=checked(Budget, trials=trials),
        limits=checked(Limits, parameters=max_parameters),
    )
    workspace.prepare()
    if isinstance(data, tuple):
        data = keep_arrays(
            workspace, *data, validation_data=validation_data, validation_split=validation_split
        )
    base = StartingPoint(
        _recipe(workspace, build_model, recipe, fit_arguments), data=data, is_given=True
    )
    with make_executor("local", 1) as crew:
        settings = new_settings(workspace, base, options, crew, "local").model_copy(
            update={"engine": "keras-tuner"}
        )
        images = load_images(settings.recipe, progress=progress)
        record = workspace.studies.create(
            name,
            settings,
            data_fingerprint=images.fingerprint,
            data_name=images.name,
            versions=versions(),
        )
        study = _searched(workspace, record, crew, progress=progress)
    if plots and study.best():
        study.save_plots()
        study.report()
    return study


def _searched(
    workspace: Workspace, record: StudyRecord, crew: Executor, *, progress: bool
) -> Study:
    """Let KerasTuner do a study; where something ends that early, what was done by then is
    recorded.
    """
    task = search_process.Task(record.settings, workspace.studies.folder(record.id), crew.threads)
    begun_at = time.monotonic()
    try:
        with workspace.studies.claim(record.id), WorkersDisplay(enabled=progress) as display:
            display.expect(search_process.num_trials(record.settings))
            project = search_process.search(task, crew, display)
    except BaseException as error:
        ending = (
            "it was interrupted" if isinstance(error, KeyboardInterrupt) else "KerasTuner gave up"
        )
        try:
            record_project(
                workspace,
                record,
                search_process.finished(task),
                ending,
                time.monotonic() - begun_at,
            )
        except EyetuneError:  # nothing was done
            workspace.studies.delete(record.id)
        raise
    return record_project(
        workspace, record, project, "all trials are done", time.monotonic() - begun_at
    )


def _refuse(words: Mapping[str, Any]) -> None:
    from eyetune.api.tune import tune

    known = inspect.signature(tune).parameters
    for word, value in words.items():
        if word not in known:
            raise UsageError(
                f"There is no word {word} for a search.", received=word, fix=nearest(word, known)
            )
        if value not in (None, known[word].default, 1 if word == "workers" else None):
            raise UsageError(
                "KerasTuner has no such word for this search.",
                received=f"{word}={value}",
                fix=INSTEAD.get(word, USUAL),
            )


def _check_objectives(words: Sequence[str]) -> None:
    for word in words:
        name = read_objective(word).name
        if name in (*BEFORE_TRAINING, SECONDS):
            raise UsageError(
                f"KerasTuner cannot search for {name}: training does not measure it.",
                expected="metrics of the network, such as val_accuracy",
                received=word,
                fix=USUAL,
            )


def _recipe(
    workspace: Workspace,
    build_model: Any,
    recipe: Recipe | None,
    fit_arguments: Mapping[str, Any] | None,
) -> Recipe:
    from eyetune.models.model_function import keep

    if build_model is None:
        raise UsageError(
            "KerasTuner searches model functions alone.",
            expected="a build_model(hp) or a HyperModel, or file.py:name of one",
            fix="Name one, or leave the engine to eyetune to search recipes.",
        )
    start = checked_recipe(recipe)
    if start.augment.active:
        raise UsageError(
            "KerasTuner cannot vary images.", fix="Leave the recipe's augment section out."
        )
    word = keep(build_model, workspace.folder / "functions", dict(fit_arguments or {}))
    return start.with_({"model": {"function": word}})
