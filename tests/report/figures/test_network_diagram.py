"""Tests of the drawing of a network."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Polygon
from matplotlib.text import Annotation

from eyetune.report.figures import picture
from eyetune.report.figures.network_diagram import network_diagram
from eyetune.values.network import Layer, Network


def layer(
    kind: str, settings: str, shape: tuple[int, ...], parameters: int = 0, macs: int = 0
) -> Layer:
    return Layer(kind.lower(), kind, settings, shape, parameters, macs, int(np.prod(shape)))


LAB = Network(
    (32, 32, 3),
    (
        layer("Conv2D", "3x3, relu", (30, 30, 32), 896, 777_600),
        layer("MaxPooling2D", "2x2", (15, 15, 32)),
        layer("Conv2D", "3x3, relu", (13, 13, 64), 18_496, 3_115_008),
        layer("MaxPooling2D", "2x2", (6, 6, 64)),
        layer("Flatten", "", (2304,)),
        layer("Dense", "relu", (64,), 147_520, 147_456),
        layer("Dense", "softmax", (10,), 650, 640),
    ),
    167_562,
)


def texts(network: Network, **more: Any) -> list[str]:
    (axes,) = network_diagram(network, **more).axes
    return [text.get_text() for text in axes.texts if text.get_text()]


def fronts(network: Network) -> list[Any]:
    """Return the front of each box, left to right: shape (4, 2) from its lower left corner on."""
    (axes,) = network_diagram(network).axes
    polygons = [
        patch for patch in axes.patches if isinstance(patch, Polygon) and patch.get_alpha() is None
    ]
    return [polygon.get_xy()[:4] for polygon in polygons]


def heights(network: Network) -> list[float]:
    return [float(corners[2, 1] - corners[1, 1]) for corners in fronts(network)]


def widths(network: Network) -> list[float]:
    return [float(corners[1, 0] - corners[0, 0]) for corners in fronts(network)]


def test_diagram_captions_have_kind_settings_and_shape() -> None:
    captions = [text for text in texts(LAB) if not text.endswith("weights")]
    assert captions == [
        "image\n32 x 32 x 3",
        "Conv2D\n3x3\nrelu\n30 x 30 x 32",
        "MaxPooling2D\n2x2\n15 x 15 x 32",
        "Conv2D\n3x3\nrelu\n13 x 13 x 64",
        "MaxPooling2D\n2x2\n6 x 6 x 64",
        "Flatten\n2304",
        "Dense\nrelu\n64",
        "Dense\nsoftmax\n10",
    ]


def test_diagram_shows_weights_above_layers_that_have_some() -> None:
    weights = [text for text in texts(LAB) if text.endswith("weights")]
    assert weights == [f"{number}\nweights" for number in ("896", "18,496", "147,520", "650")]


def test_diagram_title_sums_parameters_and_macs() -> None:
    (axes,) = network_diagram(LAB, title="The lab's").axes
    assert axes.get_title() == "The lab's\n167,562 parameters, 4,040,704 MACs per image"
    (untitled,) = network_diagram(LAB).axes
    assert untitled.get_title() == "167,562 parameters, 4,040,704 MACs per image"


def test_diagram_box_sizes_follow_image_size_and_channels() -> None:
    tall, wide = heights(LAB), widths(LAB)
    assert len(tall) == 8
    assert tall[:5] == pytest.approx([tall[0] * size / 32 for size in (32, 30, 15, 13, 6)])
    assert wide[0] < wide[1] < wide[3]
    assert wide[2::2][:2] == pytest.approx(wide[1::2][:2])
    assert tall[5] > tall[6] > tall[7]
    assert wide[6:] == pytest.approx([wide[5]] * 2)


def test_diagram_boxes_in_layer_order() -> None:
    edges = [(corners[0, 0], corners[1, 0]) for corners in fronts(LAB)]
    assert all(right < left for (_, right), (left, _) in itertools.pairwise(edges))


def test_diagram_arrows_point_to_the_next_box() -> None:
    (axes,) = network_diagram(LAB).axes
    arrows = [text for text in axes.texts if isinstance(text, Annotation)]
    assert len(arrows) == 7
    for arrow in arrows:
        assert arrow.xyann[0] < arrow.xy[0]


def test_diagram_one_color_per_kind() -> None:
    (axes,) = network_diagram(LAB).axes
    colors = [to_hex(patch.get_facecolor()) for patch in axes.patches if patch.get_alpha() is None]
    assert colors[0] == "#ffffff"
    assert colors[1] == colors[3]
    assert colors[2] == colors[4]
    assert len(set(colors)) == 5


@pytest.mark.parametrize(
    "odd",
    [
        layer("SomethingNew", "", (30, 30, 32)),
        layer("GlobalAveragePooling2D", "", (32,)),
        layer("BatchNormalization", "", (1, 1, 1), 4),
        layer("Flatten", "", (10**9,)),
        layer("Reshape", "", (4, 5)),
    ],
)
def test_diagram_unusual_layers(odd: Layer) -> None:
    network = Network((32, 32, 1), (odd,), 0)
    assert len(fronts(network)) == 2
    assert 0 < heights(network)[1] <= heights(network)[0]
    captions = [text.replace("\n", "") for text in texts(network)]
    assert any(odd.kind in caption for caption in captions)


def test_saved_diagram_contains_each_layer(tmp_path: Path) -> None:
    (path,) = picture.save(
        network_diagram(LAB, title="Mine, for $5 & more"), tmp_path, "network", ["svg"]
    )
    root = ElementTree.parse(path).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    lines = [text.strip() for text in root.itertext() if text.strip()]
    for kind, count in (
        ("Conv2D", 2),
        ("MaxPooling2D", 2),
        ("Flatten", 1),
        ("Dense", 2),
        ("image", 1),
    ):
        assert lines.count(kind) == count
    for text in ("3x3", "softmax", "30 x 30 x 32", "147,520", "Mine, for $5 & more"):
        assert text in lines
