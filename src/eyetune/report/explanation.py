"""Pictures of what a network has learned: filters, feature maps, heatmaps, confused classes, activity of layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eyetune.analysis.confusions import ConfusedPair
from eyetune.insight import FeatureMap, Filters, LayerActivity
from eyetune.report.figures import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from eyetune.report.picture import Picture

TILES_AT_MOST = 64  # filters drawn
ROWS_AT_MOST = 20  # layers drawn, of those that have a picture
NAMED_BARS_AT_MOST = 12  # classes drawn of an answer
HEATMAP_PIXELS = 128  # side to which a heatmap is enlarged
_PITCH = 1.06  # from one tile to the next, a tile being 1
_ROW_INCHES = 0.95
_WIDTH_INCHES = 12.0
_FOR, _AGAINST = "#2a7f62", "#c0392b"


@dataclass(frozen=True)
class Answers:
    """Some images with what the network says of them, and where it looks.

    Attributes:
        images: uint8, shape (N, height, width, channels).
        labels: Their true classes, shape (N,).
        probabilities: float32, shape (N, number of classes).
        predicted_maps: Heatmaps for the predicted class, shape (N, height, width), 0 to 1; None for no convolution.
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
    tiles = learned.tiles[:TILES_AT_MOST]
    columns = min(16, len(tiles))
    rows = math.ceil(len(tiles) / columns)
    figure = _figure(max(6.5, 0.72 * columns), 0.9 * rows + 1.4)
    axes = _canvas(figure.subplots(), columns, rows, caption_height=0.32)
    parts = len(learned.tiles) // len(learned.numbers)  # channels that are drawn one by one
    for place, tile in enumerate(tiles):
        row, column = divmod(place, columns)
        _draw(axes, tile, column, row, pitch_y=1.38)
        number, part = divmod(place, parts)
        name = f"{learned.numbers[number]}" + (f", channel {part}" if parts > 1 else "")
        axes.text(column * _PITCH + 0.5, row * 1.38 - 0.08, name, ha="center", va="bottom", fontsize=7, color="0.35")
    axes.set_ylim(rows * 1.38 - 0.3, -0.35)
    left_out = f" (the strongest {len(tiles)} of {len(learned.tiles)})" if len(tiles) < len(learned.tiles) else ""
    heading = f"{title}\nFirst convolution, {learned.layer}: what each filter looks for{left_out}"
    figure.suptitle(plain(heading.strip()), fontsize=11)
    figure.supxlabel(plain(_wrapped(learned.words, 95 if columns > 9 else 70)), fontsize=9, color="0.25")
    return figure


def feature_maps(
    image: NDArray[np.uint8],
    maps: Sequence[FeatureMap],
    class_names: Sequence[str],
    *,
    caption: str = "",
    title: str = "",
) -> Picture:
    """Draw what each layer makes of one image, a row each: its strongest channels, each as bright as it can be.

    Args:
        image: uint8, shape (height, width, channels).
        maps: What the layers make of it, the last one the answer.
        class_names: In the order of the labels.
        caption: What the image is, beside it.
        title: Above all.
    """
    rows = _rows(maps[:-1])
    heights = [1.35, *(_ROW_INCHES if one.values.ndim == 3 else 0.42 for one in rows), 1.5]
    figure = _figure(_WIDTH_INCHES, sum(heights) + 0.9)
    grid = figure.subplots(len(heights), 1, gridspec_kw={"height_ratios": heights}, squeeze=False).ravel()
    columns = max((len(one.values) for one in rows if one.values.ndim == 3), default=1)
    top = _canvas(grid[0], round(columns * _ROW_INCHES / 1.35), 1)
    _draw(top, image, 0, 0)
    top.text(1.15, 0.5, plain(caption), va="center", fontsize=10)
    _row_label(top, "the image\n" + " x ".join(map(str, image.shape)))
    for axes, one in zip(grid[1:-1], rows, strict=True):
        _draw_maps(axes, one, columns)
    _draw_answer(grid[-1], maps[-1], class_names)
    heading = f"{title}\nWhat each layer makes of the image: dark is low, bright is high, the strongest channels first"
    left_out = f"\n{len(maps) - 1 - len(rows)} layers between these are left out" if len(rows) < len(maps) - 1 else ""
    figure.suptitle(plain(heading.strip() + left_out), fontsize=11)
    return figure


def _rows(maps: Sequence[FeatureMap]) -> list[FeatureMap]:
    """Leave out what is too much for one picture: first what a separate activation follows, then evenly."""
    chosen = list(maps)
    if len(chosen) > ROWS_AT_MOST:
        chosen = [one for one in chosen if "," in one.settings or one.kind not in ("Conv2D", "DepthwiseConv2D")]
    if len(chosen) > ROWS_AT_MOST:
        chosen = [chosen[place] for place in np.linspace(0, len(chosen) - 1, ROWS_AT_MOST).round().astype(int)]
    return chosen


def _draw_maps(axes: Axes, one: FeatureMap, columns: int) -> None:
    shape = " x ".join(f"{size:,}" for size in one.shape)
    words = " ".join(part for part in (one.kind, one.settings) if part)
    if one.values.ndim == 3:
        _canvas(axes, columns, 1)
        for column, (number, values) in enumerate(zip(one.channels, one.values, strict=True)):
            _draw(axes, _stretched(values), column, 0, colours="viridis")
            axes.text(column * _PITCH + 0.03, 0.05, f"{number}", fontsize=6, color="white", va="top", alpha=0.9)
    else:
        axes.imshow(_stretched(one.values)[np.newaxis], cmap="viridis", aspect="auto", interpolation="nearest")
        _bare(axes)
    _row_label(axes, f"{one.layer}\n{words}\n{shape}" if one.values.ndim == 3 else f"{one.layer}: {words}\n{shape}")


def _draw_answer(axes: Axes, answer: FeatureMap, class_names: Sequence[str]) -> None:
    """Draw the probabilities of the likeliest classes; all in their order where there are few."""
    order = np.arange(len(answer.values))
    if len(order) > NAMED_BARS_AT_MOST:
        order = np.argsort(-answer.values, kind="stable")[:NAMED_BARS_AT_MOST]
    shown = answer.values[order]
    colours = [_FOR if value == answer.values.max() else "0.7" for value in shown]
    bars = axes.bar(range(len(order)), shown, color=colours)
    axes.bar_label(bars, [f"{value:.0%}" for value in shown], fontsize=8)
    names = [plain(class_names[label]) for label in order]
    axes.set_xticks(range(len(order)), names, fontsize=8)
    axes.set_yticks([])
    axes.set_ylim(0, 1.25 * max(float(shown.max()), 1e-6))
    axes.spines[["top", "right", "left"]].set_visible(False)
    _row_label(axes, f"{answer.layer}\n{answer.kind} {answer.settings}\nthe answer")


def heatmaps(
    right: Answers, wrong: Answers, class_names: Sequence[str], *, layer: str, split: str, title: str = ""
) -> Picture:
    """Draw where the network looks (Grad-CAM): its surest right answers, and its surest wrong ones.

    Args:
        right: Right answers with their heatmaps.
        wrong: Wrong answers with the heatmaps of both classes.
        class_names: In the order of the labels.
        layer: Whose feature maps were weighed.
        split: Whose images these are.
        title: Above all.
    """
    groups = [(answers, rows) for answers, rows in ((right, 2), (wrong, 3)) if len(answers)]
    columns = max((len(answers) for answers, _ in groups), default=1)
    heights = [1.3 * rows + 0.35 for _, rows in groups] or [0.6]
    figure = _figure(1.75 + 1.62 * columns, 1.24 * sum(heights) + 1.1)
    grid = figure.subplots(len(heights), 1, gridspec_kw={"height_ratios": heights}, squeeze=False).ravel()
    for axes, (answers, rows) in zip(grid, groups, strict=False):
        _canvas(axes, columns, rows, caption_height=0.3, pitch_x=1.2)
        _draw_looks(axes, answers, class_names, with_true=rows == 3)
        kind = "Sure and wrong" if rows == 3 else "Sure and right"
        axes.set_title(f"{kind} ({split} images)", fontsize=11, loc="left", fontweight="bold")
    if not groups:
        _bare(grid[0])
    words = f"Where it looks (Grad-CAM at {layer}): what is coloured, red most, speaks for the class"
    figure.suptitle(plain(f"{title}\n{words}".strip()), fontsize=11)
    return figure


def _draw_looks(axes: Axes, answers: Answers, class_names: Sequence[str], *, with_true: bool) -> None:
    pitch, across = 1.32, 1.2
    columns = zip(answers.images, answers.labels, answers.probabilities, strict=True)
    for column, (image, label, row) in enumerate(columns):
        predicted = int(row.argmax())
        taken = f"\ntaken for {class_names[predicted]}" if with_true else ""
        _draw(axes, image, column, 0, pitch_x=across)
        looks = [(answers.predicted_maps, predicted)] + ([(answers.true_maps, int(label))] if with_true else [])
        captions = [f"{class_names[label]}{taken}, {row[predicted]:.0%}"]
        captions += [f"why {class_names[name]}?" for _, name in looks]
        for place, (maps, _) in enumerate(looks, start=1):
            if maps is not None:
                _draw(axes, overlaid(image, maps[column]), column, place * pitch, pitch_x=across)
        for place, words in enumerate(captions):
            axes.text(column * across + 0.5, place * pitch - 0.05, plain(words), ha="center", va="bottom", fontsize=8)
    rows = 3 if with_true else 2
    axes.set_ylim((rows - 1) * pitch + 1.02, -0.5 if with_true else -0.3)


def confusions(
    pairs: Sequence[ConfusedPair],
    examples: Sequence[Answers],
    class_names: Sequence[str],
    *,
    split: str,
    title: str = "",
) -> Picture:
    """Draw the most confused pairs of classes as bars, with their surest examples and what the network looked at.

    Args:
        pairs: The most images first.
        examples: Of each pair.
        class_names: In the order of the labels.
        split: Whose images these are.
        title: Above all.
    """
    if not pairs:
        figure = _figure(7, 1.2)
        figure.suptitle(plain(f"{title}\nNo mistakes on the {split} images".strip()))
        return figure
    count, shown = len(pairs), max(map(len, examples))
    figure = _figure(6.0 + 1.9 * shown, 0.95 * count + 1.5)
    bars, pictures = figure.subplots(1, 2, width_ratios=[5.2, 2.05 * shown])
    drawn = bars.barh(range(count), [pair.count for pair in pairs], color=_AGAINST, height=0.55)
    words = [f"{pair.count:,} ({pair.share:.0%} of {class_names[pair.true]})" for pair in pairs]
    bars.bar_label(drawn, [plain(word) for word in words], padding=4, fontsize=9)
    names = [plain(f"{class_names[pair.true]}\ntaken for {class_names[pair.predicted]}") for pair in pairs]
    bars.set_yticks(range(count), names)
    bars.set_xlim(0, 1.55 * max(pair.count for pair in pairs))
    bars.set_ylim(count - 0.5, -0.5)
    bars.set_xlabel(f"{split} images")
    bars.spines[["top", "right"]].set_visible(False)
    bars.xaxis.get_major_locator().set_params(integer=True)
    _draw_examples(pictures, examples, shown)
    heading = "Which classes are confused, the surest mistakes, and what spoke for the wrong class (red most)"
    figure.suptitle(plain(f"{title}\n{heading}".strip()), fontsize=11)
    return figure


def _draw_examples(axes: Axes, examples: Sequence[Answers], shown: int) -> None:
    """Draw each pair's examples in a row, each image beside its heatmap."""
    axes.axis("off")
    size = 0.9
    for row, answers in enumerate(examples):
        for place, image in enumerate(answers.images):
            left, top = place * 2.1, row - size / 2
            looks = [image] if answers.predicted_maps is None else [image, overlaid(image, answers.predicted_maps[place])]
            for side, look in enumerate(looks):
                _place(axes, look, (left + 0.95 * side, left + 0.95 * side + size, top + size, top))
    axes.set_xlim(-0.05, 2.1 * shown)
    axes.set_ylim(len(examples) - 0.5, -0.5)
    axes.set_aspect("equal", anchor="W")


def activity(layers: Sequence[LayerActivity], *, num_images: int, title: str = "") -> Picture:
    """Draw for each layer the share of dead units, and of outputs that are zero or saturated."""
    figure = _figure(9.5, 1.9 + 0.62 * max(len(layers), 1))
    axes = figure.subplots()
    places = np.arange(len(layers))
    resting = axes.barh(places - 0.19, [one.resting for one in layers], 0.34, color="#9fb8d0")
    dead = axes.barh(places + 0.19, [one.dead_share for one in layers], 0.34, color=_AGAINST)
    said = [f"{one.resting:.0%} {'saturated' if one.bounded else 'not above 0'}" for one in layers]
    axes.bar_label(resting, said, padding=4, fontsize=9)
    axes.bar_label(dead, [f"{one.dead} of {one.units:,} units dead" for one in layers], padding=4, fontsize=9)
    axes.set_yticks(places, [plain(f"{one.layer}\n{one.activation}") for one in layers])
    axes.set_xlim(0, 1.25)
    axes.set_xticks(np.linspace(0, 1, 6), [f"{share:.0%}" for share in np.linspace(0, 1, 6)])
    axes.set_ylim(max(len(layers), 1) - 0.5, -0.5)
    axes.spines[["top", "right"]].set_visible(False)
    words = f"Activations on {num_images:,} images: outputs at rest (blue), units that are at rest on all of them (red)"
    axes.set_title(plain(f"{title}\n{words}".strip()), fontsize=11, loc="left")
    if not layers:
        _bare(axes)
    return figure


def overlaid(image: NDArray[np.uint8], heatmap: NDArray[np.float32]) -> NDArray[np.float32]:
    """Lay a heatmap over an image: the hotter, the more of its colour and the less of the image.

    Args:
        image: uint8, shape (height, width, channels).
        heatmap: float32, 0 to 1, of any size; it is enlarged without steps.

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
    grey = np.asarray(below.convert("L").resize(size, Image.Resampling.NEAREST), np.float32)[..., np.newaxis] / 255
    large = np.asarray(Image.fromarray(heatmap).resize(size, Image.Resampling.BILINEAR))
    weight = 0.65 * large[..., np.newaxis]
    return np.asarray((1 - weight) * grey + weight * colormaps["turbo"](large)[..., :3], np.float32)


def _stretched(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale values to 0 to 1; all the same become 0."""
    low, high = float(values.min()), float(values.max())
    return (values - low) / ((high - low) or 1.0)


def _canvas(axes: Axes, columns: int, rows: int, *, caption_height: float = 0.0, pitch_x: float = _PITCH) -> Axes:
    """Clear a panel for tiles of size 1, set from its top left."""
    axes.set_xlim(-0.02, columns * pitch_x)
    axes.set_ylim(rows * (_PITCH + caption_height), -caption_height)
    axes.set_aspect("equal", anchor="W")
    _bare(axes)
    return axes


def _draw(
    axes: Axes,
    tile: NDArray[Any],
    column: int,
    row: float,
    *,
    pitch_x: float = _PITCH,
    pitch_y: float = 1.0,
    colours: str = "gray",
) -> None:
    left, top = column * pitch_x, row * pitch_y
    _place(axes, tile, (left, left + 1, top + 1, top), colours=colours)


def _place(
    axes: Axes, tile: NDArray[Any], extent: tuple[float, float, float, float], *, colours: str = "gray"
) -> None:
    """Draw a picture into a rectangle without moving the panel's limits, which imshow would."""
    from matplotlib.image import AxesImage

    pixels = tile[..., 0] if tile.ndim == 3 and tile.shape[-1] == 1 else tile
    drawn = AxesImage(axes, cmap=colours, interpolation="nearest", extent=extent, origin="upper")
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


def _wrapped(text: str, width: int) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(text, width))


def _figure(width_inches: float, height_inches: float) -> Picture:
    from eyetune.report.picture import Picture

    return Picture(figsize=(width_inches, height_inches), layout="constrained")
