"""Train a recipe once, or resume a run that was interrupted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from eyetune.api.preparing import check_seed, checked_recipe, note, start, workspace_of
from eyetune.api.run import Run
from eyetune.data import Dataset
from eyetune.errors import UsageError
from eyetune.recipe import Recipe
from eyetune.records import RunRecord, RunState, Workspace
from eyetune.report.progress.training_progress import TrainingDisplay, print_note
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

    Returns:
        The run: COMPLETE, or PAUSED if Ctrl-C interrupted it.

    Raises:
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
    )
    with follow(workspace, trackers, print_note):
        return _train_recorded(workspace, record, dataset, prepared, progress=progress, plots=plots)


def resume(
    reference: str,
    *,
    data: Dataset | None = None,
    workspace: str | Path | Workspace | None = None,
    threads: int | None = None,
    progress: bool = True,
    trackers: Sequence[Tracker] = (),
) -> Run:
    """Resume an interrupted run after its last completed epoch.

    Args:
        reference: Id of the run, beginning of the id, name, or "latest".
        data: The dataset, if `train` received one. Default: the images that the recipe names.
        workspace: Where the run is recorded. Default: `./eyetune-workspace`, or the folder that
            EYETUNE_WORKSPACE names.
        threads: Number of threads for arithmetic. Default: as many as the run began with.
        progress: Show progress on standard error, or below the cell of a notebook.
        trackers: Where to log the run. With those of `train`, what they have logged continues.

    Returns:
        The run: COMPLETE, or PAUSED if Ctrl-C interrupted it again.

    Raises:
        UsageError: The run is complete.
        RunNotFoundError: No run or several match.
        DataError: The images are not those that it was trained on.
        RunBusyError: Another process is training it.

    Example:
        >>> import eyetune as et
        >>> run = et.resume("latest")  # doctest: +SKIP
    """
    check_trackers(trackers)
    workspace = workspace_of(workspace)
    record = workspace.runs.find(reference)
    if record.state is RunState.COMPLETE:
        raise UsageError(
            f"Run {record.label} is complete: there is nothing to resume.",
            fix="To train its recipe for longer: "
            f"eyetune train {record.id} --epochs {2 * record.recipe.fit.epochs}",
        )
    run = Run(workspace, record)
    dataset = run.checked(data) if data else run.dataset()
    start(record.threads if threads is None else threads, progress=progress)
    with follow(workspace, trackers, print_note):
        return _train_recorded(workspace, record, dataset, None, progress=progress)


def _train_recorded(
    workspace: Workspace,
    record: RunRecord,
    dataset: Dataset,
    prepared: PreparedNetwork | None,
    *,
    progress: bool,
    plots: bool = True,
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
