"""Train a recipe once, or go on with a run that was interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eyetune.api.preparing import check_seed, checked_recipe, start, workspace_of
from eyetune.api.run import Run
from eyetune.data import Dataset
from eyetune.errors import UsageError
from eyetune.recipe import Recipe
from eyetune.records import RunRecord, RunState, Workspace
from eyetune.report.progress.training_progress import TrainingDisplay
from eyetune.training.backend import arithmetic_as_built, choose_arithmetic
from eyetune.training.job import work
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
) -> Run:
    """Train a recipe once, evaluate it and record it all.

    Args:
        recipe: What to train; the default is the lab's network on CIFAR-10.
        data: A source in place of the recipe's (see `load`), or a dataset that is loaded already.
        seed: Of everything that is random, 0 or above; the same seed gives the same result.
        name: What to call the run, besides its id.
        workspace: Where it is recorded; default `./eyetune-workspace`, or what EYETUNE_WORKSPACE
            names.
        threads: Of the arithmetic; 0 for one a core.
        deterministic: Use only operations that repeat exactly.
        progress: Show the progress: on standard error, in a notebook below the cell.
        plots: Draw its pictures into its folder, which takes a few seconds; `Run.save_plots` can do
            it later.

    Returns:
        The run: COMPLETE, or PAUSED where Ctrl-C interrupted it.

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
    workspace = workspace_of(workspace)
    workspace.prepare()
    check_seed(seed)
    dataset = data if isinstance(data, Dataset) else load_images(recipe, data, progress=progress)
    recipe = resolve(recipe.with_({"data.source": dataset.source}), workspace)
    start(threads, progress=progress)
    prepared = prepare_network(
        recipe,
        dataset,
        seed=seed,
        arithmetic=choose_arithmetic(recipe.fit.precision),
        deterministic=deterministic,
        teacher=teacher_file(workspace, recipe),
    )
    network, _ = prepared.inspect()
    record = workspace.runs.create(
        recipe=recipe,
        data=describe(dataset),
        network=network,
        seed=seed,
        precision=prepared.precision,
        threads=threads,
        deterministic=deterministic,
        name=name,
        versions=versions(),
    )
    return _train_recorded(workspace, record, dataset, prepared, progress=progress, plots=plots)


def resume(
    reference: str,
    *,
    data: Dataset | None = None,
    workspace: str | Path | Workspace | None = None,
    threads: int | None = None,
    progress: bool = True,
) -> Run:
    """Go on with an interrupted run from its last whole epoch.

    Args:
        reference: Id, beginning of an id, name, or "latest".
        data: The dataset, where it was handed to `train` as one; otherwise it is loaded as the
            recipe says.
        workspace: As for `train`.
        threads: As for `train`; by default as many as the run began with.
        progress: As for `train`.

    Raises:
        UsageError: The run is complete.
        DataError: The images are not those that it was trained on.
        RunBusyError: Another process is training it.

    Example:
        >>> import eyetune as et
        >>> run = et.resume("latest")  # doctest: +SKIP
    """
    workspace = workspace_of(workspace)
    record = workspace.runs.find(reference)
    if record.state is RunState.COMPLETE:
        raise UsageError(
            f"Run {record.label} is complete: there is nothing to resume.",
            fix=f"To train its recipe for longer: eyetune train {record.id} --epochs {2 * record.recipe.fit.epochs}",
        )
    run = Run(workspace, record)
    dataset = run.checked(data) if data else run.dataset()
    start(record.threads if threads is None else threads, progress=progress)
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
    """Train a recorded run to its end, starting from its last checkpoint, and record the outcome."""
    has_function, precision = record.recipe.model.has_function, record.recipe.fit.precision
    arithmetic = (
        arithmetic_as_built(record.precision) if has_function else choose_arithmetic(precision)
    )
    with workspace.runs.claim(record.id), _failures_recorded(workspace, record.id):
        workspace.runs.set_state(record.id, RunState.RUNNING)
        with TrainingDisplay(record.recipe.fit.total_epochs, enabled=progress) as display:
            display.note(
                f"Run {record.label}: {len(dataset.train):,} images of {dataset.name}, in {arithmetic}"
            )

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
        run = Run(
            workspace,
            record_outcome(
                workspace, record, outcome, lambda: linear_baseline(dataset, display.note)
            ),
        )
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
