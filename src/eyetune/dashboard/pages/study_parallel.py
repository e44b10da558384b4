"""Parallel coordinates of a study: ranges are dragged along the axes, or entered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import events, ui

from eyetune.dashboard.charts import Options
from eyetune.dashboard.layout import Text, chart
from eyetune.dashboard.parallel_chart import Interval, trials_within
from eyetune.report.numbers import count_text
from eyetune.values.display import one_line

SECONDS_BETWEEN_EVENTS = 0.2  # while a range is dragged


class ParallelCoordinates:
    """The chart of the trials across their hyperparameters, for one client.

    Args:
        on_change: Called when other trials lie in the ranges of the axes.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._holder = ui.column().classes("w-full")
        self._options: Options = {}
        self._axes: dict[str, str] = {}  # the names of the axes by their ids
        self._ranges: dict[str, list[Interval]] = {}
        self._kept: frozenset[int] | None = None

    @property
    def kept(self) -> frozenset[int] | None:
        """The numbers of the trials that lie in the ranges of all axes; None: there are none."""
        return self._kept

    def show(self, options: Options) -> None:
        """Show the trials.

        Args:
            options: The options of the chart.
        """
        axes = {axis["id"]: axis["name"] for axis in options["parallelAxis"]}
        self._options = options
        if axes == self._axes:
            self._chart.options.update(options)
            self._chart.update()
        else:  # with other axes, the chart is made again
            self._axes = axes
            self._ranges = {}
            self._holder.clear()
            with self._holder:
                self._make_chart()
                self._make_form()
        self._keep()

    def _make_chart(self) -> None:
        label = "trials across their hyperparameters"
        width = f"{8 * len(self._axes)}rem"
        self._chart = chart(self._options, label, height="24rem", min_width=width)
        self._chart.on(
            "chart:axisareaselected",
            self._brushed,
            ["parallelAxisId", "intervals"],
            throttle=SECONDS_BETWEEN_EVENTS,
        )
        Text(
            "Drag along an axis to keep the trials in this range; click the axis to undo it. "
            "Or enter a range:"
        ).classes("soft q-my-none")

    def _make_form(self) -> None:
        """Show inputs that do what dragging does, for those who use the keyboard."""
        with ui.row().classes("w-full items-center gap-2"):
            objective = list(self._axes)[-1]
            self._axis = ui.select(
                self._axes, label="Axis", value=objective, on_change=self._show_inputs
            ).classes("w-56")
            self._inputs = ui.row().classes("items-center gap-2")
            ui.button("Keep this range", on_click=self._keep_range).props("outline color=accent")
            self._reset = ui.button("Show all trials", on_click=self._show_all)
            self._reset.props("outline color=accent")
        self._message = ui.label().props("role=status").classes("soft")
        self._show_inputs()

    def _show_inputs(self) -> None:
        self._inputs.clear()
        names = self._options["parallelAxis"][int(self._axis.value)].get("data")
        self._bounds: list[Any]
        with self._inputs:
            if names is None:
                self._bounds = [ui.number(label).classes("w-28") for label in ("from", "to")]
                return
            options = dict(enumerate(map(one_line, names)))
            chosen = ui.select(options, label="values", value=[], multiple=True).classes("w-56")
            self._bounds = [chosen.props("use-chips")]

    def _keep_range(self) -> None:
        """Keep what is entered, as if it had been dragged."""
        values = [element.value for element in self._bounds]
        if len(values) == 1:
            intervals = [(position, position) for position in sorted(values[0])]
        else:
            column = int(self._axis.value)
            lines = self._options["series"][0]["data"]
            given = [line["value"][column] for line in lines]
            numbers = [value for value in given if isinstance(value, int | float)]
            low, high = values
            low = min(numbers, default=0.0) if low is None else low
            high = max(numbers, default=0.0) if high is None else high
            intervals = [(min(low, high), max(low, high))]
        self._select(self._axis.value, intervals)

    def _show_all(self) -> None:
        for axis in self._ranges:
            self._select(axis, [])
        self._ranges = {}  # of answers in quick succession, some are left out
        self._keep()
        self._on_change()

    def _select(self, axis: str, intervals: list[Interval]) -> None:
        """Let the chart select ranges; it answers as if they had been dragged."""
        action = {"type": "axisAreaSelect", "parallelAxisId": axis, "intervals": intervals}
        self._chart.run_chart_method("dispatchAction", action)

    def _brushed(self, event: events.GenericEventArguments) -> None:
        intervals = [(min(pair), max(pair)) for pair in event.args["intervals"]]
        self._ranges[event.args["parallelAxisId"]] = intervals
        self._keep()
        self._on_change()

    def _keep(self) -> None:
        """Find the trials that lie in the ranges, and say how many they are."""
        lines = self._options["series"][0]["data"]
        is_limited = any(self._ranges.values())
        self._kept = trials_within(self._options, self._ranges) if is_limited else None
        self._reset.set_visibility(is_limited)
        if self._kept is None:
            self._message.set_text("")
            return
        count = count_text(len(lines), "trial")
        self._message.set_text(
            f"{len(self._kept):,} of {count} in these ranges; the table shows them."
        )
