"""A diagram of a network: how the image shrinks and deepens from layer to layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from eyetune.report.figures.picture import new_picture, plain
from eyetune.values.network import Layer, Network

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from eyetune.report.figures.picture import Picture


_COLORS = {
    "Conv2D": "#f4a259",
    "DepthwiseConv2D": "#f4c27f",
    "SeparableConv2D": "#f4c27f",
    "Conv2DTranspose": "#f4a259",
    "MaxPooling2D": "#8cb369",
    "AveragePooling2D": "#8cb369",
    "GlobalAveragePooling2D": "#8cb369",
    "Flatten": "#bbbbbb",
    "Dense": "#5b8e7d",
    "BatchNormalization": "#bc9ec1",
    "Dropout": "#dddddd",
}
_OTHER_COLOR = "#9fb8d0"
_TALLEST = 3.0  # in drawing units, as everything below
_GAP = 0.55
_SLANT = 0.35


def network_diagram(network: Network, *, title: str = "", noun: str = "image") -> Picture:
    """Draw the output of each layer as a box, whose width grows with the number of channels.

    Layers whose output is not an image are bars whose height grows with the number of values. Kind,
    settings and shape are below each box, and the number of weights is above it.

    Args:
        network: The network.
        title: Above all.
        noun: What its input is called: image or sample.
    """
    boxes = [
        _box(network.input_shape, network),
        *(_box(layer.output_shape, network) for layer in network.layers),
    ]
    width = sum(max(box_width, 0.95) + _GAP for box_width, _ in boxes)
    figure = new_picture(max(6.0, 1.15 * width), 5.2)
    axes = figure.subplots()
    position = 0.0
    for index, (box_width, height) in enumerate(boxes):
        layer = network.layers[index - 1] if index else None
        left = position + (max(box_width, 0.95) - box_width) / 2
        shape = layer.output_shape if layer else network.input_shape
        _draw_box(axes, left, box_width, height, _color(layer), spatial=len(shape) == 3)
        center = left + box_width / 2
        axes.text(
            center,
            -_TALLEST / 2 - 0.45,
            _caption(layer, network, noun),
            ha="center",
            va="top",
            fontsize=7.5,
        )
        if layer and layer.parameters:
            axes.text(
                center,
                height / 2 + _SLANT + 0.1,
                f"{layer.parameters:,}\nweights",
                ha="center",
                fontsize=7,
                color="0.35",
            )
        position += max(box_width, 0.95) + _GAP
        if index < len(boxes) - 1:
            axes.annotate(
                "",
                xy=(
                    position + (max(boxes[index + 1][0], 0.95) - boxes[index + 1][0]) / 2 - 0.06,
                    0,
                ),
                xytext=(left + box_width + (_SLANT if len(shape) == 3 else 0) * 0.8 + 0.06, 0),
                arrowprops={"arrowstyle": "->", "color": "0.4"},
            )
    axes.set_xlim(-0.4, position)
    axes.set_ylim(-_TALLEST / 2 - 1.7, _TALLEST / 2 + 0.9)
    axes.set_aspect("equal")
    axes.axis("off")
    totals = f"{network.parameters:,} parameters, {network.macs:,} MACs per {noun}"
    axes.set_title(plain(f"{title}\n{totals}" if title else totals), fontsize=10)
    return figure


def _box(shape: Sequence[int], network: Network) -> tuple[float, float]:
    """Return the width and height of a layer's box."""
    tallest = network.input_shape[0]
    if len(shape) == 3:
        return 0.12 + 0.13 * math.sqrt(shape[2]), max(0.25, _TALLEST * shape[0] / tallest)
    # Values in a row: a bar whose height grows slowly, since 2,304 values are not 36 times as tall
    # as 64.
    return 0.22, min(_TALLEST, 0.35 + 0.24 * math.log2(max(math.prod(shape), 1)))


def _color(layer: Layer | None) -> str:
    return "#ffffff" if layer is None else _COLORS.get(layer.kind, _OTHER_COLOR)


def _draw_box(
    axes: Axes, left: float, width: float, height: float, color: str, *, spatial: bool
) -> None:
    from matplotlib.patches import Polygon

    low, high = -height / 2, height / 2
    slant = _SLANT * min(1.0, height / 1.5) if spatial else 0.0
    front = [(left, low), (left + width, low), (left + width, high), (left, high)]
    axes.add_patch(Polygon(front, facecolor=color, edgecolor="0.25", linewidth=0.9))
    if slant:
        top = [
            (left, high),
            (left + width, high),
            (left + width + slant, high + slant),
            (left + slant, high + slant),
        ]
        side = [
            (left + width, low),
            (left + width, high),
            (left + width + slant, high + slant),
            (left + width + slant, low + slant),
        ]
        for face, alpha in ((top, 0.55), (side, 0.75)):
            axes.add_patch(
                Polygon(face, facecolor=color, edgecolor="0.25", linewidth=0.9, alpha=alpha)
            )


def _caption(layer: Layer | None, network: Network, noun: str) -> str:
    if layer is None:
        return f"{noun}\n" + " x ".join(str(size) for size in network.input_shape)
    kind = {
        "GlobalAveragePooling2D": "GlobalAverage\nPooling2D",
        "BatchNormalization": "Batch\nNormalization",
    }
    settings = layer.settings.replace(", ", "\n")
    shape = " x ".join(str(size) for size in layer.output_shape)
    return "\n".join(part for part in (kind.get(layer.kind, layer.kind), settings, shape) if part)
