"""How a lab looks in a terminal, from 80 columns on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from eyetune.cli.tables import plain_table
from eyetune.report.console import escape, escape_lines

if TYPE_CHECKING:
    from rich.console import RenderableType

    from eyetune.analysis.comparison_table import ComparisonTable
    from eyetune.records.lab import Effect, Final, LabRecord

MAX_LEADERS = 15
MAX_SKIPPED = 10


def lab_tables(record: LabRecord, paths: Sequence[Path] = ()) -> list[RenderableType]:
    """Return what to print of a lab, the answer and the files last.

    Args:
        record: The lab.
        paths: Files that were written, the report first.
    """
    from eyetune.analysis.comparison_table import (
        EQUAL_NOTE,
        MACS_NOTE,
        P_NOTE,
        leaderboard_table,
    )
    from eyetune.values.numbers import count_text, duration

    table = leaderboard_table(record)
    seeds = f"{'seeds' if len(record.seeds) > 1 else 'seed'} {', '.join(map(str, record.seeds))}"
    changes = count_text(len(record.techniques), "change")
    hidden_notes = (P_NOTE, EQUAL_NOTE, MACS_NOTE)  # about columns that only the report has
    shown: list[RenderableType] = [
        f"[bold]{escape(record.id)}[/bold]: {escape(record.data)}, {changes}, {seeds},"
        f" {duration(record.seconds)}",
        _leaderboard(table, record.metric),
        *(f"[dim]{escape_lines(note)}[/dim]" for note in table.notes if note not in hidden_notes),
    ]
    if len(record.seeds) == 1:
        shown.append(
            "[dim]With one seed, the intervals do not include what another seed would change:"
            " --seeds 3 includes it.[/dim]"
        )
    num_others = len(table.rows) - MAX_LEADERS
    if num_others > 0:
        shown.append(f"... and {num_others} more, in the report")
    shown += [*_steps(record), *_interactions(record), *_skipped(record), *_test(record)]
    if not record.complete:
        shown += ["", "[yellow]Time ran out before the lab was complete.[/yellow]"]
    shown += ["", f"[bold]{escape_lines(record.answer)}[/bold]"]
    if paths:
        shown += ["", *(escape(str(path)) for path in paths)]
    return shown


def _leaderboard(leaderboard: ComparisonTable, metric: str) -> Table:
    from eyetune.analysis.comparison_table import Column
    from eyetune.cli.comparison_tables import styled_texts

    columns = (Column.ACCURACY, Column.POINTS, Column.INTERVAL, Column.FINDING)
    table = plain_table("Leaderboard" if metric == "accuracy" else f"Leaderboard, by {metric}")
    table.add_column("change", overflow="fold", min_width=12)
    for heading in (*columns, "time"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in leaderboard.rows[:MAX_LEADERS]:
        texts = styled_texts(row)
        label = texts[Column.LABEL]
        if row.kind:
            label = f"[bold]{label}[/bold]"
        cells = [texts[column] for column in columns]
        table.add_row(label, *cells, f"{texts[Column.SECONDS]} s")
    return table


def _effect_cells(effect: Effect) -> tuple[str, str, str]:
    from eyetune.analysis.correction import correction_mark
    from eyetune.values.numbers import interval_text, points_text

    if not effect.certain:
        finding = f"[dim]not sure{correction_mark(effect)}[/dim]"
    elif effect.difference > 0:
        finding = "[green]better[/green]"
    else:
        finding = "[red]worse[/red]"
    return points_text(effect.difference), interval_text(effect.interval, digits=1), finding


def _steps(record: LabRecord) -> list[RenderableType]:
    from eyetune.values.numbers import accuracy_text

    if not record.steps:
        return ["", "No technique was likely to improve the baseline."]
    table = plain_table("The combination, step by step")
    table.add_column("added", overflow="fold", min_width=12)
    for heading in ("", record.metric, "points", "95% interval", ""):
        table.add_column(heading, justify="right", no_wrap=True)
    for step in record.steps:
        effect = step.effect
        kept = "[green]kept[/green]" if step.kept else "[dim]dropped[/dim]"
        accuracy = accuracy_text(effect.validation_accuracy, effect.seed_deviation)
        table.add_row(escape(effect.change), kept, accuracy, *_effect_cells(effect))
    return [table]


def _interactions(record: LabRecord) -> list[RenderableType]:
    from eyetune.values.numbers import interval_text, points_text

    if not record.interactions:
        return []
    certain = [pair for pair in record.interactions if pair.certain]
    if not certain:
        return ["No two parts of the combination certainly help or hinder each other."]
    lines: list[RenderableType] = [
        "[bold]Parts that certainly help or hinder each other[/bold] (points beyond their sum)"
    ]
    for pair in certain:
        names = f"{escape(pair.first)} and {escape(pair.second)}"
        points = f"{points_text(pair.difference)} ({interval_text(pair.interval, digits=1)})"
        lines.append(f"  {names}: {points}")
    return lines


def _skipped(record: LabRecord) -> list[RenderableType]:
    from eyetune.recipe.changes import value_text

    if not record.skipped:
        return []
    lines: list[RenderableType] = ["", f"[bold]Skipped[/bold] ({len(record.skipped)})"]
    for skip in record.skipped[:MAX_SKIPPED]:
        change = f"{skip.name}={value_text(skip.value)}"
        lines.append(f"  {escape(change)}: {escape_lines(skip.reason)}")
    num_others = len(record.skipped) - MAX_SKIPPED
    if num_others > 0:
        lines.append(f"  ... and {num_others} more, in the report")
    return lines


def _test(record: LabRecord) -> list[RenderableType]:
    from eyetune.values.numbers import interval_text, points_text

    lines: list[RenderableType] = [
        "",
        f"[bold]{record.metric.capitalize()} on test[/bold] ({record.num_test:,} images that were "
        "not used for any choice)",
        f"  {_final(record.final_baseline)}",
    ]
    if record.final.runs == record.final_baseline.runs:
        return lines
    points = points_text(record.test_difference)
    interval = interval_text(record.test_interval)
    lines.append(f"  {_final(record.final)}")
    lines.append(f"  difference: {points} points (95% interval {interval})")
    return lines


def _final(final: Final) -> str:
    from eyetune.values.numbers import accuracy_text

    return f"{escape(final.label)}: {accuracy_text(final.test_accuracy, final.test_deviation)}"
