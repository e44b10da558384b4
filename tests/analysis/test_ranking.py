from __future__ import annotations

import math
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from eyetune.analysis.ranking import is_ahead, non_dominated_trials, rank_trials
from eyetune.records.study import Objective
from eyetune.records.trial import Rung, TrialRecord, TrialState

ACCURACY = Objective(name="val_accuracy", direction="max")
SIZE = Objective(name="parameters", direction="min")
SECONDS = Objective(name="seconds", direction="min")


def trials_of(*results: Sequence[float] | None) -> list[TrialRecord]:
    trials = []
    for number, values in enumerate(results):
        rungs = () if values is None else (Rung(epochs=1, values=tuple(values)),)
        trials.append(TrialRecord(number=number, state=TrialState.COMPLETE, values={}, rungs=rungs))
    return trials


def numbers(trials: Sequence[TrialRecord]) -> list[int]:
    return [trial.number for trial in trials]


def test_rank_trials_puts_results_that_diverged_last() -> None:
    trials = trials_of([math.nan], [0.4], None, [0.6], [math.inf])
    assert numbers(rank_trials((ACCURACY,), trials)) == [3, 1, 0, 4]
    assert numbers(non_dominated_trials((ACCURACY,), trials)) == [3]
    assert non_dominated_trials((ACCURACY,), trials_of([math.nan], None)) == []


def test_a_small_network_that_diverged_does_not_win() -> None:
    trials = trials_of([math.nan, 10.0], [0.9, 900.0])
    assert numbers(rank_trials((ACCURACY, SIZE), trials)) == [1, 0]
    assert numbers(non_dominated_trials((ACCURACY, SIZE), trials)) == [1]


def test_rank_trials_orders_front_by_front() -> None:
    trials = trials_of([0.9, 900.0], [0.8, 950.0], [0.5, 100.0], [0.95, 2000.0], [0.89, 960.0])
    assert numbers(rank_trials((ACCURACY, SIZE), trials)) == [3, 0, 2, 4, 1]
    assert numbers(non_dominated_trials((ACCURACY, SIZE), trials)) == [3, 0, 2]


def test_of_equal_results_the_lower_number_comes_first() -> None:
    trials = trials_of([0.9, 900.0], [0.9, 900.0], [0.95, 2000.0])
    assert numbers(rank_trials((ACCURACY, SIZE), trials[::-1])) == [2, 0, 1]
    assert numbers(non_dominated_trials((ACCURACY, SIZE), trials)) == [2, 0]


@given(st.integers(1, 3), st.data())
def test_rank_trials_agrees_with_is_ahead(num_objectives: int, data: st.DataObject) -> None:
    objectives = (ACCURACY, SIZE, SECONDS)[:num_objectives]
    values = st.sampled_from([0.0, 1.0, 2.0, 3.0, math.nan])
    results = st.none() | st.tuples(*[values] * num_objectives)
    trials = trials_of(*data.draw(st.lists(results, max_size=15)))
    order = rank_trials(objectives, trials)
    assert {trial.number for trial in order} == {
        trial.number for trial in trials if trial.objectives is not None
    }
    for index, trial in enumerate(order):
        assert not any(is_ahead(objectives, later, trial) for later in order[index:])
    unbeaten = [
        trial for trial in order if not any(is_ahead(objectives, other, trial) for other in order)
    ]
    assert order[: len(unbeaten)] == unbeaten
