"""Trainings of benchmarks that an interruption does not lose: complete ones are used again."""

from __future__ import annotations

import eyetune as et
from eyetune.data import Dataset
from eyetune.records import RunState, Workspace


def complete_run(
    workspace: Workspace, recipe: et.Recipe, dataset: Dataset, seed: int, name: str = ""
) -> et.Run:
    """Return a complete run: one of an earlier invocation, resumed if it was interrupted.

    Args:
        workspace: Where it is recorded.
        recipe: What is trained.
        dataset: The images.
        seed: Random seed.
        name: Name of a new run.

    Raises:
        KeyboardInterrupt: Ctrl-C interrupted the training.
    """
    recipe = recipe.with_({"data.source": dataset.source})
    for record in reversed(workspace.runs.same(recipe, dataset.fingerprint, seed)):
        if record.state is RunState.COMPLETE:
            return et.Run(workspace, record)
        if record.state is RunState.PAUSED:
            return _whole(et.resume(record.id, data=dataset, workspace=workspace))
    return _whole(et.train(recipe, dataset, seed=seed, name=name, workspace=workspace, plots=False))


def _whole(run: et.Run) -> et.Run:
    if run.state is RunState.PAUSED:
        raise KeyboardInterrupt
    return run
