from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from eyetune.analysis.pareto import pareto_front
from eyetune.records.lab import LabRecord
from eyetune.report.figures.lab_figures import (
    cost_picture,
    interaction_matrix,
    lab_curves,
    spread,
    steps_staircase,
)
from eyetune.testing.labs import fabricated_history, fabricated_lab
from eyetune.values.history import History

SMALL, LARGE = fabricated_lab(6), fabricated_lab(100)


def histories(record: LabRecord) -> dict[str, History]:
    runs = [
        (run, one.validation_accuracy + 0.01 * n)
        for one in record.leaderboard
        for n, run in enumerate(one.runs)
    ]
    return {run: fabricated_history(4, accuracy, seconds=2.0) for run, accuracy in runs}


@pytest.mark.parametrize("record", [SMALL, LARGE])
def test_curves_of_the_best_are_strong_over_all_others_in_grey(record: LabRecord) -> None:
    figure = lab_curves(record, histories(record), best=3)
    by_epoch, by_seconds = figure.axes
    assert len(by_epoch.lines) == len(by_seconds.lines) == len(record.leaderboard)
    grey = [line for line in by_epoch.lines if line.get_color() == "0.6"]
    assert len(grey) == len(record.techniques) - 3
    assert max(line.get_zorder() for line in grey) < min(
        line.get_zorder() for line in by_epoch.lines if line.get_color() != "0.6"
    )
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[0] == f"combination ({record.combination.validation_accuracy:.1%})"  # type: ignore[union-attr]
    assert labels[-2:] == ["baseline (68.0%)", f"the other {len(grey)}"]


def test_a_curve_is_the_mean_over_seeds_by_epoch_and_by_seconds() -> None:
    figure = lab_curves(SMALL, histories(SMALL))
    by_epoch, by_seconds = (axes.lines[-1] for axes in figure.axes)
    first, second = (histories(SMALL)[run] for run in SMALL.baseline.runs)
    mean = [
        (one.val_accuracy + other.val_accuracy) / 2
        for one, other in zip(first, second, strict=True)
    ]
    assert np.allclose(by_epoch.get_ydata(), mean)
    assert list(by_epoch.get_xdata()) == [1, 2, 3, 4]
    assert list(by_seconds.get_xdata()) == [2, 4, 6, 8]


def test_runs_whose_histories_are_gone_are_left_out() -> None:
    known = histories(SMALL)
    for run in SMALL.techniques[0].runs:
        del known[run]
    assert len(lab_curves(SMALL, known).axes[0].lines) == len(SMALL.leaderboard) - 1
    assert lab_curves(SMALL, {}).axes[0].lines[:] == []


def test_the_staircase_shows_each_step_kept_or_dropped_with_its_interval() -> None:
    axes = steps_staircase(LARGE).axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[0] == "baseline"
    dropped = [label.endswith("(dropped)") for label in labels[1:]]
    assert dropped == [not step.kept for step in LARGE.steps]
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    reached = [
        100 * LARGE.baseline.validation_accuracy,
        *(100 * s.effect.validation_accuracy for s in LARGE.steps),
    ]
    assert [dot.get_xdata()[0] for dot in dots] == pytest.approx(reached)
    assert [dot.get_markerfacecolor() == "white" for dot in dots[1:]] == dropped
    bars = [line for line in axes.lines if line.get_linewidth() == 4][1:]
    for bar, step in zip(bars, LARGE.steps, strict=True):
        before = step.effect.validation_accuracy - step.effect.difference
        assert list(bar.get_xdata()) == pytest.approx(
            [100 * (before + end) for end in step.effect.interval]
        )


def test_interactions_stand_on_both_sides_of_the_diagonal_and_the_sure_ones_are_bold() -> None:
    axes = interaction_matrix(LARGE).axes[0]
    values = np.ma.filled(axes.images[0].get_array(), np.nan)
    assert np.array_equal(values, values.T, equal_nan=True)
    assert np.isnan(np.diag(values)).all()
    written = {text.get_text(): text.get_weight() for text in axes.texts}
    for one in LARGE.interactions:
        sure = one.interval[0] > 0 or one.interval[1] < 0
        assert written[f"{100 * one.difference:+.2f}"] == ("bold" if sure else "normal")
    assert "bold" in written.values()


def test_without_interactions_that_is_said() -> None:
    assert "no two parts" in interaction_matrix(fabricated_lab(3, combine=False)).get_suptitle()


@pytest.mark.parametrize("by", ["parameters", "macs"])
def test_cost_is_drawn_on_a_log_scale_and_the_front_is_named(by: str) -> None:
    figure = cost_picture(LARGE, by=by)  # type: ignore[arg-type]
    axes = figure.axes[0]
    assert axes.get_xscale() == "log"
    everything = LARGE.leaderboard
    front = pareto_front(
        [getattr(one, by) for one in everything], [one.validation_accuracy for one in everything]
    )
    names = [text.get_text() for text in axes.texts]
    assert [name.partition(" (")[0] for name in names] == [
        everything[place].label for place in front
    ]
    assert "2 far below not drawn" in axes.get_xlabel()
    FigureCanvasAgg(figure).draw()
    boxes = sorted((Text.get_window_extent(text) for text in axes.texts), key=lambda box: box.y0)
    assert all(above.y0 >= below.y1 - 1 for below, above in pairwise(boxes))


@given(st.lists(st.floats(0, 1), max_size=12).map(sorted))
def test_labels_are_moved_apart_and_keep_their_order(places: list[float]) -> None:
    moved = spread(places, gap=0.07)
    assert len(moved) == len(places)
    assert all(above - below >= 0.07 - 1e-9 for below, above in pairwise(moved))
    assert max(moved, default=0) <= 1


def test_labels_that_are_apart_stay() -> None:
    assert spread([0.1, 0.5, 0.9], gap=0.1) == [0.1, 0.5, 0.9]
