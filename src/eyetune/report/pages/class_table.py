"""The table of a page with precision, recall and F1 by class."""

from __future__ import annotations

from collections.abc import Sequence

from eyetune.analysis.class_metrics import ClassMetrics
from eyetune.report.pages.tables import Cell, Row

INTERVAL_NOTE = (
    "In parentheses: 95% intervals (Wilson; F1: Lam et al., 2023; balanced accuracy: Zou et al., "
    "2009). The recall of a class is its accuracy."
)


def class_headings(noun: str = "image") -> tuple[str, ...]:
    """Return the headings of the table; `noun` is what a row of the data is called."""
    return ("class", f"{noun}s", "recall", "precision", "F1")


def class_rows(class_names: Sequence[str], metrics: Sequence[ClassMetrics]) -> list[Row]:
    """Return a row for each class.

    Args:
        class_names: In the order of the labels.
        metrics: The metrics of each class, in the same order.
    """
    rows = []
    for name, each in zip(class_names, metrics, strict=True):
        shares = [
            Cell(share.text(), share.value if share.is_known else "")
            for share in (each.recall, each.precision, each.f1)
        ]
        rows.append(Row([Cell(name, name), Cell(f"{each.num_images:,}", each.num_images), *shares]))
    return rows
