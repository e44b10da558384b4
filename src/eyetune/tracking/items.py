"""From records to what trackers get."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from eyetune.analysis.ranking import rank_trials
from eyetune.records import RunRecord, RunState, Workspace
from eyetune.records.lab import LabRecord
from eyetune.records.study import Objective, StudyRecord, StudyState
from eyetune.records.trial import TrialRecord, TrialState
from eyetune.space.hyperparameters import Choice, Range, Value
from eyetune.tracking.tracker import Metrics, Tracked, TrackedEnd
from eyetune.values.history import Epoch, History
from eyetune.values.run_files import MODEL_FILE

_PICTURES = "plots"


def metrics_of(epoch: Epoch) -> Metrics:
    """Return the metrics of an epoch by name, without those that were not measured.

    Example:
        >>> metrics = metrics_of(Epoch(1, 2.3, None, 2.2, None, 0.001, 3.0, 900.0, {"mae": 0.5}))
        >>> list(metrics)
        ['loss', 'val_loss', 'learning_rate', 'duration_seconds', 'images_per_second', 'mae']
    """
    values = asdict(epoch)
    others = values.pop("others")
    del values["epoch"]
    return _numbers({**values, **others})


def epochs_of(history: History) -> dict[int, Metrics]:
    """Return epochs by number."""
    return {epoch.epoch: metrics_of(epoch) for epoch in history}


def flattened(values: Mapping[str, Any], prefix: str = "") -> dict[str, Value]:
    """Return nested values by their paths; what is None or empty is left out.

    Example:
        >>> flattened({"seed": 0, "budget": {"trials": 3, "epochs": None}, "names": ["a", "b"]})
        {'seed': 0, 'budget.trials': 3, 'names': 'a, b'}
    """
    flat: dict[str, Value] = {}
    for name, value in values.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping):
            flat |= flattened(value, f"{path}.")
        elif isinstance(value, list | tuple):
            if value:
                flat[path] = ", ".join(map(str, value))
        elif isinstance(value, str | int | float | bool):
            flat[path] = value
    return flat


# Runs.


def run_item(record: RunRecord, history: History, parent: str = "") -> Tracked:
    """Return a run, of `train` or of a lab."""
    return Tracked(
        id=record.id,
        kind="run",
        name=record.name or record.id,
        parent=parent,
        parameters=_parameters(record),
        tags={
            "data": record.data.name,
            "data_fingerprint": record.data.fingerprint,
            "precision": record.precision,
            **_version_tags(record.versions),
        },
        epochs=epochs_of(history),
    )


def _parameters(record: RunRecord) -> dict[str, Any]:
    """Return what a run was started with: its recipe and seed, or how its network was compiled."""
    if record.own_recipe is None:
        return flattened(record.keras_fit or {})
    return {**flattened(record.own_recipe.values()), "seed": record.seed}


def run_end(record: RunRecord, workspace: Workspace) -> TrackedEnd | None:
    """Return how a run ended or paused; None while it is trained."""
    if record.state in (RunState.WAITING, RunState.RUNNING):
        return None
    is_part = record.lab_id is not None or record.study_id is not None
    folder = workspace.runs.folder(record.id)
    names = ["recipe.toml"] if is_part else ["recipe.toml", MODEL_FILE]
    results = asdict(record.results) if record.results else {}
    return TrackedEnd(
        state=str(record.state),
        is_over=record.state is not RunState.PAUSED,
        num_epochs=record.num_epochs_done,
        metrics={
            **_numbers(results),
            "parameters": record.network.parameters,
            "macs": record.network.macs,
            "seconds": record.duration_seconds,
        },
        error=record.error or "",
        files=_files(folder, names, pictures=not is_part),
    )


# Studies and trials.


def study_item(record: StudyRecord) -> Tracked:
    """Return a study."""
    settings = record.settings
    chosen = settings.model_dump(
        mode="json",
        exclude={"recipe", "space", "objectives", "constraints", "seeds", "starts"},
    )
    return Tracked(
        id=record.id,
        kind="study",
        name=record.name,
        parameters={
            **flattened(chosen),
            "objectives": ", ".join(
                f"{item.name} ({item.direction})" for item in settings.objectives
            ),
            **flattened({"constraints": [str(limit) for limit in settings.constraints]}),
            **{f"space.{part.name}": _domain(part) for part in record.space.distributions},
            **flattened(settings.recipe.values(), "recipe."),
        },
        tags={
            "data": record.data_name,
            "data_fingerprint": record.data_fingerprint,
            **_version_tags(record.versions),
        },
    )


def study_end(
    record: StudyRecord, trials: Sequence[TrialRecord], workspace: Workspace
) -> TrackedEnd:
    """Return how a study ended or paused."""
    best = next(iter(rank_trials(record.settings.objectives, list(trials))), None)
    metrics: dict[str, float] = {"trials": len(trials), "seconds": record.seconds}
    for state in (TrialState.FAILED, TrialState.INFEASIBLE):
        metrics[f"trials_{state.lower()}"] = sum(trial.state is state for trial in trials)
    files = _files(workspace.studies.folder(record.id), ["report.html"])
    tags = {"ending": record.ending} if record.ending else {}
    if best is not None:
        metrics |= _objective_metrics(record, best)
        tags["best_trial"] = str(best.number)
        if best.run is not None:
            files |= _files(workspace.runs.folder(best.run), ["recipe.toml", MODEL_FILE])
    is_over = record.state is StudyState.COMPLETE
    return TrackedEnd(
        state=str(StudyState.COMPLETE if is_over else StudyState.PAUSED),
        is_over=is_over,
        num_epochs=sum(trial.epochs_trained for trial in trials),
        metrics=metrics,
        tags=tags,
        files=files,
    )


def trial_item(study: StudyRecord, trial: TrialRecord, history: History) -> Tracked:
    """Return a trial."""
    tags = {"trial": str(trial.number), "bracket": str(trial.bracket), "data": study.data_name}
    if trial.run is not None:
        tags["run"] = trial.run
    if trial.is_final:
        tags["final_training"] = "true"
    suffix = ""
    if trial.retries and not trial.executions:
        suffix = f"/retry-{trial.retries}"
    return Tracked(
        id=f"{study.id}/{trial.number}{suffix}",
        kind="trial",
        name=f"{study.name}/{trial.number}{suffix}",
        parent=study.id,
        parameters=flattened(trial.used_values),
        tags=tags,
        epochs=epochs_of(history),
    )


def execution_item(trial: Tracked, record: RunRecord, history: History) -> Tracked:
    """Return one of several trainings of a trial.

    Args:
        trial: The trial.
        record: The run.
        history: Its epochs.
    """
    return Tracked(
        id=f"{trial.id}/{record.seed}",
        kind="execution",
        name=f"{trial.name}/{record.seed}",
        parent=trial.id,
        parameters=trial.parameters,
        tags={"run": record.id, "seed": str(record.seed), "trial": trial.tags["trial"]},
        epochs=epochs_of(history),
    )


def repeated_end(record: RunRecord | None) -> TrackedEnd:
    """Return how the training of a trial ended that is repeated by another one.

    Args:
        record: Its run; None if it has none.
    """
    end = TrackedEnd(str(RunState.FAILED), is_over=True, tags={"repeated": "true"})
    if record is None:
        return end
    return replace(
        end,
        num_epochs=record.num_epochs_done,
        metrics={"seconds": record.duration_seconds},
        error=record.error or "",
    )


def trial_end(study: StudyRecord, trial: TrialRecord, workspace: Workspace) -> TrackedEnd | None:
    """Return how a trial ended or paused; None while it waits or is trained."""
    if trial.state in (TrialState.WAITING, TrialState.RUNNING):
        return None
    files = {}
    if trial.run is not None:
        files = _files(workspace.runs.folder(trial.run), ["recipe.toml"])
    return TrackedEnd(
        state=str(trial.state),
        is_over=trial.state is not TrialState.PAUSED,
        num_epochs=trial.epochs,
        metrics={
            **trial.network,
            **_objective_metrics(study, trial),
            "seconds": trial.seconds,
        },
        tags={"infeasible": "; ".join(trial.infeasible)} if trial.infeasible else {},
        error=trial.error,
        files=files,
    )


# Labs.


def lab_item(lab_id: str, workspace: Workspace, parameters: Mapping[str, Any]) -> Tracked:
    """Return a lab that begins; its record is written at its end.

    Labs with the same plan have the same id, also in different workspaces, so trackers get another.
    """
    key = hashlib.sha256(f"{workspace.folder}/{lab_id}".encode()).hexdigest()[:8]
    return Tracked(
        id=key,
        kind="lab",
        name=f"lab-{lab_id}",
        parameters=flattened(parameters),
        tags={"lab": lab_id},
    )


def lab_end(record: LabRecord, workspace: Workspace) -> TrackedEnd:
    """Return how a lab ended."""
    return TrackedEnd(
        state=str(RunState.COMPLETE),
        is_over=True,
        metrics={
            "test_accuracy": record.final.test_accuracy,
            "test_difference": record.test_difference,
            "validation_accuracy": record.winner.validation_accuracy,
            "baseline_test_accuracy": record.final_baseline.test_accuracy,
            "baseline_validation_accuracy": record.baseline.validation_accuracy,
            "parameters": record.final.parameters,
            "macs": record.final.macs,
            "seconds": record.seconds,
        },
        tags={
            "answer": record.answer,
            "best": record.final.label,
            **_version_tags(record.versions),
        },
        files=_files(workspace.labs.folder(record.id), ["lab.json", "report.html"]),
    )


def _objective_metrics(study: StudyRecord, trial: TrialRecord) -> dict[str, float]:
    """Return the values of the objectives, for metrics of epochs the best ones.

    With several executions they are means, and their standard deviations follow.
    """
    if trial.result is None:
        return {}
    metrics: dict[str, float] = {}
    objectives = study.settings.objectives
    for objective, value in zip(objectives, trial.result.values, strict=False):
        metrics[_result_name(objective, trial)] = value
    for objective, deviation in zip(objectives, trial.result.spread, strict=False):
        metrics[f"{_result_name(objective, trial)}_deviation"] = deviation
    return metrics


def _result_name(objective: Objective, trial: TrialRecord) -> str:
    is_cost = objective.name in trial.network
    return objective.name if is_cost else f"best_{objective.name}"


def _domain(part: Choice | Range) -> str:
    """Return the choices or the range of a hyperparameter as text."""
    if isinstance(part, Choice):
        return ", ".join(map(str, part.values))
    return f"{part.low} to {part.high}"


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    return {name: value for name, value in values.items() if value is not None}


def _version_tags(versions: Mapping[str, str]) -> dict[str, str]:
    return {f"version.{name}": version for name, version in versions.items()}


def _files(folder: Path, names: Iterable[str], *, pictures: bool = True) -> dict[str, Path]:
    """Return the files of a folder that exist, and its pictures as PNG."""
    files = {name: folder / name for name in names if (folder / name).is_file()}
    if pictures:
        files |= {f"{_PICTURES}/{path.name}": path for path in folder.glob(f"{_PICTURES}/*.png")}
    return files
