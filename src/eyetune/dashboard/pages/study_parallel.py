"""Parallel coordinates of a study: ranges are dragged along the axes, or entered."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nicegui import events, ui

from eyetune.dashboard.charts import Options, rounded
from eyetune.dashboard.layout import Text, chart
from eyetune.dashboard.parallel_chart import Interval, trials_within
from eyetune.values.display import one_line
from eyetune.values.numbers import count_text

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
        self._axes: dict[str, Options] = {}  # by their ids
        self._ranges: dict[str, list[Interval]] = {}  # of the axes that have one
        self._kept: frozenset[int] | None = None
        self._parts: _Parts | None = None

    @property
    def kept(self) -> frozenset[int] | None:
        """The numbers of the trials in all ranges; None where no axis has one: all are kept."""
        return self._kept

    def show(self, options: Options) -> None:
        """Show the trials.

        Args:
            options: The options of the chart.
        """
        axes = {axis["id"]: axis for axis in options["parallelAxis"]}
        self._options = options
        if self._parts is not None and axes == self._axes:
            self._parts.chart.options.update(options)
            self._parts.chart.update()
        else:  # with other axes, the chart is made again
            self._axes = axes
            self._ranges = {}
            self._holder.clear()
            with self._holder:
                self._parts = self._made()
            self._show_inputs()
        self._keep()

    def _made(self) -> _Parts:
        """Make the chart, and inputs that do what dragging does, for those who use the keyboard."""
        label = "trials across their hyperparameters"
        width = f"{8 * len(self._axes)}rem"
        made = chart(self._options, label, height="24rem", min_width=width)
        made.on(
            "chart:axisareaselected",
            self._brushed,
            ["parallelAxisId", "intervals"],
            throttle=SECONDS_BETWEEN_EVENTS,
        )
        Text(
            "Drag along an axis to keep the trials in this range; click the axis to undo it. "
            "Or enter a range:"
        ).classes("soft q-my-none")
        names = {key: axis["name"] for key, axis in self._axes.items()}
        with ui.row().classes("w-full items-center gap-2"):
            objective = list(names)[-1]
            axis = ui.select(names, label="Axis", value=objective, on_change=self._show_inputs)
            axis.classes("w-56")
            inputs = ui.row().classes("items-center gap-2")
            ui.button("Keep this range", on_click=self._keep_range).props("outline color=accent")
            ui.button("Show all trials", on_click=self._show_all).props("outline color=accent")
        message = ui.label().props("role=status").classes("soft")
        return _Parts(made, axis, inputs, message)

    @property
    def _chosen(self) -> Options:
        """The axis that the form is about."""
        assert self._parts is not None
        return self._axes[self._parts.axis.value]

    def _show_inputs(self) -> None:
        """Show inputs for a range of the axis, with the range that it has."""
        assert self._parts is not None
        axis = self._chosen
        intervals = self._ranges.get(axis["id"], [])
        self._parts.inputs.clear()
        with self._parts.inputs:
            if "data" in axis:
                options = dict(enumerate(map(one_line, axis["data"])))
                kept = [position for position in options if _is_in(position, intervals)]
                chosen = ui.select(options, label="values", value=kept, multiple=True)
                self._parts.bounds = [chosen.classes("w-56").props("use-chips")]
                return
            ends = map(rounded, intervals[0]) if intervals else (None, None)
            self._parts.bounds = [
                ui.number(label, value=end).classes("w-28")
                for label, end in zip(("from", "to"), ends, strict=True)
            ]

    def _keep_range(self) -> None:
        """Keep what is entered, as if it had been dragged; nothing entered keeps the whole axis."""
        assert self._parts is not None
        axis = self._chosen
        values = [element.value for element in self._parts.bounds]
        if "data" in axis:
            intervals = [(position, position) for position in sorted(values[0])]
        elif values == [None, None]:
            intervals = []
        else:
            intervals = [_numbers(values, self._column(axis))]
        self._select({axis["id"]: intervals})

    def _column(self, axis: Options) -> list[float]:
        """Return the numbers of all trials on an axis."""
        values = [line["value"][axis["dim"]] for line in self._options["series"][0]["data"]]
        return [value for value in values if isinstance(value, int | float)]

    def _show_all(self) -> None:
        self._select({axis: [] for axis in self._ranges})
        self._show_inputs()

    def _select(self, ranges: Mapping[str, list[Interval]]) -> None:
        """Select ranges of axes, also in the chart."""
        assert self._parts is not None
        drawn = self._parts.chart
        for axis, intervals in ranges.items():
            action = {"type": "axisAreaSelect", "parallelAxisId": axis, "intervals": intervals}
            drawn.run_chart_method("dispatchAction", action)
            self._set_range(axis, intervals)
        drawn.run_method("update_chart")  # draws the selection, which only dragging does itself
        self._keep()
        self._on_change()

    def _brushed(self, event: events.GenericEventArguments) -> None:
        axis = event.args["parallelAxisId"]
        intervals = [(min(pair), max(pair)) for pair in event.args["intervals"]]
        if intervals == self._ranges.get(axis, []):
            return
        self._set_range(axis, intervals)
        if axis == self._chosen["id"]:
            self._show_inputs()
        self._keep()
        self._on_change()

    def _set_range(self, axis: str, intervals: list[Interval]) -> None:
        self._ranges.pop(axis, None)
        if intervals:
            self._ranges[axis] = intervals

    def _keep(self) -> None:
        """Find the trials that lie in the ranges, and say which these are."""
        assert self._parts is not None
        self._kept = trials_within(self._options, self._ranges) if self._ranges else None
        text = ""
        if self._kept is not None:
            count = count_text(len(self._options["series"][0]["data"]), "trial")
            ranges = "; ".join(self._range_text(axis) for axis in self._ranges)
            text = f"{len(self._kept):,} of {count} in these ranges, which the table shows: "
            text += ranges
        self._parts.message.set_text(one_line(text))

    def _range_text(self, axis_id: str) -> str:
        axis, intervals = self._axes[axis_id], self._ranges[axis_id]
        if "data" in axis:
            names = [name for at, name in enumerate(axis["data"]) if _is_in(at, intervals)]
            return f"{axis['name']} {' or '.join(names) or 'none'}"
        ends = [f"{low:.4g} to {high:.4g}" for low, high in intervals]
        return f"{axis['name']} {' or '.join(ends)}"


@dataclass
class _Parts:
    """The elements of the chart and its form.

    Attributes:
        chart: The chart.
        axis: Selects the axis that the form is about.
        inputs: Holds the inputs of its range.
        message: Says which trials are kept.
        bounds: The inputs of the range: two numbers, or the names that are kept.
    """

    chart: ui.echart
    axis: ui.select
    inputs: ui.row
    message: ui.label
    bounds: Sequence[Any] = ()


def _is_in(position: float, intervals: Sequence[Interval]) -> bool:
    return any(low <= position <= high for low, high in intervals)


def _numbers(entered: Sequence[float | None], column: Sequence[float]) -> Interval:
    """Return an interval from what was entered, of which one end may be missing.

    Args:
        entered: The ends.
        column: The numbers of all trials, which replace a missing end. The interval ends close to
            them: a logarithmic axis has no place for 0.
    """
    lowest, highest = min(column, default=0.0), max(column, default=0.0)
    low, high = entered
    ends = (lowest if low is None else low, highest if high is None else high)
    margin = lowest / 2 if lowest > 0 else -math.inf
    return max(min(ends), margin), max(*ends, margin)
