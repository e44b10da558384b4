"""Figures of a lab: learning curves, the steps of the combination, interactions, and costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from eyetune.analysis.pareto import pareto_front
from eyetune.errors import UsageError
from eyetune.records.lab import Effect, LabRecord, Trained
from eyetune.report.figures.colors import BETTER, STRONG, UNSURE, WORSE
from eyetune.report.figures.picture import (
    Picture,
    message_picture,
    new_picture,
    plain,
    wrapped,
)
from eyetune.values.history import History
from eyetune.values.numbers import quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CostName = Literal["parameters", "macs"]
COSTS: dict[CostName, str] = {
    "parameters": "parameters",
    "macs": "multiply-accumulates (MACs) per image",
}
_EARLIER_COST_NAMES: dict[str, CostName] = {"multiply_adds": "macs"}
_OTHERS_COLOR = "0.6"
_FAR_FACTOR = 3  # accuracies this many times further below than the usual ones are not drawn


def lab_curves(record: LabRecord, histories: Mapping[str, History], *, best: int = 3) -> Picture:
    """Draw validation accuracy by epoch and by seconds, the best recipes in color.

    With several seeds, the mean is drawn, up to the last epoch that all of them have.

    Args:
        record: The lab.
        histories: Epochs by run id; runs that are missing or have none are not drawn.
        best: How many techniques are drawn in color, beside the winner and the baseline.
    """
    ranked = sorted(record.techniques, key=lambda effect: -effect.validation_accuracy)
    strong: list[Trained] = list(ranked[:best])
    if record.winner is not record.baseline:
        strong = [record.winner, *(row for row in strong if row is not record.winner)]
    others = [effect for effect in ranked if effect not in strong]
    figure = new_picture(11, 4.6)
    panels = figure.subplots(1, 2, sharey=True)
    for effect in others:
        style = {"color": _OTHERS_COLOR, "alpha": 0.35, "linewidth": 0.8, "zorder": 1}
        _draw_curve(panels, effect, histories, style)
    for rank, row in enumerate(strong):
        width = 2.6 if row is record.winner else 1.7
        style = {"color": STRONG[rank % len(STRONG)], "linewidth": width, "zorder": 3}
        _draw_curve(panels, row, histories, style, is_named=True)
    style = {"color": "black", "linewidth": 2.2, "linestyle": "--", "zorder": 4}
    _draw_curve(panels, record.baseline, histories, style, is_named=True)
    for axes, label in zip(panels, ("epoch", "training time (seconds)"), strict=True):
        axes.set_xlabel(label)
        axes.grid(alpha=0.3)
    panels[0].xaxis.get_major_locator().set_params(integer=True)
    panels[0].set_ylabel("validation accuracy")
    panels[0].yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    _add_curve_legend(figure, panels[0], num_others=len(others))
    return figure


def mean_curve(histories: Sequence[History]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return elapsed seconds and validation accuracy by epoch, each the mean over seeds.

    Both end at the last epoch that all histories have.

    Example:
        >>> from eyetune.values.history import Epoch
        >>> epochs = [Epoch(1, 1.0, 0.5, 1.0, accuracy, 0.001, 2.0, 9.0) for accuracy in (0.4, 0.6)]
        >>> runs = [(epoch,) for epoch in epochs]
        >>> [values.tolist() for values in mean_curve(runs)]
        [[2.0], [0.5]]
    """
    num_epochs = min((len(history) for history in histories), default=0)
    if not num_epochs:
        return np.zeros(0), np.zeros(0)
    common = [history[:num_epochs] for history in histories]
    durations = [[epoch.duration_seconds for epoch in history] for history in common]
    accuracies = [[epoch.value("val_accuracy") for epoch in history] for history in common]
    return np.cumsum(durations, axis=1).mean(axis=0), np.mean(accuracies, axis=0)


def _draw_curve(
    panels: Sequence[Axes],
    trained: Trained,
    histories: Mapping[str, History],
    style: dict[str, Any],
    *,
    is_named: bool = False,
) -> None:
    of_runs = [histories[run] for run in trained.runs if histories.get(run)]
    seconds, accuracy = mean_curve(of_runs)
    if not len(accuracy):
        return
    if len(accuracy) == 1:
        style = {**style, "marker": "o", "markersize": 4}
    label = f"{trained.label} ({trained.validation_accuracy:.1%})"
    shown = plain(wrapped(label)) if is_named else None
    panels[0].plot(range(1, len(accuracy) + 1), accuracy, label=shown, **style)
    panels[1].plot(seconds, accuracy, **style)


def _add_curve_legend(figure: Picture, axes: Axes, *, num_others: int) -> None:
    from matplotlib.lines import Line2D

    handles = list(axes.get_legend_handles_labels()[0])
    if num_others:
        label = "1 other change" if num_others == 1 else f"{num_others} other changes"
        handles.append(Line2D([], [], color=_OTHERS_COLOR, alpha=0.6, linewidth=0.8, label=label))
    if handles:
        figure.legend(
            handles=handles, fontsize="small", loc="outside lower center", ncols=3, frameon=False
        )


def steps_staircase(record: LabRecord) -> Picture:
    """Draw how the combination was stacked, from top to bottom: each step, kept or dropped.

    The bar of a step is the 95% interval of its gain over what was kept before it. A step far below
    the others is an arrow at the edge.

    Args:
        record: The lab.
    """
    steps = record.steps
    figure = new_picture(9.5, 1.5 + 0.42 * (len(steps) + 1))
    axes = figure.subplots()
    current = 100 * record.baseline.validation_accuracy
    left = _left_limit(record)
    _draw_step(axes, 0, current, (current, current), "black", is_filled=True)
    labels = ["baseline"]
    for height, step in enumerate(steps, start=1):
        effect = step.effect
        accuracy = 100 * effect.validation_accuracy
        before = accuracy - 100 * effect.difference
        interval = (before + 100 * effect.interval[0], before + 100 * effect.interval[1])
        line_color = "0.25" if step.kept or height < len(steps) else "0.75"
        axes.plot([current, current], [height - 1, height], color=line_color, linewidth=1.2)
        color = BETTER if step.kept else UNSURE
        if accuracy < left:
            axes.plot(left, height, "<", color=color, markersize=7, clip_on=False, zorder=3)
        else:
            _draw_step(axes, height, accuracy, interval, color, is_filled=step.kept)
        if step.kept:
            axes.plot([current, accuracy], [height, height], color="0.25", linewidth=1.2, zorder=1)
            current = accuracy
        labels.append(wrapped(f"+ {effect.change}{'' if step.kept else ' (dropped)'}"))
    axes.set_xlim(left=left)
    _style_steps(axes, labels)
    _write_step_numbers(axes, record)
    return figure


def _left_limit(record: LabRecord) -> float:
    """Return the left end of the steps' scale in percent."""
    baseline = record.baseline.validation_accuracy
    ends = {100 * baseline: 100 * baseline}  # the lower end of each accuracy's interval
    for step in record.steps:
        accuracy = step.effect.validation_accuracy
        low = accuracy - step.effect.difference + step.effect.interval[0]
        ends[100 * accuracy] = 100 * low
    lowest = min(ends[accuracy] for accuracy in _without_outliers(list(ends)))
    return lowest - 0.5


def _draw_step(
    axes: Axes,
    height: int,
    accuracy: float,
    interval: tuple[float, float],
    color: str,
    *,
    is_filled: bool,
) -> None:
    bar: dict[str, Any] = {
        "color": color,
        "linewidth": 4,
        "alpha": 0.35,
        "solid_capstyle": "butt",
        "zorder": 2,
    }
    axes.plot(interval, [height, height], **bar)
    face = color if is_filled else "white"
    axes.plot(accuracy, height, "o", color=color, markerfacecolor=face, markersize=8, zorder=3)


def _style_steps(axes: Axes, labels: Sequence[str]) -> None:
    axes.set_yticks(range(len(labels)), [plain(label) for label in labels])
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.spines[["right", "top"]].set_visible(False)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}%")
    axes.set_xlabel("validation accuracy (bar: 95% interval of the gain; hollow: dropped)")
    axes.grid(axis="x", alpha=0.3)


def _write_step_numbers(axes: Axes, record: LabRecord) -> None:
    """Write each step's accuracy and gain in two columns at the right."""
    rows = [(f"{record.baseline.validation_accuracy:.2%}", "", True)]
    for step in record.steps:
        effect = step.effect
        accuracy, gain = f"{effect.validation_accuracy:.2%}", f"{100 * effect.difference:+.2f}"
        rows.append((accuracy, gain, step.kept))
    transform = axes.get_yaxis_transform()
    for height, (accuracy, gain, is_kept) in enumerate(rows):
        color = "black" if is_kept else "0.45"
        style: dict[str, Any] = {"va": "center", "ha": "right", "fontsize": 9, "color": color}
        axes.text(1.09, height, accuracy, transform=transform, **style)
        axes.text(1.17, height, gain, transform=transform, **style)


def interaction_matrix(record: LabRecord) -> Picture:
    """Draw what each pair of the combination's parts is worth beyond the sum of the two, in points.

    Values that are certainly not zero are bold; the others may be chance.

    Args:
        record: The lab.
    """
    if not record.interactions:
        return message_picture("The combination has no two parts")
    names = [name for pair in record.interactions for name in (pair.first, pair.second)]
    parts = list(dict.fromkeys(names))
    values = np.full((len(parts), len(parts)), np.nan)
    for pair in record.interactions:
        row, column = parts.index(pair.first), parts.index(pair.second)
        values[row, column] = values[column, row] = 100 * pair.difference
    side = max(2.2, 0.8 * len(parts))
    figure = new_picture(side + 3.4, side + 1.6)
    axes = figure.subplots()
    largest = max(float(np.nanmax(np.abs(values))), 0.1)
    image = axes.imshow(values, cmap="PRGn", vmin=-largest, vmax=largest)
    figure.colorbar(image, ax=axes, fraction=0.046, label="points beyond the sum")
    labels = [plain(wrapped(part, 26)) for part in parts]
    axes.set_xticks(range(len(parts)), labels, rotation=30, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(parts)), labels)
    for pair in record.interactions:
        is_dark = abs(100 * pair.difference) > 0.65 * largest
        style: dict[str, Any] = {
            "ha": "center",
            "va": "center",
            "fontsize": 9,
            "weight": "bold" if pair.certain else "normal",
            "color": "white" if is_dark else "black",
        }
        row, column = parts.index(pair.first), parts.index(pair.second)
        for x, y in ((column, row), (row, column)):
            axes.text(x, y, f"{100 * pair.difference:+.2f}", **style)
    return figure


def cost_picture(record: LabRecord, *, by: CostName = "parameters") -> Picture:
    """Draw cost, on a log scale, against validation accuracy, and name the Pareto front.

    Args:
        record: The lab.
        by: "parameters" or "macs" ("multiply_adds" is the earlier name of "macs").

    Raises:
        UsageError: There is no such cost.
    """
    by = _EARLIER_COST_NAMES.get(by, by)
    if by not in COSTS:
        raise UsageError("There is no such cost.", expected=" or ".join(COSTS), received=repr(by))
    rows = record.leaderboard
    costs = [float(max(getattr(row, by), 1)) for row in rows]
    accuracies = [100 * row.validation_accuracy for row in rows]
    front = pareto_front(costs, accuracies)
    names = [
        plain(wrapped(f"{rows[index].label} ({rows[index].validation_accuracy:.1%})"))
        for index in front
    ]
    name_inches = 0.1 + 0.17 * max(name.count("\n") + 1 for name in names)
    height = max(4.6, name_inches * len(front) + 1.6)
    figure = new_picture(10, height)
    axes = figure.subplots()
    for row, cost, accuracy in zip(rows, costs, accuracies, strict=True):
        marker = _cost_marker(record, row)
        axes.plot(cost, accuracy, zorder=4 if row is record.baseline else 2, **marker)
    front_costs = [costs[index] for index in front]
    front_accuracies = [accuracies[index] for index in front]
    axes.step(front_costs, front_accuracies, where="post", color="0.25", linewidth=1.2, zorder=1)
    ring: dict[str, Any] = {"marker": "o", "linestyle": "none", "markerfacecolor": "none"}
    ring |= {"markeredgecolor": "black", "markersize": 9}
    axes.plot(front_costs, front_accuracies, zorder=3, **ring)
    _style_cost(axes, accuracies, by)
    points = list(zip(front_costs, front_accuracies, strict=True))
    _name_front(axes, names, points, gap=name_inches / (height - 1.4))
    _add_cost_legend(figure, record, ring)
    return figure


def _cost_marker(record: LabRecord, row: Trained) -> dict[str, Any]:
    if row is record.baseline:
        return {"marker": "D", "linestyle": "none", "color": "black", "markersize": 6}
    if row is record.stacked:
        color = STRONG[0]
    elif isinstance(row, Effect) and row.certain:
        color = BETTER if row.difference > 0 else WORSE
    else:
        color = UNSURE
    return {"marker": "o", "linestyle": "none", "color": color, "alpha": 0.75, "markersize": 5}


def _add_cost_legend(figure: Picture, record: LabRecord, ring: dict[str, Any]) -> None:
    from matplotlib.lines import Line2D

    kinds: dict[str, Trained] = {}
    for row in record.leaderboard:
        if row is record.baseline:
            kinds["baseline"] = row
        elif row is record.stacked:
            kinds["combination"] = row
        elif isinstance(row, Effect) and row.certain:
            kinds["better" if row.difference > 0 else "worse"] = row
        else:
            kinds["not sure"] = row
    names = ("baseline", "combination", "better", "worse", "not sure")
    handles = [
        Line2D([], [], label=name, **_cost_marker(record, kinds[name]))
        for name in names
        if name in kinds
    ]
    handles.append(Line2D([], [], label="nothing cheaper is as accurate", **ring))
    figure.legend(
        handles=handles,
        fontsize="small",
        loc="outside lower center",
        ncols=len(handles),
        frameon=False,
    )


def _style_cost(axes: Axes, accuracies: Sequence[float], by: CostName) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(lambda value, _: quantity(value))
    axes.xaxis.set_minor_formatter(NullFormatter())
    shown = _without_outliers(accuracies)
    margin = 0.06 * max(max(shown) - min(shown), 1.0)
    axes.set_ylim(min(shown) - margin, max(shown) + margin)
    num_hidden = len(accuracies) - len(shown)
    hidden = f"; {num_hidden} far below not drawn" if num_hidden else ""
    axes.set_xlabel(f"{COSTS[by]} (log scale{hidden})")
    axes.set_ylabel("validation accuracy")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}%")
    axes.grid(alpha=0.3, which="both")


def _without_outliers(accuracies: Sequence[float]) -> list[float]:
    """Leave out accuracies far below the others: one diverged training must not compress them."""
    ordered = sorted(accuracies)
    top, median = ordered[-1], ordered[len(ordered) // 2]
    lowest = median - _FAR_FACTOR * max(top - median, 2.0)
    return [accuracy for accuracy in ordered if accuracy >= lowest]


def _name_front(
    axes: Axes, names: Sequence[str], points: Sequence[tuple[float, float]], *, gap: float
) -> None:
    """Write the names of the front's points at the right, each with a line to its point."""
    low, high = axes.get_ylim()
    heights = spread([(accuracy - low) / (high - low) for _, accuracy in points], gap=gap)
    for name, point, height in zip(names, points, heights, strict=True):
        axes.annotate(
            name,
            point,
            xytext=(1.04, height),
            textcoords="axes fraction",
            va="center",
            fontsize=8.5,
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": "0.6", "linewidth": 0.7, "shrinkB": 5},
        )


def spread(positions: Sequence[float], *, gap: float) -> list[float]:
    """Move positions apart, as little as needed, so that neighbors keep a distance.

    Args:
        positions: From the lowest to the highest, 0 to 1.
        gap: The smallest distance between neighbors.

    Returns:
        The moved positions, in the same order, none above 1.

    Example:
        >>> [round(position, 2) for position in spread([0.5, 0.5, 0.9], gap=0.1)]
        [0.5, 0.6, 0.9]
        >>> [round(position, 2) for position in spread([0.9, 0.95, 1.0], gap=0.1)]
        [0.8, 0.9, 1.0]
    """
    moved: list[float] = []
    for position in positions:
        moved.append(max(position, moved[-1] + gap) if moved else position)
    ceiling = 1.0
    for index in range(len(moved) - 1, -1, -1):
        moved[index] = min(moved[index], ceiling)
        ceiling = moved[index] - gap
    return moved
