"""The objectives of a study against each other, with its Pareto front."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from eyetune.analysis.ranking import non_dominated_trials
from eyetune.analysis.trial_results import uncertainty_notes
from eyetune.records.study import Objective, StudyRecord
from eyetune.records.trial import TrialRecord
from eyetune.report.figures.picture import message_picture, new_picture
from eyetune.report.figures.study_axes import (
    BEST,
    NO_RESULT,
    draw_states,
    legend_below,
    line_handle,
    state_handles,
    style_objective,
    tick_text,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from eyetune.report.figures.picture import Picture

_PARAMETERS = Objective(name="parameters", direction="min")
_LIMIT = "limit"  # marks the lines of limits
_LIMIT_STYLE: dict[str, Any] = {"linestyle": (0, (5, 3)), "linewidth": 1.2, "color": "#c0392b"}
_NEAR = 1.5  # a limit is in the picture up to this multiple of the largest value


def pareto_picture(
    record: StudyRecord,
    trials: Sequence[TrialRecord],
    limits: Mapping[str, float] = MappingProxyType({}),
) -> Picture:
    """Draw objectives against each other, and mark the trials of the Pareto front.

    A single objective is drawn against the number of parameters. With three or more objectives,
    there is a panel for each pair.

    Args:
        record: The study.
        trials: All of its trials.
        limits: Largest values that the board and the study allow, by cost; a line shows each that
            is not far beyond all values. Default: none.
    """
    objectives = record.settings.objectives
    points = {trial.number: trial.objectives for trial in trials if trial.objectives is not None}
    if len(objectives) == 1:
        sized = {trial.number: trial.network.get(_PARAMETERS.name) for trial in trials}
        objectives = (*objectives, _PARAMETERS)
        points = {
            number: (*values, size)
            for number, values in points.items()
            if (size := sized[number]) is not None
        }
    points = {
        number: values for number, values in points.items() if all(map(math.isfinite, values))
    }
    if not points:
        return message_picture(NO_RESULT)
    shown = [trial for trial in trials if trial.number in points]
    best = non_dominated_trials(
        objectives, [_with_values(trial, points[trial.number]) for trial in shown]
    )
    pairs = list(combinations(range(len(objectives)), 2))[:6]
    columns = min(len(pairs), 3)
    rows = -(-len(pairs) // columns)
    figure = new_picture(
        9.5 if columns == 1 else 4.4 * columns, (5.2 if columns == 1 else 3.9) * rows
    )
    panels = figure.subplots(rows, columns, squeeze=False, gridspec_kw={"wspace": 0.06}).ravel()
    for axes in panels[len(pairs) :]:
        axes.axis("off")
    for axes, (second, first) in zip(panels, pairs, strict=False):
        _draw_pair(axes, objectives, (first, second), shown, points, best, limits)
    if len(pairs) == 1:
        _name_some(panels[0], best, points)
    ring = line_handle(
        f"beaten by none ({len(best)})",
        linestyle="none",
        marker="o",
        markersize=9,
        markerfacecolor="none",
        color=BEST,
    )
    has_lines = any(line.get_gid() == _LIMIT for axes in panels for line in axes.lines)
    lines = [line_handle("limit", **_LIMIT_STYLE)] if has_lines else []
    legend_below(figure, [ring, *lines, *state_handles(shown)])
    return figure


def _with_values(trial: TrialRecord, values: tuple[float, ...]) -> TrialRecord:
    last = trial.partial or trial.rungs[-1]
    return trial.with_(partial=last.model_copy(update={"values": values}))


def _draw_pair(
    axes: Axes,
    objectives: Sequence[Objective],
    pair: tuple[int, int],
    trials: Sequence[TrialRecord],
    points: Mapping[int, tuple[float, ...]],
    best: Sequence[TrialRecord],
    limits: Mapping[str, float],
) -> None:
    first, second = pair
    dots = []
    for trial in trials:
        values_of_trial = points[trial.number]
        dots.append((trial, values_of_trial[first], values_of_trial[second]))
    draw_states(axes, dots)
    ringed = sorted((points[trial.number][first], points[trial.number][second]) for trial in best)
    if len(objectives) == 2:
        # A staircase: between two trials, only the worse value of each objective has been reached.
        where: Literal["pre", "post"] = "post" if objectives[first].direction == "min" else "pre"
        axes.step(*zip(*ringed, strict=True), where=where, color=BEST, linewidth=1.4, zorder=1)
    axes.plot(
        *zip(*ringed, strict=True), "o", markerfacecolor="none", color=BEST, markersize=10, zorder=3
    )
    sides: tuple[tuple[int, Literal["x", "y"]], ...] = ((first, "x"), (second, "y"))
    notes = uncertainty_notes(objectives, trials)
    for index, which in sides:
        name = objectives[index].name
        values = [points[trial.number][index] for trial in trials]
        always = [points[trial.number][index] for trial in best]
        remarks = [notes.get(name, "")]
        if name in limits:
            limit = limits[name]
            remarks.append(f"at most {tick_text(name, limit)}")
            if limit <= _NEAR * max(values):
                always.append(limit)
                draw = axes.axvline if which == "x" else axes.axhline
                draw(limit, gid=_LIMIT, zorder=1, **_LIMIT_STYLE)
        note = "; ".join(filter(None, remarks))
        style_objective(
            axes, objectives[index], values, which=which, room=0.1, always=always, note=note
        )
    axes.spines[["right", "top"]].set_visible(False)


def _name_some(
    axes: Axes, best: Sequence[TrialRecord], points: Mapping[int, tuple[float, ...]]
) -> None:
    """Label the trials of the front with their numbers, where there is room."""
    last = None
    for trial in best:
        value, cost = points[trial.number][:2]
        position = axes.transAxes.inverted().transform(axes.transData.transform((cost, value)))
        if last is not None and abs(position - last).max() < 0.045:
            continue
        last = position
        axes.annotate(
            str(trial.number),
            (cost, value),
            xytext=(-7, 6),
            textcoords="offset points",
            ha="right",
            fontsize=8.5,
            color="#a85708",
            zorder=4,
        )
