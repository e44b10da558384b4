"""The picture of a gap: what each property explains of it, or how the properties differ."""

from __future__ import annotations

import math

from eyetune.analysis.gap import Gap, Points
from eyetune.report.figures.colors import UNSURE, WORSE
from eyetune.report.figures.picture import Picture, new_picture, plain
from eyetune.values.display import one_line

_GAP_COLOR = "#1f5fa8"
_MAX_SHIFT = 6.0  # standard deviations: a longer bar ends there


def gap_bars(gap: Gap) -> Picture:
    """Draw the gap and what each property explains of it, as bars with 95% intervals.

    Certain causes are red, the others gray. Without labels, the bars are the differences of the
    properties.

    Args:
        gap: The gap.
    """
    return _causes(gap, gap.fall) if gap.fall is not None else _shifts(gap)


def _causes(gap: Gap, fall: Points) -> Picture:
    rows = [("the gap", fall, _GAP_COLOR)]
    rows += [
        (cause.name, cause.explained, WORSE if cause.certain else UNSURE)
        for cause in gap.causes
        if cause.explained is not None
    ]
    figure = new_picture(8.5, 1.6 + 0.42 * len(rows))
    axes = figure.subplots()
    for place, (_, points, color) in enumerate(rows):
        value, low, high = (100 * each for each in points)
        errors = [[max(value - low, 0)], [max(high - value, 0)]]
        axes.barh(place, value, color=color, height=0.62)
        axes.errorbar(value, place, xerr=errors, color="0.15", capsize=3, linewidth=1.3)
    axes.set_yticks(range(len(rows)), [plain(name) for name, *_ in rows])
    axes.invert_yaxis()
    axes.axvline(0, color="0.3", linewidth=1)
    axes.grid(axis="x", alpha=0.3)
    axes.set_xlabel("accuracy, points (95% interval; gray: not sure)")
    axes.set_title(plain(f"What explains the gap of {one_line(gap.label)}"))
    return figure


def _shifts(gap: Gap) -> Picture:
    figure = new_picture(8.5, 1.6 + 0.42 * len(gap.shifts))
    axes = figure.subplots()
    for place, shift in enumerate(gap.shifts):
        shown = math.copysign(min(abs(shift.shift), _MAX_SHIFT), shift.shift)
        axes.barh(place, shown, color=WORSE if shift.is_large else UNSURE, height=0.62)
    axes.set_yticks(range(len(gap.shifts)), [plain(shift.measure) for shift in gap.shifts])
    axes.invert_yaxis()
    axes.axvline(0, color="0.3", linewidth=1)
    axes.grid(axis="x", alpha=0.3)
    axes.set_xlabel("camera less data set, in standard deviations of the data set")
    return figure
