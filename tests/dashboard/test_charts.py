"""Charts show what is recorded, and nothing that the browser cannot read."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from eyetune.analysis.ranking import non_dominated_trials
from eyetune.dashboard import charts
from eyetune.records.study import Objective
from eyetune.testing.labs import fabricated_history, fabricated_lab
from eyetune.testing.studies import (
    ACCURACY,
    PARAMETERS,
    SECONDS,
    fabricated_space,
    fabricated_study,
)


def data_of(options: charts.Options, name: str) -> list[list[float]]:
    """Return the points of a series."""
    (series,) = (series for series in options["series"] if series["name"] == name)
    points: list[list[float]] = series["data"]
    return points


def test_curves_show_each_epoch_of_each_run() -> None:
    histories = {"a": fabricated_history(3, 0.8), "b": fabricated_history(5, 0.9)}
    options = charts.curves(histories, "accuracy")
    assert len(options["series"]) == 4
    drawn = next(series for series in options["series"] if series["name"] == "b")["data"]
    assert [epoch for epoch, _ in drawn] == [1, 2, 3, 4, 5]
    assert drawn[-1][1] == pytest.approx(histories["b"][-1].val_accuracy, abs=1e-4)


def test_earlier_runs_are_drawn_in_gray() -> None:
    histories = {"a": fabricated_history(3, 0.8), "b": fabricated_history(3, 0.9)}
    colors = {
        series["name"]: series["color"]
        for series in charts.curves(histories, "accuracy", pale={"a"})["series"]
    }
    assert colors["b"] == charts.COLORS[0]
    assert colors["a"] not in charts.COLORS


def test_trial_curves_mark_each_rung() -> None:
    study = fabricated_study(12)
    trained = [(trial, fabricated_history(trial.epochs_trained, 0.8)) for trial in study.trials]
    options = charts.trial_curves(trained)
    assert len(options["series"]) == len(trained) + 1
    num_rungs = sum(len(trial.rungs) for trial in study.trials)
    assert len(data_of(options, "rungs")) == num_rungs > 0


def test_confusion_has_a_cell_for_each_pair_of_classes() -> None:
    options = charts.confusion(np.array([[3, 1], [0, 0]]), ["cat", "dog"])
    cells = options["series"][0]["data"]
    assert [(tuple(cell["value"]), cell["count"]) for cell in cells] == [
        ((0, 0, 0.75), 3),
        ((1, 0, 0.25), 1),
        ((0, 1, 0.0), 0),
        ((1, 1, 0.0), 0),
    ]


@pytest.mark.parametrize("direction", ["max", "min"])
def test_best_so_far_never_gets_worse(direction: str) -> None:
    study = fabricated_study(40)
    objective = study.record.settings.objectives[0].model_copy(update={"direction": direction})
    settings = study.record.settings.model_copy(update={"objectives": (objective,)})
    record = study.record.model_copy(update={"settings": settings})
    drawn = data_of(charts.best_so_far(record, study.trials), "best so far")
    best = [objective.oriented(value) for _, value in drawn]
    assert best == sorted(best)
    results = [trial.objectives[0] for trial in study.trials if trial.objectives]
    limit = max(results) if direction == "max" else min(results)
    assert drawn[-1][1] == pytest.approx(limit, rel=1e-4)


def test_front_divides_the_trials() -> None:
    study = fabricated_study(30, objectives=(ACCURACY, PARAMETERS))
    objectives = study.record.settings.objectives
    on_front = {trial.number for trial in non_dominated_trials(objectives, study.trials)}
    options = charts.front(objectives, study.trials, on_front)
    counts = [len(data_of(options, name)) for name in ("on the front", "other trials")]
    assert counts[0] == len(on_front)
    assert sum(counts) == sum(trial.objectives is not None for trial in study.trials)


def test_front_of_a_wide_range_has_a_logarithmic_axis() -> None:
    for objectives, axis in (((ACCURACY, PARAMETERS), "xAxis"), ((PARAMETERS, ACCURACY), "yAxis")):
        study = fabricated_study(30, objectives=objectives)
        position = objectives.index(PARAMETERS)
        done = [trial for trial in study.trials if trial.objectives is not None]
        sizes = [trial.objectives[position] for trial in done if trial.objectives]
        assert max(sizes) > 5 * min(sizes)
        assert charts.front(objectives, done, set())[axis]["type"] == "log"
        assert charts.front(objectives, done[:1], set())[axis]["type"] == "value"


def test_front_is_a_staircase_on_its_worse_side() -> None:
    study = fabricated_study(30, objectives=(ACCURACY, PARAMETERS))
    everything = {trial.number for trial in study.trials}
    fps = Objective(name="fps", direction="max")
    for second, step in ((PARAMETERS, "end"), (fps, "start")):
        options = charts.front((ACCURACY, second), study.trials, everything)
        (line,) = (series for series in options["series"] if series["name"] == "Pareto front")
        assert (line["step"], len(line["data"])) == (step, len(data_of(options, "on the front")))
    options = charts.front((ACCURACY, PARAMETERS, SECONDS), study.trials, everything)
    assert not data_of(options, "Pareto front")


def test_effects_have_their_intervals() -> None:
    effects = fabricated_lab(6).techniques
    rows = charts.effects(effects)["series"][0]["data"]
    for effect, row in zip(effects, rows, strict=True):
        assert row[2] <= row[1] <= row[3]
        assert row[1] == pytest.approx(100 * effect.difference, rel=1e-3)


def test_numbers_that_json_lacks_are_left_out() -> None:
    from dataclasses import replace

    history = tuple(replace(epoch, val_loss=math.inf) for epoch in fabricated_history(3, 0.5))
    json.dumps(charts.curves({"a": history}, "loss"), allow_nan=False)


def test_slices_of_words_and_numbers() -> None:
    study = fabricated_study(20, space=fabricated_space(7))
    objective = study.record.settings.objectives[0]
    for name in study.record.space.names:
        options = charts.slices(objective, study.trials, name)
        json.dumps(options, allow_nan=False)
        assert options["series"][0]["data"]
    switch = charts.slices(objective, study.trials, "batch_norm")
    assert switch["xAxis"]["data"] == ["false", "true"]


def test_front_has_lines_at_the_limits_of_its_axes() -> None:
    study = fabricated_study(12, objectives=(ACCURACY, PARAMETERS))
    limits = {"parameters": 90_000.0, "arena_bytes": 4.0}
    options = charts.front((ACCURACY, PARAMETERS), study.trials, set(), limits)
    (line,) = (series for series in options["series"] if series["name"] == "Pareto front")
    assert line["markLine"]["data"] == [{"xAxis": 90_000.0, "name": "limit 90,000"}]
