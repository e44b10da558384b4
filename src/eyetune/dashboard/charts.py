"""Options of ECharts, made from records. Colors are those of eyetune's figures."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eyetune.analysis import study_summary as summary
from eyetune.records.lab import Effect
from eyetune.records.study import Objective, StudyRecord
from eyetune.records.trial import TrialRecord, TrialState
from eyetune.report.figures.colors import BETTER, STRONG, UNSURE, WORSE
from eyetune.report.figures.study_axes import needs_log_axis
from eyetune.space.hyperparameters import setting_text
from eyetune.values.display import one_line
from eyetune.values.history import History

Options = dict[str, Any]

TEXT = "#76818c"  # readable on a light and on a dark page
_GRID_LINES = "rgba(128, 140, 150, 0.25)"
PALE = "#98a4b0"
_MORE_COLORS = ("#b8860b", "#c2477f", "#4f7f1f", "#6b7a99", "#8c564b", "#00838f")
COLORS = (*STRONG, *_MORE_COLORS)
MAX_BARS = 100  # more cannot be read
MIN_RATIO_OF_LOG = 100  # of the highest value to the lowest one, from which an axis is logarithmic


def curves(histories: Mapping[str, History], metric: str, *, pale: Collection[str] = ()) -> Options:
    """Return a metric by epoch: validation solid, training dashed, a color for each run.

    Args:
        histories: Epochs by the label of their run.
        metric: "accuracy" or "loss".
        pale: Labels of the runs that are drawn in gray, for comparison.
    """
    series = []
    colors = itertools.cycle(COLORS)
    for label, history in histories.items():
        color = PALE if label in pale else next(colors)
        for name, style in ((f"val_{metric}", "solid"), (metric, "dashed")):
            points = [
                [epoch.epoch, rounded(epoch.value(name))]
                for epoch in history
                if epoch.measures(name)
            ]
            kind = "validation" if style == "solid" else "training"
            title = kind if len(histories) == 1 else one_line(label)
            series.append(
                {
                    "type": "line",
                    "name": title,
                    "data": points,
                    "showSymbol": len(points) < 2,
                    "lineStyle": {"type": style, "width": 1 if label in pale else 2},
                    "itemStyle": {"color": color},
                    "color": color,
                    "animation": False,
                }
            )
    is_share = metric == "accuracy"
    dashes = " (dashed: training)" if len(histories) > 1 else ""
    return {
        **base(f"{metric.capitalize()} by epoch{dashes}"),
        "legend": {"type": "scroll", "bottom": 0, "textStyle": {"color": TEXT}},
        "grid": {"left": 56, "right": 16, "top": 44, "bottom": 64},
        "xAxis": _value_axis("epoch", minInterval=1, min=1, nameGap=24),
        "yAxis": _value_axis("", scale=True, **({"max": 1} if is_share else {})),
        "series": series,
    }


def confusion(counts: NDArray[np.int64], class_names: Sequence[str]) -> Options:
    """Return how many images of each true class (row) are classified as each class (column).

    Args:
        counts: Numbers of images, shape (classes, classes).
        class_names: Names of the classes.
    """
    names = [one_line(name) for name in class_names]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    cells = [
        {
            "value": [column, row, rounded(float(shares[row, column]))],
            "count": int(counts[row, column]),
        }
        for row, column in np.ndindex(*counts.shape)
    ]
    are_few = len(names) <= 20
    return {
        **base("Images by true and predicted class"),
        "grid": {"left": 90, "right": 16, "top": 44, "bottom": 90},
        "xAxis": {
            **_category_axis("predicted", names),
            "axisLabel": {"color": TEXT, "rotate": 45},
        },
        "yAxis": {**_category_axis("true", names), "inverse": True},
        "visualMap": {
            "min": 0,
            "max": 1,
            "show": False,
            "inRange": {"color": ["#f1f5fa", "#1f5fa8"]},
        },
        "series": [
            {
                "type": "heatmap",
                "data": cells,
                "label": {"show": are_few, ":formatter": "cell => cell.data.count"},
                "cursor": "pointer",
                "animation": False,
            }
        ],
        "tooltip": {
            ":formatter": "cell => `${cell.data.count} images, ${Math.round(100 * cell.value[2])}%`"
        },
    }


def trial_curves(trained: Sequence[tuple[TrialRecord, History]]) -> Options:
    """Return the validation accuracy of trials by epoch, with a mark at each rung.

    Args:
        trained: Trials with their epochs; those that are running stand out.
    """
    series: list[Options] = []
    marks = []
    for trial, history in trained:
        is_running = trial.state is TrialState.RUNNING
        points = {
            epoch.epoch: rounded(epoch.val_accuracy)
            for epoch in history
            if epoch.val_accuracy is not None
        }
        title = f"trial {trial.number}"
        color = STRONG[1] if is_running else PALE
        drawn = _line(title, [[*point] for point in points.items()], color=color)
        series.append({**drawn, "lineStyle": {"width": 2.5 if is_running else 1, "color": color}})
        marks += [
            {"value": [rung.epochs, points[rung.epochs]], "name": f"{title}, rung"}
            for rung in trial.rungs
            if rung.epochs in points
        ]
    return {
        **base("Accuracy of trials by epoch (points: rungs)"),
        "grid": {"left": 56, "right": 16, "top": 44, "bottom": 44},
        "xAxis": _value_axis("epoch", minInterval=1, min=1, nameGap=24),
        "yAxis": _value_axis("", scale=True, max=1),
        "series": [*series, {**_points("rungs", marks, color=STRONG[0]), "symbolSize": 5}],
    }


def best_so_far(study: StudyRecord, trials: Sequence[TrialRecord]) -> Options:
    """Return each result of a study over the epochs trained until then, and the best so far."""
    objective = study.settings.objectives[0]
    steps = [step for step in summary.best_so_far(study, trials) if math.isfinite(step.value)]
    points = [
        {"value": [step.epochs, rounded(step.value)], "name": f"trial {step.trial.number}"}
        for step in steps
    ]
    best = [[step.epochs, rounded(step.best)] for step in steps if math.isfinite(step.best)]
    if best:
        best.append([sum(trial.epochs_trained for trial in trials), best[-1][1]])
    return {
        **base(f"{objective.name} by epochs trained"),
        "grid": {"left": 64, "right": 16, "top": 44, "bottom": 44},
        "xAxis": _value_axis("epochs trained by all trials", nameGap=24, min=0),
        "yAxis": _value_axis("", scale=True),
        "series": [
            _line("best so far", best, step="end", color=STRONG[0]),
            _points("trials", points, color=UNSURE),
        ],
    }


def front(
    objectives: Sequence[Objective],
    trials: Sequence[TrialRecord],
    on_front: set[int],
    limits: Mapping[str, float] = MappingProxyType({}),
) -> Options:
    """Return two objectives against each other; the trials that no other one beats stand out.

    Args:
        objectives: Two objectives or more; the first two are drawn.
        trials: The trials.
        on_front: Numbers of the trials of the Pareto front.
        limits: Largest values that the board and the study allow, by cost. Default: none.
    """
    first, second = objectives[0], objectives[1]
    groups: dict[bool, list[Any]] = {True: [], False: []}
    for trial in trials:
        values = trial.objectives
        if values is not None and all(map(math.isfinite, values[:2])):
            point = [rounded(values[1]), rounded(values[0])]
            groups[trial.number in on_front].append(
                {"value": point, "name": f"trial {trial.number}"}
            )
    points = [point["value"] for group in groups.values() for point in group]
    line = sorted(point["value"] for point in groups[True])
    # A staircase: between two trials, only the worse value of each objective has been reached. With
    # more objectives, no line joins the trials, since some are beaten in these two.
    line = line if len(objectives) == 2 else []
    step = "end" if second.direction == "min" else "start"
    return {
        **base("Pareto front"),
        "legend": {"bottom": 0, "textStyle": {"color": TEXT}},
        "grid": {"left": 64, "right": 24, "top": 44, "bottom": 72},
        "xAxis": _objective_axis(second.name, points, 0, nameGap=24),
        "yAxis": _objective_axis(first.name, points, 1),
        "series": [
            _points("other trials", groups[False], color=UNSURE),
            {
                **_line("Pareto front", line, color=STRONG[1], step=step),
                "markLine": _limit_lines(first.name, second.name, limits),
            },
            _points("on the front", groups[True], color=STRONG[1]),
        ],
    }


def _objective_axis(
    name: str, points: Sequence[Sequence[float]], position: int, **options: Any
) -> Options:
    """Return the axis of an objective, which is logarithmic where sizes or times are far apart."""
    axis = _value_axis(name, scale=True, **options)
    values = [point[position] for point in points]
    return {**axis, "type": "log"} if values and needs_log_axis(name, values) else axis


def _limit_lines(y_name: str, x_name: str, limits: Mapping[str, float]) -> Options:
    """Return lines at the limits of the two axes."""
    lines = [
        {axis: limits[name], "name": f"limit {limits[name]:,.0f}"}
        for axis, name in (("xAxis", x_name), ("yAxis", y_name))
        if name in limits
    ]
    return {
        "silent": True,
        "symbol": "none",
        "lineStyle": {"color": WORSE, "type": "dashed", "width": 2},
        "label": {"formatter": "{b}", "color": TEXT},
        "data": lines,
    }


def slices(objective: Objective, trials: Sequence[TrialRecord], name: str) -> Options:
    """Return the first objective against the values of a hyperparameter."""
    used = [
        (trial.all_values[name], trial)
        for trial in trials
        if name in trial.used_values and trial.objectives is not None
    ]
    are_numbers = all(
        isinstance(value, int | float) and not isinstance(value, bool) for value, _ in used
    )
    points = []
    for value, trial in used:
        assert trial.objectives is not None
        if math.isfinite(trial.objectives[0]):
            shown = value if are_numbers else setting_text(value)
            points.append(
                {"value": [shown, rounded(trial.objectives[0])], "name": f"trial {trial.number}"}
            )
    axis: Options = _value_axis(name, scale=True, nameGap=24)
    if not are_numbers:
        axis = _category_axis(name, sorted({setting_text(value) for value, _ in used}))
    elif used and min(float(value) for value, _ in used) > 0:
        values = [float(value) for value, _ in used]
        if max(values) / min(values) >= MIN_RATIO_OF_LOG:
            axis = {**axis, "type": "log"}
    return {
        **base(name),
        "grid": {"left": 64, "right": 16, "top": 44, "bottom": 48},
        "xAxis": axis,
        "yAxis": _value_axis("", scale=True),
        "series": [_points(objective.name, points, color=STRONG[0])],
    }


def effects(effects: Sequence[Effect]) -> Options:
    """Return the difference of each technique as a point with its 95% interval, in points.

    Args:
        effects: The effects, the first one on top.
    """
    names = [one_line(effect.change) for effect in effects]
    rows = [
        [
            row,
            *(rounded(100 * value) for value in (effect.difference, *effect.interval)),
            _effect_color(effect),
        ]
        for row, effect in enumerate(effects)
    ]
    return {
        **base("Difference in validation accuracy (percentage points)"),
        "grid": {"left": 190, "right": 24, "top": 44, "bottom": 28},
        "xAxis": _value_axis("", scale=False),
        "yAxis": {**_category_axis("", names), "inverse": True},
        "tooltip": {
            ":formatter": _EFFECT_TEXT,
            "confine": True,
        },
        "series": [
            {
                "type": "custom",
                "data": rows,
                "dimensions": ["technique", "difference", "low", "high", "color"],
                "encode": {"x": ["difference", "low", "high"], "y": "technique"},
                ":renderItem": _INTERVAL,
                "animation": False,
            }
        ],
    }


# The name of a technique comes from a file: in the HTML of a tooltip, it has to stay text.
_EFFECT_TEXT = """row => {
  const name = row.name.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
  return `${name}: ${row.value[1]} points (${row.value[2]} to ${row.value[3]})`;
}"""

# Draws a line from the low to the high end of an interval, and a point between them.
_INTERVAL = """(params, api) => {
  const y = api.coord([0, api.value(0)])[1];
  const [middle, low, high] = [1, 2, 3].map((index) => api.coord([api.value(index), 0])[0]);
  const color = api.value(4);
  return {type: "group", children: [
    {type: "line", shape: {x1: low, x2: high, y1: y, y2: y}, style: {stroke: color, lineWidth: 2}},
    {type: "circle", shape: {cx: middle, cy: y, r: 5}, style: {fill: color}},
  ]};
}"""


def _effect_color(effect: Effect) -> str:
    if not effect.certain:
        return UNSURE
    return BETTER if effect.difference > 0 else WORSE


def bars(values: Mapping[str, float], title: str) -> Options:
    """Return horizontal bars, the first one on top."""
    names = [one_line(name) for name in values]
    return {
        **base(title),
        "grid": {"left": 150, "right": 40, "top": 44, "bottom": 28},
        "xAxis": _value_axis("", min=0),
        "yAxis": {**_category_axis("", names), "inverse": True},
        "series": [
            {
                "type": "bar",
                "data": [rounded(value) for value in values.values()],
                "itemStyle": {"color": STRONG[0]},
                "animation": False,
            }
        ],
    }


def base(title: str) -> Options:
    """Return the options that all charts begin with."""
    return {
        "title": {
            "text": one_line(title),
            "left": 0,
            "textStyle": {"color": TEXT, "fontSize": 14, "fontWeight": 600},
        },
        "textStyle": {"color": TEXT},
        "tooltip": {"trigger": "item", "confine": True},
        "animation": False,
    }


# Large numbers with k and M, and others without the digits of their binary fractions.
_NUMBER = """value => {
  const size = Math.abs(value);
  const [divisor, unit] = size >= 1e6 ? [1e6, 'M'] : size >= 1e4 ? [1e3, 'k'] : [1, ''];
  return String(Number((value / divisor).toPrecision(10))) + unit;
}"""


def _value_axis(name: str, **options: Any) -> Options:
    axis = _axis(name)
    axis["axisLabel"] = {**axis["axisLabel"], ":formatter": _NUMBER}
    return {"type": "value", **axis, **options}


def _category_axis(name: str, names: Sequence[str]) -> Options:
    return {"type": "category", "data": list(names), **_axis(name)}


def _axis(name: str) -> Options:
    return {
        "name": name,
        "nameLocation": "middle",
        "nameGap": 40,
        "nameTextStyle": {"color": TEXT},
        "axisLabel": {"color": TEXT, "hideOverlap": True},
        "axisLine": {"lineStyle": {"color": TEXT}},
        "splitLine": {"lineStyle": {"color": _GRID_LINES}},
    }


def _line(name: str, points: Sequence[Any], *, color: str, step: str | bool = False) -> Options:
    return {
        "type": "line",
        "name": name,
        "data": list(points),
        "step": step,
        "showSymbol": False,
        "lineStyle": {"width": 2, "color": color},
        "itemStyle": {"color": color},
        "animation": False,
    }


def _points(name: str, points: Sequence[Any], *, color: str) -> Options:
    return {
        "type": "scatter",
        "name": name,
        "data": list(points),
        "symbolSize": 8,
        "itemStyle": {"color": color},
        "animation": False,
    }


def rounded(value: float) -> float | None:
    """Return a value with the digits that a chart shows; None where it is not finite."""
    return float(f"{value:.5g}") if math.isfinite(value) else None
