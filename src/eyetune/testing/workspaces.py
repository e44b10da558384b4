"""Large fabricated workspaces, to measure how long commands take when much is recorded.

Learning curves are drawn instead of trained. Runs, epochs, studies and trials are recorded by the
stores of the product.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from eyetune.recipe import Recipe
from eyetune.records import RunState, Workspace
from eyetune.records.run import Results
from eyetune.records.study import (
    Budget,
    Objective,
    SchedulerSettings,
    StudyRecord,
    StudySettings,
    StudyState,
)
from eyetune.records.trial import Rung, TrialRecord, TrialState
from eyetune.space.hyperparameters import Choice, Range
from eyetune.space.space import Space
from eyetune.testing.labs import DATA, fabricated_history
from eyetune.tuning.endings import Ending
from eyetune.tuning.recording import versions
from eyetune.values.network import Layer, Network

SPACE = Space.make(
    [
        Range(name="optimizer.learning_rate", low=1e-5, high=1e-1, sampling="log", whole=False),
        Range(name="model.dropout", low=0.0, high=0.5, whole=False),
        Choice(name="fit.batch_size", values=(16, 32, 64, 128), ordered=True),
    ]
)
RUNS_PER_TRANSACTION = 500


def fabricated_workspace(
    folder: Path, *, num_runs: int, epochs_per_run: int, trials: Sequence[int] = ()
) -> Workspace:
    """Return a new workspace with many complete runs, of a user and of complete studies.

    Args:
        folder: Its folder, which is created.
        num_runs: Number of runs, those of the studies included.
        epochs_per_run: Epochs of each run, 1 or more.
        trials: Number of trials of each study; the studies are named study-0, study-1 and so on.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp()) / "large"
        >>> workspace = fabricated_workspace(folder, num_runs=5, epochs_per_run=2, trials=[3])
        >>> len(workspace.runs.all()), len(workspace.studies.trials(workspace.studies.find().id))
        (5, 3)
    """
    workspace = Workspace(folder)
    workspace.prepare()
    generator = np.random.default_rng(0)
    _add_runs(workspace, num_runs - sum(trials), epochs_per_run, generator)
    for number, count in enumerate(trials):
        _add_study(workspace, f"study-{number}", count, epochs_per_run, generator)
    return workspace


def _add_study(
    workspace: Workspace,
    name: str,
    num_trials: int,
    num_epochs: int,
    generator: np.random.Generator,
) -> None:
    settings = StudySettings(
        recipe=Recipe().with_({"fit.epochs": num_epochs}),
        space=SPACE,
        objectives=(Objective(name="val_accuracy", direction="max"),),
        schedule=SchedulerSettings(max_epochs=num_epochs),
        budget=Budget(trials=num_trials),
    )
    study = workspace.studies.create(
        name,
        settings,
        data_fingerprint=DATA.fingerprint,
        data_name=DATA.name,
        versions=versions(),
    )
    _add_runs(workspace, num_trials, num_epochs, generator, study)
    update = {"state": StudyState.COMPLETE, "ending": str(Ending.TRIALS_DONE), "seconds": 1e5}
    workspace.studies.save(study.model_copy(update=update))


def _add_runs(
    workspace: Workspace,
    num_runs: int,
    num_epochs: int,
    generator: np.random.Generator,
    study: StudyRecord | None = None,
) -> None:
    for start in range(0, num_runs, RUNS_PER_TRANSACTION):
        numbers = range(start, min(start + RUNS_PER_TRANSACTION, num_runs))
        with workspace.transaction():
            trials = [
                _add_run(workspace, number, num_epochs, generator, study) for number in numbers
            ]
            if study is not None:
                workspace.studies.save_trials(study.id, trials)


def _add_run(
    workspace: Workspace,
    number: int,
    num_epochs: int,
    generator: np.random.Generator,
    study: StudyRecord | None,
) -> TrialRecord:
    """Record a run, and return the trial that it would be."""
    values = {
        "optimizer.learning_rate": float(10 ** generator.uniform(-5, -1)),
        "model.dropout": float(generator.uniform(0, 0.5)),
        "fit.batch_size": int(generator.choice([16, 32, 64, 128])),
    }
    accuracy = 0.5 + 0.4 * float(generator.beta(3, 2))
    parameters = round(float(np.exp(generator.normal(12, 0.7))))
    layer = Layer("dense", "Dense", "softmax", (10,), parameters, parameters, 10)
    run = workspace.runs.create(
        recipe=Recipe().with_({"fit.epochs": num_epochs, **values}),
        data=DATA,
        network=Network((32, 32, 3), (layer,), parameters),
        seed=number,
        precision="float32",
        study_id=None if study is None else study.id,
        versions=versions(),
    )
    history = fabricated_history(num_epochs, accuracy, seed=number)
    workspace.runs.save_epochs(run.id, history)
    results = Results(num_epochs, history[-1].val_loss, accuracy)
    workspace.runs.set_state(run.id, RunState.COMPLETE, results=results)
    return TrialRecord(
        number=number,
        state=TrialState.COMPLETE,
        values=dict(values),
        run=run.id,
        epochs_granted=num_epochs,
        epochs=num_epochs,
        is_over=True,
        rungs=(Rung(epochs=num_epochs, values=(accuracy,)),),
        network={"parameters": float(parameters)},
        seconds=float(num_epochs),
    )
