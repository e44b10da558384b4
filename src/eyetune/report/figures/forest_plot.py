"""The forest plot of a lab: each technique's gain with its interval, readable for 100 rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eyetune.analysis.correction import correction_mark, correction_note
from eyetune.recipe.changes import value_text
from eyetune.records.lab import Effect, LabRecord
from eyetune.report.figures.colors import BETTER, UNSURE, WORSE
from eyetune.report.figures.picture import Picture, plain, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Inches: a row of one line, and each further line of a long label.
_ROW, _LINE = 0.25, 0.15
# Inches above and below the rows.
_HEAD, _FOOT = 0.55, 0.6
# Inches: the width of the axes, and of the columns with numbers at the right.
_PLOT, _NUMBERS = 5.2, 1.55
# Points right of the axes where the columns with numbers end.
_COLUMN_ENDS = (56.0, 104.0)
_GAP = 0.15  # inches between columns
_FONT = 8.5
_NOTE_LENGTH = 105  # characters of a line of the note below the plot
_FAR_FACTOR = 4  # an effect this many times below the usual ones is an arrow at the edge


@dataclass(frozen=True)
class _Row:
    """An effect and where it is drawn, in inches below the top of the rows."""

    effect: Effect
    group: int
    label: str
    top: float
    height: float

    @property
    def center(self) -> float:
        return self.top + self.height / 2


def effects_forest(record: LabRecord) -> Picture:
    """Draw all effects of a lab with their 95% intervals, grouped by technique, the best on top.

    Effects that are certainly better are green, certainly worse red, the others gray. The accuracy
    and the difference are at the right. An effect far below the others is an arrow at the edge, so
    that one diverged training does not compress the rest.

    Args:
        record: The lab.
    """
    groups = effect_groups(record)
    names = [wrapped(name) for name, _ in groups]
    rows = _rows(groups, names)
    note = wrapped(correction_note(record.techniques), _NOTE_LENGTH).strip()
    foot = _FOOT + (0.1 + _LINE * (1 + note.count("\n")) if note else 0.0)
    bottom = rows[-1].top + rows[-1].height if rows else _ROW
    name_width = _width(names, bold=True)
    label_width = _width([row.label for row in rows])
    left = name_width + label_width + 3 * _GAP
    width, height = left + _PLOT + _NUMBERS, _HEAD + bottom + foot
    figure = Picture(figsize=(width, height))
    axes = figure.add_axes((left / width, foot / height, _PLOT / width, bottom / height))
    _draw_scale(axes, record, bottom)
    limits = _limits([row.effect for row in rows])
    axes.set_xlim(*limits)
    for row in rows:
        _draw_row(axes, row, limits)
    for number, name in enumerate(names):
        group = [row for row in rows if row.group == number]
        _draw_group(axes, name, group, label_width, is_shaded=number % 2 == 0)
    if note:
        figure.text(
            left / width,
            0.08 / height,
            plain(note),
            ha="left",
            va="bottom",
            fontsize=_FONT - 0.5,
            color="0.3",
        )
    return figure


def effect_groups(record: LabRecord) -> list[tuple[str, list[Effect]]]:
    """Return a lab's effects by technique: the combination first, then the best technique first.

    A combination that is a single technique is left out: its effect is in the technique's group.
    """
    grouped: dict[str, list[Effect]] = {}
    for effect in record.techniques:
        grouped.setdefault(effect.name, []).append(effect)
    groups = sorted(
        grouped.items(), key=lambda group: -max(effect.difference for effect in group[1])
    )
    if record.stacked is not None:
        groups.insert(0, ("combination", [record.stacked]))
    return groups


def effect_color(effect: Effect) -> str:
    """Return green for certainly better, red for certainly worse, gray otherwise."""
    if not effect.certain:
        return UNSURE
    return BETTER if effect.difference > 0 else WORSE


def _rows(groups: Sequence[tuple[str, Sequence[Effect]]], names: Sequence[str]) -> list[_Row]:
    rows: list[_Row] = []
    top = 0.0
    for number, ((_, effects), name) in enumerate(zip(groups, names, strict=True)):
        labels = [wrapped(value_text(effect.value)) for effect in effects]
        heights = [_ROW + _LINE * label.count("\n") for label in labels]
        # A name of several lines may need more room than the rows of its group.
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
    axes.axvline(0, color="0.25", linewidth=1, zorder=1)
    axes.grid(axis="x", alpha=0.3)
    axes.tick_params(labelsize=_FONT)
    axes.set_xlabel(
        "difference in validation accuracy (points) with 95% interval", fontsize=_FONT + 0.5
    )
    label = f"baseline {baseline.validation_accuracy:.2%}"
    if baseline.seed_deviation:
        spread = 100 * baseline.seed_deviation
        axes.axvspan(-spread, spread, color="0.5", alpha=0.18, linewidth=0, zorder=0.5)
        label += f"\n(band: ± {spread:.2f} over seeds)"
    small = _FONT - 0.5
    _write_above(axes, 0, label, (0, 4), ha="center", va="bottom", fontsize=small)
    for heading, end in zip(("accuracy", "points"), _COLUMN_ENDS, strict=True):
        _write_beside(axes, 1, 0, heading, (end, 4), ha="right", va="bottom", fontsize=small)


def _draw_row(axes: Axes, row: _Row, limits: tuple[float, float]) -> None:
    effect, color, height = row.effect, effect_color(row.effect), row.center
    left, right = limits
    low, high = (min(max(100 * end, left), right) for end in effect.interval)
    axes.plot(
        [low, high], [height, height], color=color, linewidth=2, solid_capstyle="butt", zorder=2
    )
    if 100 * effect.interval[0] < left:
        axes.plot(left, height, "<", color=color, markersize=6, clip_on=False, zorder=3)
    if left <= 100 * effect.difference <= right:
        axes.plot(100 * effect.difference, height, "o", color=color, markersize=5, zorder=3)
    _write_beside(axes, 0, height, row.label, (-72 * _GAP, 0), ha="right", fontsize=_FONT)
    style: dict[str, Any] = {"fontsize": _FONT, "color": "0.3"}
    if effect.certain:
        style |= {"color": color, "weight": "bold"}
    numbers = (f"{effect.validation_accuracy:.2%}", f"{100 * effect.difference:+.2f}")
    for number, end in zip(numbers, _COLUMN_ENDS, strict=True):
        _write_beside(axes, 1, height, number, (end, 0), ha="right", **style)
    if correction_mark(effect):
        end = _COLUMN_ENDS[-1] + 1
        _write_beside(axes, 1, height, correction_mark(effect), (end, 0), ha="left", **style)


def _draw_group(
    axes: Axes, name: str, rows: Sequence[_Row], label_width: float, *, is_shaded: bool
) -> None:
    top, bottom = rows[0].top, rows[-1].top + rows[-1].height
    if is_shaded:
        axes.axhspan(top, bottom, color="0.5", alpha=0.08, linewidth=0, zorder=0)
    shift = -72 * (label_width + 2 * _GAP)
    y = rows[0].center if len(rows) > 1 and "\n" not in name else (top + bottom) / 2
    _write_beside(axes, 0, y, name, (shift, 0), ha="right", weight="bold", fontsize=_FONT)


def _write_beside(
    axes: Axes, side: int, y: float, text: str, offset_points: tuple[float, float], **style: Any
) -> None:
    """Write beside the axes at a height: side 0 is the left end of the axes, 1 the right end."""
    _write(axes, (side, y), text, offset_points, axes.get_yaxis_transform(), style)


def _write_above(
    axes: Axes, x: float, text: str, offset_points: tuple[float, float], **style: Any
) -> None:
    """Write above the axes at a value of the x axis."""
    _write(axes, (x, 1), text, offset_points, axes.get_xaxis_transform(), style)


def _write(
    axes: Axes,
    point: tuple[float, float],
    text: str,
    offset_points: tuple[float, float],
    transform: Any,
    style: dict[str, Any],
) -> None:
    axes.annotate(
        plain(text),
        point,
        xycoords=transform,
        xytext=offset_points,
        textcoords="offset points",
        annotation_clip=False,
        **{"va": "center", **style},
    )


def _limits(effects: Sequence[Effect]) -> tuple[float, float]:
    """Return the ends of the scale in points: all intervals but those far below most others."""
    lows = sorted(100 * effect.interval[0] for effect in effects) or [-1.0]
    highs = sorted(100 * effect.interval[1] for effect in effects) or [1.0]
    quarter_low, quarter_high = lows[len(lows) // 4], highs[-1 - len(highs) // 4]
    far = -_FAR_FACTOR * max(2.0, -quarter_low, quarter_high)
    left = min(low for low in (*lows, -0.5) if low >= far)
    right = max(*highs, 0.5)
    margin = 0.04 * (right - left)
    return left - margin, right + margin


def _width(labels: Sequence[str], *, bold: bool = False) -> float:
    """Return the width in inches of the widest label."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    font = FontProperties(size=_FONT, weight="bold" if bold else "normal")
    lines = {line for label in labels for line in label.split("\n") if line.strip()}
    widths = [float(TextPath((0, 0), plain(line), prop=font).get_extents().width) for line in lines]
    return max(widths, default=0.0) / 72
