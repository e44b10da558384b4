"""Figures of a lab: curves, steps, interactions and costs."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.lines import Line2D
from matplotlib.text import Text
from numpy.typing import NDArray

from eyetune.analysis.pareto import pareto_front
from eyetune.records.lab import LabRecord
from eyetune.report.figures.lab_figures import (
    CostName,
    cost_picture,
    interaction_matrix,
    lab_curves,
    spread,
    steps_staircase,
)
from eyetune.testing.labs import fabricated_history, fabricated_lab
from eyetune.values.history import History

SMALL, LARGE = fabricated_lab(12), fabricated_lab(100, seeds=(0,))


def histories_of(record: LabRecord) -> dict[str, History]:
    histories = {}
    for trained in record.leaderboard:
        for index, run in enumerate(trained.runs):
            accuracy = trained.validation_accuracy + 0.01 * index
            histories[run] = fabricated_history(4, accuracy, seconds=2.0)
    return histories


def x_of(line: Line2D) -> list[float]:
    return [float(value) for value in np.asarray(line.get_xdata())]


def y_of(line: Line2D) -> list[float]:
    return [float(value) for value in np.asarray(line.get_ydata())]


@pytest.mark.parametrize("record", [SMALL, LARGE], ids=["small", "large"])
def test_best_curves_are_in_color_over_gray_others(record: LabRecord) -> None:
    figure = lab_curves(record, histories_of(record), best=3)
    by_epoch, by_seconds = figure.axes
    assert len(by_epoch.lines) == len(by_seconds.lines) == len(record.leaderboard)
    gray = [line for line in by_epoch.lines if line.get_color() == "0.6"]
    strong = [line for line in by_epoch.lines if line.get_color() != "0.6"]
    assert len(strong) == 5  # the combination, the best three techniques and the baseline
    assert max(line.get_zorder() for line in gray) < min(line.get_zorder() for line in strong)
    labels = [text.get_text().replace("\n", " ") for text in figure.legends[0].get_texts()]
    assert labels[0] == f"{record.winner.label} ({record.winner.validation_accuracy:.1%})"
    assert labels[-2] == f"baseline ({record.baseline.validation_accuracy:.1%})"
    assert labels[-1] == f"{len(gray)} other changes"


def test_single_technique_combination_has_one_curve() -> None:
    record = fabricated_lab(3)
    figure = lab_curves(record, histories_of(record))
    assert len(figure.axes[0].lines) == 1 + len(record.techniques)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert sum(label.startswith(record.winner.label) for label in labels) == 1


def test_curve_is_the_mean_over_seeds() -> None:
    histories = histories_of(SMALL)
    figure = lab_curves(SMALL, histories)
    by_epoch, by_seconds = (axes.lines[-1] for axes in figure.axes)
    first, second = (histories[run] for run in SMALL.baseline.runs)
    mean = [
        (epoch.value("val_accuracy") + other.value("val_accuracy")) / 2
        for epoch, other in zip(first, second, strict=True)
    ]
    assert np.allclose(y_of(by_epoch), mean)
    assert x_of(by_epoch) == [1, 2, 3, 4]
    assert x_of(by_seconds) == [2, 4, 6, 8]


def test_runs_without_a_history_have_no_curve() -> None:
    histories = histories_of(SMALL)
    for run in SMALL.techniques[0].runs:
        del histories[run]
    assert len(lab_curves(SMALL, histories).axes[0].lines) == len(SMALL.leaderboard) - 1
    assert len(lab_curves(SMALL, {}).axes[0].lines) == 0


def test_staircase_shows_each_step_with_its_interval() -> None:
    axes = steps_staircase(SMALL).axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[0] == "baseline"
    dropped = [label.endswith("(dropped)") for label in labels[1:]]
    assert dropped == [not step.kept for step in SMALL.steps]
    dots = {x_of(line)[0]: line for line in axes.lines if line.get_marker() == "o"}
    bars = [x_of(line) for line in axes.lines if line.get_linewidth() == 4]
    num_arrows = sum(line.get_marker() == "<" for line in axes.lines)
    assert len(dots) == len(bars) == 1 + len(SMALL.steps) - num_arrows
    assert num_arrows == 1  # the learning rate with which training diverges
    for step in SMALL.steps:
        effect = step.effect
        accuracy = 100 * effect.validation_accuracy
        if accuracy < axes.get_xlim()[0]:
            continue
        assert (dots[accuracy].get_markerfacecolor() == "white") == (not step.kept)
        before = effect.validation_accuracy - effect.difference
        interval = [100 * (before + end) for end in effect.interval]
        assert any(bar == pytest.approx(interval) for bar in bars)


def test_interactions_are_symmetric_and_certain_ones_bold() -> None:
    first, *others = SMALL.interactions
    certain = first.model_copy(update={"p_value": 0.001})
    record = SMALL.model_copy(update={"interactions": (certain, *others)})
    axes = interaction_matrix(record).axes[0]
    values: NDArray[np.float64] = np.ma.filled(np.ma.asarray(axes.images[0].get_array()), np.nan)
    assert np.array_equal(values, values.T, equal_nan=True)
    assert np.isnan(np.diag(values)).all()
    weights = {text.get_text(): text.get_fontweight() for text in axes.texts}
    for pair in record.interactions:
        expected = "bold" if pair.certain else "normal"
        assert weights[f"{100 * pair.difference:+.2f}"] == expected
    assert "bold" in weights.values()


def test_no_interactions_leave_a_message() -> None:
    figure = interaction_matrix(fabricated_lab(3))
    assert not figure.axes[0].images
    assert figure.texts


@pytest.mark.parametrize("by", ["parameters", "macs"])
def test_cost_is_on_a_log_scale_and_its_front_is_named(by: CostName) -> None:
    figure = cost_picture(LARGE, by=by)
    axes = figure.axes[0]
    assert axes.get_xscale() == "log"
    rows = LARGE.leaderboard
    front = pareto_front(
        [getattr(row, by) for row in rows], [row.validation_accuracy for row in rows]
    )
    names = [text.get_text().replace("\n", " ").partition(" (")[0] for text in axes.texts]
    assert names == [rows[index].label for index in front]
    assert "1 far below" in axes.get_xlabel()
    FigureCanvasAgg(figure).draw()  # type: ignore[no-untyped-call]
    boxes = sorted((Text.get_window_extent(text) for text in axes.texts), key=lambda box: box.y0)
    assert all(above.y0 >= below.y1 - 1 for below, above in pairwise(boxes))


@given(st.lists(st.floats(0, 1), max_size=12).map(sorted))
def test_spread_moves_positions_apart_in_their_order(positions: list[float]) -> None:
    moved = spread(positions, gap=0.07)
    assert len(moved) == len(positions)
    assert all(above - below >= 0.07 - 1e-9 for below, above in pairwise(moved))
    assert max(moved, default=0) <= 1


def test_spread_keeps_positions_that_are_apart() -> None:
    assert spread([0.1, 0.5, 0.9], gap=0.1) == [0.1, 0.5, 0.9]
