"""Figure of how a study divided its time among its trials and its final training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from eyetune.analysis.trial_results import metric_text
from eyetune.records.study import Objective, StudyRecord
from eyetune.records.trial import TrialRecord, TrialState
from eyetune.report.figures.colors import STRONG, WORSE
from eyetune.report.figures.picture import message_picture, new_picture
from eyetune.report.figures.study_axes import (
    BEST,
    NO_RESULT,
    RASTER_FROM,
    legend_below,
    style_objective,
)
from eyetune.report.figures.study_figures import metric_of
from eyetune.values.history import History
from eyetune.values.numbers import count_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from eyetune.report.figures.picture import Picture

MAX_NAMED_ROWS = 40  # with more trials, rows have no names
_ROW_INCHES, _MAX_ROWS_INCHES = 0.24, 6.0
_HOURS_FROM = 5 * 3600  # seconds
_OVERLAP = 0.1  # of a training with more others than there are workers; it is not measured exactly


@dataclass(frozen=True)
class Part:
    """A part of a trial's training, without a pause.

    Attributes:
        trial: The trial.
        epochs: Its epochs in this part, one or more.
        start: Seconds from the start of the study to the start of the part.
    """

    trial: TrialRecord
    epochs: History
    start: float

    @property
    def seconds(self) -> float:
        """Its duration in seconds."""
        return sum(epoch.duration_seconds for epoch in self.epochs)

    @property
    def end(self) -> float:
        """Seconds from the start of the study to the end of the part."""
        return self.start + self.seconds

    @property
    def epoch_ends(self) -> list[float]:
        """Seconds from the start of the study to the end of each epoch."""
        durations = [epoch.duration_seconds for epoch in self.epochs]
        return list(accumulate(durations, initial=self.start))[1:]


def training_parts(
    record: StudyRecord,
    trials: Sequence[TrialRecord],
    histories: Mapping[str, History],
    starts: Mapping[str, datetime],
) -> list[Part]:
    """Return when trials were trained, in the order of their starts.

    The start of a trial is recorded, and the duration of each epoch. When a promoted trial
    continued, or a further execution started, is not: these epochs are placed where a worker had
    time for them. Time between two invocations of the study is left out.

    Args:
        record: The study.
        trials: Its trials.
        histories: Epochs by the id of their run.
        starts: When a run began, in UTC, by its id. Trials without it, or without epochs, are left
            out.
    """
    parts: list[Part] = []
    to_place: list[tuple[int, str, TrialRecord, History]] = []
    ended_at: dict[str, float] = {}
    for trial in trials:
        for position, run in enumerate(trial.runs):
            history = histories.get(run, ())
            began_at = starts.get(run)
            if not history or began_at is None:
                continue
            start = max((began_at - record.created_at).total_seconds(), 0.0)
            rungs = {rung.epochs for rung in trial.rungs if rung.epochs < len(history)}
            ends = [*sorted(rungs), len(history)]
            ended_at[run] = start
            for index, (first, last) in enumerate(pairwise([0, *ends])):
                if position == 0 and index == 0:
                    parts.append(Part(trial, history[first:last], start))
                    ended_at[run] = parts[-1].end
                else:
                    to_place.append((index, run, trial, history[first:last]))
    workers = _Workers(parts, max(1, record.settings.workers))
    for _, run, trial, epochs in sorted(to_place, key=lambda each: (each[0], ended_at[each[1]])):
        part = workers.place(Part(trial, epochs, ended_at[run]))
        parts.append(part)
        ended_at[run] = part.end
    parts.sort(key=lambda part: part.start)
    return _without_interruptions(parts, record.seconds)


class _Workers:
    """The times at which the workers of a study were busy."""

    def __init__(self, parts: Sequence[Part], num_workers: int) -> None:
        self._num_workers = num_workers
        self._starts = [part.start for part in parts]
        self._ends = [part.end for part in parts]
        finals = [part.start for part in parts if part.trial.is_final]
        self._search_end = min(finals, default=math.inf)

    def place(self, part: Part) -> Part:
        """Return a part at the first time from its start on at which a worker has time for it."""
        starts, ends = np.array(self._starts), np.array(self._ends)
        seconds = part.seconds
        latest = self._search_end - seconds
        times = [part.start, *np.sort(ends[(ends > part.start) & (ends <= latest)]).tolist()]
        if part.start < latest < math.inf:
            times.append(latest)
        most = (self._num_workers - 1 + _OVERLAP) * seconds

        def busy_seconds(time: float) -> float:
            overlaps = np.minimum(ends, time + seconds) - np.maximum(starts, time)
            return float(overlaps.clip(min=0).sum())

        fitting = (time for time in times if busy_seconds(time) <= most)
        start = next(fitting, None)
        if start is None:
            start = min(times, key=busy_seconds)
        placed = replace(part, start=start)
        self._starts.append(placed.start)
        self._ends.append(placed.end)
        return placed


def _without_interruptions(parts: Sequence[Part], seconds: float) -> list[Part]:
    """Return parts that are moved together so that they end within the study's wall time."""
    ends = list(accumulate((part.end for part in parts), max, initial=0.0))
    gaps = [max(part.start - end, 0.0) for part, end in zip(parts, ends, strict=False)]
    excess = max(ends[-1] - seconds, 0.0)
    cuts = [0.0] * len(parts)
    for index in sorted(range(len(parts)), key=lambda index: -gaps[index]):
        cuts[index] = min(gaps[index], excess)
        excess -= cuts[index]
    moved = accumulate(cuts)
    return [replace(part, start=part.start - cut) for part, cut in zip(parts, moved, strict=True)]


def timeline(
    record: StudyRecord,
    trials: Sequence[TrialRecord],
    histories: Mapping[str, History],
    starts: Mapping[str, datetime],
) -> Picture:
    """Draw when each trial was trained and how good it was, and the final training.

    Above, the first objective over the time, or validation accuracy if that is not a metric; below,
    a row for each trial with its best value. Infeasible trials take no time and have no row.

    Args:
        record: The study.
        trials: All of its trials.
        histories: Epochs by the id of their run.
        starts: When a run began, in UTC, by its id. Trials without it are not drawn.
    """
    parts = training_parts(record, trials, histories, starts)
    if not parts:
        return message_picture("No trial has a recorded time")
    objective = metric_of(record, [epoch for part in parts for epoch in part.epochs])
    if objective is None or not any(
        math.isfinite(value) for part in parts for value in _values(part, objective)
    ):
        return message_picture(NO_RESULT)
    rows: dict[int, list[Part]] = {}
    for part in sorted(parts, key=lambda part: part.trial.is_final):
        rows.setdefault(part.trial.number, []).append(part)
    end = max(part.end for part in parts)
    unit, unit_seconds = ("hours", 3600.0) if end > _HOURS_FROM else ("minutes", 60.0)
    rows_inches = min(_ROW_INCHES * len(rows), _MAX_ROWS_INCHES)
    figure = new_picture(9.5, 3.9 + rows_inches)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2.7, rows_inches + 0.3))
    _draw_curves(above, parts, objective, unit_seconds)
    _draw_rows(below, list(rows.values()), objective, unit_seconds)
    has_final = any(part.trial.is_final for part in parts)
    below.set_xlim(0, (1.02 if has_final else 1.1) * end / unit_seconds)  # room for a result
    below.set_xlabel(f"{unit} since the study began")
    for axes in (above, below):
        axes.spines[["right", "top"]].set_visible(False)
        axes.grid(alpha=0.3)
        axes.set_axisbelow(True)
    legend_below(figure, _handles([row[0].trial for row in rows.values()]))
    return figure


def _draw_curves(
    axes: Axes, parts: Sequence[Part], objective: Objective, unit_seconds: float
) -> None:
    """Draw the metric by time of each part, with a dot at its end."""
    from matplotlib.collections import LineCollection

    is_long = len(parts) > RASTER_FROM
    curves: list[list[tuple[float, float]]] = []
    ends: list[tuple[float, float]] = []
    colors: list[str] = []
    shown: list[float] = []
    last: dict[int, float] = {}  # by the number of the trial, which may have several parts
    for part in parts:
        values = _values(part, objective)
        times = [time / unit_seconds for time in part.epoch_ends]
        if part.trial.is_final:
            axes.plot(times, values, color=BEST, linewidth=2.2, zorder=3)
            shown += values
        else:
            curves.append(list(zip(times, values, strict=True)))
            ends.append((times[-1], values[-1]))
            last[part.trial.number] = values[-1]
            colors.append(_color(part.trial))
            shown.append(values[-1])
    axes.add_collection(
        LineCollection(curves, colors=colors, linewidths=1.2, zorder=2, rasterized=is_long)
    )
    if ends:
        times, values = map(list, zip(*ends, strict=True))
        axes.scatter(times, values, s=22, c=colors, zorder=2.5, rasterized=is_long)
    style_objective(axes, objective, shown, room=0.12, counted=list(last.values()))


def _draw_rows(
    axes: Axes, rows: Sequence[Sequence[Part]], objective: Objective, unit_seconds: float
) -> None:
    """Draw the parts of each trial as bars in a row of its own, joined by a thin line."""
    from matplotlib.collections import PolyCollection

    bars, colors = [], []
    for height, parts in enumerate(rows):
        for part in parts:
            left, right = part.start / unit_seconds, part.end / unit_seconds
            low, high = height - 0.36, height + 0.36
            bars.append([(left, low), (right, low), (right, high), (left, high)])
            colors.append(_color(part.trial))
    spans = [(parts[0].start / unit_seconds, parts[-1].end / unit_seconds) for parts in rows]
    is_long = len(bars) > RASTER_FROM
    lefts, rights = zip(*spans, strict=True)
    axes.hlines(range(len(rows)), lefts, rights, colors="0.6", linewidth=0.8, zorder=1)
    axes.add_collection(PolyCollection(bars, facecolors=colors, zorder=2, rasterized=is_long))
    names: list[str] = []
    if len(rows) <= MAX_NAMED_ROWS:
        names = [_name(parts[0].trial) for parts in rows]
        for height, (parts, span) in enumerate(zip(rows, spans, strict=True)):
            _write_result(axes, height, span, parts, objective)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)


def _write_result(
    axes: Axes,
    height: float,
    span: tuple[float, float],
    parts: Sequence[Part],
    objective: Objective,
) -> None:
    """Write the best value of a trial beside its bar; of the final training, the last, on it."""
    values = [value for part in parts for value in _values(part, objective)]
    trial = parts[0].trial
    if trial.is_final:
        text = f"{metric_text(objective.name, values[-1])}, {count_text(len(values), 'epoch')}"
        where: dict[str, Any] = {"xy": (sum(span) / 2, height), "xytext": (0, 0), "ha": "center"}
        where |= {"color": "white", "weight": "bold"}
    else:
        best = max(values) if objective.direction == "max" else min(values)
        text = metric_text(objective.name, best)
        where = {"xy": (span[1], height), "xytext": (4, 0)}
    axes.annotate(
        text, textcoords="offset points", va="center", fontsize=8.5, annotation_clip=False, **where
    )


def _values(part: Part, objective: Objective) -> list[float]:
    return [epoch.value(objective.name) for epoch in part.epochs]


def _name(trial: TrialRecord) -> str:
    return "final training" if trial.is_final else f"trial {trial.number}"


def _color(trial: TrialRecord) -> str:
    if trial.is_final:
        return BEST
    return WORSE if trial.state is TrialState.FAILED else STRONG[0]


def _handles(trials: Sequence[TrialRecord]) -> list[Any]:
    from matplotlib.patches import Patch

    labels = {STRONG[0]: "trials", WORSE: "failed", BEST: "final training, with all cores"}
    colors = [_color(trial) for trial in trials]
    return [
        Patch(color=color, label=label if color == BEST else f"{label} ({colors.count(color)})")
        for color, label in labels.items()
        if color in colors
    ]
