"""The networks that were tried before one was exported: trials of its study, or other runs."""

from __future__ import annotations

from eyetune.api.run import Run
from eyetune.device.export.tried import TriedNetwork
from eyetune.records import RunState
from eyetune.records.study import TrialState


def tried_networks(
    run: Run, flash_bytes: int, arena_bytes: int
) -> tuple[tuple[TriedNetwork, ...], int]:
    """Return the networks that were trained on the same images, the most accurate first.

    The accuracy of a trial that was stopped is the best that it had reached.

    Args:
        run: The exported run. If it belongs to a study, its trials are returned, otherwise all
            complete runs of the workspace on the same images.
        flash_bytes: Size of the exported .tflite file.
        arena_bytes: Size of the tensor arena of the export.

    Returns:
        The networks, and the number of trials that limits ruled out before any training.
    """
    runs = run.workspace.runs
    study_id, fingerprint = run.record.study_id, run.record.data.fingerprint
    trials = run.workspace.studies.trials(study_id) if study_id else []
    trial_of_run = {trial.run: trial for trial in trials if trial.run}
    states = (RunState.COMPLETE, RunState.STOPPED) if study_id else (RunState.COMPLETE,)
    others = [
        other
        for other in runs.all()
        if other.state in states and other.data.fingerprint == fingerprint
        if study_id is None or other.study_id == study_id
    ]
    histories = runs.histories([other.id for other in others if other.results is None])
    networks = []
    for other in others:
        if other.results is not None:
            accuracy = other.results.validation_accuracy
        else:
            accuracy = max((epoch.val_accuracy for epoch in histories[other.id]), default=0.0)
        trial = trial_of_run.get(other.id)
        costs: dict[str, float] = trial.network if trial else {}
        if other.id == run.id:
            costs = {"flash_bytes": flash_bytes, "arena_bytes": arena_bytes}
        networks.append(
            TriedNetwork(
                label=f"trial {trial.number}" if trial else other.label,
                accuracy=accuracy,
                flash_bytes=costs.get("flash_bytes", max(other.network.parameters, 1)),
                flash_is_estimated="flash_bytes" not in costs,
                arena_bytes=costs.get("arena_bytes"),
                exported=other.id == run.id,
            )
        )
    networks.sort(key=lambda network: -network.accuracy)
    return tuple(networks), sum(trial.state is TrialState.INFEASIBLE for trial in trials)
