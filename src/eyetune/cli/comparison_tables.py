"""How a comparison of runs looks in a terminal, from 80 columns on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from eyetune.analysis.comparison import Comparison, Difference


def comparison_tables(comparison: Comparison) -> list[RenderableType]:
    """Return the tables of a comparison with a baseline: accuracies, then costs, best first."""
    baseline = comparison.baseline
    differences = sorted(comparison.differences, key=lambda difference: -difference.difference)
    accuracy = _accuracy_text(baseline.accuracy, baseline.seed_deviation)
    return [
        f"baseline {escape(baseline.label)}: {accuracy}, {baseline.seconds:,.0f} s",
        _accuracy_table(differences),
        "points: of validation accuracy; p: corrected for all comparisons (Holm)",
        _cost_table(differences),
        "at equal epochs, time: points when both train as long as the shorter one;\n"
        "MACs: multiply-accumulates per image",
    ]


def _accuracy_text(accuracy: float, seed_deviation: float | None) -> str:
    return f"{accuracy:.2%}" if seed_deviation is None else f"{accuracy:.2%} ± {seed_deviation:.2%}"


def _accuracy_table(differences: Sequence[Difference]) -> Table:
    table = Table(box=box.SIMPLE)
    table.add_column("", overflow="fold")
    for name in ("accuracy", "points", "95% interval", "p", ""):
        table.add_column(name, justify="right", no_wrap=True)
    for difference in differences:
        low, high = difference.interval
        finding = "[dim]not sure[/dim]"
        if difference.certain:
            finding = "[green]better[/]" if difference.difference > 0 else "[red]worse[/]"
        table.add_row(
            escape(difference.label),
            _accuracy_text(difference.accuracy, difference.seed_deviation),
            f"{100 * difference.difference:+.2f}",
            f"{100 * low:+.1f} to {100 * high:+.1f}",
            f"{difference.p_value:.4f}",
            finding,
        )
    return table


def _cost_table(differences: Sequence[Difference]) -> Table:
    table = Table(box=box.SIMPLE)
    table.add_column("", overflow="fold")
    for name in ("at equal epochs", "at equal time", "time", "parameters", "MACs"):
        table.add_column(name, justify="right", no_wrap=True)
    for difference in differences:
        table.add_row(
            escape(difference.label),
            f"{100 * difference.at_equal_epochs:+.2f}",
            f"{100 * difference.at_equal_seconds:+.2f}",
            f"{difference.seconds:,.0f} s",
            f"{difference.parameters / 1e3:,.1f} k",
            f"{difference.macs / 1e6:,.2f} M",
        )
    return table
