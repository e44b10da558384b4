from __future__ import annotations

import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.text import Annotation

from eyetune.records.lab import Effect, LabRecord
from eyetune.report.figures.forest_plot import BETTER, UNSURE, WORSE, effect_groups, effects_forest
from eyetune.testing.labs import fabricated_lab

SMALL, LARGE = fabricated_lab(6), fabricated_lab(100)


def with_names(record: LabRecord, name: str, value: str) -> LabRecord:
    first, *others = record.techniques
    renamed = first.model_copy(update={"name": name, "value": value, "label": f"{name}={value}"})
    return record.model_copy(update={"techniques": (renamed, *others)})


def texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def effects(record: LabRecord) -> list[Effect]:
    return [effect for _, group in effect_groups(record) for effect in group]


def test_groups_are_ordered_by_their_best_effect_and_led_by_the_combination() -> None:
    groups = effect_groups(LARGE)
    assert groups[0] == ("combination", [LARGE.combination])
    best = [max(one.difference for one in group) for _, group in groups[1:]]
    assert best == sorted(best, reverse=True)
    assert sum(len(group) for _, group in groups) == 101
    assert [
        one.value for _, group in groups if group[0].name == "kernel-size" for one in group
    ] == [5, 7]


@pytest.mark.parametrize("record", [SMALL, LARGE])
def test_each_row_has_its_interval_its_colour_and_its_figures(record: LabRecord) -> None:
    axes = effects_forest(record).axes[0]
    left, right = axes.get_xlim()
    intervals = [
        line for line in axes.lines if len(line.get_xdata()) == 2 and line.get_linewidth() == 2
    ]
    rows = effects(record)
    assert len(intervals) == len(rows)
    written = texts(axes)
    for line, effect in zip(intervals, rows, strict=True):
        assert list(line.get_xdata()) == [
            min(max(100 * end, left), right) for end in effect.interval
        ]
        assert to_hex(line.get_color()) == (
            UNSURE if not effect.certain else BETTER if effect.difference > 0 else WORSE
        )
        assert f"{effect.validation_accuracy:.2%}" in written
        assert f"{100 * effect.difference:+.2f}" in written
    heights = [line.get_ydata()[0] for line in intervals]
    assert heights == sorted(heights)


def test_a_training_that_came_apart_is_an_arrow_at_the_edge_and_a_gain_never_is() -> None:
    axes = effects_forest(LARGE).axes[0]
    arrows = [line for line in axes.lines if line.get_marker() == "<"]
    assert len(arrows) == sum(one.difference < -0.3 for one in LARGE.techniques) == 2
    assert axes.get_xlim()[0] > -20
    assert axes.get_xlim()[1] > 100 * max(one.interval[1] for one in effects(LARGE))


@pytest.mark.parametrize(
    ("name", "value"),
    [("short", "1"), ("a-technique-with-quite-a-long-name " * 3, "and a long value " * 6)],
)
def test_no_two_texts_overlap_and_none_is_cut(name: str, value: str) -> None:
    figure = effects_forest(with_names(LARGE, name, value))
    renderer = FigureCanvasAgg(figure).get_renderer()
    axes = figure.axes[0]
    boxes = [
        text.get_window_extent(renderer) for text in axes.texts if isinstance(text, Annotation)
    ]
    page = figure.bbox
    for place, box in enumerate(boxes):
        assert box.x0 >= page.x0 - 1
        assert box.x1 <= page.x1 + 1
        for other in boxes[:place]:
            overlap_x = min(box.x1, other.x1) - max(box.x0, other.x0)
            overlap_y = min(box.y1, other.y1) - max(box.y0, other.y0)
            assert overlap_x <= 0 or overlap_y <= 1


def test_the_baseline_and_the_spread_over_seeds_are_drawn() -> None:
    assert "baseline 68.00%\n(band: ± 0.40 over seeds)" in texts(effects_forest(SMALL).axes[0])
    single = fabricated_lab(6, seeds=(0,))
    assert "baseline 68.00%" in texts(effects_forest(single).axes[0])


def test_a_lab_without_techniques_draws_nothing_but_the_scale() -> None:
    axes = effects_forest(fabricated_lab(0)).axes[0]
    assert texts(axes)[0].startswith("baseline")
