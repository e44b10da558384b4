"""Rows of the dashboard's tables, made from records: plain values for the browser."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from eyetune.analysis.study_summary import state_name
from eyetune.records import RunRecord, RunState, query
from eyetune.records.lab import LabRecord
from eyetune.records.study import StudyRecord
from eyetune.records.trial import TrialRecord
from eyetune.space.hyperparameters import setting_text
from eyetune.values.display import one_line
from eyetune.values.history import Epoch
from eyetune.values.numbers import count_text, duration, percentage

Row = dict[str, Any]


def choose_runs(
    runs: Sequence[RunRecord], text: str, sort: str, *, descending: bool, with_trials: bool
) -> list[RunRecord]:
    """Return the runs that a table shows, in its order.

    Args:
        runs: All runs, oldest first.
        text: Conditions as for `eyetune runs --filter`, such as "test_accuracy>0.8", and words that
            a run must contain, divided by spaces.
        sort: The field to sort by; "": the newest first.
        descending: Whether the largest come first.
        with_trials: Whether to include the runs of labs and studies.

    Raises:
        UsageError: A condition cannot be read.
    """
    parts = text.split()
    conditions = [part for part in parts if any(sign in part for sign in "<>=")]
    words = [part.lower() for part in parts if part not in conditions]
    chosen = [run for run in runs if with_trials or not (run.lab_id or run.study_id)]
    chosen = [run for run in chosen if all(word in _searched(run) for word in words)]
    if conditions and chosen:
        chosen = query.choose(chosen, conditions)
    if not sort:
        return chosen[::-1]
    return query.order(chosen, sort, descending=descending) if chosen else []


def _searched(run: RunRecord) -> str:
    texts = (run.id, run.name, run.data.name, run.state, run.differences, *run.tags, run.note)
    return " ".join(texts).lower()


def run_row(run: RunRecord) -> Row:
    """Return the row of a run."""
    figures = query.figures(run)
    return {
        "run": run.id,
        "label": one_line(run.name or run.id),
        "tags": list(run.tags),
        "state": str(run.state),
        "data": one_line(run.data.name),
        "validation_accuracy": percentage(figures["validation_accuracy"]),
        "test_accuracy": percentage(figures["test_accuracy"]),
        "parameters": f"{run.network.parameters:,}",
        "epochs": f"{run.num_epochs_done} of {run.num_epochs_planned}",
        "duration_seconds": duration(run.duration_seconds),
        "created_at": f"{run.created_at:%Y-%m-%d %H:%M}",
        "changes": one_line(run.differences),
    }


def study_row(study: StudyRecord, num_trials: int) -> Row:
    """Return the row of a study."""
    return {
        "study": study.id,
        "name": one_line(study.name),
        "state": str(study.state),
        "data": one_line(study.data_name),
        "objectives": ", ".join(objective.name for objective in study.settings.objectives),
        "board": study.settings.board,
        "sampler": study.settings.sampler,
        "trials": num_trials,
        "seconds": duration(study.seconds),
        "created_at": f"{study.created_at:%Y-%m-%d %H:%M}",
    }


def lab_row(lab: LabRecord) -> Row:
    """Return the row of a lab."""
    return {
        "lab": lab.id,
        "data": one_line(lab.data),
        "techniques": len(lab.techniques),
        "test_accuracy": percentage(lab.final.test_accuracy),
        "seconds": duration(lab.seconds),
        "created_at": f"{lab.created_at:%Y-%m-%d %H:%M}",
        "answer": one_line(lab.answer),
        "is_over": True,
    }


def unfinished_lab_row(lab_id: str, runs: Sequence[RunRecord]) -> Row:
    """Return the row of a lab that has no record yet, from the runs that it has trained so far."""
    is_running = any(run.state is RunState.RUNNING for run in runs)
    latest = one_line(runs[-1].name or runs[-1].id)
    count = count_text(len(runs), "training")
    state = f"running: {count} so far, latest" if is_running else f"interrupted after {count}:"
    return {
        "lab": lab_id,
        "data": one_line(runs[0].data.name),
        "techniques": "",
        "test_accuracy": "",
        "seconds": duration(sum(run.duration_seconds for run in runs)),
        "created_at": "",
        "answer": f"{state} {latest}",
        "is_over": False,
    }


def trial_row(study: StudyRecord, trial: TrialRecord, *, epochs: int = 0) -> Row:
    """Return the row of a trial, with its objectives and hyperparameters.

    Args:
        study: The study.
        trial: The trial.
        epochs: Epochs that its run has trained so far.
    """
    objectives = study.settings.objectives
    results = trial.objectives or ()
    row: Row = {
        "number": trial.number,
        "state": state_name(study, trial.state),
        "epochs": max(trial.epochs_trained, epochs),
        "seconds": duration(trial.seconds),
        "run": trial.run or "",
    }
    for position, objective in enumerate(objectives):
        result = results[position] if position < len(results) else None
        row[f"objective {objective.name}"] = number(objective.name, result)
    for name, value in trial.all_values.items():
        row[f"value {name}"] = one_line(setting_text(value))
    row["note"] = one_line("; ".join(trial.infeasible) or trial.error.partition("\n")[0])
    return row


def epoch_row(epoch: Epoch) -> Row:
    """Return the row of an epoch, with every metric that it measures."""
    metrics = [field.name for field in fields(Epoch) if field.name not in ("epoch", "others")]
    measured = [name for name in (*metrics, *epoch.others) if epoch.measures(name)]
    return {**{name: number(name, epoch.value(name)) for name in measured}, "epoch": epoch.epoch}


def number(name: str, value: float | None) -> str:
    """Return a metric or cost as a text with its usual digits."""
    if value is None:
        return ""
    if name.endswith("accuracy"):
        return percentage(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
