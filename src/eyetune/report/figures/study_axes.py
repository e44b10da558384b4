"""Parts that the figures of studies share: markers of states, and axes of values."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from eyetune.analysis.study_summary import STATE_TEXTS
from eyetune.analysis.trial_results import TIMES, is_share
from eyetune.records.study import Objective
from eyetune.records.trial import TrialRecord, TrialState
from eyetune.report.figures.colors import STRONG
from eyetune.report.figures.picture import plain, wrapped
from eyetune.space.hyperparameters import Choice, Range, Value, setting_text
from eyetune.values.numbers import count_text, quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

    from eyetune.report.figures.picture import Picture

BEST = STRONG[1]
GRAY = "#8a8a8a"
NO_RESULT = "No trial has a result"
REMARK_CHARACTERS = 66  # of a line below the name of an axis
# Shapes differ too: some readers, and prints, cannot distinguish the colors.
LOOKS: dict[TrialState, dict[str, Any]] = {
    TrialState.COMPLETE: {"marker": "o", "color": STRONG[0], "markersize": 6},
    TrialState.STOPPED: {"marker": "o", "color": GRAY, "markerfacecolor": "white", "markersize": 5},
    TrialState.PAUSED: {
        "marker": "D",
        "color": STRONG[2],
        "markerfacecolor": "white",
        "markersize": 5,
    },
    TrialState.RUNNING: {"marker": "^", "color": STRONG[3], "markersize": 6},
    TrialState.WAITING: {
        "marker": "v",
        "color": STRONG[3],
        "markerfacecolor": "white",
        "markersize": 6,
    },
    TrialState.FAILED: {"marker": "x", "color": "#c0392b", "markersize": 6},
    TrialState.INFEASIBLE: {"marker": "|", "color": GRAY, "markersize": 7},
}
_MAX_TICK_CHARACTERS = 12  # a longer value is cut
_MAX_TICKS = 12  # of the categories of a hyperparameter
RASTER_FROM = 1000  # trials: with more, vector graphics would make a page megabytes larger
_MANY_TRIALS = 100  # with more, dots are smaller


def look(state: TrialState, count: int) -> dict[str, Any]:
    """Return the style of the dots of trials in a state, smaller if there are many dots."""
    style = {"linestyle": "none", **LOOKS[state]}
    return {**style, "markersize": style["markersize"] * 0.65} if count > _MANY_TRIALS else style


def draw_states(
    axes: Axes, points: Sequence[tuple[TrialRecord, float, float]], *, zorder: float = 2
) -> None:
    """Draw a dot for each trial, with the style of its state."""
    for state in STATE_TEXTS:
        mine = [(x, y) for trial, x, y in points if trial.state is state]
        if mine:
            style = look(state, len(points))
            axes.plot(
                *zip(*mine, strict=True),
                **style,
                zorder=zorder,
                rasterized=len(points) > RASTER_FROM,
            )


def state_handles(
    trials: Sequence[TrialRecord], *, without: Sequence[TrialState] = ()
) -> list[Line2D]:
    """Return a legend entry for each state that occurs."""
    from matplotlib.lines import Line2D

    counts = {
        state: sum(trial.state is state for trial in trials)
        for state in STATE_TEXTS
        if state not in without
    }
    return [
        Line2D([], [], linestyle="none", label=f"{STATE_TEXTS[state]} ({count})", **LOOKS[state])
        for state, count in counts.items()
        if count
    ]


def line_handle(label: str, **style: Any) -> Line2D:
    """Return a legend entry that shows a line or marker with a style."""
    from matplotlib.lines import Line2D

    return Line2D([], [], label=label, **style)


def legend_below(
    figure: Picture, handles: Sequence[Any], *, columns: int = 4, title: str | None = None
) -> None:
    """Add a legend below all axes, where it covers nothing."""
    if handles:
        figure.legend(
            handles=list(handles),
            fontsize="small",
            loc="outside lower center",
            ncols=min(columns, len(handles)),
            frameon=False,
            title=title,
            title_fontsize="small",
        )


def objective_label(objective: Objective, note: str = "", *, width: int = REMARK_CHARACTERS) -> str:
    """Return the label of an axis of an objective.

    Args:
        objective: The objective.
        note: How certain its values are. Default: nothing is said about that.
        width: Longest line of the remarks, in characters.
    """
    name, unit = objective.name, ""
    for ending in ("_bytes", "_ms"):
        if name.endswith(ending):
            unit = f" ({ending[1:]})"
    name = re.sub("^val_", "validation_", name).removesuffix("_ms").replace("_", " ")
    direction = "higher" if objective.direction == "max" else "lower"
    remark = "; ".join(filter(None, (f"{direction} is better", note)))
    return plain(f"{wrapped(name, 30)}{unit}\n({wrapped(remark, width)})")


def tick_text(name: str, value: float) -> str:
    """Return the text of a value on the axis of an objective, in few digits.

    Example:
        >>> tick_text("val_accuracy", 0.715), tick_text("parameters", 167562)
        ('71.5%', '168 k')
        >>> tick_text("val_loss", 0.75), tick_text("latency_ms", 2000)
        ('0.75', '2,000')
    """
    if is_share(name):
        return f"{100 * value:.4g}%"
    if name in TIMES:
        return f"{value:,.4g}"
    return quantity(value) if abs(value) >= 1000 else f"{value:.4g}"


def shown_range(objective: Objective, values: Sequence[float]) -> tuple[float, float]:
    """Return the smallest and the largest value to show, without those far worse than most.

    One diverged training must not compress the rest.

    Args:
        objective: The objective.
        values: Its values; at least one is finite.

    Example:
        >>> accuracy = Objective(name="val_accuracy", direction="max")
        >>> shown_range(accuracy, [0.1, 0.69, 0.7, 0.71, 0.72])
        (0.69, 0.72)
    """
    ordered = sorted(
        (value for value in values if math.isfinite(value)), key=objective.oriented, reverse=True
    )
    best, middle = ordered[0], ordered[len(ordered) // 2]
    far = 4 * max(abs(best - middle), 0.02 * abs(best))
    shown = [value for value in ordered if abs(value - best) <= far]
    return min(shown), max(shown)


def with_room(low: float, high: float) -> tuple[float, float]:
    """Return the ends of a scale, which differ even if there is only a single value."""
    if high > low:
        return low, high
    room = 0.1 * abs(low) or 0.5
    return low - room, high + room


def style_objective(
    axes: Axes,
    objective: Objective,
    values: Sequence[float],
    *,
    which: Literal["x", "y"] = "y",
    room: float = 0.06,
    always: Sequence[float] = (),
    counted: Sequence[float] | None = None,
    note: str = "",
    width: int = REMARK_CHARACTERS,
) -> None:
    """Scale, format and label the axis of an objective; the label counts the trials beyond it.

    Args:
        axes: The panel.
        objective: The objective along the axis.
        values: The values that are drawn; at least one is finite.
        which: The axis.
        room: Share of the range that stays free on its good side.
        always: Values that must be visible, however bad they are.
        counted: The values of trials, if others are drawn as well. Default: all values.
        note: How certain the values are, for the label. Default: nothing is said about that.
        width: Longest line of the label's remarks, in characters.
    """
    is_log = needs_log_axis(objective.name, values)
    low, high = (min(values), max(values)) if is_log else shown_range(objective, values)
    low, high = with_room(min(low, *always, low), max(high, *always, high))
    span = high - low
    below, above = (0.06, room) if objective.direction == "max" else (room, 0.06)
    axis = axes.yaxis if which == "y" else axes.xaxis
    if is_log:
        (axes.set_yscale if which == "y" else axes.set_xscale)("log")
        factor = (high / low) ** 0.06
        limits = (low / factor, high * factor)
        style_log(axis)
    else:
        limits = (low - below * span, high + above * span)
    (axes.set_ylim if which == "y" else axes.set_xlim)(*limits)
    num_hidden = sum(
        not limits[0] <= value <= limits[1] for value in (values if counted is None else counted)
    )
    hidden = f"{count_text(num_hidden, 'far worse trial')} not shown" if num_hidden else ""
    axis.set_major_formatter(lambda value, _: tick_text(objective.name, value))
    (axes.set_ylabel if which == "y" else axes.set_xlabel)(
        objective_label(objective, "; ".join(filter(None, (note, hidden))), width=width)
    )
    axes.grid(alpha=0.3)


def count_epochs(axes: Axes) -> None:
    """Put ticks of the horizontal axis at whole numbers only."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10]))


def needs_log_axis(name: str, values: Sequence[float]) -> bool:
    """Return whether values are large, or times, and span a factor of five.

    Args:
        name: Name of the objective.
        values: Its values; at least one is finite.

    Example:
        >>> needs_log_axis("parameters", [1200, 170_000])
        True
        >>> needs_log_axis("latency_ms", [16.0, 1410.0]), needs_log_axis("val_loss", [0.5, 2.6])
        (True, False)
    """
    finite = [value for value in values if math.isfinite(value)]
    may_be_log = min(finite) >= 100 or (name in TIMES and min(finite) > 0)
    return may_be_log and max(finite) > 5 * min(finite)


def style_log(axis: Any) -> None:
    """Give a logarithmic axis readable ticks."""
    from matplotlib.ticker import LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_minor_formatter(NullFormatter())


@dataclass(frozen=True)
class Scale:
    """The positions of the values of a hyperparameter on an axis from 0 to 1.

    Attributes:
        hyperparameter: The hyperparameter.
    """

    hyperparameter: Choice | Range

    def position(self, value: Value) -> float | None:
        """Return the position of a value, 0 to 1; None if the hyperparameter cannot have it."""
        hyperparameter = self.hyperparameter
        if not hyperparameter.contains(value):
            return None
        if isinstance(hyperparameter, Choice):
            return (hyperparameter.values.index(value) + 0.5) / len(hyperparameter.values)
        assert not isinstance(value, str)
        low, high = hyperparameter.low, hyperparameter.high
        if high == low:
            return 0.5
        if hyperparameter.sampling == "log":
            return math.log(value / low) / math.log(high / low)
        if hyperparameter.sampling == "reverse_log":
            return 1 - math.log((high + low - value) / low) / math.log(high / low)
        return (value - low) / (high - low)

    def ticks(self, max_numbers: int = 6) -> list[tuple[float, str]]:
        """Return the positions and texts of ticks.

        Args:
            max_numbers: Most numbers between the ends of a range, which always have a tick. The
                ticks of a choice are its categories, at most 12.
        """
        values: Sequence[Value]
        if isinstance(self.hyperparameter, Choice):
            step = math.ceil(len(self.hyperparameter.values) / _MAX_TICKS)
            values = self.hyperparameter.values[::step]
        else:
            values = _tick_numbers(self.hyperparameter, max_numbers)
        ticks = []
        for value in values:
            position = self.position(value)
            if position is not None:
                ticks.append((position, short(value)))
        return ticks


def name_lines(name: str, max_length: int = 13, max_lines: int = 3) -> str:
    """Break the name of a hyperparameter into lines after separators, and cut what does not fit.

    Args:
        name: The name.
        max_length: Most characters of a line.
        max_lines: Most lines.

    Example:
        >>> name_lines("model.blocks.2.filters")
        'model.blocks.\\n2.filters'
    """
    lines = [""]
    for part in re.findall(r"[^_/. ]*[_/. ]?", name):
        shown = part if len(part) <= max_length else f"{part[: max_length - 1]}…"
        if lines[-1] and len(lines[-1]) + len(shown) > max_length:
            lines.append("")
        lines[-1] += shown
    if len(lines) > max_lines:
        lines = [*lines[: max_lines - 2], f"{lines[max_lines - 2]}…", lines[-1]]
    return plain("\n".join(lines))


def short(value: Value) -> str:
    """Return a value of a hyperparameter in few characters.

    Example:
        >>> short("a-very-long-category"), short(0.0001), short(128), short(True)
        ('a-very-long…', '1e-4', '128', 'true')
    """
    if isinstance(value, float) and 0 < abs(value) < 1e-3:
        mantissa, _, exponent = f"{value:.2g}".partition("e")
        if exponent:
            return f"{mantissa}e{int(exponent)}"
        return f"{value:.1e}".replace(".0e-0", "e-").replace("e-0", "e-")
    text = setting_text(value)
    if len(text) <= _MAX_TICK_CHARACTERS:
        return text
    return f"{text[: _MAX_TICK_CHARACTERS - 1]}…"


def _tick_numbers(hyperparameter: Range, max_numbers: int) -> list[int | float]:
    """Return both ends of a range, and round numbers between them that are not too close."""
    from matplotlib.ticker import MaxNLocator

    low, high = hyperparameter.low, hyperparameter.high
    if high == low:
        return [low]
    candidates: list[float]
    if hyperparameter.sampling == "log":
        first = math.ceil(math.log10(low) - 1e-9)
        last = math.floor(math.log10(high) + 1e-9)
        decades = range(first, last + 1)
        step = max(1, math.ceil(len(decades) / max_numbers))
        candidates = [10.0**decade for decade in decades[::step]]
    else:
        locator = MaxNLocator(max_numbers, integer=hyperparameter.whole)
        candidates = [float(tick) for tick in locator.tick_values(low, high)]
    scale = Scale(hyperparameter)
    min_distance = 0.6 / max_numbers
    inner = []
    for tick in candidates:
        position = scale.position(tick) if low < tick < high else None
        if position is not None and min_distance < position < 1 - min_distance:
            inner.append(tick)
    return [low, *inner, high]
