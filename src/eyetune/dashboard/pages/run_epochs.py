"""The epochs of a run: their curves, and their values as a table."""

from __future__ import annotations

from nicegui import ui

from eyetune.dashboard import charts
from eyetune.dashboard.layout import chart, folded
from eyetune.dashboard.rows import epoch_row
from eyetune.values.display import one_line
from eyetune.values.history import History, as_columns

ROWS_PER_PAGE = 25
VALUES = "Values of each epoch"


class Epochs:
    """The curves of a run, and a table with their values.

    Args:
        history: Its epochs.
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self._table: ui.table | None = None
        with ui.grid().classes("w-full grid-cols-1 md:grid-cols-2"):
            self._charts = {
                metric: chart(
                    charts.curves({"": history}, metric),
                    f"{metric} by epoch; its values are in: {VALUES}",
                )
                for metric in ("accuracy", "loss")
            }
        folded(VALUES, self._make_table)

    def show(self, history: History) -> None:
        """Show the epochs that are known by now."""
        self._history = history
        for metric, element in self._charts.items():
            element.options.update(charts.curves({"": history}, metric))
            element.update()
        if self._table is not None:
            self._fill(self._table)

    def _make_table(self) -> None:
        self._table = ui.table(rows=[], row_key="epoch", pagination=ROWS_PER_PAGE)
        self._table.classes("w-full")
        self._fill(self._table)

    def _fill(self, table: ui.table) -> None:
        table.columns = [
            {"name": name, "label": _heading(name), "field": name, "align": "left"}
            for name in as_columns(self._history)
        ]
        table.rows = [epoch_row(epoch) for epoch in reversed(self._history)]


def _heading(metric: str) -> str:
    """Return the name of a metric as words."""
    if metric == "duration_seconds":
        return "seconds"
    if metric in ("loss", "accuracy"):
        return f"training {metric}"
    of_validation = metric.startswith("val_")
    name = one_line(metric.removeprefix("val_").replace("_", " "))
    return f"validation {name}" if of_validation else name
