"""How much each hyperparameter mattered."""

from __future__ import annotations

import math
import random
import warnings
from collections.abc import Mapping

import pytest

from eyetune.analysis.importance import importances, left_out
from eyetune.space.hyperparameters import Choice, Condition, Range, Value
from eyetune.space.space import Space

SPACE = Space.make(
    [
        Range(name="rate", low=1e-4, high=1e-1, sampling="log", whole=False),
        Range(name="units", low=16, high=128, step=16, whole=True),
        Choice(name="kind", values=("plain", "deep")),
        Choice(
            name="depth",
            values=(2, 3, 4),
            ordered=True,
            conditions=(Condition(parent="kind", values=("deep",)),),
        ),
        Choice(name="fixed", values=("adam",)),
    ]
)


def drawn(count: int, seed: int = 0) -> list[dict[str, bool | int | float | str]]:
    chance = random.Random(seed)
    return [
        SPACE.active(
            {
                "rate": 10 ** chance.uniform(-4, -1),
                "units": 16 * chance.randint(1, 8),
                "kind": chance.choice(["plain", "deep"]),
                "depth": chance.randint(2, 4),
                "fixed": "adam",
            }
        )
        for _ in range(count)
    ]


def test_importances_put_the_decisive_one_first() -> None:
    trials = [(values, -abs(math.log10(float(values["rate"])) + 2.5)) for values in drawn(80)]
    found = importances(SPACE, trials)
    assert next(iter(found)) == "rate"
    assert found["rate"] > 0.6
    assert sum(found.values()) == pytest.approx(1)
    assert list(found.values()) == sorted(found.values(), reverse=True)


@pytest.mark.parametrize(("sign", "first"), [(1, "rate"), (-1, "units")])
def test_importances_judge_by_the_highest_objectives(sign: int, first: str) -> None:
    """Among the best the rate matters, among the worst the units do."""

    def objective(values: Mapping[str, Value]) -> float:
        place = math.log10(float(values["rate"])) + 2.5
        return place if place > 0 else -float(values["units"])

    found = importances(SPACE, [(one, sign * objective(one)) for one in drawn(200)])
    assert max(("rate", "units"), key=found.__getitem__) == first


def test_importances_see_conditional_hyperparameters() -> None:
    trials = [(values, float(values.get("depth", 0) == 4)) for values in drawn(120)]
    found = importances(SPACE, trials)
    assert set(list(found)[:2]) == {"kind", "depth"}


def test_left_out_names_what_cannot_be_judged() -> None:
    values = [one for one in drawn(60) if one["kind"] == "plain"] + [
        one for one in drawn(60) if one["kind"] == "deep"
    ][:2]
    trials = [(one, float(one["rate"])) for one in values]
    assert left_out(SPACE, trials) == {
        "depth": "only 2 trials use it; 5 are needed",
        "fixed": "it has only one value",
    }
    assert set(importances(SPACE, trials)) == {"rate", "units", "kind"}


def test_importances_need_enough_trials() -> None:
    trials = [(values, float(values["rate"])) for values in drawn(9)]
    assert importances(SPACE, trials) == {}
    assert left_out(SPACE, trials)["rate"] == "only 9 trials are finished; 10 are needed"
    assert importances(SPACE, []) == {}


def test_importances_of_equal_trials_are_empty() -> None:
    assert importances(SPACE, [(values, 0.5) for values in drawn(40)]) == {}


def test_importances_pass_over_unusable_trials() -> None:
    good = [(values, float(values["rate"])) for values in drawn(40)]
    bad = [({**good[0][0], "units": 9000}, 1.0), (good[1][0], math.nan), (good[2][0], -math.inf)]
    assert importances(SPACE, good + bad) == importances(SPACE, good)


def test_importances_keep_optuna_silent(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        importances(SPACE, [(values, float(values["rate"])) for values in drawn(12)])
    assert capsys.readouterr().err == ""
