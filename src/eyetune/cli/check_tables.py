"""How a check of data looks in a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table

from eyetune.report.console import escape, escape_lines
from eyetune.values.numbers import count_text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from eyetune.analysis.data_findings import Finding

MAX_PER_KIND = 5
MAX_NAMES = 3


def check_tables(
    facts: Mapping[str, Any], findings: Sequence[Finding], page: Path
) -> list[RenderableType]:
    """Return the facts, the first findings of each kind, and the path of the page."""
    from eyetune.analysis.imbalance import LARGE_RATIO
    from eyetune.api.data_check import facts_text

    parts: list[RenderableType] = [
        f"[bold]{escape(facts['name'])}[/bold]: "
        f"{count_text(facts['num_pictures'], 'picture')} in "
        f"{count_text(len(facts['classes']), 'class', 'classes')}. {facts_text(facts)}"
    ]
    parts += [f"note: {escape_lines(note)}" for note in facts["notes"]]
    ratio = facts["imbalance"]["ratio"]
    counts = facts["class_counts"].get("train", ())
    if ratio <= LARGE_RATIO and counts and all(counts):
        parts.append(f"Balance: the largest class is {ratio:.1f} times as large as the smallest.")
    if not findings:
        return [*parts, "Nothing was found.", f"Page: {escape(str(page))}"]
    table = Table("kind", "score", "files", "finding", box=box.SIMPLE)
    shown: dict[str, int] = {}
    for finding in findings:
        number = shown[finding.kind] = shown.get(finding.kind, 0) + 1
        if number <= MAX_PER_KIND:
            table.add_row(*_cells(finding))
    parts.append(table)
    hidden = [
        f"{count - MAX_PER_KIND:,} more of {kind}"
        for kind, count in shown.items()
        if count > MAX_PER_KIND
    ]
    if hidden:
        parts.append(f"{', '.join(hidden)}: --json lists all.")
    return [*parts, f"Page with the pictures: {escape(str(page))}"]


def comparison_lines(text: str) -> list[RenderableType]:
    """Return the result of a comparison with and without the suspects."""
    return ["", f"[bold]{escape_lines(text)}[/bold]"]


def _cells(finding: Finding) -> tuple[str, str, str, str]:
    names = [escape(found.name) for found in finding.pictures[:MAX_NAMES]]
    if len(finding.pictures) > MAX_NAMES:
        names.append(f"and {len(finding.pictures) - MAX_NAMES} more")
    return finding.kind.value, f"{finding.score:.2f}", "\n".join(names), escape(finding.text)
