"""How a lab looks in a terminal, from 80 columns on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from eyetune.records.lab import Effect, Final, LabRecord, Trained

LEADERS = 15
SKIPPED = 10


def lab_tables(record: LabRecord, paths: Sequence[Path] = ()) -> list[RenderableType]:
    """Show a lab: the best, the combination's steps, what was skipped, test, the answer, and where
    the files lie.

    Args:
        record: The lab.
        paths: Files that were written, the report first.
    """
    shown: list[RenderableType] = [
        f"[bold]{escape(record.id)}[/bold]: {escape(record.data)}, {len(record.techniques)} techniques' values, "
        f"seeds {', '.join(map(str, record.seeds))}, {record.seconds:,.0f} s",
        _leaderboard(record),
        "[dim]validation accuracy; points: over the baseline, with 95% interval; sure: p below 5% after Holm[/dim]",
    ]
    if len(record.seeds) == 1:
        shown.append(
            "[dim]one seed: what another one would change is not in the intervals; --seeds 3 puts it in[/dim]"
        )
    others = len(record.leaderboard) - LEADERS
    shown += [f"... and {others} more, in the report"] if others > 0 else []
    shown += _steps(record) + _interactions(record) + _skipped(record) + _test(record)
    if not record.complete:
        shown += ["", "[yellow]Time ran out before every step was made.[/yellow]"]
    shown += ["", f"[bold]{escape(record.answer)}[/bold]"]
    return shown + ([""] if paths else []) + [escape(str(path)) for path in paths]


def _leaderboard(record: LabRecord) -> Table:
    table = _table("Leaderboard")
    table.add_column("technique", overflow="fold", min_width=12)
    for name in ("accuracy", "points", "95% interval", "", "time"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in record.leaderboard[:LEADERS]:
        name = escape(one.label)
        strong = one is record.baseline or one is record.combination
        table.add_row(f"[bold]{name}[/bold]" if strong else name, *_accuracy_cells(one))
    return table


def _table(title: str) -> Table:
    return Table(
        box=box.SIMPLE, title=title, title_justify="left", collapse_padding=True, pad_edge=False
    )


def _accuracy_cells(one: Trained) -> tuple[str, ...]:
    from eyetune.records.lab import Effect

    accuracy = _spread(one.validation_accuracy, one.seed_deviation)
    effect = _effect_cells(one) if isinstance(one, Effect) else ("", "", "")
    return (accuracy, *effect, f"{one.seconds:,.0f} s")


def _effect_cells(one: Effect) -> tuple[str, str, str]:
    low, high = one.interval
    finding = "[dim]not sure[/dim]"
    if one.certain:
        finding = f"[{'green' if one.difference > 0 else 'red'}]{one.finding}[/]"
    return f"{100 * one.difference:+.2f}", f"{100 * low:+.1f} to {100 * high:+.1f}", finding


def _steps(record: LabRecord) -> list[RenderableType]:
    if not record.steps:
        return ["", "No technique was worth adding to the baseline."]
    table = _table("The combination, step by step")
    table.add_column("added", overflow="fold", min_width=12)
    for name in ("", "accuracy", "points", "95% interval", ""):
        table.add_column(name, justify="right", no_wrap=True)
    for step in record.steps:
        kept = "[green]kept[/green]" if step.kept else "[dim]dropped[/dim]"
        one = step.effect
        accuracy = _spread(one.validation_accuracy, one.seed_deviation)
        table.add_row(escape(one.change), kept, accuracy, *_effect_cells(one))
    return [table]


def _interactions(record: LabRecord) -> list[RenderableType]:
    sure = [one for one in record.interactions if one.interval[0] > 0 or one.interval[1] < 0]
    if not record.interactions:
        return []
    if not sure:
        return ["No two parts of the combination surely help or hinder each other."]
    lines: list[RenderableType] = [
        "[bold]Parts that surely help or hinder each other[/bold] (points beyond their sum)"
    ]
    for one in sure:
        low, high = one.interval
        words = f"{escape(one.first)} and {escape(one.second)}: {100 * one.difference:+.2f}"
        lines.append(f"  {words} ({100 * low:+.1f} to {100 * high:+.1f})")
    return lines


def _skipped(record: LabRecord) -> list[RenderableType]:
    if not record.skipped:
        return []
    lines: list[RenderableType] = ["", f"[bold]Skipped[/bold] ({len(record.skipped)})"]
    lines += [
        f"  {escape(f'{one.name}={one.value}')}: {escape(one.reason)}"
        for one in record.skipped[:SKIPPED]
    ]
    others = len(record.skipped) - SKIPPED
    return lines + ([f"  ... and {others} more, in the report"] if others > 0 else [])


def _test(record: LabRecord) -> list[RenderableType]:
    lines: list[RenderableType] = [
        "",
        f"[bold]On test[/bold] ({record.num_test:,} images that no choice was made on)",
    ]
    lines.append(f"  {_final(record.final_baseline)}")
    if record.final.runs == record.final_baseline.runs:
        return lines
    low, high = record.test_interval
    points = f"{100 * record.test_difference:+.2f} points (95% interval {100 * low:+.2f} to {100 * high:+.2f})"
    return [*lines, f"  {_final(record.final)}", f"  difference: {points}"]


def _final(one: Final) -> str:
    return f"{escape(one.label)}: {_spread(one.test_accuracy, one.test_deviation)}"


def _spread(accuracy: float, deviation: float | None) -> str:
    return f"{accuracy:.2%}" + (f" ± {100 * deviation:.2f}" if deviation is not None else "")
