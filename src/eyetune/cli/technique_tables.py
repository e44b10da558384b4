"""How techniques look in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from eyetune.recipe.changes import value_text
from eyetune.report.console import escape

if TYPE_CHECKING:
    from rich.console import RenderableType

    from eyetune.techniques import Technique


def techniques_table(techniques: Sequence[Technique]) -> list[RenderableType]:
    """Return a table of techniques, one per row, by group."""
    table = Table("technique", "values worth trying", "why", box=box.SIMPLE)
    group = None
    for technique in techniques:
        if technique.group != group:
            group = technique.group
            table.add_row(f"[bold]{escape(group)}[/bold]", "", "")
        values = ", ".join(value_text(value) for value in technique.values)
        reason = technique.why.partition(". ")[0].rstrip(".")
        table.add_row(f"  {escape(technique.name)}", escape(values), escape(reason))
    return [
        table,
        "To explain one:  eyetune techniques NAME",
        "To try one:      eyetune train --technique NAME=VALUE",
    ]


def technique_text(technique: Technique) -> list[RenderableType]:
    """Return the explanation of a technique."""
    lines = [
        f"[bold]{escape(technique.name)}[/bold] ({escape(technique.group)})",
        "",
        escape(technique.why),
        "",
        f"[bold]When it hurts:[/bold] {escape(technique.hurts)}",
        "",
    ]
    if technique.needs:
        lines += [f"[bold]Requires:[/bold] {escape(technique.needs)}", ""]
    lines.append("[bold]To try it:[/bold]")
    for value in technique.values:
        lines.append(f"  eyetune train --technique {technique.name}={value_text(value)}")
    if technique.link:
        lines += ["", escape(technique.link)]
    return [*lines]
