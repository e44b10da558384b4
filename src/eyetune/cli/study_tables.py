"""How a study and its trials look in a terminal, from 80 columns on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from eyetune.cli.tables import key_value_table, plain_table, styled_state
from eyetune.report.console import escape, escape_lines

if TYPE_CHECKING:
    from rich.console import RenderableType

    from eyetune.records.study import StudyRecord
    from eyetune.records.trial import TrialRecord

MAX_LEADERS = 10
BAR_WIDTH = 30
MAX_IMPORTANCES = 12


def study_tables(
    record: StudyRecord,
    trials: Sequence[TrialRecord],
    importances: Mapping[str, float],
    warnings: Sequence[str],
    paths: Sequence[Path] = (),
) -> list[RenderableType]:
    """Return what to print of a study, its result and the files last.

    Args:
        record: The study.
        trials: All trials of the study.
        importances: How much each hyperparameter decided which trials are among the best tenth.
        warnings: What to be careful about, each a sentence or two.
        paths: Files that were written, the report first.
    """
    return [
        *best_tables(record, trials),
        *finding_tables(record, trials, importances, warnings, paths),
    ]


def best_tables(record: StudyRecord, trials: Sequence[TrialRecord]) -> list[RenderableType]:
    """Return what to print of a study first, which is known at once: its best trials.

    Args:
        record: The study.
        trials: All trials of the study.
    """
    from eyetune.analysis.study_summary import num_trials
    from eyetune.values.numbers import count_text, duration

    settings = record.settings
    configurations = count_text(len(trials), "configuration")
    return [
        f"[bold]{escape(record.name)}[/bold] ({record.id}): {escape(record.data_name)},"
        f" {settings.sampler} and {settings.schedule.name}, {configurations}"
        f" ({num_trials(trials):,} as KerasTuner counts), {duration(record.seconds)}",
        *_best(record, trials),
    ]


def finding_tables(
    record: StudyRecord,
    trials: Sequence[TrialRecord],
    importances: Mapping[str, float],
    warnings: Sequence[str],
    paths: Sequence[Path] = (),
) -> list[RenderableType]:
    """Return what to print of a study below its best trials; the arguments are `study_tables`'."""
    from eyetune.analysis.study_summary import summary_sentences

    shown = _importances(importances)
    shown += [f"[yellow]Warning:[/yellow] {escape_lines(warning)}" for warning in warnings]
    if warnings:
        shown.append("")
    shown += [escape_lines(sentence) for sentence in summary_sentences(record, trials)]
    if paths:
        shown += ["", *(escape(str(path)) for path in paths)]
    return shown


def _best(record: StudyRecord, trials: Sequence[TrialRecord]) -> list[RenderableType]:
    from eyetune.analysis.ranking import non_dominated_trials, rank_trials
    from eyetune.analysis.trial_results import result_texts

    objectives = record.settings.objectives
    order = rank_trials(objectives, trials)
    if not order:
        return []
    num_bold = len(non_dominated_trials(objectives, trials)) if len(objectives) > 1 else 1
    title = "The best trials"
    if num_bold > 1:
        title += f" (bold: {num_bold} that no other trial beats)"
    table = plain_table(title)
    table.add_column("trial", justify="right", no_wrap=True)
    for name in (*(objective.name for objective in objectives), "epochs"):
        table.add_column(escape(name), justify="right", no_wrap=True)
    # With several objectives, 80 columns have no room for the state.
    has_state = len(objectives) == 1
    if has_state:
        table.add_column("state", no_wrap=True)
    table.add_column("hyperparameters", overflow="fold", min_width=18)
    for rank, trial in enumerate(order[:MAX_LEADERS]):
        cells = [str(trial.number), *result_texts(objectives, trial), str(trial.epochs)]
        if has_state:
            cells.append(_state(record, trial))
        cells.append(escape(trial.settings_text))
        table.add_row(*cells, style="bold" if rank < num_bold else "")
    num_others = len(order) - MAX_LEADERS
    shown: list[RenderableType] = [table]
    if num_others > 0:
        shown.append(f"... and {num_others:,} more, in the report")
    return shown + _notes(record, trials)


def _notes(record: StudyRecord, trials: Sequence[TrialRecord]) -> list[RenderableType]:
    """Return how certain those objectives are that are estimates."""
    from eyetune.analysis.trial_results import uncertainty_notes

    notes = uncertainty_notes(record.settings.objectives, trials)
    return [f"[dim]{escape(name)}: {escape(note)}[/dim]" for name, note in notes.items()]


def _state(record: StudyRecord, trial: TrialRecord) -> str:
    from eyetune.analysis.study_summary import CUT_OFF, state_text

    state = CUT_OFF if state_text(record, trial) == CUT_OFF else trial.state.lower()
    state = f"{state}, final" if trial.is_final else state
    return styled_state(trial.state, state)


def _importances(importances: Mapping[str, float]) -> list[RenderableType]:
    finite = [(name, share) for name, share in importances.items() if math.isfinite(share)]
    if not finite:
        return []
    ordered = sorted(finite, key=lambda item: -item[1])
    table = plain_table("Which hyperparameters matter")
    table.add_column("hyperparameter", overflow="fold", min_width=12)
    table.add_column("importance", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True, width=BAR_WIDTH)
    largest = max(ordered[0][1], 0.01)
    for name, share in ordered[:MAX_IMPORTANCES]:
        bar = "█" * round(BAR_WIDTH * max(share, 0.0) / largest)
        table.add_row(escape(name), f"{share:.0%}", f"[blue]{bar}[/]")
    return [table]


def trial_table(record: StudyRecord, trial: TrialRecord) -> list[RenderableType]:
    """Return what to print of a trial: its state, hyperparameters, rungs, network and error.

    Args:
        record: The study of the trial.
        trial: The trial.
    """
    from eyetune.analysis.trial_results import cost_texts, objectives_text
    from eyetune.values.numbers import count_text, duration

    result = objectives_text(record.settings.objectives, trial) or "no result"
    run = f", run {trial.run}" if trial.run else ""
    if trial.retries:
        run += f", {count_text(trial.retries, 'retry', 'retries')}"
    epochs = count_text(trial.epochs, "epoch")
    shown: list[RenderableType] = [
        f"[bold]{escape(record.name)}[/bold], trial {trial.number}: {_state(record, trial)},"
        f" {escape(result)}",
        f"{epochs} in {duration(trial.seconds)}, bracket {trial.bracket}{run}",
        *_hyperparameters(record, trial),
        *_rungs(record, trial),
        *_executions(record, trial),
    ]
    if trial.network:
        shown += ["[italic]Network[/italic]", key_value_table(cost_texts(trial))]
    shown += _notes(record, [trial])
    shown += [f"[yellow]Infeasible:[/yellow] {escape_lines(reason)}" for reason in trial.infeasible]
    if trial.error:
        shown += ["", f"[red]Failed:[/red] {escape_lines(trial.error.strip())}"]
    return shown


def _hyperparameters(record: StudyRecord, trial: TrialRecord) -> list[RenderableType]:
    from eyetune.space.hyperparameters import setting_text
    from eyetune.space.space import describe

    if not trial.all_values:
        return []
    table = plain_table("Hyperparameters")
    table.add_column("hyperparameter", overflow="fold", min_width=12)
    table.add_column("value", justify="right", overflow="fold")
    table.add_column("searched", overflow="fold")
    for name, value in trial.all_values.items():
        searched = describe(record.space[name]) if name in record.space.names else "not searched"
        table.add_row(escape(name), escape(setting_text(value)), escape(searched))
    return [table]


def _rungs(record: StudyRecord, trial: TrialRecord) -> list[RenderableType]:
    from eyetune.analysis.trial_results import result_texts

    if not trial.rungs:
        return []
    objectives = record.settings.objectives
    table = plain_table("Rungs")
    table.add_column("epochs", justify="right")
    for objective in objectives:
        table.add_column(escape(objective.name), justify="right", no_wrap=True)
    for rung in trial.rungs:
        table.add_row(str(rung.epochs), *result_texts(objectives, trial, rung))
    return [table]


def _executions(record: StudyRecord, trial: TrialRecord) -> list[RenderableType]:
    from eyetune.analysis.trial_results import metric_text
    from eyetune.values.numbers import duration

    if not trial.executions:
        return []
    objectives = record.settings.objectives
    table = plain_table("Executions (bold: the best one, whose network is kept)")
    table.add_column("seed", justify="right")
    for objective in objectives:
        table.add_column(escape(objective.name), justify="right", no_wrap=True)
    table.add_column("epochs", justify="right")
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("run", no_wrap=True)
    for execution in trial.executions:
        values = execution.result.values if execution.result else ()
        cells = [
            metric_text(objective.name, value)
            for objective, value in zip(objectives, values, strict=False)
        ]
        table.add_row(
            str(execution.seed),
            *(cells or [""] * len(objectives)),
            str(execution.epochs),
            duration(execution.seconds),
            execution.run,
            style="bold" if execution.run == trial.run else "",
        )
    return [table]
