"""Figures of a study's space: parallel coordinates, and a slice per hyperparameter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from eyetune.analysis.ranking import rank_trials
from eyetune.analysis.study_summary import search_trials
from eyetune.analysis.trial_results import metric_text
from eyetune.records.study import Objective, StudyRecord
from eyetune.records.trial import TrialRecord
from eyetune.report.figures.colors import STRONG
from eyetune.report.figures.picture import message_picture, new_picture, plain
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
    tick_text,
    with_room,
)
from eyetune.space.hyperparameters import Choice, Range

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.path import Path

    from eyetune.report.figures.picture import Picture

MAX_AXES = 16  # of hyperparameters that are legible side by side
MAX_LINES = 500
_PANEL_CHARACTERS = 34  # of a label that is as long as a panel is high
_FEW_VALUES = 8  # with more, lines through one value are rare


def parallel_coordinates(record: StudyRecord, trials: Sequence[TrialRecord]) -> Picture:
    """Draw each trial with a result as a line across axes: the hyperparameters, then the objective.

    Better trials are darker, and the best trial is on top. A line has a gap where a hyperparameter
    does not apply to the trial. Lines through the same category lie side by side, better trials
    higher.

    Args:
        record: The study.
        trials: All of its trials.
    """
    first = record.settings.objectives[0]
    order = _by_first_objective(record, trials)
    varied = _varied(record)
    if not varied:
        return message_picture("The space has nothing that varies")
    if not order:
        return message_picture("No trial has a result")
    shown = varied[:MAX_AXES]
    figure = new_picture(min(max(1.15 * (len(shown) + 1) + 1, 8.0), 12.5), 5.0)
    axes = figure.subplots()
    low, high = with_room(*shown_range(first, [_value(trial) for trial in order]))
    drawn = order[:MAX_LINES]
    reached = [min(max((_value(trial) - low) / (high - low), 0.0), 1.0) for trial in drawn]
    goodness = [share if first.direction == "max" else 1 - share for share in reached]
    crossings = _crossings(shown, drawn)
    points = [[*row, share] for row, share in zip(crossings, reached, strict=True)]
    _draw_lines(axes, points, goodness)
    max_length = 11 if len(shown) > 8 else 14
    for column, hyperparameter in enumerate(shown):
        label = name_lines(hyperparameter.name, max_length)
        _draw_axis(axes, column, label, Scale(hyperparameter).ticks())
    _draw_objective(axes, len(shown), first, low, high)
    axes.set_xlim(-0.35, len(shown) + 0.55)
    axes.set_ylim(-0.05, 1.05)
    axes.axis("off")
    legend_below(figure, _line_handles(order, first, len(varied)))
    return figure


def _by_first_objective(record: StudyRecord, trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Return the search's trials with a finite first objective, the best of it first."""
    first = record.settings.objectives[0]
    order = rank_trials(record.settings.objectives, search_trials(trials))
    drawn = [trial for trial in order if math.isfinite(_value(trial))]
    return sorted(drawn, key=lambda trial: -first.oriented(_value(trial)))


def _value(trial: TrialRecord) -> float:
    assert trial.objectives is not None
    return trial.objectives[0]


def _varied(record: StudyRecord) -> list[Choice | Range]:
    """Return the hyperparameters that may have more than one value."""
    varied = []
    for hyperparameter in record.space.distributions:
        grid = hyperparameter.grid()
        if grid is None or len(grid) > 1:
            varied.append(hyperparameter)
    return varied


def _crossings(
    hyperparameters: Sequence[Choice | Range], trials: Sequence[TrialRecord]
) -> list[list[float]]:
    """Return where each trial, the best first, crosses each axis; NaN where it does not."""
    rows = [[math.nan] * len(hyperparameters) for _ in trials]
    for column, hyperparameter in enumerate(hyperparameters):
        scale = Scale(hyperparameter)
        width = _band_width(hyperparameter)
        rows_by_value: dict[Any, list[int]] = {}
        for row, trial in enumerate(trials):
            if hyperparameter.name in trial.all_values:
                value = trial.all_values[hyperparameter.name]
                rows_by_value.setdefault(value, []).append(row)
        for value, same_rows in rows_by_value.items():
            position = scale.position(value)
            if position is None:
                continue
            for rank, row in enumerate(same_rows):
                share = 0.5 - (rank + 0.5) / len(same_rows)
                rows[row][column] = position + width * share
    return rows


def _band_width(hyperparameter: Choice | Range) -> float:
    """Return the width of the band of lines through the same value."""
    if isinstance(hyperparameter, Choice):
        return min(0.55 / len(hyperparameter.values), 0.16)
    grid = hyperparameter.grid()
    return 0.05 if grid is not None and len(grid) <= _FEW_VALUES else 0.0


def _shades() -> Colormap:
    """Return the colors from the worst, pale, to the best, dark: safe for color blindness."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    # The yellow end is left out: it is hardly visible on white.
    return ListedColormap(colormaps["viridis_r"](np.linspace(0.1, 1, 256)))


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
    for order, line in enumerate((halo, best)):
        line.set_zorder(3 + order)
        axes.add_collection(line)
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
            # A point alone between two gaps is drawn as a dash.
            corners += [(x - (stub - x), y), (stub, y), (x, y)]
            codes += [Path.MOVETO, Path.LINETO, Path.MOVETO]
        else:
            corners += [(x - 0.6, before), (x - 0.4, y), (x, y)]
            codes += [Path.CURVE4] * 3
    return Path(corners, codes)


def _draw_axis(axes: Axes, column: int, label: str, ticks: Sequence[tuple[float, str]]) -> None:
    axes.plot([column, column], [0, 1], color="0.25", linewidth=1, zorder=2.5)
    axes.annotate(
        label,
        (column, 1.03),
        xytext=(0, 6),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=9,
        weight="bold",
        annotation_clip=False,
        linespacing=1.05,
    )
    for position, text in ticks:
        axes.plot(
            [column - 0.035, column], [position, position], color="0.25", linewidth=1, zorder=2.5
        )
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.78, "pad": 0.8}
        axes.annotate(
            text.replace("$", r"\$"),
            (column - 0.035, position),
            xytext=(-3, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            fontsize=8.5,
            bbox=box,
            zorder=6,
        )


def _draw_objective(axes: Axes, column: int, objective: Objective, low: float, high: float) -> None:
    from matplotlib.ticker import MaxNLocator

    strip = np.linspace(0, 1, 128)[:, None]
    colors = strip if objective.direction == "max" else 1 - strip
    axes.imshow(
        colors,
        extent=(column, column + 0.09, 0, 1),
        origin="lower",
        aspect="auto",
        cmap=_shades(),
        zorder=2.4,
    )
    axes.annotate(
        objective_label(objective).rpartition("\n")[0],
        (column, 1.03),
        xytext=(0, 6),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=9,
        weight="bold",
        color=STRONG[0],
        annotation_clip=False,
    )
    for tick in MaxNLocator(6).tick_values(low, high):
        if not low <= tick <= high:
            continue
        axes.annotate(
            tick_text(objective.name, float(tick)),
            (column + 0.09, (tick - low) / (high - low)),
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
    """Draw the first objective over each hyperparameter: a panel each, with all values searched.

    Args:
        record: The study.
        trials: All of its trials.
    """
    first = record.settings.objectives[0]
    order = _by_first_objective(record, trials)
    varied = _varied(record)
    if not varied:
        return message_picture("The space has nothing that varies")
    if not order:
        return message_picture("No trial has a result")
    columns = min(len(varied), 3 if len(varied) <= 9 else 4)
    rows = -(-len(varied) // columns)
    figure = new_picture(max(3.3 * columns, 5.0) if columns < 4 else 12, 2.55 * rows + 0.6)
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for axes in panels[len(varied) :]:
        axes.axis("off")
    values = [_value(trial) for trial in order]
    for index, hyperparameter in enumerate(varied):
        axes = panels[index]
        _draw_slice(axes, hyperparameter, order)
        style_objective(axes, first, values, width=_PANEL_CHARACTERS)
        if index % columns:
            axes.set_ylabel("")
    best = _best_handle(order[0], first)
    legend_below(figure, [best, *state_handles(order)])
    return figure


def _draw_slice(axes: Axes, hyperparameter: Choice | Range, order: Sequence[TrialRecord]) -> None:
    scale = Scale(hyperparameter)
    points = []
    for trial in reversed(order):
        if hyperparameter.name not in trial.all_values:
            continue
        position = scale.position(trial.all_values[hyperparameter.name])
        if position is not None:
            points.append((trial, position + _jitter(hyperparameter, trial), _value(trial)))
    draw_states(axes, points)
    if points and points[-1][0] is order[0]:
        _, x, y = points[-1]
        axes.plot(x, y, "*", color=BEST, markeredgecolor="white", markersize=14, zorder=4)
    axes.set_title(name_lines(hyperparameter.name, 34, max_lines=2), fontsize=9.5, weight="bold")
    ticks = scale.ticks(4)
    positions = [position for position, _ in ticks]
    texts = [text for _, text in ticks]
    axes.set_xticks(positions, [plain(text) for text in texts], fontsize=8.5)
    if isinstance(hyperparameter, Choice) and sum(map(len, texts)) > 30:
        axes.tick_params(axis="x", rotation=25)
        for label in axes.get_xticklabels():
            label.set_horizontalalignment("right")
    axes.set_xlim(-0.05, 1.05)
    axes.spines[["right", "top"]].set_visible(False)


def _jitter(hyperparameter: Choice | Range, trial: TrialRecord) -> float:
    """Return the offset of a dot, so that the dots of a category do not overlap."""
    if not isinstance(hyperparameter, Choice):
        return 0.0
    return (trial.number * 0.6180339887 % 1 - 0.5) * 0.5 / len(hyperparameter.values)


def _best_handle(best: TrialRecord, first: Objective) -> Any:
    from matplotlib.lines import Line2D

    label = f"trial {best.number}, the best: {metric_text(first.name, _value(best))}"
    return Line2D(
        [],
        [],
        linestyle="none",
        marker="*",
        color=BEST,
        markersize=12,
        markeredgecolor="white",
        label=label,
    )
