"""Figures of what a network has learned: filters, feature maps, heatmaps and confused classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eyetune.analysis.confusions import ConfusedPair
from eyetune.report.figures.picture import new_picture, plain, wrapped
from eyetune.values.activations import FeatureMap, Filters, LayerActivity
from eyetune.values.display import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from eyetune.report.figures.picture import Picture

MAX_TILES = 64  # filters that are drawn
MAX_ROWS = 20  # layers that are drawn
MAX_NAMED_BARS = 12  # classes of a prediction that are drawn
HEATMAP_PIXELS = 128  # longer side of an enlarged heatmap
MAX_NAME_CHARACTERS = 17  # of a class, above a tile
_PITCH = 1.06  # distance between tiles; a tile is 1 wide
_CAPTIONED_PITCH_X, _CAPTIONED_PITCH_Y = 1.15, 1.25  # the same for tiles with captions
_INCHES_PER_TILE = 1.3
_ROW_INCHES = 0.84
_WIDTH_INCHES = 12.0
_GOOD, _BAD = "#2a7f62", "#c0392b"


@dataclass(frozen=True)
class Answers:
    """The predictions of a network for some images, with Grad-CAM heatmaps.

    Attributes:
        images: uint8, shape (N, height, width, channels).
        labels: True classes, shape (N,).
        probabilities: Predicted probabilities, float32, shape (N, number of classes).
        predicted_maps: Heatmaps for the predicted class, shape (N, height, width), 0 to 1; None if
            the network has no convolution.
        true_maps: Heatmaps for the true class, in the same form.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    predicted_maps: NDArray[np.float32] | None
    true_maps: NDArray[np.float32] | None

    def __len__(self) -> int:
        return len(self.labels)


def filters(learned: Filters, *, title: str = "") -> Picture:
    """Draw the kernels of the first convolution as tiles, the strongest first.

    Args:
        learned: The kernels.
        title: Title of the figure.
    """
    tiles = learned.tiles[:MAX_TILES]
    columns = min(16, len(tiles))
    rows = math.ceil(len(tiles) / columns)
    figure = new_picture(max(6.5, 0.72 * columns), 0.9 * rows + 1.4)
    row_height = _PITCH + 0.3
    axes = _canvas(figure.subplots(), columns * _PITCH, rows * row_height)
    tiles_per_filter = len(learned.tiles) // len(learned.numbers)  # above 1: a tile per channel
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        left, top = column * _PITCH, row * row_height + 0.3
        _draw_tile(axes, tile, (left, left + 1, top + 1, top))
        filter_index, channel = divmod(index, tiles_per_filter)
        label = f"{learned.numbers[filter_index]}"
        if tiles_per_filter > 1:
            label += f", channel {channel}"
        axes.text(left + 0.5, top - 0.05, label, ha="center", va="bottom", fontsize=7, color="0.35")
    heading = f"{title}\nFirst convolution, {learned.layer}: what each filter looks for"
    if len(tiles) < len(learned.tiles):
        heading += f" (the strongest {len(tiles)} of {len(learned.tiles)})"
    figure.suptitle(plain(heading.strip()), fontsize=11)
    text = wrapped(learned.text, 95 if columns > 9 else 70)
    figure.supxlabel(plain(text), fontsize=9, color="0.25")
    return figure


def feature_maps(
    image: NDArray[np.uint8],
    maps: Sequence[FeatureMap],
    probabilities: NDArray[np.float32],
    class_names: Sequence[str],
    *,
    caption: str = "",
    title: str = "",
) -> Picture:
    """Draw the output of each layer for one image: a row each, with its strongest channels.

    The contrast of each channel is stretched to the whole range of colors.

    Args:
        image: uint8, shape (height, width, channels).
        maps: The outputs of the layers.
        probabilities: The prediction, shape (number of classes,).
        class_names: Names of the classes, in the order of the labels.
        caption: Description of the image, beside it.
        title: Title of the figure.
    """
    rows = _selected_maps(maps)
    heights = [1.35, *(_ROW_INCHES if row.values.ndim == 3 else 0.42 for row in rows), 1.5]
    figure = new_picture(_WIDTH_INCHES, sum(heights) + 0.9)
    panels = figure.subplots(
        len(heights), 1, gridspec_kw={"height_ratios": heights}, squeeze=False
    ).ravel()
    columns = max((len(row.values) for row in rows if row.values.ndim == 3), default=1)
    top = _canvas(panels[0], columns * _PITCH * _ROW_INCHES / 1.35, _PITCH)
    _draw_tile(top, image, (0, 1, 1, 0))
    top.text(1.15, 0.5, plain(caption), va="center", fontsize=10)
    _label_row(top, "the image\n" + " x ".join(map(str, image.shape)))
    for axes, feature_map in zip(panels[1:-1], rows, strict=True):
        _draw_map(axes, feature_map, columns)
    _draw_prediction(panels[-1], probabilities, class_names)
    heading = (
        f"{title}\nThe output of each layer for the image: dark is low, bright is high, "
        "the strongest channels first"
    ).strip()
    if len(rows) < len(maps):
        heading += f"\n{len(maps) - len(rows)} layers between these are left out"
    figure.suptitle(plain(heading), fontsize=11)
    return figure


def _selected_maps(maps: Sequence[FeatureMap]) -> list[FeatureMap]:
    """Return at most MAX_ROWS maps.

    Convolutions that a separate activation follows are left out first, then layers at regular
    intervals.
    """
    selected = list(maps)
    if len(selected) > MAX_ROWS:
        selected = [layer for layer in selected if layer.activation or "Conv" not in layer.kind]
    if len(selected) > MAX_ROWS:
        indices = np.linspace(0, len(selected) - 1, MAX_ROWS).round().astype(int)
        selected = [selected[index] for index in indices]
    return selected


def _draw_map(axes: Axes, feature_map: FeatureMap, columns: int) -> None:
    shape = " x ".join(f"{size:,}" for size in feature_map.shape)
    if feature_map.values.ndim == 1:
        axes.imshow(
            _stretched(feature_map.values)[np.newaxis],
            cmap="viridis",
            aspect="auto",
            interpolation="nearest",
        )
        _hide_frame(axes)
        settings = f"{feature_map.settings}, " if feature_map.settings else ""
        _label_row(axes, f"{feature_map.layer}\n{settings}{shape} values")
        return
    _canvas(axes, columns * _PITCH, 1)
    channels = zip(feature_map.channels, feature_map.values, strict=True)
    for column, (number, values) in enumerate(channels):
        left = column * _PITCH
        _draw_tile(axes, _stretched(values), (left, left + 1, 1, 0), colors="viridis")
        _draw_number(axes, f"{number}", left + 0.05, 0.06)
    layer = f"{feature_map.layer}\n{feature_map.kind} {feature_map.settings}".rstrip()
    _label_row(axes, f"{layer}\n{shape}")


def _draw_number(axes: Axes, text: str, x: float, y: float) -> None:
    from matplotlib.patheffects import withStroke

    edge = [withStroke(linewidth=1.5, foreground="black")]  # legible on dark and on bright
    axes.text(x, y, text, fontsize=6, color="white", va="top", path_effects=edge)


def _draw_prediction(
    axes: Axes, probabilities: NDArray[np.float32], class_names: Sequence[str]
) -> None:
    """Draw the probabilities of all classes in order, or if there are many, of the most likely."""
    order = np.arange(len(probabilities))
    if len(order) > MAX_NAMED_BARS:
        order = np.argsort(-probabilities, kind="stable")[:MAX_NAMED_BARS]
    shown = probabilities[order]
    colors = [_GOOD if value == probabilities.max() else "0.7" for value in shown]
    bars = axes.bar(range(len(order)), shown, color=colors)
    axes.bar_label(bars, [f"{value:.0%}" for value in shown], fontsize=8)
    names = [plain(_short(class_names[label])) for label in order.tolist()]
    axes.set_xticks(range(len(order)), names, fontsize=8)
    axes.set_yticks([])
    axes.set_ylim(0, 1.25 * max(float(shown.max()), 1e-6))
    axes.spines[["top", "right", "left"]].set_visible(False)
    _label_row(axes, "the prediction")


def heatmaps(
    right: Answers,
    wrong: Answers,
    class_names: Sequence[str],
    *,
    layer: str,
    split: str,
    title: str = "",
) -> Picture:
    """Draw Grad-CAM heatmaps of the most confident correct and wrong predictions.

    Args:
        right: Correct predictions with their heatmaps.
        wrong: Wrong predictions with the heatmaps of both classes.
        class_names: Names of the classes, in the order of the labels.
        layer: Name of the layer whose feature maps were weighted.
        split: Name of the split of the images.
        title: Title of the figure.
    """
    groups = []
    if len(right):
        groups.append(("right", right))
    if len(wrong):
        groups.append(("wrong", wrong))
    columns = max([4, *(len(answers) for _, answers in groups)])  # wide enough for the title
    height = sum(_group_height(kind) for kind, _ in groups) or 1.0
    figure = new_picture(
        0.4 + _INCHES_PER_TILE * _CAPTIONED_PITCH_X * columns, 0.9 + _INCHES_PER_TILE * height
    )
    axes = _canvas(figure.subplots(), columns * _CAPTIONED_PITCH_X, height)
    top = 0.0
    for kind, answers in groups:
        heading = f"Confident and {kind} ({split} images)"
        axes.text(0, top + 0.28, heading, fontsize=11, fontweight="bold", va="bottom")
        _draw_group(axes, answers, class_names, top=top, with_true=kind == "wrong")
        top += _group_height(kind)
    heading = (
        f"Where the network looks (Grad-CAM at {layer}): the redder, the more it supports the class"
    )
    figure.suptitle(plain(f"{title}\n{heading}".strip()), fontsize=11)
    return figure


def _group_height(kind: str) -> float:
    """Return the height of a group of predictions, in tiles: a heading, then two or three rows."""
    return 0.6 + (2 * _CAPTIONED_PITCH_Y if kind == "right" else 3 * _CAPTIONED_PITCH_Y + 0.3)


def _draw_group(
    axes: Axes, answers: Answers, class_names: Sequence[str], *, top: float, with_true: bool
) -> None:
    first = top + (0.9 if with_true else 0.6)
    columns = zip(answers.images, answers.labels, answers.probabilities, strict=True)
    for column, (image, label, row) in enumerate(columns):
        predicted = int(row.argmax())
        mistaken = f"\ntaken for\n{_short(class_names[predicted])}" if with_true else ""
        caption = f"{_short(class_names[label])}{mistaken} ({row[predicted]:.0%})"
        tiles: list[tuple[NDArray[Any], str]] = [(image, caption)]
        heatmaps_by_class = [(answers.predicted_maps, predicted)]
        if with_true:
            heatmaps_by_class.append((answers.true_maps, int(label)))
        for maps, explained in heatmaps_by_class:
            if maps is not None:
                caption = f"why {_short(class_names[explained])}?"
                if not maps[column].any():
                    caption += " nothing"
                tiles.append((overlaid(image, maps[column]), caption))
        for index, (tile, text) in enumerate(tiles):
            left, above = column * _CAPTIONED_PITCH_X, first + index * _CAPTIONED_PITCH_Y
            _draw_tile(axes, tile, (left, left + 1, above + 1, above))
            axes.text(left + 0.5, above - 0.05, plain(text), ha="center", va="bottom", fontsize=8)


def _short(name: str) -> str:
    name = one_line(name)
    return name if len(name) <= MAX_NAME_CHARACTERS else f"{name[: MAX_NAME_CHARACTERS - 1]}…"


def confusions(
    pairs: Sequence[ConfusedPair],
    examples: Sequence[Answers],
    class_names: Sequence[str],
    *,
    split: str,
    title: str = "",
) -> Picture:
    """Draw the most confused pairs of classes, with their most confident examples and heatmaps.

    Args:
        pairs: The pairs, the most frequent first.
        examples: Examples of each pair.
        class_names: Names of the classes, in the order of the labels.
        split: Name of the split of the images.
        title: Title of the figure.
    """
    if not pairs:
        figure = new_picture(7, 1.2)
        figure.suptitle(plain(f"{title}\nNo mistakes on the {split} images".strip()))
        return figure
    count, shown = len(pairs), max(map(len, examples))
    figure = new_picture(6.2 + 2.2 * shown, 0.95 * count + 1.5)
    # The pictures have width to spare: their height determines their size.
    bars, pictures = figure.subplots(1, 2, width_ratios=[4.0, 2.3 * shown])
    drawn = bars.barh(range(count), [pair.count for pair in pairs], color=_BAD, height=0.55)
    labels = [
        plain(f"{pair.count:,} ({pair.share:.0%} of {_short(class_names[pair.true])})")
        for pair in pairs
    ]
    bars.bar_label(drawn, labels, padding=4, fontsize=9)
    names = [
        plain(f"{_short(class_names[pair.true])}\ntaken for {_short(class_names[pair.predicted])}")
        for pair in pairs
    ]
    bars.set_yticks(range(count), names)
    bars.set_xlim(0, 1.7 * max(pair.count for pair in pairs))
    bars.set_ylim(count - 0.5, -0.5)
    bars.set_xlabel(f"{split} images")
    bars.spines[["top", "right"]].set_visible(False)
    bars.xaxis.get_major_locator().set_params(integer=True)
    _draw_examples(pictures, examples, shown)
    heading = (
        "The most confused classes, the most confident mistakes,\n"
        "and the regions that support the wrong class (red: most)"
    )
    figure.suptitle(plain(f"{title}\n{heading}".strip()), fontsize=11)
    return figure


def _draw_examples(axes: Axes, examples: Sequence[Answers], shown: int) -> None:
    """Draw each pair's examples in a row, each image beside its heatmap."""
    axes.axis("off")
    size = 0.9
    for row, answers in enumerate(examples):
        for index, image in enumerate(answers.images):
            left, top = index * 2.1, row - size / 2
            _draw_tile(axes, image, (left, left + size, top + size, top))
            if answers.predicted_maps is not None:
                heatmap = overlaid(image, answers.predicted_maps[index])
                left += 0.95
                _draw_tile(axes, heatmap, (left, left + size, top + size, top))
    axes.set_xlim(-0.05, 2.1 * shown)
    axes.set_ylim(len(examples) - 0.5, -0.5)
    axes.set_aspect("equal", anchor="W")


def activity(layers: Sequence[LayerActivity], *, num_images: int, title: str = "") -> Picture:
    """Draw for each layer the share of dead units, and of outputs that are zero or saturated.

    Args:
        layers: The activity of the layers.
        num_images: Number of images that it was measured on.
        title: Title of the figure.
    """
    figure = new_picture(9.5, 1.9 + 0.62 * max(len(layers), 1))
    axes = figure.subplots()
    rows = np.arange(len(layers))
    resting = axes.barh(rows - 0.19, [layer.resting for layer in layers], 0.34, color="#9fb8d0")
    dead = axes.barh(rows + 0.19, [layer.dead_share for layer in layers], 0.34, color=_BAD)
    resting_labels = [
        f"{layer.resting:.0%} of outputs {'saturated' if layer.bounded else 'not above 0'}"
        for layer in layers
    ]
    axes.bar_label(resting, resting_labels, padding=4, fontsize=9)
    dead_labels = [f"{layer.dead} of {layer.units:,} units dead" for layer in layers]
    axes.bar_label(dead, dead_labels, padding=4, fontsize=9)
    axes.set_yticks(rows, [plain(f"{layer.layer}\n{layer.activation}") for layer in layers])
    axes.set_xlim(0, 1.3)
    axes.spines.bottom.set_bounds(0, 1)
    axes.set_xticks(np.linspace(0, 1, 6), [f"{share:.0%}" for share in np.linspace(0, 1, 6)])
    axes.set_ylim(max(len(layers), 1) - 0.5, -0.5)
    axes.spines[["top", "right"]].set_visible(False)
    heading = (
        f"Activations on {num_images:,} images: outputs at rest (blue), "
        "units that are at rest on all images (red)"
    )
    axes.set_title(plain(f"{title}\n{heading}".strip()), fontsize=11, loc="left")
    if not layers:
        _hide_frame(axes)
    return figure


def overlaid(image: NDArray[np.uint8], heatmap: NDArray[np.float32]) -> NDArray[np.float32]:
    """Blend a heatmap over an image in gray: the higher its value, the more opaque it is.

    Args:
        image: uint8, shape (height, width, channels).
        heatmap: float32, 0 to 1, of any size; it is enlarged by bilinear interpolation.

    Returns:
        float32, shape (height, width, 3), 0 to 1; the longer side has 128 pixels.

    Example:
        >>> cold = overlaid(np.full((4, 4, 1), 255, np.uint8), np.zeros((2, 2), np.float32))
        >>> cold.shape, float(cold.min()) > 0.5
        ((128, 128, 3), True)
    """
    from matplotlib import colormaps
    from PIL import Image

    height, width = image.shape[:2]
    scale = HEATMAP_PIXELS / max(height, width)
    size = (max(1, round(scale * width)), max(1, round(scale * height)))
    below = Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image).convert("RGB")
    enlarged = below.convert("L").resize(size, Image.Resampling.NEAREST)
    gray = np.asarray(enlarged, np.float32)[..., np.newaxis] / 255
    large = np.asarray(Image.fromarray(heatmap).resize(size, Image.Resampling.BILINEAR))
    weight = 0.65 * large[..., np.newaxis]
    return np.asarray((1 - weight) * gray + weight * colormaps["turbo"](large)[..., :3], np.float32)


def _stretched(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale values to 0 to 1; equal values become 0."""
    low, high = float(values.min()), float(values.max())
    return (values - low) / ((high - low) or 1.0)


def _canvas(axes: Axes, width: float, height: float) -> Axes:
    """Prepare a panel for tiles of size 1; its origin is at the top left."""
    axes.set_xlim(-0.02, width)
    axes.set_ylim(height, 0)
    axes.set_aspect("equal", anchor="W")
    _hide_frame(axes)
    return axes


def _draw_tile(
    axes: Axes,
    tile: NDArray[Any],
    extent: tuple[float, float, float, float],
    *,
    colors: str = "gray",
) -> None:
    """Draw a picture into a rectangle. Unlike imshow, this leaves the limits of the panel."""
    from matplotlib.image import AxesImage

    pixels = tile[..., 0] if tile.ndim == 3 and tile.shape[-1] == 1 else tile
    drawn = AxesImage(axes, cmap=colors, interpolation="nearest", extent=extent, origin="upper")
    drawn.set_data(pixels)
    drawn.set_clim(0, 255 if tile.dtype == np.uint8 else 1)
    drawn.set_clip_path(axes.patch)
    axes.add_image(drawn)


def _label_row(axes: Axes, text: str) -> None:
    axes.set_ylabel(plain(text), rotation=0, ha="right", va="center", fontsize=8)


def _hide_frame(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
