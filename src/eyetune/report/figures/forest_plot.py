"""The forest plot of a lab: what each technique was worth with its interval, legible for a hundred
rows and more.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eyetune.records.lab import Effect, LabRecord, value_word
from eyetune.report.figures.run_figures import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from eyetune.report.figures.picture import Picture

BETTER, WORSE, UNSURE = "#1a7f37", "#c0392b", "#8a8a8a"
_ROW, _LINE = 0.25, 0.15  # inches: a row of one line, and each further line of a long label
_HEAD, _FOOT = 0.55, 0.6  # inches above and below the rows
_PLOT, _FIGURES = 5.2, 1.55  # inches: width of the axes and of the column of figures at their right
_COLUMN_ENDS = (56.0, 104.0)  # points right of the axes: where the columns of figures end
_GAP = 0.15  # inches between columns
_MAX_LENGTH = 38  # characters of a label, before it is broken into lines
_FONT = 8.5


@dataclass(frozen=True)
class _Row:
    """One effect in its place: `centre` inches below the top of the rows, in the group of that
    number.
    """

    effect: Effect
    group: int
    label: str
    top: float
    height: float

    @property
    def centre(self) -> float:
        return self.top + self.height / 2


def effects_forest(record: LabRecord) -> Picture:
    """Draw all effects of a lab with their 95% intervals, a group a technique, the best group on
    top.

    Those that are surely better are green, surely worse red, the others grey. The accuracy and the
    difference stand at the right. An effect far below the others is an arrow at the edge, so that
    one training that came apart does not press the rest together.
    """
    from eyetune.report.figures.picture import Picture

    groups = effect_groups(record)
    names = [wrapped(name) for name, _ in groups]
    rows = _rows(groups, names)
    bottom = rows[-1].top + rows[-1].height if rows else _ROW
    name_width, label_width = _width(names, bold=True), _width([row.label for row in rows])
    left = name_width + label_width + 3 * _GAP
    width, height = left + _PLOT + _FIGURES, _HEAD + bottom + _FOOT
    figure = Picture(figsize=(width, height))
    axes = figure.add_axes((left / width, _FOOT / height, _PLOT / width, bottom / height))
    _draw_scale(axes, record, bottom)
    limits = _limits([row.effect for row in rows])
    axes.set_xlim(*limits)
    for row in rows:
        _draw_row(axes, row, limits)
    for number, name in enumerate(names):
        _draw_group(
            axes,
            name,
            [row for row in rows if row.group == number],
            label_width,
            shaded=number % 2 == 0,
        )
    return figure


def effect_groups(record: LabRecord) -> list[tuple[str, list[Effect]]]:
    """Group a lab's effects by technique, the group with the best effect first; the combination
    leads them all.
    """
    grouped: dict[str, list[Effect]] = {}
    for effect in record.techniques:
        grouped.setdefault(effect.name, []).append(effect)
    ordered = sorted(grouped.items(), key=lambda group: -max(one.difference for one in group[1]))
    return [("combination", [record.combination]), *ordered] if record.combination else ordered


def colour_of(effect: Effect) -> str:
    """Return green for surely better, red for surely worse, else grey."""
    if not effect.certain:
        return UNSURE
    return BETTER if effect.difference > 0 else WORSE


def _rows(groups: Sequence[tuple[str, Sequence[Effect]]], names: Sequence[str]) -> list[_Row]:
    rows: list[_Row] = []
    top = 0.0
    for number, ((_, effects), name) in enumerate(zip(groups, names, strict=True)):
        labels = [wrapped(value_word(one.value)) for one in effects]
        heights = [_ROW + _LINE * label.count("\n") for label in labels]
        # A name of several lines needs as much room as its group's rows have together.
        heights[-1] += max(0.0, _ROW + _LINE * name.count("\n") - sum(heights))
        for effect, label, height in zip(effects, labels, heights, strict=True):
            rows.append(_Row(effect, number, label, top, height))
            top += height
    return rows


def _draw_scale(axes: Axes, record: LabRecord, bottom: float) -> None:
    baseline = record.baseline
    axes.set_ylim(bottom, 0)
    axes.set_yticks([])
    axes.spines[["left", "right", "top"]].set_visible(False)
    if baseline.seed_deviation:
        spread = 100 * baseline.seed_deviation
        axes.axvspan(-spread, spread, color="0.5", alpha=0.18, linewidth=0, zorder=0.5)
    axes.axvline(0, color="0.25", linewidth=1, zorder=1)
    axes.grid(axis="x", alpha=0.3)
    axes.tick_params(labelsize=_FONT)
    axes.set_xlabel(
        "difference in validation accuracy, points, with 95% interval", fontsize=_FONT + 0.5
    )
    words = f"baseline {baseline.validation_accuracy:.2%}"
    if baseline.seed_deviation:
        words += f"\n(band: ± {100 * baseline.seed_deviation:.2f} over seeds)"
    _beside(axes, 0, 0, words, (0, 4), data="x", ha="center", va="bottom", fontsize=_FONT - 0.5)
    for words, end in zip(("accuracy", "points"), _COLUMN_ENDS, strict=True):
        _beside(axes, 1, 0, words, (end, 4), ha="right", va="bottom", fontsize=_FONT - 0.5)


def _draw_row(axes: Axes, row: _Row, limits: tuple[float, float]) -> None:
    effect, colour, height = row.effect, colour_of(row.effect), row.centre
    left, right = limits
    low, high = (min(max(100 * end, left), right) for end in effect.interval)
    axes.plot(
        [low, high], [height, height], color=colour, linewidth=2, solid_capstyle="butt", zorder=2
    )
    if 100 * effect.interval[0] < left:
        axes.plot(left, height, "<", color=colour, markersize=6, clip_on=False, zorder=3)
    if left <= 100 * effect.difference <= right:
        axes.plot(100 * effect.difference, height, "o", color=colour, markersize=5, zorder=3)
    _beside(axes, 0, height, row.label, (-72 * _GAP, 0), ha="right", fontsize=_FONT)
    style = {"color": colour, "weight": "bold"} if effect.certain else {"color": "0.3"}
    figures = (f"{effect.validation_accuracy:.2%}", f"{100 * effect.difference:+.2f}")
    for words, end in zip(figures, _COLUMN_ENDS, strict=True):
        _beside(axes, 1, height, words, (end, 0), ha="right", fontsize=_FONT, **style)


def _draw_group(
    axes: Axes, name: str, rows: Sequence[_Row], label_width: float, *, shaded: bool
) -> None:
    top, bottom = rows[0].top, rows[-1].top + rows[-1].height
    if shaded:
        axes.axhspan(top, bottom, color="0.5", alpha=0.08, linewidth=0, zorder=0)
    shift = -72 * (label_width + 2 * _GAP)
    first = rows[0].centre if len(rows) > 1 and "\n" not in name else (top + bottom) / 2
    _beside(axes, 0, first, name, (shift, 0), ha="right", weight="bold", fontsize=_FONT)


def _beside(
    axes: Axes,
    x: float,
    y: float,
    words: str,
    shift: tuple[float, float],
    *,
    data: str = "y",
    **style: Any,
) -> None:
    """Write at a place of the axes, moved by points; `data` names the one coordinate that is not a
    fraction of them.
    """
    places = axes.get_yaxis_transform() if data == "y" else axes.get_xaxis_transform()
    at = (x, y) if data == "y" else (x, 1.0)
    style = {"va": "center", **style}
    axes.annotate(
        plain(words),
        at,
        xycoords=places,
        xytext=shift,
        textcoords="offset points",
        annotation_clip=False,
        **style,
    )


def _limits(effects: Sequence[Effect]) -> tuple[float, float]:
    """Return the ends of the scale in points: all intervals, but for those far below most, which
    came apart.
    """
    lows = sorted(100 * one.interval[0] for one in effects) or [-1.0]
    highs = sorted(100 * one.interval[1] for one in effects) or [1.0]
    far = -4 * max(
        2.0, -lows[len(lows) // 4], highs[-1 - len(highs) // 4]
    )  # three quarters reach a fourth of it
    left, right = min(low for low in (*lows, -0.5) if low >= far), max(*highs, 0.5)
    margin = 0.04 * (right - left)
    return left - margin, right + margin


def wrapped(text: str, longest: int = _MAX_LENGTH) -> str:
    """Break a label that is long into lines.

    Example:
        >>> wrapped("one two three", 8)
        'one two\\nthree'
    """
    return "\n".join(textwrap.wrap(text, longest)) or " "


def _width(labels: Sequence[str], *, bold: bool = False) -> float:
    """Return the width in inches of the widest label."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    font = FontProperties(size=_FONT, weight="bold" if bold else "normal")
    lines = {line for label in labels for line in label.split("\n") if line.strip()}
    widths = [float(TextPath((0, 0), plain(line), prop=font).get_extents().width) for line in lines]
    return max(widths, default=0.0) / 72
