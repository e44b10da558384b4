"""Runs with invented figures for the tests of records."""

from __future__ import annotations

from typing import Any

from eyetune.recipe import Recipe
from eyetune.records import RunRecord, RunState, Workspace
from eyetune.records.run import DataRecord, Results
from eyetune.values.history import Epoch
from eyetune.values.network import Layer, Network

NETWORK = Network((8, 8, 3), (Layer("dense", "Dense", "relu", (10,), 1930, 1920, 10),), 1930)
DATA = DataRecord("tiny", "/images", "abc", ("cat", "dog"), (8, 8, 3), 60, 20, 20, ("a note",))
SEED = 7


def make_epoch(number: int, accuracy: float = 0.5) -> Epoch:
    """Return an epoch of 2 seconds."""
    return Epoch(number, 1.0, accuracy, 1.1, accuracy, 0.001, 2.0, 500.0)


def make_results(accuracy: float = 0.8) -> Results:
    """Return the results of a run of two epochs."""
    return Results(2, 0.5, accuracy, 0.6, 0.75)


def add_run(workspace: Workspace, *, recipe: Recipe | None = None, **fields: Any) -> RunRecord:
    """Record a run that has just begun."""
    return workspace.runs.create(
        recipe=recipe or Recipe(),
        data=DATA,
        network=NETWORK,
        seed=SEED,
        precision="float32",
        **fields,
    )


def add_complete_run(workspace: Workspace, accuracy: float = 0.5, **fields: Any) -> RunRecord:
    """Record a complete run of one epoch with a validation accuracy."""
    run = add_run(workspace, **fields)
    workspace.runs.save_epochs(run.id, [make_epoch(1, accuracy)])
    workspace.runs.set_state(run.id, RunState.COMPLETE, results=make_results(accuracy))
    return workspace.runs.get(run.id)
