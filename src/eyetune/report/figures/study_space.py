"""Figures of a study's space: parallel coordinates, and a slice per hyperparameter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from eyetune.analysis.ranking import rank_trials
from eyetune.analysis.study_summary import metric_text
from eyetune.records.study import Objective, StudyRecord, TrialRecord
from eyetune.report.figures.colors import STRONG
from eyetune.report.figures.picture import message_picture, new_picture
from eyetune.report.figures.study_axes import (
    BEST,
    RASTER_FROM,
    Scale,
    draw_states,
    legend_below,
    name_lines,
    objective_label,
    shown_range,
    state_handles,
    style_objective,
    tick_words,
    with_room,
)
from eyetune.space.space import Choice, Range

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.path import Path

    from eyetune.report.figures.picture import Picture

MAX_AXES = 16  # hyperparameters that are readable side by side
MAX_LINES = 500
_FEW_VALUES = 8  # with more, lines through one value are rare


def parallel_coordinates(record: StudyRecord, trials: Sequence[TrialRecord]) -> Picture:
    """Draw parallel coordinates: a line per trial, an axis per hyperparameter.

    The first objective is the rightmost axis. Better trials are darker, and the best is on top. A
    line has a gap where a hyperparameter is inactive in the trial. Lines through one category are
    side by side, better ones higher.

    Args:
        record: The study.
        trials: All of it.
    """
    first = record.settings.objectives[0]
    order = _by_first_objective(record, trials)
    varied = _varied(record)
    if not order or not varied:
        return message_picture(
            "No trial has a result" if varied else "The space has nothing that varies"
        )
    shown = varied[:MAX_AXES]
    figure = new_picture(min(max(1.15 * (len(shown) + 1) + 1, 8.0), 12.5), 5.0)
    axes = figure.subplots()
    low, high = shown_range(first, [_value(one) for one in order])
    lines = order[:MAX_LINES]
    places = _places(shown, lines)
    ends = with_room(low, high)
    reached = [min(max((_value(one) - ends[0]) / (ends[1] - ends[0]), 0.0), 1.0) for one in lines]
    goodness = [share if first.direction == "max" else 1 - share for share in reached]
    points = [[*row, share] for row, share in zip(places, reached, strict=True)]
    _draw_lines(axes, points, goodness)
    for position, one in enumerate(shown):
        _draw_axis(
            axes, position, name_lines(one.name, 11 if len(shown) > 8 else 14), Scale(one).ticks()
        )
    _draw_objective(axes, len(shown), first, *ends)
    axes.set_xlim(-0.35, len(shown) + 0.55)
    axes.set_ylim(-0.05, 1.05)
    axes.axis("off")
    legend_below(figure, _line_handles(order, first, len(varied)))
    return figure


def _by_first_objective(record: StudyRecord, trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Return the trials whose first objective is finite, the best first."""
    first = record.settings.objectives[0]
    order = rank_trials(record.settings.objectives, trials)
    drawn = [trial for trial in order if math.isfinite(_value(trial))]
    return sorted(drawn, key=lambda trial: -first.oriented(_value(trial)))


def _value(trial: TrialRecord) -> float:
    assert trial.objectives is not None
    return trial.objectives[0]


def _varied(record: StudyRecord) -> list[Choice | Range]:
    """Return the hyperparameters with more than one possible value."""
    return [
        one for one in record.space.distributions if (grid := one.grid()) is None or len(grid) > 1
    ]


def _places(shown: Sequence[Choice | Range], trials: Sequence[TrialRecord]) -> list[list[float]]:
    """Return the position of each trial on each axis, the best trial first; NaN for none."""
    rows = [[math.nan] * len(shown) for _ in trials]
    for column, one in enumerate(shown):
        scale = Scale(one)
        width = _band(one)
        through: dict[Any, list[int]] = {}
        for row, trial in enumerate(trials):
            if one.name in trial.all_values:
                through.setdefault(trial.all_values[one.name], []).append(row)
        for value, mine in through.items():
            place = scale.place(value)
            for rank, row in enumerate(mine):
                share = 0.5 - (rank + 0.5) / len(mine)
                rows[row][column] = math.nan if place is None else place + width * share
    return rows


def _band(one: Choice | Range) -> float:
    """Return the width of the band of lines through one value."""
    if isinstance(one, Choice):
        return min(0.55 / len(one.values), 0.16)
    grid = one.grid()
    return 0.05 if grid is not None and len(grid) <= _FEW_VALUES else 0.0


def _shades() -> Colormap:
    """Return colors from pale (worst) to dark (best) that color-blind readers can distinguish."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    return ListedColormap(
        colormaps["viridis_r"](np.linspace(0.1, 1, 256))
    )  # lighter yellows are invisible on white


def _draw_lines(axes: Axes, points: Sequence[Sequence[float]], goodness: Sequence[float]) -> None:
    """Draw the lines, the worst first, and the best in a color of its own."""
    from matplotlib.collections import PathCollection

    drawn = list(reversed(list(zip(points, goodness, strict=True))[1:]))
    colors = _shades()(np.array([share for _, share in drawn]))
    many = min(1.0, 60 / max(1, len(drawn)))
    if drawn:
        colors[:, 3] = [0.2 + 0.4 * many + (0.7 - 0.3 * many) * share**2 for _, share in drawn]
        widths = [0.7 + 0.9 * share**2 for _, share in drawn]
        paths = [_path(row) for row, _ in drawn]
        raster = len(drawn) * len(points[0]) > 4 * RASTER_FROM
        bundle = PathCollection(
            paths, facecolors="none", edgecolors=colors, linewidths=widths, rasterized=raster
        )
        bundle.set_zorder(2)
        axes.add_collection(bundle)
    halo, best = (
        PathCollection([_path(points[0])], facecolors="none", edgecolors=color, linewidths=width)
        for color, width in (("white", 4.6), (BEST, 2.6))
    )
    for order, one in enumerate((halo, best)):
        one.set_zorder(3 + order)
        axes.add_collection(one)
    crossed = [(x, y) for x, y in enumerate(points[0]) if not math.isnan(y)]
    axes.plot(
        *zip(*crossed, strict=True),
        "o",
        color=BEST,
        markeredgecolor="white",
        markersize=6.5,
        zorder=5,
    )


def _path(row: Sequence[float]) -> Path:
    """Return a curve that crosses each axis at a right angle, with a gap at missing values."""
    from matplotlib.path import Path

    corners: list[tuple[float, float]] = []
    codes: list[Any] = []
    for x, y in enumerate(row):
        before = row[x - 1] if x else math.nan
        if math.isnan(y):
            continue
        if math.isnan(before):
            stub = x + 0.06 if x + 1 < len(row) and math.isnan(row[x + 1]) else x
            corners += [
                (x - (stub - x), y),
                (stub, y),
                (x, y),
            ]  # a single point between two gaps is a dash
            codes += [Path.MOVETO, Path.LINETO, Path.MOVETO]
        else:
            corners += [(x - 0.6, before), (x - 0.4, y), (x, y)]
            codes += [Path.CURVE4] * 3
    return Path(corners, codes)


def _draw_axis(axes: Axes, position: int, name: str, ticks: Sequence[tuple[float, str]]) -> None:
    axes.plot([position, position], [0, 1], color="0.25", linewidth=1, zorder=2.5)
    axes.annotate(
        name,
        (position, 1.03),
        xytext=(0, 6),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=9,
        weight="bold",
        annotation_clip=False,
        linespacing=1.05,
    )
    for place, words in ticks:
        axes.plot(
            [position - 0.035, position], [place, place], color="0.25", linewidth=1, zorder=2.5
        )
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.78, "pad": 0.8}
        axes.annotate(
            words.replace("$", r"\$"),
            (position - 0.035, place),
            xytext=(-3, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            fontsize=8.5,
            bbox=box,
            zorder=6,
        )


def _draw_objective(
    axes: Axes, position: int, objective: Objective, low: float, high: float
) -> None:
    from matplotlib.ticker import MaxNLocator

    strip = np.linspace(0, 1, 128)[:, None]
    colors = strip if objective.direction == "max" else 1 - strip
    axes.imshow(
        colors,
        extent=(position, position + 0.09, 0, 1),
        origin="lower",
        aspect="auto",
        cmap=_shades(),
        zorder=2.4,
    )
    axes.annotate(
        objective_label(objective).rpartition("\n")[0],
        (position, 1.03),
        xytext=(0, 6),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=9,
        weight="bold",
        color=STRONG[0],
        annotation_clip=False,
    )
    for tick in [tick for tick in MaxNLocator(6).tick_values(low, high) if low <= tick <= high]:
        place = (tick - low) / (high - low)
        axes.annotate(
            tick_words(objective.name, float(tick)),
            (position + 0.09, place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
        )


def _line_handles(order: Sequence[TrialRecord], first: Objective, num_axes: int) -> list[Any]:
    from matplotlib.lines import Line2D

    colors = _shades()
    best = f"trial {order[0].number}, the best: {metric_text(first.name, _value(order[0]))}"
    handles = [Line2D([], [], color=BEST, linewidth=2.6, label=best)]
    if len(order) > 1:
        handles.append(Line2D([], [], color=colors(0.95), linewidth=1.6, label="good"))
        handles.append(Line2D([], [], color=colors(0.1), linewidth=1.2, label="poor"))
    if len(order) > MAX_LINES:
        handles.append(
            Line2D(
                [], [], linestyle="none", label=f"the best {MAX_LINES} of {len(order):,} are drawn"
            )
        )
    if num_axes > MAX_AXES:
        more = f"{num_axes - MAX_AXES} more hyperparameters are not drawn"
        handles.append(Line2D([], [], linestyle="none", label=more))
    return handles


def slices(record: StudyRecord, trials: Sequence[TrialRecord]) -> Picture:
    """Draw the first objective against each hyperparameter, with one panel per hyperparameter.

    Args:
        record: The study.
        trials: All of it.
    """
    first = record.settings.objectives[0]
    order = _by_first_objective(record, trials)
    varied = _varied(record)
    if not order or not varied:
        return message_picture(
            "No trial has a result" if varied else "The space has nothing that varies"
        )
    columns = min(len(varied), 3 if len(varied) <= 9 else 4)
    rows = -(-len(varied) // columns)
    figure = new_picture(max(3.3 * columns, 5.0) if columns < 4 else 12, 2.55 * rows + 0.6)
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for axes in panels[len(varied) :]:
        axes.axis("off")
    values = [_value(trial) for trial in order]
    for place, (axes, one) in enumerate(zip(panels, varied, strict=False)):
        _draw_slice(axes, one, order)
        style_objective(axes, first, values)
        if place % columns:
            axes.set_ylabel("")
    best = _best_handle(order[0], first)
    legend_below(figure, [best, *state_handles(order)])
    return figure


def _draw_slice(axes: Axes, one: Choice | Range, order: Sequence[TrialRecord]) -> None:
    scale = Scale(one)
    points = []
    for trial in reversed(order):
        place = scale.place(trial.all_values[one.name]) if one.name in trial.all_values else None
        if place is not None:
            points.append((trial, place + _jitter(one, trial), _value(trial)))
    draw_states(axes, points)
    if points and points[-1][0] is order[0]:
        _, x, y = points[-1]
        axes.plot(x, y, "*", color=BEST, markeredgecolor="white", markersize=14, zorder=4)
    axes.set_title(name_lines(one.name, 34, most=2), fontsize=9.5, weight="bold")
    ticks = scale.ticks(4)
    axes.set_xticks(
        [at for at, _ in ticks], [words.replace("$", r"\$") for _, words in ticks], fontsize=8.5
    )
    if isinstance(one, Choice) and sum(len(words) for _, words in ticks) > 30:
        axes.tick_params(axis="x", rotation=25)
        for label in axes.get_xticklabels():
            label.set_horizontalalignment("right")
    axes.set_xlim(-0.05, 1.05)
    axes.spines[["right", "top"]].set_visible(False)


def _jitter(one: Choice | Range, trial: TrialRecord) -> float:
    """Return the offset of a dot, so that the dots of a category do not overlap."""
    if not isinstance(one, Choice):
        return 0.0
    return (trial.number * 0.6180339887 % 1 - 0.5) * 0.5 / len(one.values)


def _best_handle(best: TrialRecord, first: Objective) -> Any:
    from matplotlib.lines import Line2D

    words = f"trial {best.number}, the best: {metric_text(first.name, _value(best))}"
    return Line2D(
        [],
        [],
        linestyle="none",
        marker="*",
        color=BEST,
        markersize=12,
        markeredgecolor="white",
        label=words,
    )
