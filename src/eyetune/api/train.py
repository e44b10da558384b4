"""Train a recipe once, or resume a run that was interrupted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from eyetune.api.longer_run import begin_longer_run, check_continues
from eyetune.api.preparing import check_seed, checked_recipe, note, start, workspace_of
from eyetune.api.run import Run
from eyetune.data import Dataset
from eyetune.errors import UsageError
from eyetune.recipe import Recipe
from eyetune.recipe.longer import longer
from eyetune.records import RunRecord, RunState, Workspace
from eyetune.report.progress.training_progress import TrainingDisplay
from eyetune.tracking.follow import check_trackers, follow
from eyetune.tracking.tracker import Tracker
from eyetune.training.job import work
from eyetune.training.precision import Arithmetic, choose_arithmetic
from eyetune.training.prepared_network import PreparedNetwork, prepare_network
from eyetune.tuning.load_images import load_images
from eyetune.tuning.recording import (
    describe,
    job_of,
    linear_baseline,
    record_failure,
    record_outcome,
    versions,
)
from eyetune.tuning.references import resolve, teacher_file
from eyetune.values.history import Epoch


def train(
    recipe: Recipe | None = None,
    data: str | Path | Dataset | None = None,
    *,
    seed: int = 0,
    name: str = "",
    workspace: str | Path | Workspace | None = None,
    threads: int = 0,
    deterministic: bool = True,
    progress: bool = True,
    plots: bool = True,
    trackers: Sequence[Tracker] = (),
    callbacks: Any = None,
) -> Run:
    """Train a recipe once, evaluate it and record the run.

    Args:
        recipe: The recipe to train. Default: the lab's network on CIFAR-10.
        data: A source that replaces the recipe's (see `load`), or a loaded dataset.
        seed: Random seed, 0 or above; the same seed gives the same result. Default: 0.
        name: Name of the run, beside its id.
        workspace: Where to record the run. Default: `./eyetune-workspace`, or the folder that
            EYETUNE_WORKSPACE names.
        threads: Number of threads for arithmetic. Default: 0, one per core.
        deterministic: Use only operations that give the same result each time.
        progress: Show progress on standard error, or below the cell of a notebook.
        plots: Draw pictures into the folder of the run, which takes a few seconds. `Run.save_plots`
            draws them later.
        trackers: Where to log the run, besides the workspace, for example
            `[eyetune.MlflowTracker("sqlite:///mlflow.db")]`.
        callbacks: A Keras callback or a sequence of them. They see the whole training as one `fit`,
            with all its stages, and their state is kept if it is interrupted. A callback that is
            called for each batch makes the training slower, because it then takes one batch at a
            time. Callbacks that could not be honored are refused.

    Returns:
        The run: COMPLETE, or PAUSED if Ctrl-C interrupted it.

    Raises:
        UsageError: The training cannot honor a callback; the error names an alternative.
        EyetuneError: The data cannot be used, the training failed or the workspace cannot be
            written.

    Example:
        >>> import eyetune as et, tempfile
        >>> recipe = et.Recipe().with_(data__subset=100, fit__epochs=1)
        >>> run = et.train(recipe, data="digits", workspace=tempfile.mkdtemp(), progress=False)
        >>> run.state, len(run.history)
        (<RunState.COMPLETE: 'COMPLETE'>, 1)
    """
    recipe = checked_recipe(recipe)
    check_trackers(trackers)
    workspace = workspace_of(workspace)
    workspace.prepare()
    check_seed(seed)
    checked = _checked_callbacks(callbacks, recipe, threads, progress=progress)
    dataset = data if isinstance(data, Dataset) else load_images(recipe, data, progress=progress)
    recipe = resolve(recipe.with_({"data.source": dataset.source}), workspace)
    start(threads, progress=progress)
    arithmetic = choose_arithmetic(recipe, dataset, on_note=partial(note, progress=progress))
    prepared = prepare_network(
        recipe,
        dataset,
        seed=seed,
        arithmetic=arithmetic,
        deterministic=deterministic,
        teacher=teacher_file(workspace, recipe),
    )
    record = workspace.runs.create(
        recipe=recipe,
        data=describe(dataset),
        network=prepared.inspect().network,
        seed=seed,
        precision=prepared.precision,
        threads=threads,
        deterministic=deterministic,
        name=name,
        versions=versions(),
        callbacks=_descriptions(checked),
    )
    with follow(workspace, trackers):
        return _train_recorded(
            workspace, record, dataset, prepared, progress=progress, plots=plots, callbacks=checked
        )


def resume(
    reference: str | Run,
    *,
    epochs: int | None = None,
    name: str = "",
    data: Dataset | None = None,
    workspace: str | Path | Workspace | None = None,
    threads: int | None = None,
    progress: bool = True,
    trackers: Sequence[Tracker] = (),
    callbacks: Any = None,
) -> Run:
    """Resume an interrupted run after its last completed epoch, or train a run for more epochs.

    With more epochs than its recipe has, the run stays as it is, and a new run continues from its
    last checkpoint. The new run equals a training of its recipe from the start. A schedule that has
    ended (cosine, one_cycle, step, exponential) starts again over the additional epochs, which its
    recipe records in `optimizer.restarts`.

    Args:
        reference: The run: a `Run`, its id, the beginning of its id, its name, or "latest".
        epochs: Number of epochs of the whole training, those of the run included. Default: those of
            its recipe.
        name: A name for the new run, with `epochs`.
        data: The dataset, if `train` received one. Default: the images that the recipe names.
        workspace: Where the run is recorded. Default: that of a `Run`, else `./eyetune-workspace`,
            or the folder that EYETUNE_WORKSPACE names.
        threads: Number of threads for arithmetic. Default: as many as the run began with.
        progress: Show progress on standard error, or below the cell of a notebook.
        trackers: Where to log the run. With those of `train`, what they have logged continues.
        callbacks: Keras callbacks. If `train` received some, the same ones, created in the same
            way: their state is restored.

    Returns:
        The run: COMPLETE, or PAUSED if Ctrl-C interrupted it again.

    Raises:
        UsageError: The run is complete, has as many epochs already or cannot be continued, or was
            begun with other callbacks.
        RunNotFoundError: No run or several match.
        DataError: The images are not those that it was trained on.
        RunBusyError: Another process is training it.

    Example:
        >>> import eyetune as et
        >>> run = et.resume("latest")             # doctest: +SKIP
        >>> longer = et.resume("latest", epochs=62)  # doctest: +SKIP
    """
    check_trackers(trackers)
    run = _opened(reference, workspace)
    record = run.record
    is_complete = record.state is RunState.COMPLETE
    if epochs is None or (epochs == record.recipe.fit.total_epochs and not is_complete):
        _check_resumes(record, name)
        recipe = None
    else:
        recipe = longer(record.recipe, epochs)
    dataset = run.checked(data) if data else run.dataset()
    start(record.threads if threads is None else threads, progress=progress)
    checked = _continuing_callbacks(run, callbacks, recipe or record.recipe, progress=progress)
    if recipe is not None:
        check_continues(run, recipe)
        record = begin_longer_run(run, recipe, name, _descriptions(checked))
        note(_continues(record, run.record), progress=progress)
    with follow(run.workspace, trackers):
        return _train_recorded(
            run.workspace, record, dataset, None, progress=progress, callbacks=checked
        )


def _opened(reference: str | Run, workspace: str | Path | Workspace | None) -> Run:
    """Return the run that is to be resumed, as it is recorded now."""
    if isinstance(reference, Run):
        return Run(reference.workspace, reference.workspace.runs.get(reference.id))
    opened = workspace_of(workspace)
    return Run(opened, opened.runs.find(reference))


def _check_resumes(record: RunRecord, name: str) -> None:
    """Refuse to resume a complete run, or to name a run again."""
    if record.state is RunState.COMPLETE:
        num_epochs = record.recipe.fit.total_epochs
        raise UsageError(
            f"Run {record.label} is complete: there is nothing to resume.",
            fix=f"To train it for longer: eyetune train --resume {record.id} "
            f"--epochs {num_epochs + max(1, num_epochs // 4)}",
        )
    if name:
        raise UsageError(
            "A resumed run keeps its name.",
            received=name,
            fix="Leave the name out. With more epochs, which make a new run, it can have one.",
        )


def _continues(new: RunRecord, old: RunRecord) -> str:
    """Return what a longer run continues, as sentences."""
    text = f"Run {new.label} continues run {old.label} after epoch {old.num_epochs_done}."
    restarts = new.recipe.optimizer.restarts
    if restarts == old.recipe.optimizer.restarts:
        return text
    num_added = new.recipe.fit.epochs - restarts[-1]
    return (
        f"{text} The schedule {new.recipe.optimizer.schedule} starts again after epoch "
        f"{restarts[-1]}, over {num_added} more."
    )


def _checked_callbacks(
    callbacks: Any, recipe: Recipe, threads: int, *, progress: bool
) -> tuple[Any, ...]:
    """Return the callbacks of a training; those that it cannot honor are refused."""
    if callbacks is None:
        return ()
    start(threads, progress=progress)
    from eyetune.training.callback_checks import checked_callbacks

    return checked_callbacks(callbacks, recipe)


def _continuing_callbacks(
    run: Run, callbacks: Any, recipe: Recipe, *, progress: bool
) -> tuple[Any, ...]:
    """Return the callbacks of a resumed training, before anything is recorded about it."""
    from eyetune.training.callback_checks import checked_callbacks
    from eyetune.training.model_function.user_callbacks import check_same

    checked = checked_callbacks(callbacks, recipe)
    check_same(checked, run.record.callbacks)
    if checked and not run.record.callbacks:
        first = run.record.num_epochs_done + 1
        note(f"The callbacks see this training from epoch {first} on.", progress=progress)
    return checked


def _descriptions(callbacks: Sequence[Any]) -> tuple[str, ...]:
    if not callbacks:
        return ()
    from eyetune.training.model_function.user_callbacks import description

    return tuple(description(callback) for callback in callbacks)


def _train_recorded(
    workspace: Workspace,
    record: RunRecord,
    dataset: Dataset,
    prepared: PreparedNetwork | None,
    *,
    progress: bool,
    plots: bool = True,
    callbacks: Sequence[Any] = (),
) -> Run:
    """Train a recorded run from its last checkpoint to its end, and record the outcome."""
    arithmetic = Arithmetic(record.precision, "chosen when the run began")
    if prepared is not None:
        arithmetic = prepared.arithmetic
    with workspace.runs.claim(record.id), _failures_recorded(workspace, record.id):
        workspace.runs.set_state(record.id, RunState.RUNNING)
        with TrainingDisplay(record.recipe.fit.total_epochs, enabled=progress) as display:
            images = f"{len(dataset.train):,} images of {dataset.name}"
            display.note(f"Run {record.label}: {images}, in {arithmetic}")

            def on_epoch(epoch: Epoch) -> None:
                workspace.runs.save_epochs(record.id, [epoch])
                display.on_epoch(epoch)

            outcome = work(
                job_of(workspace, record),
                dataset,
                prepared=prepared,
                on_epoch=on_epoch,
                on_progress=display.on_progress,
                on_note=display.note,
                callbacks=callbacks,
            )
        recorded = record_outcome(
            workspace, record, outcome, lambda: linear_baseline(dataset, display.note)
        )
        run = Run(workspace, recorded)
    if plots and run.state is RunState.COMPLETE:
        display.note("Drawing ...")
        run.save_plots(dataset=dataset)
    return run


@contextmanager
def _failures_recorded(workspace: Workspace, run_id: str) -> Iterator[None]:
    try:
        yield
    except (Exception, KeyboardInterrupt) as error:
        record_failure(workspace, run_id, error)
        raise
