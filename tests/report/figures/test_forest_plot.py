"""The forest plot of a lab: every effect in its place, readable for 100 rows."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D
from matplotlib.text import Annotation

from eyetune.records.lab import Effect, LabRecord
from eyetune.report.figures.colors import BETTER, UNSURE, WORSE
from eyetune.report.figures.forest_plot import effect_groups, effects_forest
from eyetune.testing.labs import fabricated_lab

SMALL, LARGE = fabricated_lab(12), fabricated_lab(100, seeds=(0,))


def with_names(record: LabRecord, name: str, value: str) -> LabRecord:
    first, *others = record.techniques
    renamed = first.model_copy(update={"name": name, "value": value, "label": f"{name}={value}"})
    return record.model_copy(update={"techniques": (renamed, *others)})


def texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def effects(record: LabRecord) -> list[Effect]:
    return [effect for _, group in effect_groups(record) for effect in group]


def x_of(line: Line2D) -> list[float]:
    return [float(value) for value in np.asarray(line.get_xdata())]


def y_of(line: Line2D) -> list[float]:
    return [float(value) for value in np.asarray(line.get_ydata())]


def color_of(effect: Effect) -> str:
    if not effect.certain:
        return UNSURE
    return BETTER if effect.difference > 0 else WORSE


def test_groups_start_with_the_combination_then_the_best() -> None:
    groups = effect_groups(LARGE)
    assert groups[0] == ("combination", [LARGE.combination])
    best = [max(effect.difference for effect in group) for _, group in groups[1:]]
    assert best == sorted(best, reverse=True)
    assert len(effects(LARGE)) == 101
    (kernels,) = (group for name, group in groups if name == "kernel-size")
    assert [effect.value for effect in kernels] == [5, 7]


def test_groups_leave_out_a_combination_of_one_technique() -> None:
    record = fabricated_lab(3)
    assert record.combination is not None
    assert effects(record) == sorted(record.techniques, key=lambda effect: -effect.difference)


@pytest.mark.parametrize("record", [SMALL, LARGE], ids=["small", "large"])
def test_row_has_its_interval_color_and_numbers(record: LabRecord) -> None:
    axes = effects_forest(record).axes[0]
    left, right = axes.get_xlim()
    intervals = [line for line in axes.lines if line.get_linewidth() == 2]
    shown = effects(record)
    assert len(intervals) == len(shown)
    for line, effect in zip(intervals, shown, strict=True):
        assert x_of(line) == [min(max(100 * end, left), right) for end in effect.interval]
        assert to_hex(line.get_color()) == color_of(effect)
        assert f"{effect.validation_accuracy:.2%}" in texts(axes)
        assert f"{100 * effect.difference:+.2f}" in texts(axes)
    heights = [y_of(line)[0] for line in intervals]
    assert heights == sorted(heights)


def test_diverged_training_is_an_arrow_at_the_edge() -> None:
    axes = effects_forest(LARGE).axes[0]
    arrows = [line for line in axes.lines if line.get_marker() == "<"]
    assert len(arrows) == sum(effect.difference < -0.3 for effect in LARGE.techniques) > 0
    left, right = axes.get_xlim()
    assert left > -20
    assert right > 100 * max(effect.interval[1] for effect in effects(LARGE))


@pytest.mark.parametrize(
    ("name", "value"),
    [("short", "1"), ("a-technique-with-quite-a-long-name " * 3, "and a long value " * 6)],
    ids=["short", "long"],
)
def test_no_text_overlaps_another_or_is_cut(name: str, value: str) -> None:
    figure = effects_forest(with_names(LARGE, name, value))
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    axes = figure.axes[0]
    boxes = [
        text.get_window_extent(renderer) for text in axes.texts if isinstance(text, Annotation)
    ]
    boxes += [text.get_window_extent(renderer) for text in figure.texts]
    page = figure.bbox
    for index, box in enumerate(boxes):
        assert box.x0 >= page.x0 - 1
        assert box.x1 <= page.x1 + 1
        for other in boxes[:index]:
            overlap_x = min(box.x1, other.x1) - max(box.x0, other.x0)
            overlap_y = min(box.y1, other.y1) - max(box.y0, other.y0)
            assert overlap_x <= 0 or overlap_y <= 1


def test_uncertain_interval_without_zero_is_marked_and_explained() -> None:
    figure = effects_forest(SMALL)
    marked = [
        effect
        for effect in SMALL.techniques
        if not effect.certain and (effect.interval[0] > 0 or effect.interval[1] < 0)
    ]
    assert texts(figure.axes[0]).count("*") == len(marked) > 0
    (note,) = figure.texts
    assert note.get_text().startswith("*")
    certain = tuple(effect for effect in SMALL.techniques if effect.certain)
    assert effects_forest(SMALL.model_copy(update={"techniques": certain})).texts == []


def test_baseline_is_drawn_with_its_spread_over_seeds() -> None:
    label = f"baseline {SMALL.baseline.validation_accuracy:.2%}"
    spread = 100 * (SMALL.baseline.seed_deviation or 0)
    shown = texts(effects_forest(SMALL).axes[0])
    assert f"{label}\n(band: ± {spread:.2f} over seeds)" in shown
    assert f"baseline {LARGE.baseline.validation_accuracy:.2%}" in texts(
        effects_forest(LARGE).axes[0]
    )


def test_lab_without_techniques_has_only_the_scale() -> None:
    axes = effects_forest(fabricated_lab(0)).axes[0]
    assert texts(axes)[0].startswith("baseline")
