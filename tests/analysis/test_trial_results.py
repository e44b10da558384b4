"""The results of trials as text and JSON, with their uncertainty."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyetune.analysis.metrics import wilson_interval
from eyetune.analysis.trial_results import (
    metric_text,
    objectives_text,
    result_texts,
    trial_json,
    uncertainty_notes,
)
from eyetune.records.study import Objective
from eyetune.records.trial import Execution, Rung, TrialRecord, TrialState
from eyetune.values.int8_accuracy import Int8Accuracy

OBJECTIVES = (
    Objective(name="int8_accuracy", direction="max"),
    Objective(name="latency_ms", direction="min"),
    Objective(name="fps", direction="max"),
)


def trial(num_correct: int, *, time: float = 200.0, error: float = 70.0) -> TrialRecord:
    """Return a trial with two rungs; its int8 accuracy is of 2,000 images."""
    rungs = []
    for epochs, correct in ((1, num_correct // 2), (2, num_correct)):
        int8 = Int8Accuracy(correct, 2000, "simulated")
        values = (int8.accuracy, time, 1000 / time)
        rungs.append(Rung(epochs=epochs, values=values, int8=int8))
    costs = {"latency_ms": time, "latency_error_ms": error, "fps": 1000 / time}
    return TrialRecord(
        number=0, state=TrialState.COMPLETE, values={}, rungs=tuple(rungs), network=costs
    )


def test_result_texts_show_how_certain_each_is() -> None:
    shown = trial(1600)
    assert result_texts(OBJECTIVES, shown) == [
        "80.00% (78.2 to 81.7)",
        "200 ± 70 ms",
        "5 (3.7 to 7.7)",
    ]
    assert result_texts(OBJECTIVES, shown, shown.rungs[0])[0].startswith("40.00% (")
    assert objectives_text(OBJECTIVES, shown).startswith("int8_accuracy 80.00% (78.2 to 81.7) and ")
    assert result_texts(OBJECTIVES, shown.with_(rungs=())) == []


def test_results_of_executions_have_their_spread() -> None:
    objectives = (
        Objective(name="val_accuracy", direction="max"),
        Objective(name="int8_accuracy", direction="max"),
        Objective(name="val_loss", direction="min"),
        Objective(name="parameters", direction="min"),
    )
    values = ((0.70, 0.6, 0.8, 1000.0), (0.72, 0.6, 0.9, 1000.0))
    int8 = Int8Accuracy(600, 1000, "simulated")
    results = [Rung(epochs=3, values=each, int8=int8) for each in values]
    executions = tuple(
        Execution(run=f"run{seed}", seed=seed, result=result, epochs=3)
        for seed, result in enumerate(results)
    )
    mean = Rung(epochs=3, values=(0.71, 0.6, 0.85, 1000.0), int8=int8, by_execution=values)
    shown = trial(1600).with_(rungs=(mean,), executions=executions, run="run1")
    assert result_texts(objectives, shown) == [
        "71.00% ± 1.41",
        "60.00%",  # not the interval of one network
        "0.85 ± 0.071",
        "1,000",
    ]
    notes = uncertainty_notes(objectives, [trial(1600), shown])
    assert notes["val_accuracy"] == "mean of 2 executions ± their standard deviation"
    assert "parameters" not in notes
    value = trial_json(shown, objectives)
    assert value["spread"]["val_accuracy"] == pytest.approx(0.02 / 2**0.5)
    assert value["spread"]["parameters"] == 0
    assert [
        (execution["seed"], execution["val_loss"], execution["kept"])
        for execution in value["executions"]
    ] == [(0, 0.8, False), (1, 0.9, True)]
    assert value["rungs"][0]["by_execution"] == [list(each) for each in values]


def test_results_of_earlier_versions_have_no_uncertainty() -> None:
    rung = Rung(epochs=1, values=(0.8, 200.0, 5.0))
    earlier = TrialRecord(number=0, state=TrialState.COMPLETE, values={}, rungs=(rung,))
    assert result_texts(OBJECTIVES, earlier) == ["80.00%", "200 ms", "5"]
    assert uncertainty_notes(OBJECTIVES, [earlier]) == {}
    assert trial_json(earlier, OBJECTIVES)["int8"] is None


def test_uncertainty_notes_cover_all_trials() -> None:
    trials = [trial(1600), trial(1900, error=100.0)]
    notes = uncertainty_notes(OBJECTIVES, trials)
    assert notes["latency_ms"] == notes["fps"] == "predicted, ± 35 to 50%"
    assert notes["int8_accuracy"].startswith("2,000 validation images")


def test_trial_json_has_the_interval_of_int8() -> None:
    value = trial_json(trial(1600), OBJECTIVES)
    assert json.loads(json.dumps(value, allow_nan=False)) == value
    assert (value["int8_accuracy"], value["latency_ms"], value["fps"]) == (0.8, 200.0, 5.0)
    assert value["int8"] == {
        "int8_accuracy": 0.8,
        "interval": list(wilson_interval(1600, 2000)),
        "validation_images": 2000,
        "interpreter": "simulated",
    }
    assert value["rungs"][0]["int8"]["int8_accuracy"] == 0.4
    assert value["network"]["latency_error_ms"] == 70.0


@given(st.floats(0.01, 1e5), st.floats(0.05, 0.9))
def test_time_and_rate_agree(time: float, share: float) -> None:
    """The range of fps is that of the time, turned around, and contains its middle."""
    text = result_texts(OBJECTIVES, trial(100, time=time, error=share * time))[2]
    middle, _, limits = text.rstrip(")").replace(",", "").partition(" (")
    low, high = map(float, limits.split(" to "))
    assert low <= float(middle) <= high
    assert low == pytest.approx(1000 / (time * (1 + share)), rel=0.06)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("latency_ms", 3.456, "3.5 ms"),
        ("latency_ms", 24_950.2, "24,950 ms"),
        ("fps", 0.0401, "0.04"),
        ("int8_accuracy", 0.8123, "81.23%"),
    ],
)
def test_metric_text_has_as_many_digits_as_say_something(
    name: str, value: float, text: str
) -> None:
    assert metric_text(name, value) == text
