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

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from eyetune.report.figures.picture import Picture

MAX_TILES = 64  # filters drawn
MAX_ROWS = 20  # layers drawn, of those that have a picture
MAX_NAMED_BARS = 12  # classes drawn of an answer
HEATMAP_PIXELS = 128  # side to which a heatmap is enlarged
MAX_NAME_LETTERS = 17  # of a class, above a tile
_PITCH = 1.06  # from one tile to the next, a tile being 1
_ACROSS, _DOWN = 1.15, 1.25  # the same where each has a caption
_INCHES_A_TILE = 1.3
_ROW_INCHES = 0.84
_WIDTH_INCHES = 12.0
_FOR, _AGAINST = "#2a7f62", "#c0392b"


@dataclass(frozen=True)
class Answers:
    """Images with the predictions of a network and the heatmaps that explain them.

    Attributes:
        images: uint8, shape (N, height, width, channels).
        labels: Their true classes, shape (N,).
        probabilities: float32, shape (N, number of classes).
        predicted_maps: Heatmaps for the predicted class, shape (N, height, width), 0 to 1; None for
            no convolution.
        true_maps: The same for the true class.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    predicted_maps: NDArray[np.float32] | None
    true_maps: NDArray[np.float32] | None

    def __len__(self) -> int:
        return len(self.labels)


def filters(learned: Filters, *, title: str = "") -> Picture:
    """Draw the kernels of the first convolution as tiles, the strongest first."""
    tiles = learned.tiles[:MAX_TILES]
    columns = min(16, len(tiles))
    rows = math.ceil(len(tiles) / columns)
    figure = new_picture(max(6.5, 0.72 * columns), 0.9 * rows + 1.4)
    down = _PITCH + 0.3
    axes = _canvas(figure.subplots(), columns * _PITCH, rows * down)
    parts = len(learned.tiles) // len(learned.numbers)  # channels that are drawn one by one
    for place, tile in enumerate(tiles):
        row, column = divmod(place, columns)
        left, top = column * _PITCH, row * down + 0.3
        _place(axes, tile, (left, left + 1, top + 1, top))
        number, part = divmod(place, parts)
        name = f"{learned.numbers[number]}" + (f", channel {part}" if parts > 1 else "")
        axes.text(left + 0.5, top - 0.05, name, ha="center", va="bottom", fontsize=7, color="0.35")
    left_out = (
        f" (the strongest {len(tiles)} of {len(learned.tiles)})"
        if len(tiles) < len(learned.tiles)
        else ""
    )
    heading = f"{title}\nFirst convolution, {learned.layer}: what each filter looks for{left_out}"
    figure.suptitle(plain(heading.strip()), fontsize=11)
    figure.supxlabel(
        plain(wrapped(learned.words, 95 if columns > 9 else 70)), fontsize=9, color="0.25"
    )
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
    """Draw the strongest feature maps of each layer for one image, one row per layer.

    Args:
        image: uint8, shape (height, width, channels).
        maps: Feature maps of the layers.
        probabilities: The prediction, shape (number of classes,).
        class_names: In the order of the labels.
        caption: Caption of the image.
        title: Above all.
    """
    rows = _rows(maps)
    heights = [1.35, *(_ROW_INCHES if one.values.ndim == 3 else 0.42 for one in rows), 1.5]
    figure = new_picture(_WIDTH_INCHES, sum(heights) + 0.9)
    grid = figure.subplots(
        len(heights), 1, gridspec_kw={"height_ratios": heights}, squeeze=False
    ).ravel()
    columns = max((len(one.values) for one in rows if one.values.ndim == 3), default=1)
    top = _canvas(grid[0], columns * _PITCH * _ROW_INCHES / 1.35, _PITCH)
    _place(top, image, (0, 1, 1, 0))
    top.text(1.15, 0.5, plain(caption), va="center", fontsize=10)
    _row_label(top, "the image\n" + " x ".join(map(str, image.shape)))
    for axes, one in zip(grid[1:-1], rows, strict=True):
        _draw_maps(axes, one, columns)
    _draw_answer(grid[-1], probabilities, class_names)
    heading = (
        f"{title}\nThe output of each layer for the image: dark is low, bright is high, "
        "the strongest channels first"
    )
    left_out = (
        f"\n{len(maps) - len(rows)} layers between these are left out"
        if len(rows) < len(maps)
        else ""
    )
    figure.suptitle(plain(heading.strip() + left_out), fontsize=11)
    return figure


def _rows(maps: Sequence[FeatureMap]) -> list[FeatureMap]:
    """Return the layers that one figure has room for.

    Layers that a separate activation follows are left out first, then others at even distances.
    """
    chosen = list(maps)
    if len(chosen) > MAX_ROWS:
        chosen = [one for one in chosen if one.activation or "Conv" not in one.kind]
    if len(chosen) > MAX_ROWS:
        chosen = [
            chosen[place] for place in np.linspace(0, len(chosen) - 1, MAX_ROWS).round().astype(int)
        ]
    return chosen


def _draw_maps(axes: Axes, one: FeatureMap, columns: int) -> None:
    shape = " x ".join(f"{size:,}" for size in one.shape)
    if one.values.ndim == 1:
        axes.imshow(
            _stretched(one.values)[np.newaxis],
            cmap="viridis",
            aspect="auto",
            interpolation="nearest",
        )
        _bare(axes)
        _row_label(
            axes,
            f"{one.layer}\n"
            + ", ".join(part for part in (one.settings, f"{shape} values") if part),
        )
        return
    _canvas(axes, columns * _PITCH, 1)
    for column, (number, values) in enumerate(zip(one.channels, one.values, strict=True)):
        left = column * _PITCH
        _place(axes, _stretched(values), (left, left + 1, 1, 0), colors="viridis")
        _number(axes, f"{number}", left + 0.05, 0.06)
    _row_label(axes, f"{one.layer}\n{one.kind} {one.settings}".rstrip() + f"\n{shape}")


def _number(axes: Axes, text: str, x: float, y: float) -> None:
    from matplotlib.patheffects import withStroke

    edge = [withStroke(linewidth=1.5, foreground="black")]  # readable on dark and on bright images
    axes.text(x, y, text, fontsize=6, color="white", va="top", path_effects=edge)


def _draw_answer(axes: Axes, answer: NDArray[np.float32], class_names: Sequence[str]) -> None:
    """Draw the probabilities of the most probable classes, or of all classes if there are few."""
    order = np.arange(len(answer))
    if len(order) > MAX_NAMED_BARS:
        order = np.argsort(-answer, kind="stable")[:MAX_NAMED_BARS]
    shown = answer[order]
    colors = [_FOR if value == answer.max() else "0.7" for value in shown]
    bars = axes.bar(range(len(order)), shown, color=colors)
    axes.bar_label(bars, [f"{value:.0%}" for value in shown], fontsize=8)
    names = [plain(_short(class_names[label])) for label in order.tolist()]
    axes.set_xticks(range(len(order)), names, fontsize=8)
    axes.set_yticks([])
    axes.set_ylim(0, 1.25 * max(float(shown.max()), 1e-6))
    axes.spines[["top", "right", "left"]].set_visible(False)
    _row_label(axes, "the answer")


def heatmaps(
    right: Answers,
    wrong: Answers,
    class_names: Sequence[str],
    *,
    layer: str,
    split: str,
    title: str = "",
) -> Picture:
    """Draw Grad-CAM heatmaps of the most confident correct and wrong answers.

    Args:
        right: Right answers with their heatmaps.
        wrong: Wrong answers with the heatmaps of both classes.
        class_names: In the order of the labels.
        layer: Name of the layer whose feature maps are weighted.
        split: Whose images these are.
        title: Above all.
    """
    groups = [one for one in (("right", right), ("wrong", wrong)) if len(one[1])]
    columns = max([4, *(len(answers) for _, answers in groups)])  # wide enough for the title
    height = sum(_height(kind) for kind, _ in groups) or 1.0
    figure = new_picture(0.4 + _INCHES_A_TILE * _ACROSS * columns, 0.9 + _INCHES_A_TILE * height)
    axes = _canvas(figure.subplots(), columns * _ACROSS, height)
    top = 0.0
    for kind, answers in groups:
        heading = f"Confident and {kind} ({split} images)"
        axes.text(0, top + 0.28, heading, fontsize=11, fontweight="bold", va="bottom")
        _draw_looks(axes, answers, class_names, top=top, with_true=kind == "wrong")
        top += _height(kind)
    words = (
        f"Where the network looks (Grad-CAM at {layer}): the redder, the more it supports the class"
    )
    figure.suptitle(plain(f"{title}\n{words}".strip()), fontsize=11)
    return figure


def _height(kind: str) -> float:
    """Return the height of a group of answers in tiles: a heading, and rows with captions."""
    return 0.6 + (2 * _DOWN if kind == "right" else 3 * _DOWN + 0.3)


def _draw_looks(
    axes: Axes, answers: Answers, class_names: Sequence[str], *, top: float, with_true: bool
) -> None:
    first = top + (0.9 if with_true else 0.6)
    columns = zip(answers.images, answers.labels, answers.probabilities, strict=True)
    for column, (image, label, row) in enumerate(columns):
        predicted = int(row.argmax())
        taken = f"\ntaken for\n{_short(class_names[predicted])}" if with_true else ""
        looks = [(answers.predicted_maps, predicted)] + (
            [(answers.true_maps, int(label))] if with_true else []
        )
        captions = [f"{_short(class_names[label])}{taken} ({row[predicted]:.0%})"]
        captions += [
            f"why {_short(class_names[name])}?"
            + ("" if maps is None or maps[column].any() else " nothing")
            for maps, name in looks
        ]
        tiles = [image] + [overlaid(image, maps[column]) for maps, _ in looks if maps is not None]
        for place, (tile, words) in enumerate(zip(tiles, captions, strict=False)):
            left, above = column * _ACROSS, first + place * _DOWN
            _place(axes, tile, (left, left + 1, above + 1, above))
            axes.text(left + 0.5, above - 0.05, plain(words), ha="center", va="bottom", fontsize=8)


def _short(name: str) -> str:
    return name if len(name) <= MAX_NAME_LETTERS else f"{name[: MAX_NAME_LETTERS - 1]}…"


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
        pairs: Pairs of classes, those with the most images first.
        examples: Examples of each pair.
        class_names: In the order of the labels.
        split: Whose images these are.
        title: Above all.
    """
    if not pairs:
        figure = new_picture(7, 1.2)
        figure.suptitle(plain(f"{title}\nNo mistakes on the {split} images".strip()))
        return figure
    count, shown = len(pairs), max(map(len, examples))
    figure = new_picture(6.2 + 2.2 * shown, 0.95 * count + 1.5)
    bars, pictures = figure.subplots(
        1, 2, width_ratios=[4.0, 2.3 * shown]
    )  # wide enough: the height sets the size
    drawn = bars.barh(range(count), [pair.count for pair in pairs], color=_AGAINST, height=0.55)
    words = [
        f"{pair.count:,} ({pair.share:.0%} of {_short(class_names[pair.true])})" for pair in pairs
    ]
    bars.bar_label(drawn, [plain(word) for word in words], padding=4, fontsize=9)
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
        "and the regions that speak for the wrong class (red: most)"
    )
    figure.suptitle(plain(f"{title}\n{heading}".strip()), fontsize=11)
    return figure


def _draw_examples(axes: Axes, examples: Sequence[Answers], shown: int) -> None:
    """Draw each pair's examples in a row, each image beside its heatmap."""
    axes.axis("off")
    size = 0.9
    for row, answers in enumerate(examples):
        for place, image in enumerate(answers.images):
            left, top = place * 2.1, row - size / 2
            looks = (
                [image]
                if answers.predicted_maps is None
                else [image, overlaid(image, answers.predicted_maps[place])]
            )
            for side, look in enumerate(looks):
                _place(axes, look, (left + 0.95 * side, left + 0.95 * side + size, top + size, top))
    axes.set_xlim(-0.05, 2.1 * shown)
    axes.set_ylim(len(examples) - 0.5, -0.5)
    axes.set_aspect("equal", anchor="W")


def activity(layers: Sequence[LayerActivity], *, num_images: int, title: str = "") -> Picture:
    """Draw for each layer the share of dead units, and of outputs that are zero or saturated."""
    figure = new_picture(9.5, 1.9 + 0.62 * max(len(layers), 1))
    axes = figure.subplots()
    places = np.arange(len(layers))
    resting = axes.barh(places - 0.19, [one.resting for one in layers], 0.34, color="#9fb8d0")
    dead = axes.barh(places + 0.19, [one.dead_share for one in layers], 0.34, color=_AGAINST)
    said = [
        f"{one.resting:.0%} of outputs {'saturated' if one.bounded else 'not above 0'}"
        for one in layers
    ]
    axes.bar_label(resting, said, padding=4, fontsize=9)
    axes.bar_label(
        dead, [f"{one.dead} of {one.units:,} units dead" for one in layers], padding=4, fontsize=9
    )
    axes.set_yticks(places, [plain(f"{one.layer}\n{one.activation}") for one in layers])
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
        _bare(axes)
    return figure


def overlaid(image: NDArray[np.uint8], heatmap: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return an image blended with a heatmap: high values show more of the heatmap.

    Args:
        image: uint8, shape (height, width, channels).
        heatmap: float32, 0 to 1, of any size; it is enlarged smoothly.

    Returns:
        float32, shape (pixels, pixels, 3), 0 to 1.

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
    gray = (
        np.asarray(below.convert("L").resize(size, Image.Resampling.NEAREST), np.float32)[
            ..., np.newaxis
        ]
        / 255
    )
    large = np.asarray(Image.fromarray(heatmap).resize(size, Image.Resampling.BILINEAR))
    weight = 0.65 * large[..., np.newaxis]
    return np.asarray((1 - weight) * gray + weight * colormaps["turbo"](large)[..., :3], np.float32)


def _stretched(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale values to the range 0 to 1; equal values become 0."""
    low, high = float(values.min()), float(values.max())
    return (values - low) / ((high - low) or 1.0)


def _canvas(axes: Axes, width: float, height: float) -> Axes:
    """Clear the axes for tiles of size 1, placed from the top left."""
    axes.set_xlim(-0.02, width)
    axes.set_ylim(height, 0)
    axes.set_aspect("equal", anchor="W")
    _bare(axes)
    return axes


def _place(
    axes: Axes,
    tile: NDArray[Any],
    extent: tuple[float, float, float, float],
    *,
    colors: str = "gray",
) -> None:
    """Draw a picture into a rectangle without moving the panel's limits, which imshow would."""
    from matplotlib.image import AxesImage

    pixels = tile[..., 0] if tile.ndim == 3 and tile.shape[-1] == 1 else tile
    drawn = AxesImage(axes, cmap=colors, interpolation="nearest", extent=extent, origin="upper")
    drawn.set_data(pixels)
    drawn.set_clim(0, 255 if tile.dtype == np.uint8 else 1)
    drawn.set_clip_path(axes.patch)
    axes.add_image(drawn)


def _row_label(axes: Axes, words: str) -> None:
    axes.set_ylabel(plain(words), rotation=0, ha="right", va="center", fontsize=8)


def _bare(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
