"""How studies look in a terminal, from 80 columns on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from eyetune.records.study import StudyRecord, TrialRecord

LEADERS = 10
BAR_WIDTH = 30
MAX_IMPORTANCES = 12
_STATE_STYLES = {
    "COMPLETE": "green",
    "RUNNING": "cyan",
    "PAUSED": "yellow",
    "FAILED": "red",
    "INFEASIBLE": "dim",
}


def study_tables(
    record: StudyRecord,
    trials: Sequence[TrialRecord],
    importances: Mapping[str, float],
    warnings: Sequence[str],
    paths: Sequence[Path] = (),
) -> list[RenderableType]:
    """Show a study: what it found, the best trials, which hyperparameters matter, what to mind,
    where the files lie.

    Args:
        record: The study.
        trials: All of it.
        importances: Share of the first objective's spread that each hyperparameter explains.
        warnings: What to mind.
        paths: Files that were written, the report first.
    """
    from eyetune.analysis.study_summary import num_trials, number_of, summary_sentences

    configurations = number_of(len(trials), "configuration")
    shown: list[RenderableType] = [
        f"[bold]{escape(record.name)}[/bold] ({record.id}): {escape(record.data_name)}, {record.settings.sampler} and "
        f"{record.settings.schedule.name}, {configurations} ({num_trials(trials):,} as KerasTuner counts), "
        f"{record.seconds:,.0f} s",
        *_best(record, trials),
        *_importances(importances),
    ]
    shown += [f"[yellow]Mind:[/yellow] {escape(words)}" for words in warnings]
    shown += [
        *([""] if warnings else []),
        *(escape(words) for words in summary_sentences(record, trials)),
    ]
    return shown + ([""] if paths else []) + [escape(str(path)) for path in paths]


def _best(record: StudyRecord, trials: Sequence[TrialRecord]) -> list[RenderableType]:
    from eyetune.analysis.ranking import non_dominated_trials, rank_trials
    from eyetune.analysis.study_summary import value_words

    objectives = record.settings.objectives
    order = rank_trials(objectives, trials)
    if not order:
        return []
    num_front = len(non_dominated_trials(objectives, trials)) if len(objectives) > 1 else 1
    table = _table(
        "The best trials"
        if num_front == 1
        else f"The best trials (bold: {num_front} that none beats)"
    )
    table.add_column("trial", justify="right", no_wrap=True)
    for name in (*(escape(one.name) for one in objectives), "epochs"):
        table.add_column(name, justify="right", no_wrap=True)
    roomy = len(objectives) == 1  # the figures of several leave no room for words in 80 columns
    if roomy:
        table.add_column("state", no_wrap=True)
    table.add_column("hyperparameters", overflow="fold", min_width=18)
    for place, trial in enumerate(order[:LEADERS]):
        values = [
            value_words(one.name, value)
            for one, value in zip(objectives, trial.objectives or (), strict=False)
        ]
        cells = (
            str(trial.number),
            *values,
            str(trial.epochs),
            *([_state(trial)] if roomy else []),
            _settings(trial),
        )
        table.add_row(*cells, style="bold" if place < num_front else "")
    others = len(order) - LEADERS
    return [table, *([f"... and {others:,} more, in the report"] if others > 0 else [])]


def _table(title: str) -> Table:
    return Table(
        box=box.SIMPLE, title=title, title_justify="left", collapse_padding=True, pad_edge=False
    )


def _state(trial: TrialRecord) -> str:
    style = _STATE_STYLES.get(trial.state)
    return f"[{style}]{trial.state.lower()}[/]" if style else trial.state.lower()


def _settings(trial: TrialRecord) -> str:
    from eyetune.analysis.study_summary import hyperparameter_words

    return escape(hyperparameter_words(trial))


def _importances(importances: Mapping[str, float]) -> list[RenderableType]:
    known = sorted(
        ((name, share) for name, share in importances.items() if math.isfinite(share)),
        key=lambda one: -one[1],
    )
    if not known:
        return []
    table = _table("Which hyperparameters matter")
    table.add_column("hyperparameter", overflow="fold", min_width=12)
    table.add_column("importance", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True, width=BAR_WIDTH)
    longest = max(known[0][1], 0.01)
    for name, share in known[:MAX_IMPORTANCES]:
        bar = "█" * round(BAR_WIDTH * max(share, 0.0) / longest)
        table.add_row(escape(name), f"{share:.0%}", f"[blue]{bar}[/]")
    return [table]


def trial_table(record: StudyRecord, trial: TrialRecord) -> list[RenderableType]:
    """Show one trial: where it stands, what it was built with, its rungs and its network; and its
    error, if any, whole.

    Args:
        record: Its study.
        trial: The trial.
    """
    from eyetune.analysis.study_summary import number_of, objective_words, setting_words
    from eyetune.space.space import describe

    reached = objective_words(record.settings.objectives, trial) or "no result"
    run = f", run {trial.run}" if trial.run else ""
    shown: list[RenderableType] = [
        f"[bold]{escape(record.name)}[/bold], trial {trial.number}: {_state(trial)}, {escape(reached)}",
        f"{number_of(trial.epochs, 'epoch')} in {trial.seconds:,.0f} s, bracket {trial.bracket}{run}",
    ]
    table = _table("Hyperparameters")
    table.add_column("hyperparameter", overflow="fold", min_width=12)
    table.add_column("value", justify="right", overflow="fold")
    table.add_column("searched", overflow="fold")
    for name, value in trial.all_values.items():
        searched = describe(record.space[name]) if name in record.space.names else "not searched"
        table.add_row(escape(name), escape(setting_words(value)), escape(searched))
    shown += [table] if trial.all_values else []
    shown += _rungs(record, trial)
    shown += [f"{escape(name)}: {value:,.10g}" for name, value in trial.network.items()]
    shown += [f"[yellow]Infeasible:[/yellow] {escape(reason)}" for reason in trial.infeasible]
    return [
        *shown,
        *(["", f"[red]Failed:[/red] {escape(trial.error.strip())}"] if trial.error else []),
    ]


def _rungs(record: StudyRecord, trial: TrialRecord) -> list[RenderableType]:
    from eyetune.analysis.study_summary import value_words

    if not trial.rungs:
        return []
    table = _table("Rungs")
    table.add_column("epochs", justify="right")
    for one in record.settings.objectives:
        table.add_column(escape(one.name), justify="right", no_wrap=True)
    for rung in trial.rungs:
        named = zip(record.settings.objectives, rung.values, strict=False)
        table.add_row(str(rung.epochs), *(value_words(one.name, value) for one, value in named))
    return [table]
