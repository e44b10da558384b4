"""Search for the best network: a study of a user's `build_model(hp)`, or of recipes."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from eyetune.api.preparing import checked_recipe, workspace_of
from eyetune.api.study import Study
from eyetune.api.tune_arguments import check_arguments
from eyetune.data import AnyDataset
from eyetune.data.array_store import GivenData, keep_samples
from eyetune.data.arrays import keep_arrays
from eyetune.data.batches import is_batched
from eyetune.errors import EyetuneWarning, StudyChangedError, UsageError
from eyetune.records import Workspace
from eyetune.records.study import StudyRecord, StudySettings, StudyState
from eyetune.records.trial import TrialRecord
from eyetune.report.progress.training_progress import counting_bar, print_note
from eyetune.tracking.follow import follow
from eyetune.training.job import start as start_worker
from eyetune.tuning.endings import Ending
from eyetune.tuning.executors import Executor, default_workers, make_executor
from eyetune.tuning.executors.in_process import COSTS
from eyetune.tuning.executors.machine import usable_cores
from eyetune.tuning.exploration import Outlook, look_ahead, planned_final
from eyetune.tuning.final_training import MAX_TRIES, train_final, unfinished_final
from eyetune.tuning.load_images import ImageLoader
from eyetune.tuning.options import TuneOptions
from eyetune.tuning.options_signature import from_options
from eyetune.tuning.prior_runs import find_prior_runs, seeds_of
from eyetune.tuning.recording import versions
from eyetune.tuning.resuming import resumed_record
from eyetune.tuning.schedulers import hyperband_brackets
from eyetune.tuning.search import search
from eyetune.tuning.settings import check_options, new_settings
from eyetune.tuning.start_up import (
    create_study,
    recorded_executor,
    resumed_options,
    resumed_start,
)
from eyetune.tuning.starting_space import StartingPoint
from eyetune.values.numbers import count_text

DEFAULT_SPLIT = 0.2  # share of the last samples to validate on
OUTPUT_LOG = "workers.log"  # in the folder of the study: what workers print beyond a limit


@from_options(TuneOptions)
def tune(options: TuneOptions) -> Study:
    """Search for the best network, in parallel, and record everything.

    Returns:
        The study: COMPLETE.

    Raises:
        UsageError: An option cannot be used.
        StudyChangedError: A study is resumed with another space, objective, model or data.
        StudyBusyError: Another process is running the study.
        TrainingError: No trial has a result.
        EyetuneError: The data cannot be used.

    Example:
        >>> import eyetune as et
        >>> study = et.tune("model.py:build_model", "cifar10")  # doctest: +SKIP
        >>> study.best_values, study.best_model()  # doctest: +SKIP
    """
    started_at = time.monotonic()
    check_arguments(options)
    workspace = workspace_of(options.workspace)
    workspace.prepare()
    with follow(workspace, options.trackers):
        return _tune(options, workspace, started_at)


def _tune(options: TuneOptions, workspace: Workspace, started_at: float) -> Study:
    """Search; `started_at` is the time of the call by the monotonic clock."""
    record = workspace.studies.find(options.name or "latest") if options.resume else None
    options, start = _asked_for(options, workspace, record)
    executor_name = options.executor or "local"
    num_workers = options.workers
    if num_workers is None and executor_name == "local":
        num_workers = default_workers()
    images = ImageLoader(progress=options.progress)
    with ExitStack() as stack:
        if record is None:
            # Recorded first: an interruption while workers start is resumed, too.
            record = create_study(workspace, start, options)
            stack.enter_context(_removed_on_failure(workspace, record.id))
        # Claimed before it is read: what another process has just written is then included.
        stack.enter_context(workspace.studies.claim(record.id))
        record = workspace.studies.get(record.id)
        workspace.requests.forget_orders(record.id)
        with make_executor(executor_name, num_workers) as executor:
            num_workers = executor.recorded_workers
            executor.log_output(workspace.studies.folder(record.id) / OUTPUT_LOG)
            _start_workers(executor, progress=options.progress)
            if executor.is_in_process:
                _share_originals(stack, options, start, record)
            if record.settings.start_up is not None:
                settings = new_settings(workspace, start, options, executor, images)
                record = _with_settings(workspace, record, settings, images)
            else:
                _check_trust(record, options, executor)
                record = resumed_record(workspace, record, start, options, executor, images)
            dataset = _checked_images(record, images)
            seconds = record.seconds + time.monotonic() - started_at
            record = record.model_copy(update={"seconds": seconds})
            trainer = _FinalTrainer(
                workspace, executor_name, dataset, options.progress, executor.is_in_process
            )
            unfinished = unfinished_final(workspace.studies.trials(record.id))
            if unfinished is None:
                record = _run_search(
                    workspace, record, executor, dataset, progress=options.progress
                )
        if unfinished is not None:
            record = trainer.train(record, unfinished)
            with make_executor(executor_name, num_workers) as executor:  # there may be more time
                executor.log_output(workspace.studies.folder(record.id) / OUTPUT_LOG)
                record = _run_search(
                    workspace, record, executor, dataset, progress=options.progress
                )
        has_ended = record.ending in (Ending.TARGET_REACHED, Ending.STOPPED)
        if record.settings.final_training and not has_ended:
            record = _run_final(record, trainer, max(1, num_workers))
    study = Study(workspace, record)
    if options.plots and study.trials:
        draw(study, progress=options.progress)
    _ = study.best_trial  # raises where no trial has a result
    return study


def _asked_for(
    options: TuneOptions, workspace: Workspace, record: StudyRecord | None
) -> tuple[TuneOptions, StartingPoint]:
    """Return the options, checked, and what trials start from; of a resumed study, its own."""
    start_up = record.settings.start_up if record else None
    if start_up is not None:
        options = resumed_options(options, start_up)
    check_options(options, record.settings.board if record else "")
    options = replace(options, executor=options.executor or recorded_executor(record))
    start = _starting_point(workspace, options, record)
    return options, start if start_up is None else resumed_start(start, start_up)


@contextmanager
def _removed_on_failure(workspace: Workspace, study_id: str) -> Iterator[None]:
    """Remove a study that fails before it has settings: its name is free for another attempt."""
    try:
        yield
    except Exception:
        if workspace.studies.get(study_id).settings.start_up is not None:
            workspace.studies.purge(study_id)
        raise


def _start_workers(executor: Executor, *, progress: bool) -> None:
    """Let all workers load Keras at once, while the first one also reads the space."""
    num_workers = count_text(executor.num_workers, "worker")
    note = f"Starting {num_workers} and loading Keras ..."
    if executor.is_in_process:
        warnings.warn(COSTS, EyetuneWarning, stacklevel=4)
        note = "Loading Keras ..."
    print_note(note, enabled=progress)
    for _ in range(executor.num_workers):
        executor.submit(start_worker, executor.threads)


def _share_originals(
    stack: ExitStack, options: TuneOptions, start: StartingPoint, record: StudyRecord | None
) -> None:
    """Let this process train with the user's own function and callbacks, as long as the stack is.

    A resumed study keeps the name of the function that it was started with.
    """
    from eyetune.models.model_function import sharing

    if options.build_model is None:
        return
    names = [start.recipe.model.function]
    if record is not None and record.settings.has_function:
        names.append(record.settings.recipe.model.function)
    for name in dict.fromkeys(names):
        stack.enter_context(sharing(name, options.build_model, options.fit_arguments or {}))


def _check_trust(record: StudyRecord, options: TuneOptions, executor: Executor) -> None:
    """Check the recorded model function of a resumed study, which workers will run.

    Raises:
        UntrustedFunctionError: The user has neither named nor trusted it.
    """
    from eyetune.models.model_function import require

    is_replaced = executor.is_in_process and options.build_model is not None
    if record.settings.has_function and not is_replaced:
        require(record.settings.recipe.model.function)


def draw(study: Study, *, progress: bool) -> None:
    """Write the figures and the report of a study into its folder."""
    print_note("Drawing the plots and writing the report ...", enabled=progress)
    study.draw()


def source_of(
    workspace: Workspace, options: TuneOptions, record: StudyRecord | None = None
) -> str | Path | None:
    """Return the source of the data; data in memory is written into the workspace.

    Args:
        workspace: The workspace.
        options: What is asked for.
        record: The study that is resumed, if any.

    Raises:
        UsageError: A recipe is to be trained on something else than images.
        DataError: The data cannot be used.
    """
    data = options.data
    if data is None or isinstance(data, str | Path):
        return data
    is_former = record is not None and record.settings.recipe.data.source.endswith(".npz")
    if options.build_model is None or is_former:
        return _kept_images(workspace, options, is_former=is_former)
    given, arguments = _given_data(data), options.fit_arguments or {}
    validation = options.validation_data
    split = options.validation_split
    if split is None:
        split = 0.0 if validation is not None or is_batched(data) else DEFAULT_SPLIT
    with counting_bar("reading batches", enabled=options.progress) as on_batch:
        return keep_samples(
            workspace.path("arrays"),
            given,
            None if validation is None else _given_data(validation),
            validation_split=split,
            steps=arguments.get("steps_per_epoch"),
            validation_steps=arguments.get("validation_steps"),
            on_note=lambda text: print_note(text, enabled=options.progress),
            on_batch=on_batch,
        )


def _given_data(data: Any) -> GivenData:
    """Return what a user gave as its parts: (x, y), (x, y, sample_weight), or a source of all."""
    return GivenData(*data) if isinstance(data, tuple) else GivenData(data)


def _kept_images(workspace: Workspace, options: TuneOptions, *, is_former: bool) -> Path:
    """Write images and labels into the workspace, as recipes and earlier studies take them."""
    data, validation, split = options.data, options.validation_data, options.validation_split
    pairs = [data] if validation is None else [data, validation]
    if not all(isinstance(pair, tuple) and len(pair) == 2 for pair in pairs):
        raise UsageError(
            "A recipe is trained on images.",
            expected="a source (a name or a path), or arrays (images, labels)",
            received=f"{type(data).__name__}: {data!r:.60}",
            fix="Save them as an .npz file or a folder of images, or search a model function.",
        )
    return keep_arrays(
        workspace,
        *data,
        validation_data=validation,
        validation_split=DEFAULT_SPLIT if split is None else split,
        may_round=is_former,
    )


def _starting_point(
    workspace: Workspace, options: TuneOptions, record: StudyRecord | None = None
) -> StartingPoint:
    source = source_of(workspace, options, record)
    if options.build_model is None:
        if options.fit_arguments:
            raise UsageError(
                "fit_arguments are for a model function.",
                fix="To set them for a recipe, change its fit section.",
            )
        if options.around is None:
            recipe = checked_recipe(options.recipe)
            is_given = options.recipe is not None
            return StartingPoint(recipe, options.space, source, is_given=is_given)
        run = workspace.runs.find(options.around)
        recipe = run.recipe
        if recipe.fit.seconds:  # a final training: its number of epochs followed from its time
            num_epochs = max(1, len(workspace.runs.history(run.id)))
            edits = {"fit.seconds": 0.0, "fit.epochs": num_epochs}
            warmup_epochs = min(recipe.optimizer.warmup_epochs, num_epochs / 4)
            recipe = recipe.with_({**edits, "optimizer.warmup_epochs": warmup_epochs})
        space = "fine" if options.space is None else options.space
        return StartingPoint(recipe, space, source, is_given=True)
    from eyetune.models.model_function import keep

    if options.around:
        raise UsageError(
            "A model function defines its own space.",
            received=f"around={options.around}",
            fix="Leave around out.",
        )
    fit_arguments = dict(options.fit_arguments or {})
    name = keep(
        options.build_model,
        workspace.path("functions"),
        fit_arguments,
        for_workers=options.workers != 0,
    )
    recipe = checked_recipe(options.recipe).with_({"model": {"function": name}})
    return StartingPoint(recipe, options.space, source, is_given=True)


def _with_settings(
    workspace: Workspace, record: StudyRecord, settings: StudySettings, images: ImageLoader
) -> StudyRecord:
    """Record the settings of a new study with the runs that seed it."""
    dataset = images.load(settings.recipe)
    run_ids = find_prior_runs(workspace, settings, dataset.fingerprint)
    update = {
        "settings": settings.model_copy(update={"seeds": run_ids}),
        "space": settings.space,
        "data_fingerprint": dataset.fingerprint,
        "data_name": dataset.name,
        "versions": versions(),
    }
    record = record.model_copy(update=update)
    workspace.studies.save(record)
    return record


def _checked_images(record: StudyRecord, images: ImageLoader) -> AnyDataset:
    """Return the data of a study.

    Raises:
        StudyChangedError: They are not those that it was started with.
    """
    dataset = images.load(record.settings.recipe)
    if dataset.fingerprint != record.data_fingerprint:
        raise StudyChangedError(
            f"The data of study {record.name} has changed since it was started.",
            expected=f"fingerprint {record.data_fingerprint}",
            received=f"fingerprint {dataset.fingerprint}",
            fix="Restore the data, or start a new study.",
        )
    return dataset


def _run_search(
    workspace: Workspace,
    record: StudyRecord,
    executor: Executor,
    dataset: AnyDataset,
    *,
    progress: bool,
) -> StudyRecord:
    from eyetune.report.progress.study_progress import StudyDisplay

    trials = workspace.studies.trials(record.id)
    planned_epochs = _planned_epochs(record.settings)
    progress_display = StudyDisplay(record, trials, planned_epochs=planned_epochs, enabled=progress)
    with progress_display as display:
        record = record.model_copy(update={"state": StudyState.RUNNING, "ending": ""})
        workspace.studies.save(record)
        seeds = seeds_of(workspace, record)
        if seeds and not trials:
            display.note(f"The sampler also learns from {count_text(len(seeds), 'earlier run')}.")
        return search(record, workspace, executor, display, dataset, seeds)


@dataclass(frozen=True)
class _FinalTrainer:
    """Trains final trials in one worker with all cores, or in this process."""

    workspace: Workspace
    executor: str
    dataset: AnyDataset
    progress: bool
    is_in_process: bool = False

    def train(
        self, record: StudyRecord, trial: TrialRecord, view: Outlook | None = None
    ) -> StudyRecord:
        """Train a final trial to its end, after a note about what is expected of it."""
        from eyetune.report.progress.study_progress import StudyDisplay

        trials = self.workspace.studies.trials(record.id)
        with (
            self._executor() as executor,
            StudyDisplay(record, trials, enabled=self.progress) as display,
        ):
            if view is not None:
                display.note(str(view))
            executor.log_output(self.workspace.studies.folder(record.id) / OUTPUT_LOG)
            return train_final(record, self.workspace, executor, display, self.dataset, trial)

    def _executor(self) -> Executor:
        if self.executor == "local":
            # One worker has all cores, and so has this process.
            return make_executor(self.executor, 0 if self.is_in_process else 1)
        try:
            return make_executor(self.executor, 1, cpus_per_job=usable_cores())
        except UsageError:  # the machines of the cluster have fewer cores than this one
            return make_executor(self.executor, 1)


def _run_final(record: StudyRecord, trainer: _FinalTrainer, num_workers: int) -> StudyRecord:
    """Train the best recipe of a study for the rest of its time; the next one if that fails."""
    for _ in range(MAX_TRIES):
        trials = trainer.workspace.studies.trials(record.id)
        view = look_ahead(
            record.settings,
            trials,
            trainer.dataset,
            num_workers=num_workers,
            seconds=record.seconds,
        )
        trial = planned_final(record, trials, view) if view is not None else None
        if trial is None:
            break
        record = trainer.train(record, trial, view)
    return record


def _planned_epochs(settings: StudySettings) -> int | None:
    """Return how many epochs hyperband will train; None where nothing is planned."""
    scheduler = settings.schedule
    is_planned = scheduler.name == "hyperband" and settings.budget.trials is None
    if not is_planned or scheduler.iterations is None:
        return None
    brackets = hyperband_brackets(scheduler.max_epochs, scheduler.factor, scheduler.min_epochs)
    num_epochs = sum(bracket.epochs_trained for bracket in brackets)
    return scheduler.iterations * num_epochs * scheduler.executions
