"""The rule of the range test: right about curves of known shape, silent about those that say
nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyetune.analysis.learning_rates import (
    DIVERGED_FACTOR,
    RangeTest,
    check_range,
    default_steps,
    judge,
    rising_rates,
    smoothed,
    until_diverged,
)
from eyetune.errors import UsageError

finite_losses = st.lists(st.floats(0, 1e6), min_size=1, max_size=80)


def valley(
    fall_at: float, lowest_at: float, *, steps: int = 500, noise: float = 0.0, seed: int = 0
) -> RangeTest:
    """Judge a loss that falls from 2.3 to 1.8 between two rates, then rises as fast."""
    rates = rising_rates(1e-6, 10.0, steps)
    place, begin, end = np.log10(rates), math.log10(fall_at), math.log10(lowest_at)
    slope = 0.5 / (end - begin)
    losses = np.where(
        place < end, 2.3 - slope * np.clip(place - begin, 0, None), 1.8 + slope * (place - end)
    )
    losses = np.clip(losses + np.random.default_rng(seed).normal(0, noise, steps), 0.01, None)
    return judge(rates, losses.tolist(), steps)


@settings(max_examples=60)
@given(
    st.floats(-4.5, -1.5),
    st.floats(1.0, 2.0),
    st.sampled_from([100, 200, 500, 1000]),
    st.integers(0, 9),
)
def test_judge_finds_a_valley_in_noise(begin: float, width: float, steps: int, seed: int) -> None:
    fall_at, lowest_at = 10**begin, 10 ** (begin + width)
    test = valley(fall_at, lowest_at, steps=steps, noise=0.05, seed=seed)
    assert test.suggestion is not None
    assert test.usable is not None
    low, high = test.usable
    assert (
        lowest_at / 3 < high < lowest_at * 5
    )  # the running average is late by a third of a decade and more
    assert test.suggestion == pytest.approx(high / 10, rel=0.06)
    assert low <= test.suggestion <= high
    assert low < lowest_at


@settings(max_examples=30)
@given(st.floats(0.01, 100), st.sampled_from([0.1, 1.0, 10.0]))
def test_judge_is_independent_of_units(loss_factor: float, rate_factor: float) -> None:
    rates = rising_rates(1e-6, 1.0, 200)
    losses = [
        2.3 - 0.01 * max(0, step - 80) + (0.05 * (step - 120) if step > 120 else 0)
        for step in range(200)
    ]
    before = judge(rates, losses, 200)
    after = judge(
        [rate_factor * rate for rate in rates], [loss_factor * loss for loss in losses], 200
    )
    assert before.suggestion is not None
    assert after.suggestion == pytest.approx(
        rate_factor * before.suggestion, rel=0.06
    )  # rounded to two digits


def test_judge_seldom_mistakes_chance_for_a_fall() -> None:
    rates = rising_rates(1e-6, 10.0, 200)
    generator = np.random.default_rng(3)
    suggestions = [
        judge(rates, generator.normal(2.3, 0.2, 200).tolist(), 200).suggestion for _ in range(200)
    ]
    assert sum(one is not None for one in suggestions) <= 4


def test_judge_finds_a_fall_despite_huge_losses() -> None:
    rates = rising_rates(1e-6, 10.0, 100)
    losses = [2.3 if step < 40 else 2.3 - 0.03 * (step - 40) for step in range(90)] + [9.0] * 10
    for step in (70, 74, 77):
        losses[step] += 2.0
    assert judge(rates, losses, 100).suggestion is not None


def test_judge_asks_for_more_steps_in_noise() -> None:
    test = judge(rising_rates(1e-6, 10.0, 100), [2.3] * 100, 100)
    assert (test.suggestion, test.usable) == (None, None)
    assert "--steps 200" in test.reason
    assert (
        json.loads(json.dumps(test.to_json(), allow_nan=False))["suggested_learning_rate"] is None
    )


@pytest.mark.parametrize("losses", [[], [2.3], [2.3, 9e9]])
def test_judge_asks_for_smaller_rates(losses: list[float]) -> None:
    test = judge(rising_rates(1.0, 10.0, 100), losses, 100)
    assert test.suggestion is None
    assert test.diverged
    assert "--smallest" in test.reason


def test_judge_asks_for_larger_rates() -> None:
    test = judge(rising_rates(1e-6, 1e-3, 100), np.linspace(2.3, 1.0, 100).tolist(), 100)
    assert test.suggestion == pytest.approx(1e-4)
    assert "--largest" in test.reason


def test_judge_suggests_only_rates_that_were_tried() -> None:
    rates = rising_rates(0.01, 1.0, 100)
    losses = [2.3 - 0.05 * step if step < 20 else 1.3 + 0.05 * step for step in range(100)]
    test = judge(rates, losses, 100)
    assert test.suggestion == 0.01
    assert test.usable is not None
    assert 0.02 < test.usable[1] < 0.05


@given(finite_losses, st.integers(20, 2000))
def test_smoothed_stays_within_the_losses_so_far(losses: list[float], steps: int) -> None:
    averages = list(smoothed(losses, steps))
    assert len(averages) == len(losses)
    for number, average in enumerate(averages):
        seen = losses[: number + 1]
        assert min(seen) * (1 - 1e-9) - 1e-300 <= average <= max(seen) * (1 + 1e-9) + 1e-300
    assert averages[0] == pytest.approx(losses[0])


@given(
    st.lists(st.floats(0, 1e9) | st.sampled_from([math.inf, math.nan]), max_size=60),
    st.integers(20, 100),
)
def test_until_diverged_ends_at_the_first_huge_loss(losses: list[float], steps: int) -> None:
    asked: list[float] = []

    def source() -> Iterator[float]:
        for loss in losses:
            asked.append(loss)
            yield loss

    kept = list(until_diverged(source(), steps))
    assert all(map(math.isfinite, kept))
    assert kept == losses[: len(kept)]
    if len(kept) < len(losses):  # it ended early, for a reason, and no further step was trained
        averages = list(smoothed(kept, steps))
        assert not math.isfinite(asked[-1]) or averages[-1] > DIVERGED_FACTOR * min(averages)
        assert len(asked) <= len(kept) + 1


def test_until_diverged_allows_a_rise_below_the_start() -> None:
    losses = [2.3] * 20 + [0.01] * 60 + [1.0] * 20  # memorized data, then a larger rate
    assert len(list(until_diverged(losses, 100))) == 100


@pytest.mark.parametrize(
    ("smallest", "largest", "steps"),
    [
        (0.0, 1.0, None),
        (-1.0, 1.0, None),
        (1.0, 1e-3, None),
        (1e-3, 101.0, None),
        (math.nan, 1.0, None),
        (1e-3, math.inf, None),
        (1e-3, 5e-3, None),
        (1e-6, 1.0, 19),
        (1e-6, 1.0, 10**9),
    ],
)
def test_check_range_refuses_unusable_ranges(
    smallest: float, largest: float, steps: int | None
) -> None:
    with pytest.raises(UsageError) as caught:
        check_range(smallest, largest, steps)
    assert caught.value.expected


def test_check_range_accepts_the_limits() -> None:
    check_range(1e-3, 1e-2, 20)
    check_range(10.0, 100.0)
    assert rising_rates(1e-3, 1e-2, 20)[-1] == pytest.approx(1e-2)


@given(st.integers(1, 10**6))
def test_default_steps_depend_on_the_data(batches: int) -> None:
    steps = default_steps(batches)
    assert 50 <= steps <= 500
    assert steps <= max(50, 10 * batches)
