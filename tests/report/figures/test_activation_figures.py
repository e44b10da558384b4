"""Figures of what a network has learned: complete, labelled and legible."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from eyetune.analysis.confusions import ConfusedPair
from eyetune.report.figures import activation_figures
from eyetune.report.figures.activation_figures import Answers
from eyetune.report.figures.picture import save
from eyetune.testing.datasets import tiny_images
from eyetune.values.activations import FeatureMap, Filters, LayerActivity

NAMES = ("cat", "dog", "owl")
GENERATOR = np.random.default_rng(0)


def rectangles(axes: Axes) -> list[Rectangle]:
    return [patch for patch in axes.patches if isinstance(patch, Rectangle)]


def texts_of(figure: Figure) -> str:
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    labels = [axes.get_ylabel() for axes in figure.axes]
    ticks = [
        tick.get_text()
        for axes in figure.axes
        for tick in (*axes.get_xticklabels(), *axes.get_yticklabels())
    ]
    titles = [axes.get_title(loc=loc) for axes in figure.axes for loc in ("left", "center")]
    return "\n".join(
        [figure.get_suptitle(), figure.get_supxlabel(), *texts, *labels, *ticks, *titles]
    )


def answers(
    labels: list[int], predicted: list[int], *, channels: int = 3, maps: Any = 0.5
) -> Answers:
    images = tiny_images(len(labels), 3, size=8)[0][..., :channels]
    rows = np.full((len(labels), 3), 0.1, np.float32)
    rows[np.arange(len(labels)), predicted] = 0.8
    heatmaps = None if maps is None else np.full((len(labels), 4, 4), maps, np.float32)
    return Answers(images, np.array(labels, np.int64), rows, heatmaps, heatmaps)


def feature_map(
    layer: str, *shape: int, kind: str = "Conv2D", activation: str = "relu"
) -> FeatureMap:
    values = GENERATOR.random(shape, np.float32)
    count = shape[0]
    return FeatureMap(layer, kind, "3x3", activation, (*shape[1:], count), np.arange(count), values)


@pytest.mark.parametrize(
    ("count", "channels", "drawn"), [(5, 3, 5), (1, 1, 1), (100, 3, 64), (9, 4, 36)]
)
def test_filters_are_drawn_as_numbered_tiles(count: int, channels: int, drawn: int) -> None:
    kernels = GENERATOR.normal(size=(count, 3, 3, channels)).astype(np.float32)
    learned = Filters("conv2d", np.arange(count)[::-1], kernels)
    figure = activation_figures.filters(learned, title="Mine")
    (axes,) = figure.axes
    assert len(axes.images) == len(axes.texts) == drawn
    assert axes.texts[0].get_text().startswith(str(count - 1))
    shown = axes.images[0].get_array()
    assert shown is not None
    assert np.allclose(shown, learned.tiles[0].squeeze(-1) if channels != 3 else learned.tiles[0])
    assert "Mine" in figure.get_suptitle()
    assert ("strongest 64 of 100" in figure.get_suptitle()) == (count == 100)
    assert f"{count} learned kernels" in figure.get_supxlabel().replace("\n", " ")


def test_feature_maps_have_a_row_per_layer_and_the_answer() -> None:
    image = tiny_images(1, 1, size=8)[0][0]
    maps = [
        feature_map("conv2d", 5, 6, 6),
        feature_map("pool", 5, 3, 3, kind="MaxPooling2D"),
        feature_map("dense", 7),
    ]
    probabilities = np.array([0.2, 0.7, 0.1], np.float32)
    figure = activation_figures.feature_maps(
        image, maps, probabilities, NAMES, caption="image 3: cat"
    )
    first, convolution, pooling, dense, answer = figure.axes
    assert np.array_equal(np.asarray(first.images[0].get_array()), image)
    assert [len(axes.images) for axes in (convolution, pooling, dense)] == [5, 5, 1]
    tile = np.asarray(convolution.images[2].get_array())
    assert (tile.min(), tile.max()) == (0, 1)
    assert [bar.get_height() for bar in rectangles(answer)] == pytest.approx(probabilities.tolist())
    for text in ("image 3: cat", "conv2d", "MaxPooling2D", "6 x 6 x 5", "70%", *NAMES):
        assert text in texts_of(figure)
    assert "left out" not in texts_of(figure)


def test_feature_maps_leave_out_layers_before_activations() -> None:
    pairs = []
    for number in range(15):
        pairs.append(feature_map(f"conv{number}", 2, 3, 3, activation=""))
        pairs.append(feature_map(f"act{number}", 2, 3, 3, kind="Activation"))
    figure = activation_figures.feature_maps(
        np.zeros((4, 4, 1), np.uint8), pairs, np.ones(1, np.float32), ("cat",)
    )
    assert len(figure.axes) == 15 + 2
    assert "15 layers between these are left out" in figure.get_suptitle()
    assert "act14" in texts_of(figure)
    assert "conv3" not in texts_of(figure)
    many = [feature_map(f"act{number}", 2, 3, 3, kind="Activation") for number in range(50)]
    figure = activation_figures.feature_maps(
        np.zeros((4, 4, 1), np.uint8), many, np.ones(1, np.float32), ("cat",)
    )
    assert len(figure.axes) == activation_figures.MAX_ROWS + 2
    assert {"act0", "act49"} <= set(texts_of(figure).split("\n"))


def test_feature_maps_name_the_most_likely_of_many_classes() -> None:
    names = [f"class {number}" for number in range(100)]
    probabilities = np.arange(100, dtype=np.float32) / 4950
    answer = activation_figures.feature_maps(
        np.zeros((4, 4, 1), np.uint8), [], probabilities.astype(np.float32), names
    ).axes[-1]
    assert [tick.get_text() for tick in answer.get_xticklabels()][:2] == ["class 99", "class 98"]
    assert len(answer.patches) == activation_figures.MAX_NAMED_BARS


def test_heatmaps_have_two_rows_and_three_for_mistakes() -> None:
    figure = activation_figures.heatmaps(
        answers([0, 1], [0, 1]), answers([2], [0]), NAMES, layer="conv2d", split="test"
    )
    (axes,) = figure.axes
    assert len(axes.images) == 2 * 2 + 3
    shown = texts_of(figure)
    for text in (
        "Confident and right (test images)",
        "cat (80%)",
        "why dog?",
        "owl\ntaken for\ncat (80%)",
        "why owl?",
        "conv2d",
    ):
        assert text in shown


def test_heatmaps_say_that_nothing_supports_a_class() -> None:
    wrong = answers([2], [0], maps=0.0)
    figure = activation_figures.heatmaps(
        answers([], []), wrong, NAMES, layer="conv2d", split="test"
    )
    assert "why owl? nothing" in texts_of(figure)
    assert "right" not in texts_of(figure)


def test_overlay_is_warm_where_the_map_is_hot() -> None:
    image = np.full((8, 16, 3), (90, 90, 90), np.uint8)
    heat = np.zeros((2, 4), np.float32)
    heat[:, :2] = 1
    drawn = activation_figures.overlaid(image, heat)
    assert drawn.shape == (64, 128, 3)
    hot, cold = drawn[32, 8], drawn[32, 120]
    assert hot[0] > hot[2] + 0.2
    assert np.allclose(cold, 90 / 255, atol=0.01)


@pytest.mark.parametrize(("channels", "maps"), [(3, 0.5), (1, 0.5), (3, None)])
def test_confused_pairs_are_bars_with_examples_in_the_same_row(
    channels: int, maps: float | None
) -> None:
    pairs = [ConfusedPair(0, 1, 9, 0.45, (4, 5)), ConfusedPair(2, 0, 1, 0.1, (7,))]
    examples = [
        answers([0, 0], [1, 1], channels=channels, maps=maps),
        answers([2], [0], channels=channels, maps=maps),
    ]
    figure = activation_figures.confusions(pairs, examples, NAMES, split="validation", title="Mine")
    bars, pictures = figure.axes
    assert [bar.get_width() for bar in rectangles(bars)] == [9, 1]
    assert len(pictures.images) == (3 if maps is None else 6)
    for text in ("cat\ntaken for dog", "9 (45% of cat)", "1 (10% of owl)", "Mine"):
        assert text in texts_of(figure)
    figure.draw_without_rendering()
    # The middle of a bar is at the same height as the middle of its pictures.
    for row in (0, 1):
        heights = [axes.transData.transform((0, row))[1] for axes in (bars, pictures)]
        assert heights[0] == pytest.approx(heights[1], abs=6)


def test_confusions_say_that_there_are_no_mistakes() -> None:
    figure = activation_figures.confusions([], [], NAMES, split="test")
    assert "No mistakes" in figure.get_suptitle()


def test_activity_shows_resting_and_dead_units_of_layers() -> None:
    layers = [LayerActivity("conv2d", "relu", 8, 2, 0.6), LayerActivity("dense", "tanh", 4, 0, 0.3)]
    figure = activation_figures.activity(layers, num_images=512)
    (axes,) = figure.axes
    assert [bar.get_width() for bar in rectangles(axes)] == pytest.approx([0.6, 0.3, 0.25, 0])
    for text in (
        "2 of 8 units dead",
        "30% of outputs saturated",
        "60% of outputs not above 0",
        "512",
        "conv2d\nrelu",
    ):
        assert text in texts_of(figure)
    assert activation_figures.activity([], num_images=1).axes


def overlapping(axes: Axes) -> list[tuple[str, str]]:
    renderer = axes.figure.canvas.get_renderer()  # type: ignore[attr-defined]
    boxes = [
        (text.get_text(), text.get_window_extent(renderer))
        for text in axes.texts
        if text.get_text()
    ]
    return [
        (first, second)
        for (first, first_box), (second, second_box) in combinations(boxes, 2)
        if first_box.overlaps(second_box)
    ]


def test_long_names_of_classes_do_not_overlap() -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    names = ["a class with a very long name", "mittelohrentzuendung", "W" * 30]
    right, wrong = answers([0, 1, 2] * 2, [0, 1, 2] * 2), answers([0, 1, 2] * 2, [1, 2, 0] * 2)
    figure = activation_figures.heatmaps(right, wrong, names, layer="conv2d", split="test")
    FigureCanvasAgg(figure).draw()  # type: ignore[no-untyped-call]
    # A row of capital Ws is wider than any real name.
    assert [pair for pair in overlapping(figure.axes[0]) if "WWW" not in "".join(pair)] == []


@pytest.mark.filterwarnings("error:constrained_layout")
@pytest.mark.parametrize("name", ["$^$", "$5 and $6", "a & b", "<b>", "café"])
def test_unusual_names_are_drawn_literally(name: str, tmp_path: Path) -> None:
    names = [name, name, name]
    pair = ConfusedPair(0, 1, 2, 1.0, (0,))
    drawn = [
        activation_figures.heatmaps(
            answers([0], [0]), answers([1], [0]), names, layer=name, split="test", title=name
        ),
        activation_figures.confusions([pair], [answers([0], [1])], names, split="test", title=name),
        activation_figures.activity(
            [LayerActivity(name, "relu", 2, 1, 0.5)], num_images=1, title=name
        ),
    ]
    for number, figure in enumerate(drawn):
        (path,) = save(figure, tmp_path, f"{number}", ["svg"])
        assert name in "".join(ElementTree.parse(path).getroot().itertext())
