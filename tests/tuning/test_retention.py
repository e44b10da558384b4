from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from eyetune.analysis.ranking import rank_trials
from eyetune.records import Workspace
from eyetune.records.study import Objective
from eyetune.records.trial import Execution, Rung, TrialRecord, TrialState
from eyetune.tuning.retention import MODELS_KEPT, ModelRetention
from eyetune.values.run_files import MODEL_FILE

ACCURACY = Objective(name="val_accuracy", direction="max")
SIZE = Objective(name="parameters", direction="min")


def model_file(workspace: Workspace, trial: TrialRecord) -> Path:
    return workspace.runs.folder(trial.run or "") / MODEL_FILE


@pytest.mark.parametrize("objectives", [(ACCURACY,), (ACCURACY, SIZE)], ids=["one", "two"])
@pytest.mark.parametrize("seed", range(5))
def test_retention_keeps_the_networks_of_the_best_trials(
    objectives: tuple[Objective, ...], seed: int, tmp_path: Path
) -> None:
    random = Random(seed)
    workspace = Workspace(tmp_path)
    retention = ModelRetention(workspace, objectives)
    trials: list[TrialRecord] = []
    for number in range(60):
        values = (random.randrange(30) / 30, float(random.randrange(30)))[: len(objectives)]
        trial = TrialRecord(
            number=number,
            state=random.choice([TrialState.COMPLETE, TrialState.COMPLETE, TrialState.STOPPED]),
            values={},
            run=f"{number:08x}",
            rungs=(Rung(epochs=1, values=values),),
        )
        trials.append(trial)
        if trial.state is TrialState.COMPLETE:
            model_file(workspace, trial).parent.mkdir(parents=True)
            model_file(workspace, trial).touch()
        retention.note(trial)
        retention.tidy(trial)
        retention.sweep()
        order = rank_trials(objectives, trials)
        assert retention.best == order[0]
        complete = [trial for trial in order if trial.state is TrialState.COMPLETE]
        assert all(model_file(workspace, trial).exists() for trial in complete[:MODELS_KEPT])
    num_complete = sum(trial.state is TrialState.COMPLETE for trial in trials)
    num_kept = sum(model_file(workspace, trial).exists() for trial in trials)
    assert num_kept < num_complete
    if len(objectives) == 1:
        assert num_kept == MODELS_KEPT


def test_retention_keeps_the_network_of_the_best_execution(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    retention = ModelRetention(workspace, (ACCURACY,))
    executions = tuple(Execution(run=run, seed=seed) for seed, run in enumerate("abc"))
    trial = TrialRecord(
        number=0,
        state=TrialState.RUNNING,
        values={},
        run="b",
        rungs=(Rung(epochs=1, values=(0.5,)),),
        executions=executions,
    )
    paths = [workspace.runs.folder(run) / MODEL_FILE for run in "abc"]
    for path in paths:
        path.parent.mkdir(parents=True)
        path.touch()
    for state, kept in [
        (TrialState.RUNNING, [True] * 3),  # another execution may still become the best
        (TrialState.PAUSED, [True] * 3),
        (TrialState.COMPLETE, [False, True, False]),
    ]:
        retention.note(trial.with_(state=state))
        retention.tidy(trial.with_(state=state))
        retention.sweep()
        assert [path.exists() for path in paths] == kept
