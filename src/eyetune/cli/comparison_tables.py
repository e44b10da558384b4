"""How a comparison of runs looks in a terminal, from 80 columns on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from eyetune.report.console import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from eyetune.analysis.comparison import Comparison
    from eyetune.analysis.comparison_table import Column, ComparisonRow, ComparisonTable

FINDING_STYLES = {"better": "green", "worse": "red", "not sure": "dim"}


def comparison_tables(comparison: Comparison) -> list[RenderableType]:
    """Return the tables of a comparison with a baseline: accuracies, then costs, best first."""
    from eyetune.analysis.comparison_table import Column, comparison_table

    table = comparison_table(comparison)
    accuracies = (
        Column.LABEL,
        Column.ACCURACY,
        Column.POINTS,
        Column.INTERVAL,
        Column.P_VALUE,
        Column.FINDING,
    )
    costs = (
        Column.LABEL,
        Column.AT_EQUAL_EPOCHS,
        Column.AT_EQUAL_SECONDS,
        Column.SECONDS,
        Column.PARAMETERS,
        Column.MACS,
    )
    return [_table(table, accuracies), _table(table, costs), *map(escape, table.notes)]


def _table(table: ComparisonTable, columns: Sequence[Column]) -> Table:
    shown = Table(box=box.SIMPLE)
    shown.add_column(columns[0], overflow="fold")
    for column in columns[1:]:
        shown.add_column(column, justify="right", no_wrap=True)
    for row in table.rows:
        texts = styled_texts(row)
        shown.add_row(*(texts[column] for column in columns))
    return shown


def styled_texts(row: ComparisonRow) -> dict[Column, str]:
    """Return the texts of a row by column for rich: escaped, and the finding in its color."""
    from eyetune.analysis.comparison_table import Column
    from eyetune.report.comparison_cells import row_texts

    texts = {column: escape(text) for column, text in row_texts(row, interval_digits=1).items()}
    if row.estimates is not None:
        style = FINDING_STYLES[row.estimates.finding]
        texts[Column.FINDING] = f"[{style}]{texts[Column.FINDING]}[/{style}]"
    return texts
