"""The page of a study: its result first, then all the evidence for it, then how to continue."""

from __future__ import annotations

import base64
import math
import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from eyetune.analysis.ranking import non_dominated_trials, rank_trials
from eyetune.analysis.study_summary import (
    count_state_names,
    epochs_without_stopping,
    error_line,
    infeasible_rule_counts,
    state_text,
    summary_sentences,
    values_at_edges,
)
from eyetune.analysis.trial_results import metric_text, result_texts
from eyetune.records.study import StudyRecord, StudyState
from eyetune.records.trial import TrialRecord, TrialState
from eyetune.report.figures import study_figures, study_timeline
from eyetune.report.figures.study_space import MAX_AXES
from eyetune.report.pages.page import Drawing, drawing, render
from eyetune.report.pages.study_method import method
from eyetune.report.pages.tables import Cell, Row
from eyetune.space.hyperparameters import setting_text
from eyetune.space.space import describe
from eyetune.values.history import History
from eyetune.values.numbers import duration, workers_text

QUESTION = "Which hyperparameters give the best network?"
HEADINGS = {
    "best": "The best hyperparameters",
    "warnings": "Warnings",
    "curve": "The best result so far",
    "timeline": "How the time was divided",
    "learning": "Learning curves",
    "importances": "Which hyperparameters matter",
    "parallel": "All trials across all hyperparameters",
    "slices": "Each hyperparameter by itself",
    "front": "The objectives compared",
    "trials": "All trials",
    "executions": "The executions of the best trials",
    "failures": "Failed trials",
    "infeasible": "Infeasible trials",
    "method": "How it was searched",
    "again": "How to continue",
}
BEST_HEADINGS = ("hyperparameter", "best", "searched", "at an end", "importance")
MAX_ROWS = 1000  # a table of more trials takes browsers seconds
MAX_FAILURES = 100
NUM_ROWS_IN_SUMMARY = 10
NUM_WITH_EXECUTIONS = 10  # trials whose executions are listed


def study_page(
    record: StudyRecord,
    trials: Sequence[TrialRecord],
    histories: Mapping[str, History],
    starts: Mapping[str, datetime],
    importances: Mapping[str, float],
    warnings: Sequence[str],
    limits: Mapping[str, float] = MappingProxyType({}),
) -> str:
    """Return a study's report as one HTML page that needs no other file.

    Args:
        record: The study.
        trials: All trials of the study.
        histories: Epochs by run id; runs that are missing are not drawn.
        starts: When a run began, in UTC, by its id.
        importances: How much each hyperparameter decided which trials are among the best tenth;
            empty if unknown.
        warnings: What to look out for, as sentences.
        limits: Largest values that the board and the study allow, by cost. Default: none.
    """
    order = rank_trials(record.settings.objectives, trials)
    failed = _in_state(trials, TrialState.FAILED)
    parts: dict[str, Any] = {
        "best": _best_rows(record, order, importances),
        "warnings": warnings,
        "trials": trial_rows(record, trials)[:MAX_ROWS],
        "executions": _execution_rows(record, order[:NUM_WITH_EXECUTIONS]),
        "failures": [
            (f"Trial {trial.number}: {error_line(trial)}", _failure_text(trial))
            for trial in failed[:MAX_FAILURES]
        ],
        "infeasible": _infeasible_rows(trials),
        "method": method(record, trials),
        "again": commands(record, trials),
    }
    if order:
        parts |= _drawings(record, trials, histories, importances, limits)
        if any(trial.is_final for trial in trials):
            parts["timeline"] = drawing(
                study_timeline.timeline(record, trials, histories, starts),
                "timeline",
                "When each trial was trained, with its best result, and the final training of the"
                " best recipe. Each dot is the end of a training or of a part of it.",
            )
    workers = workers_text(record.settings.workers)
    context: dict[str, Any] = {
        "title": f"Study {record.name}: {record.data_name}",
        "subtitle": f"{record.created_at:%d %B %Y, %H:%M} UTC, {duration(record.seconds)} with"
        f" {workers}, {record.state.lower()}",
        "question": QUESTION,
        "sentences": summary_sentences(record, trials),
        "has_result": bool(order),
        "facts": _facts(record, trials, order),
        "contents": [(name, heading) for name, heading in HEADINGS.items() if parts.get(name)],
        "parts_of": parts,
        "best_headings": BEST_HEADINGS,
        "trial_headings": trial_headings(record),
        "trials_text": _trials_text(trials),
        "execution_headings": execution_headings(record),
        "num_more_failures": max(0, len(failed) - MAX_FAILURES),
        "study_name": shlex.quote(record.name),
        "versions": list(record.versions.items()),
    }
    return render("study", context)


def study_summary(
    record: StudyRecord,
    trials: Sequence[TrialRecord],
    warnings: Sequence[str],
    *,
    limit: int = NUM_ROWS_IN_SUMMARY,
) -> str:
    """Return a study as HTML for a notebook: its result, warnings, best trials and best curve.

    Args:
        record: The study.
        trials: All trials of the study.
        warnings: What to look out for, as sentences.
        limit: How many trials are listed.
    """
    rows = trial_rows(record, trials)
    picture = b""
    if rank_trials(record.settings.objectives, trials):
        picture = study_figures.best_curve(record, trials)._repr_png_()
    context = {
        "sentences": summary_sentences(record, trials),
        "warnings": warnings,
        "headings": trial_headings(record),
        "rows": rows[:limit],
        "num_others": len(rows) - limit,
        "picture": base64.b64encode(picture).decode(),
    }
    return render("study_summary", context)


def trial_headings(record: StudyRecord) -> list[str]:
    """Return the headings of the table of trials."""
    objectives = [objective.name for objective in record.settings.objectives]
    names = record.space.names if len(record.space) <= MAX_AXES else ("hyperparameters",)
    size = [] if "parameters" in objectives else ["parameters"]
    return ["trial", *objectives, "state", "epochs", *names, *size, "seconds", "bracket", "run"]


def trial_rows(record: StudyRecord, trials: Sequence[TrialRecord]) -> list[Row]:
    """Return the rows of the table of trials: the best first, those without a result last."""
    objectives = record.settings.objectives
    order = rank_trials(objectives, trials)
    best = non_dominated_trials(objectives, trials) if len(objectives) > 1 else order[:1]
    best_numbers = {trial.number for trial in best}
    rows = [
        _trial_row(record, trial, "combination" if trial.number in best_numbers else "")
        for trial in order
    ]
    ranked_numbers = {trial.number for trial in order}
    without_result = [trial for trial in trials if trial.number not in ranked_numbers]
    return rows + [_trial_row(record, trial, "dropped") for trial in without_result]


def execution_headings(record: StudyRecord) -> list[str]:
    """Return the headings of the table of executions."""
    objectives = [objective.name for objective in record.settings.objectives]
    return ["trial", "seed", *objectives, "epochs", "seconds", "run"]


def commands(record: StudyRecord, trials: Sequence[TrialRecord]) -> list[str]:
    """Return the commands that continue a study, show it, and train its best network for longer."""
    name = shlex.quote(record.name)
    resume = f"eyetune tune --resume --name {name}"
    if record.state is StudyState.COMPLETE:
        seconds = record.settings.budget.seconds
        more = f"--trials {2 * max(1, len(trials))}"
        resume += f" --time {math.ceil(2 * seconds)}s" if seconds else f" {more}"
    lines = [resume, f"eyetune study {name}"]
    order = rank_trials(record.settings.objectives, trials)
    if order and order[0].run:
        has_stages = record.settings.fit_of(order[0].values).has_further_stages
        ending = "fit.keep_best=true" if has_stages else "fit.early_stopping=5"
        longer = f"--epochs 50 --set {ending}"
        if order[0].is_final:
            longer = f"--set fit.seconds={math.ceil(2 * order[0].final_seconds)}"
        lines.append(f"eyetune train {order[0].run} {longer}")
    return lines


def _in_state(trials: Sequence[TrialRecord], state: TrialState) -> list[TrialRecord]:
    return [trial for trial in trials if trial.state is state]


def _failure_text(trial: TrialRecord) -> str:
    error = trial.error.strip()
    values = trial.settings_text
    return f"{values}\n\n{error}" if values else error


def _facts(
    record: StudyRecord, trials: Sequence[TrialRecord], order: Sequence[TrialRecord]
) -> list[tuple[str, str]]:
    facts = []
    for best in order[:1]:
        texts = result_texts(record.settings.objectives, best)
        for objective, text in zip(record.settings.objectives, texts, strict=False):
            facts.append((f"best {objective.name}, trial {best.number}", text))
    counts = [f"{count} {name}" for name, count in count_state_names(record, trials).items()]
    label = f"trials: {', '.join(counts)}" if counts else "trials"
    facts.append((label, f"{len(trials):,}"))
    num_epochs = sum(trial.epochs_trained for trial in trials)
    num_without_stopping = epochs_without_stopping(record, trials)
    label = "epochs trained"
    has_final = any(trial.is_final for trial in trials)
    if num_without_stopping > num_epochs and not has_final:
        label += f", of {num_without_stopping:,} without stopping early"
    facts.append((label, f"{num_epochs:,}"))
    return facts


def _best_rows(
    record: StudyRecord, order: Sequence[TrialRecord], importances: Mapping[str, float]
) -> list[Row]:
    if not order:
        return []
    best = order[0]
    edges = values_at_edges(record, order, best)
    rows = []
    for name, value in best.all_values.items():
        searched = describe(record.space[name]) if name in record.space.names else "not searched"
        importance = importances.get(name, math.nan)
        cells = (
            Cell(name),
            Cell(setting_text(value)),
            Cell(searched),
            Cell(f"the {edges[name]}" if name in edges else "", kind="worse"),
            Cell("" if math.isnan(importance) else f"{importance:.0%}"),
        )
        rows.append(Row(cells))
    return rows


def _trial_row(record: StudyRecord, trial: TrialRecord, kind: str) -> Row:
    state = state_text(record, trial)
    cells = [
        Cell(str(trial.number), trial.number),
        *_objective_cells(record, trial),
        Cell(state, state, "worse" if trial.state is TrialState.FAILED else ""),
        Cell(f"{trial.epochs}", trial.epochs),
        *_hyperparameter_cells(record, trial),
    ]
    if "parameters" not in [objective.name for objective in record.settings.objectives]:
        size = trial.network.get("parameters")
        cells.append(Cell("") if size is None else Cell(f"{size:,.0f}", size))
    cells += [
        Cell(f"{trial.seconds:,.0f}", trial.seconds),
        Cell(str(trial.bracket), trial.bracket),
        Cell(trial.run or "", trial.run or ""),
    ]
    return Row(cells, kind)


def _objective_cells(record: StudyRecord, trial: TrialRecord) -> list[Cell]:
    objectives = record.settings.objectives
    if trial.objectives is None:
        return [Cell("") for _ in objectives]
    texts = result_texts(objectives, trial)
    return [
        Cell(text, value if math.isfinite(value) else "")
        for text, value in zip(texts, trial.objectives, strict=True)
    ]


def _hyperparameter_cells(record: StudyRecord, trial: TrialRecord) -> list[Cell]:
    if len(record.space) > MAX_AXES:
        return [Cell(trial.settings_text)]
    cells = []
    for name in record.space.names:
        value = trial.all_values.get(name)
        if value is None:
            cells.append(Cell(""))
        else:
            key = int(value) if isinstance(value, bool) else value
            cells.append(Cell(setting_text(value), key))
    return cells


def _execution_rows(record: StudyRecord, trials: Sequence[TrialRecord]) -> list[Row]:
    """Return the rows of the executions of trials, those whose networks are kept in bold."""
    objectives = record.settings.objectives
    rows = []
    for trial in trials:
        for execution in trial.executions:
            values = execution.result.values if execution.result else ()
            texts = [
                metric_text(objective.name, value)
                for objective, value in zip(objectives, values, strict=False)
            ]
            cells = (
                Cell(str(trial.number)),
                Cell(str(execution.seed)),
                *(Cell(text) for text in texts or [""] * len(objectives)),
                Cell(str(execution.epochs)),
                Cell(f"{execution.seconds:,.0f}"),
                Cell(execution.run),
            )
            rows.append(Row(cells, "combination" if execution.run == trial.run else ""))
    return rows


def _infeasible_rows(trials: Sequence[TrialRecord]) -> list[Row]:
    return [
        Row((Cell(rule), Cell(f"{count:,}", count)))
        for rule, count in infeasible_rule_counts(trials)
    ]


def _trials_text(trials: Sequence[TrialRecord]) -> str:
    text = "The best first; bold trials are beaten by no other trial. Click a heading to sort."
    if len(trials) > MAX_ROWS:
        return f"The first {MAX_ROWS:,} of {len(trials):,}. {text}"
    return text


def _drawings(
    record: StudyRecord,
    trials: Sequence[TrialRecord],
    histories: Mapping[str, History],
    importances: Mapping[str, float],
    limits: Mapping[str, float],
) -> dict[str, Drawing]:
    objective = record.settings.objectives[0].name
    drawn = {
        "curve": drawing(
            study_figures.best_curve(record, trials),
            "curve",
            f"The best {objective} so far (line) and the result of each trial, by epochs trained.",
        ),
        "parallel": drawing(
            study_figures.parallel_coordinates(record, trials),
            "parallel",
            "Each line is a trial; darker is better. A line is interrupted where a hyperparameter"
            " does not apply.",
        ),
        "slices": drawing(
            study_figures.slices(record, trials),
            "slices",
            "Each dot is a trial, over the whole range that was searched. Hollow: stopped early, so"
            " longer training would have changed the result.",
        ),
    }
    if any(histories.get(trial.run or "") for trial in trials):
        drawn["learning"] = drawing(
            study_figures.learning_curves(record, trials, histories),
            "learning",
            "The best trials in color, all others in gray. Dots: where a trial paused or ended.",
        )
    if importances:
        drawn["importances"] = drawing(
            study_figures.importance_bars(importances),
            "importances",
            f"How much of the variance of {objective} among the trials each hyperparameter"
            " explains. This holds within the searched space, not beyond it.",
        )
    if len(record.settings.objectives) > 1:
        dashed = " Dashed: limits of the board and of the study, where they are near."
        drawn["front"] = drawing(
            study_figures.pareto_picture(record, trials, limits),
            "front",
            "Ringed: trials that no other trial beats in all objectives (the Pareto front)."
            + (dashed if limits else ""),
        )
    return drawn
