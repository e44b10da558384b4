"""Trials as lines across their hyperparameters, and which of them lie in ranges of the axes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from eyetune.dashboard.charts import MIN_RATIO_OF_LOG, PALE, TEXT, Options, base, rounded
from eyetune.records.study import Objective
from eyetune.records.trial import TrialRecord
from eyetune.report.figures.colors import STRONG
from eyetune.space.hyperparameters import Choice, Range, setting_text
from eyetune.space.space import Space
from eyetune.values.display import one_line

Interval = tuple[float, float]
Ranges = Mapping[str, Sequence[Interval]]  # by the id of an axis; without intervals: all of it
_MAX_LINES = 2_000  # more slow the browser down
_UNUSED = "-"  # the trial does not use the hyperparameter


def parallel(space: Space, objective: Objective, trials: Sequence[TrialRecord]) -> Options:
    """Return each trial as a line across its hyperparameters; ranges of the axes can be brushed."""
    names = list(space.names)
    finished = [
        trial
        for trial in trials
        if trial.objectives is not None and math.isfinite(trial.objectives[0])
    ][-_MAX_LINES:]
    columns = {name: [trial.all_values.get(name) for trial in finished] for name in names}
    axes = [_axis(dimension, space[name], columns[name]) for dimension, name in enumerate(names)]
    last: Options = {"name": one_line(objective.name), "scale": True}
    axes.append({"id": str(len(names)), "dim": len(names), **last})
    lines = [_line(axes, columns, row, trial) for row, trial in enumerate(finished)]
    results = [line["value"][-1] for line in lines] or [0.0, 1.0]
    colors = [PALE, STRONG[0]]
    return {
        **base("Parallel coordinates"),
        "parallelAxis": axes,
        "parallel": {
            "left": 48,
            "right": 96,
            "top": 84,
            "bottom": 24,
            "parallelAxisDefault": {
                "nameTextStyle": {"color": TEXT},
                "axisLabel": {"color": TEXT},
                "nameRotate": 12,
                "areaSelectStyle": {"width": 18, "opacity": 0.4},
            },
        },
        "visualMap": {
            "show": False,
            "dimension": len(names),
            "min": min(results),
            "max": max(results),
            "inRange": {"color": colors if objective.direction == "max" else colors[::-1]},
        },
        "series": [
            {
                "type": "parallel",
                "data": lines,
                "lineStyle": {"width": 1.5, "opacity": 0.6},
                "inactiveOpacity": 0.03,
                "animation": False,
            }
        ],
    }


def trials_within(options: Options, ranges: Ranges) -> frozenset[int]:
    """Return the numbers of the trials whose line crosses each axis in one of its intervals.

    Args:
        options: The options that `parallel` returned.
        ranges: The intervals of each axis, ends included, in its values; those of an axis of names
            are positions, from 0.
    """
    limited = [
        (axis, ranges[axis["id"]]) for axis in options["parallelAxis"] if ranges.get(axis["id"])
    ]
    return frozenset(
        line["number"]
        for line in options["series"][0]["data"]
        if all(_is_within(axis, line["value"][axis["dim"]], each) for axis, each in limited)
    )


def _is_within(axis: Options, value: Any, intervals: Sequence[Interval]) -> bool:
    if value is None or value == _UNUSED:
        return False
    position = axis["data"].index(value) if "data" in axis else value
    return any(low <= position <= high for low, high in intervals)


def _line(
    axes: Sequence[Options], columns: Mapping[str, Sequence[Any]], row: int, trial: TrialRecord
) -> Options:
    values = [
        _value(axis, column[row]) for axis, column in zip(axes, columns.values(), strict=False)
    ]
    assert trial.objectives is not None
    result = rounded(trial.objectives[0])
    return {
        "value": [*values, result],
        "name": f"trial {trial.number}",
        "number": trial.number,
    }


def _axis(dimension: int, hyperparameter: Choice | Range, values: Sequence[Any]) -> Options:
    """Return an axis that stays the same with more trials: their ranges are kept by its values."""
    given = [value for value in values if value is not None]
    if isinstance(hyperparameter, Choice):
        choices: tuple[Any, ...] = hyperparameter.values
    else:
        choices = (hyperparameter.low, hyperparameter.high)
    are_numbers = all(
        isinstance(value, int | float) and not isinstance(value, bool)
        for value in (*choices, *given)
    )
    axis: Options = {
        "id": str(dimension),
        "dim": dimension,
        "name": one_line(hyperparameter.name),
    }
    if not are_numbers:
        names = dict.fromkeys([*map(setting_text, choices), *sorted(map(setting_text, given))])
        return {**axis, "type": "category", "data": list(names)}
    if min(*choices, *given) > 0 and max(choices) / min(choices) >= MIN_RATIO_OF_LOG:
        return {**axis, "type": "log"}
    return {**axis, "scale": True}


def _value(axis: Options, value: Any) -> Any:
    if value is None:
        return _UNUSED
    return setting_text(value) if axis.get("type") == "category" else value
