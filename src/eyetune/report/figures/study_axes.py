"""Parts that the figures of studies share: markers of states, and axes of values."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from eyetune.analysis.study_summary import STATE_TEXTS, is_share, setting_text
from eyetune.records.study import Objective, TrialRecord, TrialState
from eyetune.report.figures.colors import STRONG
from eyetune.report.figures.picture import plain, wrapped
from eyetune.report.numbers import quantity
from eyetune.space.space import Choice, Range, Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

    from eyetune.report.figures.picture import Picture

BEST = STRONG[1]
GRAY = "#8a8a8a"
# Shapes differ as well as colors, for color-blind readers and for print.
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
_MAX_TICK = 12  # maximum number of characters of a value
RASTER_FROM = 1000  # trials above which a page would grow by megabytes
_MANY = 100  # trials above which dots become smaller


def look(state: TrialState, count: int) -> dict[str, Any]:
    """Return the style of the dots of trials in a state, smaller if there are many dots."""
    style = {"linestyle": "none", **LOOKS[state]}
    return {**style, "markersize": style["markersize"] * 0.65} if count > _MANY else style


def draw_states(
    axes: Axes, points: Sequence[tuple[TrialRecord, float, float]], *, zorder: float = 2
) -> None:
    """Draw a dot for each trial, one call per state."""
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
    """Return an entry of a legend for each state that occurs."""
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


def legend_below(
    figure: Picture, handles: Sequence[Any], *, columns: int = 4, title: str | None = None
) -> None:
    """Place a legend below all axes, where it covers nothing."""
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


def objective_label(objective: Objective) -> str:
    """Return the label of the axis of an objective."""
    unit = " (bytes)" if objective.name.endswith("_bytes") else ""
    direction = "higher" if objective.direction == "max" else "lower"
    return plain(f"{wrapped(objective.name.replace('_', ' '), 30)}{unit}\n({direction} is better)")


def tick_words(name: str, value: float) -> str:
    """Return a value on the axis of an objective in few digits.

    Example:
        >>> tick_words("val_accuracy", 0.715), tick_words("parameters", 167562)
        ('71.5%', '168 k')
        >>> tick_words("val_loss", 0.75)
        '0.75'
    """
    if is_share(name):
        return f"{100 * value:.4g}%"
    return quantity(value) if abs(value) >= 1000 else f"{value:.4g}"


def shown_range(objective: Objective, values: Sequence[float]) -> tuple[float, float]:
    """Return the smallest and the largest value to show, without those far worse than most.

    One diverged training must not compress the rest.

    Args:
        objective: Whose values they are.
        values: At least one of them finite.

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
    """Return the ends of a scale, apart from each other where a single value is all there is."""
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
) -> int:
    """Scale, format and name the axis of an objective, and return how many values lie beyond it.

    Args:
        axes: The axes to scale.
        objective: The objective that the axis shows.
        values: The values that are drawn, at least one of them finite.
        which: The axis.
        room: Share of the range to be left free on its good side.
        always: Values that must be seen, however bad they are.
    """
    is_log = is_spread(values)
    low, high = (min(values), max(values)) if is_log else shown_range(objective, values)
    low, high = with_room(min(low, *always, low), max(high, *always, high))
    hidden = sum(not low <= value <= high for value in values)
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
    axis.set_major_formatter(lambda value, _: tick_words(objective.name, value))
    (axes.set_ylabel if which == "y" else axes.set_xlabel)(objective_label(objective))
    axes.grid(alpha=0.3)
    return hidden


def count_epochs(axes: Axes) -> None:
    """Put ticks of the horizontal axis at whole numbers only."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10]))


def is_spread(values: Sequence[float]) -> bool:
    """Return whether large numbers, such as counts of parameters, spread over a factor of five."""
    finite = [value for value in values if math.isfinite(value)]
    return min(finite) >= 100 and max(finite) > 5 * min(finite)


def style_log(axis: Any) -> None:
    """Give a logarithmic axis readable ticks."""
    from matplotlib.ticker import LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_minor_formatter(NullFormatter())


@dataclass(frozen=True)
class Scale:
    """Where the values of a hyperparameter lie on an axis from 0 to 1.

    Attributes:
        hyperparameter: Whose values.
    """

    hyperparameter: Choice | Range

    def place(self, value: Value) -> float | None:
        """Return where a value lies; None where it is none of the hyperparameter's."""
        one = self.hyperparameter
        if not one.contains(value):
            return None
        if isinstance(one, Choice):
            return (one.values.index(value) + 0.5) / len(one.values)
        assert not isinstance(value, str)
        if one.high == one.low:
            return 0.5
        if one.sampling == "log":
            return math.log(value / one.low) / math.log(one.high / one.low)
        if one.sampling == "reverse_log":
            return 1 - math.log((one.high + one.low - value) / one.low) / math.log(
                one.high / one.low
            )
        return (value - one.low) / (one.high - one.low)

    def ticks(self, most: int = 6) -> list[tuple[float, str]]:
        """Return positions and labels of ticks: every category, or some numbers with both ends."""
        one = self.hyperparameter
        values: Sequence[Value] = one.values if isinstance(one, Choice) else _numbers(one, most)
        step = -(-len(values) // 12) if isinstance(one, Choice) else 1
        return [
            (place, short(value))
            for value in values[::step]
            if (place := self.place(value)) is not None
        ]


def name_lines(name: str, longest: int = 13, most: int = 3) -> str:
    """Break a hyperparameter's name into lines at its separators, and shorten it if needed.

    Example:
        >>> name_lines("model.blocks.2.filters")
        'model.blocks.\\n2.filters'
    """
    words = [
        word if len(word) <= longest else f"{word[: longest - 1]}…"
        for word in re.findall(r"[^_/. ]*[_/. ]?", name)
    ]
    lines = [""]
    for word in filter(None, words):
        if lines[-1] and len(lines[-1]) + len(word) > longest:
            lines.append("")
        lines[-1] += word
    if len(lines) > most:
        lines = [*lines[: most - 2], f"{lines[most - 2]}…", lines[-1]]
    return plain("\n".join(lines))


def short(value: Value) -> str:
    """Write a value of a hyperparameter in few characters.

    Example:
        >>> short("a-very-long-category"), short(0.0001), short(128), short(True)
        ('a-very-long…', '1e-4', '128', 'true')
    """
    if isinstance(value, float) and 0 < abs(value) < 1e-3:
        mantissa, _, exponent = f"{value:.2g}".partition("e")
        return (
            f"{mantissa}e{int(exponent)}"
            if exponent
            else f"{value:.1e}".replace(".0e-0", "e-").replace("e-0", "e-")
        )
    words = setting_text(value)
    return words if len(words) <= _MAX_TICK else f"{words[: _MAX_TICK - 1]}…"


def _numbers(one: Range, most: int) -> list[int | float]:
    from matplotlib.ticker import MaxNLocator

    if one.high == one.low:
        return [one.low]
    if one.sampling == "log":
        decades = range(
            math.ceil(math.log10(one.low) - 1e-9), math.floor(math.log10(one.high) + 1e-9) + 1
        )
        between: list[float] = [10.0**decade for decade in decades][
            :: max(1, -(-len(decades) // most))
        ]
    else:
        between = [
            float(tick)
            for tick in MaxNLocator(most, integer=one.whole).tick_values(one.low, one.high)
        ]
    scale = Scale(one)
    apart = 0.6 / most
    inner = [
        tick
        for tick in between
        if one.low < tick < one.high and apart < (scale.place(tick) or 0.0) < 1 - apart
    ]
    return [one.low, *inner, one.high]
