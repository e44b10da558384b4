"""Parts that several tables of the terminal share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from rich import box
from rich.table import Table

from eyetune.report.console import escape_lines

BARS = "▁▂▃▄▅▆▇█"
MAX_BARS = 50  # characters of a curve
MAX_MATRIX_CLASSES = 20
_STATE_STYLES = {
    "COMPLETE": "green",
    "RUNNING": "cyan",
    "PAUSED": "yellow",
    "FAILED": "red",
    "INFEASIBLE": "dim",
}


def sparkline(values: Sequence[float]) -> str:
    """Return a curve as one line of at most 50 characters, from the lowest value to the highest.

    A value that is infinite or NaN is a space. A character of a longer curve is the mean of several
    values.

    Example:
        >>> sparkline([0.1, 0.2, 0.4, 0.8])
        '▁▂▄█'
        >>> sparkline([0.1, float("nan"), 0.8])
        '▁ █'
        >>> len(sparkline(range(160)))
        50
    """
    if len(values) > MAX_BARS:
        ends = [round(part * len(values) / MAX_BARS) for part in range(MAX_BARS + 1)]
        values = [sum(values[begin:end]) / (end - begin) for begin, end in pairwise(ends)]
    finite = [value for value in values if math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    span = (high - low) or 1.0
    return "".join(
        BARS[round((value - low) / span * (len(BARS) - 1))] if math.isfinite(value) else " "
        for value in values
    )


def percent(share: float | None) -> str:
    """Return a share of 0 to 1 as a percentage, or "not evaluated"."""
    return "not evaluated" if share is None else f"{share:.2%}"


def plain_table(title: str | None = None) -> Table:
    """Return an empty table without borders.

    Args:
        title: What stands above it. Default: nothing.
    """
    return Table(
        box=box.SIMPLE, title=title, title_justify="left", collapse_padding=True, pad_edge=False
    )


def styled_state(state: str, text: str = "") -> str:
    """Return the state of a run, study or trial as markup.

    Args:
        state: Its name, such as "COMPLETE".
        text: What is shown. Default: the state in small letters.

    Example:
        >>> styled_state("COMPLETE"), styled_state("STOPPED")
        ('[green]complete[/]', 'stopped')
    """
    style, shown = _STATE_STYLES.get(state), text or state.lower()
    return f"[{style}]{shown}[/]" if style else shown


def key_value_table(rows: Mapping[str, str]) -> Table:
    """Return a table of two columns, names and values."""
    table = Table(show_header=False, box=box.SIMPLE)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name, escape_lines(value))
    return table


def shape_text(shape: Iterable[int]) -> str:
    """Return a shape as text.

    Example:
        >>> shape_text((1200, 32, 32, 3))
        '1,200 x 32 x 32 x 3'
    """
    return " x ".join(f"{size:,}" for size in shape)
