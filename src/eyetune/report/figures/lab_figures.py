"""Figures of a lab: curves of the best against all, the combination's steps, interactions, cost
against accuracy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from eyetune.analysis.pareto import pareto_front
from eyetune.records.lab import Effect, LabRecord, Trained
from eyetune.report.figures.forest_plot import BETTER, UNSURE, WORSE, wrapped
from eyetune.report.figures.run_figures import plain
from eyetune.values.history import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from eyetune.report.figures.picture import Picture

STRONG = (
    "#1f5fa8",
    "#d9730d",
    "#7b3fa0",
    "#0a8f8f",
)  # the combination and the best techniques; told apart by anyone
Cost = Literal["parameters", "macs"]
COSTS: dict[Cost, str] = {
    "parameters": "parameters",
    "macs": "multiply-accumulates (MACs) for one image",
}


def lab_curves(record: LabRecord, histories: Mapping[str, History], *, best: int = 3) -> Picture:
    """Draw validation accuracy by epoch and by seconds: baseline, combination and best techniques
    over all others.

    Of several seeds the mean is drawn, as far as all of them reach.

    Args:
        record: The lab.
        histories: Epochs by the id of their run; runs that are missing or empty are not drawn.
        best: How many techniques are drawn strong.
    """
    ranked: list[Trained] = sorted(record.techniques, key=lambda one: -one.validation_accuracy)
    strong: list[Trained] = [*([record.combination] if record.combination else []), *ranked[:best]]
    figure = _figure(11, 4.6)
    panels = figure.subplots(1, 2, sharey=True)
    for one in ranked[best:]:
        _draw_curve(panels, one, histories, color="0.6", alpha=0.35, linewidth=0.8, zorder=1)
    for place, one in enumerate(strong):
        colour = STRONG[place % len(STRONG)]
        width = 2.6 if one is record.combination else 1.7
        _draw_curve(panels, one, histories, color=colour, linewidth=width, zorder=3, named=True)
    _draw_curve(
        panels,
        record.baseline,
        histories,
        color="black",
        linewidth=2.2,
        linestyle="--",
        zorder=4,
        named=True,
    )
    for axes, name in zip(panels, ("epoch", "seconds of training"), strict=True):
        axes.set_xlabel(name)
        axes.grid(alpha=0.3)
    panels[0].xaxis.get_major_locator().set_params(integer=True)
    panels[0].set_ylabel("validation accuracy")
    panels[0].yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    _place_legend(figure, panels[0], others=max(0, len(ranked) - best))
    return figure


def mean_curve(histories: Sequence[History]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean over seeds of elapsed seconds and of validation accuracy, one value an epoch
    that all reach.

    Example:
        >>> from eyetune.values.history import Epoch
        >>> runs = [(Epoch(1, 1.0, 0.5, 1.0, accuracy, 0.001, 2.0, 9.0),) for accuracy in (0.4, 0.6)]
        >>> [values.tolist() for values in mean_curve(runs)]
        [[2.0], [0.5]]
    """
    reached = min((len(history) for history in histories), default=0)
    if not reached:
        return np.zeros(0), np.zeros(0)
    seconds = np.cumsum(
        [[epoch.duration_seconds for epoch in history[:reached]] for history in histories], axis=1
    )
    accuracy = np.array(
        [[epoch.val_accuracy for epoch in history[:reached]] for history in histories]
    )
    return seconds.mean(axis=0), accuracy.mean(axis=0)


def _draw_curve(
    panels: Sequence[Axes],
    one: Trained,
    histories: Mapping[str, History],
    *,
    named: bool = False,
    **style: Any,
) -> None:
    found = [histories[run] for run in one.runs if histories.get(run)]
    seconds, accuracy = mean_curve(found)
    if not len(accuracy):
        return
    if len(accuracy) == 1:
        style |= {"marker": "o", "markersize": 4}
    label = plain(wrapped(f"{one.label} ({one.validation_accuracy:.1%})")) if named else None
    panels[0].plot(range(1, len(accuracy) + 1), accuracy, label=label, **style)
    panels[1].plot(seconds, accuracy, **style)


def _place_legend(figure: Picture, axes: Axes, *, others: int) -> None:
    from matplotlib.lines import Line2D

    handles = list(axes.get_legend_handles_labels()[0])
    if others:
        handles.append(
            Line2D([], [], color="0.6", alpha=0.6, linewidth=0.8, label=f"the other {others}")
        )
    if handles:
        figure.legend(
            handles=handles, fontsize="small", loc="outside lower center", ncols=3, frameon=False
        )


def steps_staircase(record: LabRecord) -> Picture:
    """Draw how the combination was stacked, from top to bottom: each step's accuracy, and whether
    it was kept.

    The bar of a step is the 95% interval of its difference from what was kept before it.
    """
    steps = record.steps
    figure = _figure(9.5, 1.5 + 0.42 * (len(steps) + 1))
    axes = figure.subplots()
    reached = 100 * record.baseline.validation_accuracy
    _draw_step(axes, 0, reached, (reached, reached), "black", filled=True)
    labels = ["baseline"]
    for height, step in enumerate(steps, start=1):
        effect = step.effect
        accuracy = 100 * effect.validation_accuracy
        before = accuracy - 100 * effect.difference
        interval = (before + 100 * effect.interval[0], before + 100 * effect.interval[1])
        colour = BETTER if step.kept else UNSURE
        axes.plot(
            [reached, reached],
            [height - 1, height],
            color="0.25" if step.kept else "0.75",
            linewidth=1.2,
        )
        _draw_step(axes, height, accuracy, interval, colour, filled=step.kept)
        if step.kept:
            axes.plot([reached, accuracy], [height, height], color="0.25", linewidth=1.2, zorder=1)
            reached = accuracy
        elif height < len(steps):
            axes.plot([reached, reached], [height - 1, height], color="0.25", linewidth=1.2)
        labels.append(wrapped(f"+ {effect.change}{'' if step.kept else ' (dropped)'}"))
    _style_steps(axes, labels, record)
    return figure


def _draw_step(
    axes: Axes,
    height: int,
    accuracy: float,
    interval: tuple[float, float],
    colour: str,
    *,
    filled: bool,
) -> None:
    axes.plot(
        interval,
        [height, height],
        color=colour,
        linewidth=4,
        alpha=0.35,
        solid_capstyle="butt",
        zorder=2,
    )
    face = colour if filled else "white"
    axes.plot(accuracy, height, "o", color=colour, markerfacecolor=face, markersize=8, zorder=3)


def _style_steps(axes: Axes, labels: Sequence[str], record: LabRecord) -> None:
    axes.set_yticks(range(len(labels)), [plain(label) for label in labels])
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.spines[["right", "top"]].set_visible(False)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}%")
    axes.set_xlabel("validation accuracy (bar: 95% interval of the step's gain; hollow: dropped)")
    axes.grid(axis="x", alpha=0.3)
    places = axes.get_yaxis_transform()
    first = (f"{record.baseline.validation_accuracy:.2%}", "", True)
    later = [
        (f"{s.effect.validation_accuracy:.2%}", f"{100 * s.effect.difference:+.2f}", s.kept)
        for s in record.steps
    ]
    for height, (accuracy, gain, kept) in enumerate((first, *later)):
        style: dict[str, Any] = {
            "va": "center",
            "fontsize": 9,
            "color": "black" if kept else "0.45",
        }
        for words, x in ((accuracy, 1.02), (gain, 1.11)):
            axes.text(x, height, words, transform=places, **style)


def interaction_matrix(record: LabRecord) -> Picture:
    """Draw what each pair of the combination's parts is worth beyond the sum of the two, in points.

    Figures that are surely not zero are bold; the others may be chance.
    """
    if not record.interactions:
        figure = _figure(5, 1)
        figure.suptitle("The combination has no two parts")
        return figure
    parts = list(
        dict.fromkeys(name for one in record.interactions for name in (one.first, one.second))
    )
    places = {name: place for place, name in enumerate(parts)}
    values = np.full((len(parts), len(parts)), np.nan)
    for one in record.interactions:
        row, column = places[one.first], places[one.second]
        values[row, column] = values[column, row] = 100 * one.difference
    side = max(2.2, 0.8 * len(parts))
    figure = _figure(side + 3.4, side + 1.6)
    axes = figure.subplots()
    strongest = max(float(np.nanmax(np.abs(values))), 0.1)
    drawn = axes.imshow(values, cmap="PRGn", vmin=-strongest, vmax=strongest)
    figure.colorbar(drawn, ax=axes, fraction=0.046, label="points beyond the sum")
    labels = [plain(wrapped(part, 26)) for part in parts]
    axes.set_xticks(range(len(parts)), labels, rotation=30, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(parts)), labels)
    for one in record.interactions:
        for row, column in (
            (places[one.first], places[one.second]),
            (places[one.second], places[one.first]),
        ):
            sure = one.interval[0] > 0 or one.interval[1] < 0
            dark = abs(100 * one.difference) > 0.65 * strongest
            axes.text(
                column, row, f"{100 * one.difference:+.2f}", ha="center", va="center", fontsize=9,
                weight="bold" if sure else "normal", color="white" if dark else "black",
            )  # fmt: skip
    return figure


def cost_picture(record: LabRecord, *, by: Cost = "parameters") -> Picture:
    """Draw cost, on a log scale, against validation accuracy; the Pareto front is drawn and its
    points are named.

    Args:
        record: The lab.
        by: The cost.
    """
    everything = record.leaderboard
    costs = [max(getattr(one, by), 1) for one in everything]
    accuracies = [100 * one.validation_accuracy for one in everything]
    front = pareto_front(costs, accuracies)
    names = [
        plain(wrapped(f"{one.label} ({one.validation_accuracy:.1%})"))
        for one in (everything[at] for at in front)
    ]
    name_inches = 0.1 + 0.17 * max(name.count("\n") + 1 for name in names)
    height = max(4.6, name_inches * len(front) + 1.6)
    figure = _figure(10, height)
    axes = figure.subplots()
    for one, cost, accuracy in zip(everything, costs, accuracies, strict=True):
        axes.plot(cost, accuracy, "o", color=_tone(record, one), alpha=0.75, markersize=5, zorder=2)
    steps_x, steps_y = [costs[place] for place in front], [accuracies[place] for place in front]
    axes.step(steps_x, steps_y, where="post", color="0.25", linewidth=1.2, zorder=1)
    axes.plot(
        steps_x,
        steps_y,
        "o",
        markerfacecolor="none",
        markeredgecolor="black",
        markersize=9,
        zorder=3,
    )
    base = record.baseline
    axes.plot(
        max(getattr(base, by), 1),
        100 * base.validation_accuracy,
        "D",
        color="black",
        markersize=6,
        zorder=4,
    )
    _style_cost(axes, accuracies, by)
    _name_front(
        axes, names, list(zip(steps_x, steps_y, strict=True)), gap=name_inches / (height - 1.4)
    )
    return figure


def _tone(record: LabRecord, one: Trained) -> str:
    if one is record.combination:
        return STRONG[0]
    if isinstance(one, Effect) and one.certain:
        return BETTER if one.difference > 0 else WORSE
    return UNSURE


def _style_cost(axes: Axes, accuracies: Sequence[float], by: Cost) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(lambda value, _: quantity(value))
    axes.xaxis.set_minor_formatter(NullFormatter())
    ordered = sorted(accuracies)
    top, middle = ordered[-1], ordered[len(ordered) // 2]
    # One training that came apart must not press the rest together: it is left out below.
    shown = [accuracy for accuracy in ordered if accuracy >= middle - 3 * max(top - middle, 2.0)]
    margin = 0.06 * max(top - shown[0], 1.0)
    axes.set_ylim(shown[0] - margin, top + margin)
    hidden = len(ordered) - len(shown)
    below = f"; {hidden} far below not drawn" if hidden else ""
    axes.set_xlabel(
        f"{COSTS[by]} (log scale; diamond: baseline; rings: nothing is cheaper and as accurate{below})"
    )
    axes.set_ylabel("validation accuracy")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}%")
    axes.grid(alpha=0.3, which="both")


def _name_front(
    axes: Axes, names: Sequence[str], points: Sequence[tuple[float, float]], *, gap: float
) -> None:
    """Write the names of the front's points in a column at the right, each joined to its point,
    none over another.
    """
    low, high = axes.get_ylim()
    shares = spread([(accuracy - low) / (high - low) for _, accuracy in points], gap=gap)
    for name, point, share in zip(names, points, shares, strict=True):
        axes.annotate(
            name,
            point,
            xytext=(1.04, share),
            textcoords="axes fraction",
            va="center",
            fontsize=8.5,
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": "0.6", "linewidth": 0.7, "shrinkB": 5},
        )


def quantity(value: float) -> str:
    """Return a count in few digits.

    Example:
        >>> quantity(950), quantity(167_562), quantity(3.2e6)
        ('950', '168 k', '3.2 M')
    """
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g}"


def spread(places: Sequence[float], *, gap: float) -> list[float]:
    """Move places apart so that neighbours are at least `gap` from each other, in their order, as
    little as needed.

    Args:
        places: From the lowest to the highest, 0 to 1.
        gap: The smallest distance.

    Example:
        >>> [round(place, 2) for place in spread([0.5, 0.5, 0.9], gap=0.1)]
        [0.5, 0.6, 0.9]
        >>> [round(place, 2) for place in spread([0.9, 0.95, 1.0], gap=0.1)]
        [0.8, 0.9, 1.0]
    """
    moved: list[float] = []
    for place in places:
        moved.append(max(place, moved[-1] + gap) if moved else place)
    ceiling = 1.0
    for index in range(len(moved) - 1, -1, -1):
        moved[index] = min(moved[index], ceiling)
        ceiling = moved[index] - gap
    return moved


def _figure(width_inches: float, height_inches: float) -> Picture:
    from eyetune.report.figures.picture import Picture

    return Picture(figsize=(width_inches, height_inches), layout="constrained")
