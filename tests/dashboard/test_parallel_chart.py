"""Parallel coordinates: an axis for each hyperparameter, and the trials within ranges."""

from __future__ import annotations

from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from eyetune.dashboard.charts import Options
from eyetune.dashboard.parallel_chart import parallel, trials_within
from eyetune.testing.studies import FabricatedStudy, fabricated_space, fabricated_study


@cache
def study() -> FabricatedStudy:
    return fabricated_study(40, space=fabricated_space(7))


@cache
def options() -> Options:
    record = study().record
    return parallel(record.space, record.settings.objectives[0], study().trials)


def axis(name: str) -> Options:
    axes: list[Options] = options()["parallelAxis"]
    (found,) = [each for each in axes if each["name"] == name]
    return found


def test_there_is_an_axis_for_each_hyperparameter() -> None:
    axes = options()["parallelAxis"]
    assert [each["name"] for each in axes[:-1]] == list(study().record.space.names)
    assert [each["dim"] for each in axes] == list(range(len(axes)))
    assert all(len(line["value"]) == len(axes) for line in options()["series"][0]["data"])


def test_all_trials_are_within_no_ranges() -> None:
    finished = {trial.number for trial in study().trials if trial.objectives}
    assert trials_within(options(), {}) == finished
    assert trials_within(options(), {each["id"]: [] for each in options()["parallelAxis"]}) == (
        finished
    )


@given(
    low=st.floats(0.0, 1.0),
    size=st.floats(0.0, 1.0),
    layers=st.sets(st.integers(1, 4)),
)
def test_trials_within_ranges(low: float, size: float, layers: set[int]) -> None:
    objective, number = axis("val_accuracy"), axis("conv_layers")
    ranges = {
        objective["id"]: [(low, low + size)],
        number["id"]: [(float(value), float(value)) for value in layers],
    }
    expected = {
        line["number"]
        for line in options()["series"][0]["data"]
        if low <= line["value"][objective["dim"]] <= low + size
        and (not layers or line["value"][number["dim"]] in layers)
    }
    assert trials_within(options(), ranges) == expected


def test_names_are_chosen_by_their_positions() -> None:
    activation = axis("activation")
    position = activation["data"].index("tanh")
    expected = {
        trial.number
        for trial in study().trials
        if trial.objectives and trial.all_values.get("activation") == "tanh"
    }
    assert expected
    assert trials_within(options(), {activation["id"]: [(position, position)]}) == expected


def test_switches_read_as_on_the_command_line() -> None:
    assert axis("batch_norm")["data"] == ["false", "true"]


def test_a_trial_without_the_hyperparameter_is_in_no_range_of_it() -> None:
    filters = axis("filters_2")
    without = {
        trial.number
        for trial in study().trials
        if trial.objectives and "filters_2" not in trial.all_values
    }
    assert without
    assert not without & trials_within(options(), {filters["id"]: [(0.0, 1e9)]})


def test_axes_stay_the_same_with_more_trials() -> None:
    record = study().record
    objective = record.settings.objectives[0]
    axes = [
        parallel(record.space, objective, study().trials[:count])["parallelAxis"]
        for count in range(1, 40, 3)
    ]
    assert all(each == axes[0] for each in axes)
    assert axis("learning_rate")["type"] == "log"
