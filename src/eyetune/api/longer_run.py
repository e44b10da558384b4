"""More epochs for a run: a new run that continues from its checkpoint."""

from __future__ import annotations

from eyetune.api.run import Run
from eyetune.errors import UsageError
from eyetune.recipe import Recipe
from eyetune.records import RunRecord
from eyetune.tuning.recording import versions
from eyetune.values.run_files import BEST_CHECKPOINT_FILE, CHECKPOINT_FILE


def check_continues(run: Run, recipe: Recipe) -> None:
    """Check that a run can continue with a longer recipe. Keras must be started.

    Args:
        run: The run, which keeps its recipe and results.
        recipe: From `longer`.

    Raises:
        UsageError: It has no checkpoint, or its training ended before its last epoch.
        CheckpointError: Its checkpoint is damaged.
    """
    from eyetune.training.callbacks import should_stop
    from eyetune.training.checkpoint import load

    record = run.record
    again = f"eyetune train {record.id} --epochs {recipe.fit.epochs}"
    path = run.folder / CHECKPOINT_FILE
    if record.diverged or not path.exists():
        raise UsageError(
            f"Run {record.label} has no checkpoint to continue from.",
            expected="a run with a complete epoch, whose files were kept and that did not diverge",
            received=f"{record.state}, {record.num_epochs_done} epochs",
            fix=f"Train its recipe from the start: {again}",
        )
    stored = load(path)
    planned = record.recipe.fit.total_epochs
    ended_early = record.results is not None and len(stored.history) < planned
    if ended_early or stored.state.get("ended") or should_stop(stored.history, recipe.fit):
        raise UsageError(
            f"Run {record.label} ended by itself after {len(stored.history)} of {planned} epochs: "
            "a larger number of epochs changes nothing.",
            expected="a run that early stopping, a callback or its study did not end",
            fix=f"Train its recipe from the start without that: {again} --set fit.early_stopping=0",
        )


def begin_longer_run(run: Run, recipe: Recipe, name: str, callbacks: tuple[str, ...]) -> RunRecord:
    """Record a new run of a longer recipe, with the checkpoints of the run that it continues.

    Args:
        run: The run that it continues; `check_continues` accepted it.
        recipe: From `longer`.
        name: A name for the new run, or "".
        callbacks: Descriptions of the callbacks that see it.

    Raises:
        RunBusyError: Another process is training the run.
        WorkspaceError: The new run cannot be written.
    """
    from eyetune.training.checkpoint import adopt

    record = run.record
    with run.workspace.runs.claim(record.id):
        new = run.workspace.runs.create(
            recipe=recipe,
            data=record.data,
            network=record.network,
            seed=record.seed,
            precision=record.precision,
            threads=record.threads,
            deterministic=record.deterministic,
            name=name,
            versions=versions(),
            callbacks=callbacks,
            continued_from=record.id,
        )
        folder = run.workspace.runs.folder(new.id)
        for file in (CHECKPOINT_FILE, BEST_CHECKPOINT_FILE):
            if (run.folder / file).exists():
                adopt(run.folder / file, folder / file, recipe.fingerprint)
    return new
