"""How the recipes of the package look in a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from eyetune.space.portfolio import Entry, Portfolio


def recipes_table(
    recipes: Mapping[str, tuple[Portfolio, Entry]],
) -> list[RenderableType]:
    """Return a table of recipes, one per row, with their longest measurement."""
    table = Table(
        "recipe", "validation accuracy", "epochs", "flash", "arena", "MACs", box=box.SIMPLE
    )
    table.columns[0].no_wrap = True
    for column in table.columns[1:]:
        column.justify = "right"
    for name, (_, entry) in recipes.items():
        epochs = max(entry.accuracy)
        table.add_row(
            name,
            f"{entry.accuracy[epochs]:.1%}",
            f"{epochs}",
            f"{entry.flash_bytes:,} B",
            f"{entry.arena_bytes:,} B",
            f"{entry.macs / 1e6:.1f} M",
        )
    portfolios = {portfolio.name: portfolio for portfolio, _ in recipes.values()}
    notes = [f"{name}: {portfolio.measured_on}." for name, portfolio in portfolios.items()]
    return [
        table,
        "Measured on:",
        *notes,
        "To train one:  eyetune train NAME",
    ]
