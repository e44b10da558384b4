"""Figures of runs: curves, confusion matrix, mistakes, comparison and range test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from eyetune.report.figures.picture import new_picture, plain
from eyetune.values.display import one_line
from eyetune.values.history import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from eyetune.analysis.learning_rates import RangeTest
    from eyetune.report.figures.picture import Picture

MAX_NUMBERED_CELLS = 20  # classes above which a confusion matrix shows colors only


def curves(histories: Mapping[str, History], *, title: str = "") -> Picture:
    """Draw accuracy and loss by epoch, training dashed and validation solid, several runs overlaid.

    Accuracy is left out if no run measures it.

    Args:
        histories: Epochs by the label of their run, at least one.
        title: Above both panels.
    """
    all_epochs = [epoch for history in histories.values() for epoch in history]
    are_classifiers = any(
        epoch.measures("accuracy") or epoch.measures("val_accuracy") for epoch in all_epochs
    )
    metrics = {"accuracy": "accuracy"} if are_classifiers else {}
    metrics["loss"] = "loss (cross-entropy)" if are_classifiers else "loss"
    figure = new_picture(5.5 * len(metrics), 4.2)
    panels = figure.subplots(1, len(metrics), squeeze=False)[0]
    for axes, (metric, name) in zip(panels, metrics.items(), strict=True):
        for number, (label, history) in enumerate(histories.items()):
            _draw_metric(axes, history, metric, label, f"C{number}")
        axes.set_xlabel("epoch")
        axes.set_ylabel(name)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
    if are_classifiers:
        panels[0].yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    _style_legend(
        panels[0],
        is_single=len(histories) == 1,
        has_training=any(epoch.measures(metric) for metric in metrics for epoch in all_epochs),
        has_validation=any(epoch.val_loss is not None for epoch in all_epochs),
    )
    if title:
        figure.suptitle(plain(title))
    return figure


def _draw_metric(axes: Axes, history: History, metric: str, label: str, color: str) -> None:
    """Draw a metric on training images, dashed, and on validation images, as far as measured."""
    marker = "o" if len(history) < 2 else None
    for name, style in (
        (metric, {"linestyle": "--", "alpha": 0.7}),
        (f"val_{metric}", {"label": plain(one_line(label))}),
    ):
        measured = [epoch for epoch in history if epoch.measures(name)]
        axes.plot(
            [epoch.epoch for epoch in measured],
            [epoch.value(name) for epoch in measured],
            color=color,
            marker=marker,
            markersize=4,
            **style,
        )


def _style_legend(axes: Axes, *, is_single: bool, has_training: bool, has_validation: bool) -> None:
    from matplotlib.lines import Line2D

    color = "C0" if is_single else "0.4"
    label = "training" if has_training else "training: not reported"
    styles = [Line2D([], [], linestyle="--", alpha=0.7, label=label, color=color)]
    if has_validation:
        styles.append(Line2D([], [], label="validation", color=color))
    runs = [] if is_single else axes.get_legend_handles_labels()[0]
    axes.legend(handles=[*runs, *styles], fontsize="small", loc="lower right")


def confusion_matrix(
    confusion: NDArray[np.int64], class_names: Sequence[str], *, title: str = "Confusion matrix"
) -> Picture:
    """Draw the number of images of each true class (row) and predicted class (column)."""
    count = len(class_names)
    side = min(max(4.5, 0.62 * count + 1.5), 16)
    figure = new_picture(side + 0.8, side)
    axes = figure.subplots()
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    drawn = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(
        drawn,
        ax=axes,
        fraction=0.046,
        format=lambda value, _: f"{value:.0%}",
        label="share of the row",
    )
    ticks = range(0, count, max(1, count // 40))
    names = [plain(one_line(class_names[tick])) for tick in ticks]
    axes.set_xticks(ticks, names, rotation=45, ha="right")
    axes.set_yticks(ticks, names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(plain(title))
    if count <= MAX_NUMBERED_CELLS:
        for row, column in np.ndindex(count, count):
            color = "white" if shares[row, column] > 0.5 else "black"
            text = f"{confusion[row, column]}"
            axes.text(column, row, text, ha="center", va="center", color=color, fontsize="small")
    return figure


def mistakes(
    images: NDArray[np.uint8],
    labels: Sequence[int],
    probabilities: NDArray[np.float32],
    class_names: Sequence[str],
    *,
    title: str = "The most confident mistakes",
) -> Picture:
    """Draw misclassified images with their true and predicted classes and the probability.

    Args:
        images: uint8, shape (N, height, width, channels): those to draw, in order.
        labels: Their true classes.
        probabilities: Shape (N, number of classes).
        class_names: In the order of the labels.
        title: Above all.
    """
    columns = min(6, max(len(images), 1))
    rows = max(1, -(-len(images) // columns))
    figure = new_picture(1.75 * columns + 0.4, 2.2 * rows + 0.5)
    grid = np.atleast_1d(figure.subplots(rows, columns, squeeze=False)).ravel()
    for axes in grid:
        axes.axis("off")
    for axes, image, label, row in zip(grid, images, labels, probabilities, strict=False):
        axes.imshow(
            image.squeeze(), cmap="gray" if image.shape[-1] == 1 else None, interpolation="nearest"
        )
        predicted = int(row.argmax())
        lines = (
            one_line(class_names[label]),
            f"taken for {one_line(class_names[predicted])}",
            f"{row[predicted]:.0%} confident",
        )
        axes.set_title(plain("\n".join(lines)), fontsize=8)
    figure.suptitle(plain(title) if len(images) else "No mistakes")
    return figure


def forest(
    differences: Sequence[tuple[str, float, tuple[float, float], bool]],
    *,
    baseline: str,
    title: str = "",
) -> Picture:
    """Draw differences from a baseline with intervals, the best on top, certain ones in color.

    Args:
        differences: For each candidate its label, difference, interval (shares: 0.01 is a point)
            and whether it is certain.
        baseline: Label of the baseline.
        title: Above the plot.
    """
    ordered = sorted(differences, key=lambda label_and_difference: label_and_difference[1])
    figure = new_picture(8.5, 1.6 + 0.38 * len(ordered))
    axes = figure.subplots()
    axes.axvline(0, color="0.3", linewidth=1)
    for height, (_, difference, (low, high), sure) in enumerate(ordered):
        color = "0.55"
        if sure:
            color = "C2" if difference > 0 else "C3"
        axes.plot(
            [100 * low, 100 * high],
            [height, height],
            color=color,
            linewidth=2.5,
            solid_capstyle="round",
        )
        axes.plot(100 * difference, height, "o", color=color, markersize=7)
    axes.set_yticks(range(len(ordered)), [plain(one_line(label)) for label, *_ in ordered])
    axes.set_ylim(-0.7, len(ordered) - 0.3)
    label = (
        f"difference in validation accuracy from {baseline}, points (95% interval; gray: not sure)"
    )
    axes.set_xlabel(plain(label))
    axes.grid(axis="x", alpha=0.3)
    if title:
        axes.set_title(plain(title))
    return figure


def range_test(test: RangeTest, *, title: str = "") -> Picture:
    """Draw loss against learning rate, with the running average and the suggestion.

    The loss axis reaches from below the lowest average to above the initial loss. Where training
    diverges, the curve leaves the axes.

    Args:
        test: From `judge`.
        title: Above the plot.
    """
    figure = new_picture(8.5, 4.4)
    axes = figure.subplots()
    axes.set_xscale("log")
    axes.plot(
        test.rates, test.losses, color="C0", alpha=0.3, linewidth=1, label="loss of each step"
    )
    axes.plot(test.rates, test.smoothed, color="C0", linewidth=2.2, label="running average")
    if test.usable is not None and test.suggestion is not None:
        low, high = test.usable
        axes.axvspan(low, high, color="C2", alpha=0.13, label=f"usable: {low:g} to {high:g}")
        axes.axvline(
            test.suggestion, color="C3", linestyle="--", label=f"suggested: {test.suggestion:g}"
        )
    if len(test.losses):
        axes.set_ylim(*_loss_limits(test))
    axes.set_xlabel("learning rate")
    axes.set_ylabel("training loss")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small", loc="upper left")
    if title:
        axes.set_title(plain(title))
    return figure


def _loss_limits(test: RangeTest) -> tuple[float, float]:
    """Return the limits of the loss axis that show the decrease, without what follows it."""
    lowest = int(test.smoothed.argmin())
    before = test.losses[: lowest + 1]
    low, high = float(before.min()), float(max(before.max(), test.smoothed[: lowest + 1].max()))
    room = max(high - low, 0.02 * abs(high), 1e-6)
    return low - 0.1 * room, high + 0.6 * room
