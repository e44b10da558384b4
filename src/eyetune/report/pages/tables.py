"""The tables of pages: cells, rows, and what several pages put into them."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eyetune.analysis.comparison_table import Column, ComparisonRow, Finding
from eyetune.recipe.changes import recipe_changes, value_text
from eyetune.report.comparison_cells import p_value_text, row_keys, row_texts
from eyetune.values.numbers import interval_text, points_text

if TYPE_CHECKING:
    from eyetune.recipe import Recipe


@dataclass(frozen=True)
class Cell:
    """A cell of a table: its text, what it is sorted by, and a CSS class."""

    text: str
    key: float | str = ""
    kind: str = ""


@dataclass(frozen=True)
class Row:
    """A row of a table, and a CSS class."""

    cells: Sequence[Cell]
    kind: str = ""


def points_cell(difference: float) -> Cell:
    """Return a difference of shares in points."""
    return Cell(points_text(difference), difference)


def interval_cell(interval: tuple[float, float]) -> Cell:
    """Return an interval of shares in points; it is sorted by its lower end."""
    return Cell(interval_text(interval), interval[0])


def probability_cell(p_value: float) -> Cell:
    """Return a p-value."""
    return Cell(p_value_text(p_value), p_value)


def comparison_cells(row: ComparisonRow, columns: Sequence[Column]) -> list[Cell]:
    """Return a row of a comparison as cells, the finding in its color."""
    texts, keys = row_texts(row), row_keys(row)
    cells = []
    for column in columns:
        kind = ""
        if column is Column.FINDING and row.estimates is not None:
            finding = row.estimates.finding
            kind = "soft" if finding is Finding.NOT_SURE else finding.value
        cells.append(Cell(texts[column], keys[column], kind))
    return cells


def marked_lines(text: str, other: str) -> list[tuple[str, bool]]:
    """Return the lines of a text, each with whether the other text lacks it.

    Example:
        >>> marked_lines("a = 1\\nb = 2", "a = 1\\nb = 3")
        [('a = 1', False), ('b = 2', True)]
    """
    lines, other_lines = text.splitlines(), other.splitlines()
    matcher = difflib.SequenceMatcher(None, lines, other_lines, autojunk=False)
    common = {
        index
        for block in matcher.get_matching_blocks()
        for index in range(block.a, block.a + block.size)
    }
    return [(line, index not in common) for index, line in enumerate(lines)]


def change_rows(before: Recipe, after: Recipe) -> list[Row]:
    """Return a table of the settings that differ between two recipes: path, old and new value."""
    rows = []
    for change in recipe_changes(before, after):
        values = (change.path, value_text(change.before), value_text(change.after))
        rows.append(Row([Cell(value) for value in values]))
    return rows


def web_link(link: str) -> str:
    """Return a link that leads to the web, else "": a user's technique may hold any text.

    Example:
        >>> web_link("https://keras.io"), web_link("javascript:alert(1)")
        ('https://keras.io', '')
    """
    return link if link.lower().startswith(("https://", "http://")) else ""
