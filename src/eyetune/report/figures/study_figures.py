"""Figures of a study: best so far, learning curves, importances and Pareto front."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from eyetune.analysis.ranking import rank_trials
from eyetune.analysis.study_summary import best_so_far
from eyetune.analysis.trial_results import metric_text, uncertainty_notes
from eyetune.records.study import Objective, StudyRecord
from eyetune.records.trial import TrialRecord, TrialState
from eyetune.report.figures.colors import STRONG
from eyetune.report.figures.picture import message_picture, new_picture, plain, wrapped
from eyetune.report.figures.study_axes import (
    BEST,
    LOOKS,
    NO_RESULT,
    RASTER_FROM,
    count_epochs,
    draw_states,
    legend_below,
    line_handle,
    shown_range,
    state_handles,
    style_objective,
)
from eyetune.report.figures.study_front import pareto_picture
from eyetune.report.figures.study_space import parallel_coordinates, slices
from eyetune.values.history import Epoch, History, is_better_high

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from eyetune.report.figures.picture import Picture

__all__ = [
    "best_curve",
    "curve_trials",
    "importance_bars",
    "learning_curves",
    "parallel_coordinates",
    "pareto_picture",
    "slices",
]

MAX_CURVES = 500
_RUNGS_NAMED = 8


def best_curve(record: StudyRecord, trials: Sequence[TrialRecord]) -> Picture:
    """Draw the best value so far against the epochs trained, and each trial as a dot.

    Trials are in the order in which they were suggested, also if they were trained in parallel.
    Failed and infeasible trials are marks at the edge.

    Args:
        record: The study.
        trials: All of its trials.
    """
    steps = [step for step in best_so_far(record, trials) if math.isfinite(step.value)]
    if not steps:
        return message_picture(NO_RESULT)
    first = record.settings.objectives[0]
    figure = new_picture(9.5, 4.6)
    axes = figure.subplots()
    draw_states(axes, [(step.trial, step.epochs, step.value) for step in steps])
    end = sum(trial.epochs_trained for trial in trials)
    line = [*((step.epochs, step.best) for step in steps), (end, steps[-1].best)]
    axes.step(*zip(*line, strict=True), where="post", color=BEST, linewidth=2.2, zorder=1)
    style_objective(
        axes,
        first,
        [step.value for step in steps],
        room=0.16,
        note=uncertainty_notes((first,), trials).get(first.name, ""),
    )
    winner = rank_trials(record.settings.objectives, trials)[0]
    best = next(step for step in steps if step.trial.number == winner.number)
    up = 1 if first.direction == "max" else -1
    alignment = "center"
    if best.epochs < 0.15 * end:
        alignment = "left"
    elif best.epochs > 0.85 * end:
        alignment = "right"
    axes.annotate(
        f"trial {best.trial.number}: {metric_text(first.name, best.value)}",
        (best.epochs, best.value),
        xytext=(0, 9 * up),
        textcoords="offset points",
        color="#a85708",
        weight="bold",
        fontsize=9.5,
        ha=alignment,
        va="bottom" if up > 0 else "top",
    )
    _mark_unfinished(axes, trials, at=0.025 if up > 0 else 0.975)
    axes.set_xlim(-0.02 * end, 1.02 * end)
    count_epochs(axes)
    axes.set_xlabel("epochs trained, trials in the order of their suggestion")
    axes.spines[["right", "top"]].set_visible(False)
    handles = [line_handle("best so far", color=BEST, linewidth=2.2), *state_handles(trials)]
    legend_below(figure, handles, columns=5)
    return figure


def _mark_unfinished(axes: Axes, trials: Sequence[TrialRecord], *, at: float) -> None:
    """Mark the trials without a result at the edge, at the epochs trained by then."""
    epochs = 0
    epochs_by_state: dict[TrialState, list[int]] = {
        TrialState.FAILED: [],
        TrialState.INFEASIBLE: [],
    }
    for trial in sorted(trials, key=lambda trial: trial.number):
        epochs += trial.epochs
        if trial.objectives is None and trial.state in epochs_by_state:
            epochs_by_state[trial.state].append(epochs)
    for state, marks in epochs_by_state.items():
        if marks:  # An empty collection that is not clipped would take up room at the edge.
            style = {**LOOKS[state], "linestyle": "none", "clip_on": False, "zorder": 2}
            axes.plot(marks, [at] * len(marks), transform=axes.get_xaxis_transform(), **style)


def curve_trials(record: StudyRecord, trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Return the trials whose learning curves are drawn: the best ones, where there are many."""
    with_run = [trial for trial in trials if trial.run]
    if len(with_run) <= MAX_CURVES:
        return with_run
    return rank_trials(record.settings.objectives, with_run)[:MAX_CURVES]


def learning_curves(
    record: StudyRecord,
    trials: Sequence[TrialRecord],
    histories: Mapping[str, History],
    *,
    best: int = 4,
) -> Picture:
    """Draw the learning curves of the trials that `curve_trials` names, with the best ones on top.

    The curves show the first objective that each epoch measures, or else validation accuracy, a
    loss or another metric.

    A dot marks where a trial paused; dotted lines are rungs.

    Args:
        record: The study.
        trials: All of its trials.
        histories: Epochs by the id of their run; runs that are missing or empty are not drawn.
        best: Number of trials that are highlighted.
    """
    by_number = {
        trial.number: histories[trial.run]
        for trial in curve_trials(record, trials)
        if trial.run and histories.get(trial.run)
    }
    if not by_number:
        return message_picture("No trial has a learning curve")
    epochs = [epoch for history in by_number.values() for epoch in history]
    objective = metric_of(record, epochs)
    if objective is None:
        return message_picture("The epochs report no metric")
    order = rank_trials(record.settings.objectives, trials)
    highlighted = [trial for trial in order if trial.number in by_number][:best]
    highlighted_numbers = {trial.number for trial in highlighted}
    others = [history for number, history in by_number.items() if number not in highlighted_numbers]
    figure = new_picture(9.5, 5)
    axes = figure.subplots()
    _draw_others(axes, others, objective)
    handles: list[Any] = []
    for rank, trial in reversed(list(enumerate(highlighted))):
        numbers, values = _curve(by_number[trial.number], objective)
        style: dict[str, Any] = {"color": STRONG[rank], "linewidth": 2.4 if rank == 0 else 1.6}
        axes.plot(
            numbers,
            values,
            zorder=4 - 0.1 * rank,
            marker="o" if len(numbers) == 1 else None,
            **style,
        )
        paused = [rung.epochs for rung in trial.rungs if rung.epochs <= len(values)]
        axes.plot(
            paused,
            [values[rung - 1] for rung in paused],
            "o",
            color=STRONG[rank],
            markersize=5,
            zorder=4.5,
        )
        label = f"trial {trial.number} ({metric_text(objective.name, _peak(values, objective))})"
        handles.insert(0, line_handle(label, **style))
    ends = [_curve(history, objective)[1][-1] for history in by_number.values()]
    shown: list[float] = []
    for trial in highlighted:
        shown += _curve(by_number[trial.number], objective)[1]
    shown = [value for value in shown or ends if math.isfinite(value)] or [0.0]
    style_objective(axes, objective, ends, always=shown_range(objective, shown))
    _draw_rungs(axes, trials)
    axes.set_xlabel("epoch")
    axes.spines[["right", "top"]].set_visible(False)
    if others:
        is_cut = len(by_number) == MAX_CURVES
        label = f"the other {len(others)}{' of the best' if is_cut else ''}"
        handles.append(line_handle(label, color="0.6", linewidth=0.8))
    legend_below(figure, handles, columns=5)
    return figure


def metric_of(record: StudyRecord, epochs: Sequence[Epoch]) -> Objective | None:
    """Return the first objective that all epochs measure, or else another metric that they do.

    Validation accuracy is preferred to losses, and these to metrics of the user's own. None if
    there is no such metric.
    """
    others = epochs[0].others if epochs else {}
    metrics = [
        Objective(name=name, direction="max" if is_better_high(name) else "min")
        for name in ("val_accuracy", "val_loss", "loss", *others)
    ]
    return next(
        (
            objective
            for objective in (*record.settings.objectives, *metrics)
            if all(epoch.measures(objective.name) for epoch in epochs)
        ),
        None,
    )


def _curve(history: History, objective: Objective) -> tuple[list[int], list[float]]:
    return [epoch.epoch for epoch in history], [epoch.value(objective.name) for epoch in history]


def _peak(values: Sequence[float], objective: Objective) -> float:
    return max(values) if objective.direction == "max" else min(values)


def _draw_others(axes: Axes, histories: Sequence[History], objective: Objective) -> None:
    from matplotlib.collections import LineCollection

    curves = [list(zip(*_curve(history, objective), strict=True)) for history in histories]
    faint = 0.55 if len(curves) <= 60 else 0.25
    raster = len(curves) > RASTER_FROM
    bundle = LineCollection(
        curves, colors="0.55", linewidths=0.8, alpha=faint, zorder=1, rasterized=raster
    )
    axes.add_collection(bundle)
    ends = [curve[-1] for curve in curves]
    if ends:
        style: dict[str, Any] = {"color": "0.55", "markersize": 2.6, "alpha": min(1.0, 1.6 * faint)}
        axes.plot(*zip(*ends, strict=True), "o", **style, zorder=1, rasterized=raster)


def _draw_rungs(axes: Axes, trials: Sequence[TrialRecord]) -> None:
    longest = max((trial.epochs for trial in trials), default=1)
    axes.set_xlim(1 - 0.02 * longest, longest * 1.02 + 0.1)
    count_epochs(axes)
    rungs = sorted({rung.epochs for trial in trials for rung in trial.rungs})
    if len(rungs) > _RUNGS_NAMED:  # full trainings, some stopped early
        return
    for epochs in rungs:
        axes.axvline(epochs, color="0.35", linewidth=1, linestyle=":", zorder=0.5)
        count = sum(any(rung.epochs == epochs for rung in trial.rungs) for trial in trials)
        axes.annotate(
            f"{count} reached",
            (epochs, 1),
            xycoords=axes.get_xaxis_transform(),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=8,
            color="0.35",
            annotation_clip=False,
        )


def importance_bars(importances: Mapping[str, float]) -> Picture:
    """Draw the importance of each hyperparameter, the most important one on top.

    Args:
        importances: Shares by name, 0 to 1.
    """
    finite = {name: share for name, share in importances.items() if math.isfinite(share)}
    if not finite:
        return message_picture("Too few trials to tell which hyperparameters matter")
    order = sorted(finite.items(), key=lambda item: item[1])
    names = [plain(wrapped(name, 32)) for name, _ in order]
    figure = new_picture(
        8, 1.1 + 0.34 * len(order) + 0.14 * sum(name.count("\n") for name in names)
    )
    axes = figure.subplots()
    shares = [share for _, share in order]
    axes.barh(range(len(order)), shares, color=STRONG[0], height=0.62)
    for height, share in enumerate(shares):
        axes.annotate(
            f"{share:.0%}" if share >= 0.01 or not share else "<1%",
            (share, height),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
        )
    axes.set_yticks(range(len(order)), names)
    axes.set_ylim(-0.6, len(order) - 0.4)
    axes.set_xlim(0, 1.12 * max(*shares, 0.01))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set_xlabel("share of the first objective's spread that it explains")
    axes.spines[["right", "top"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    return figure
