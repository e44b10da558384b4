from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from eyetune.analysis.comparison import (
    Candidate,
    bootstrap_differences,
    compare,
    holm,
    interaction,
    interval_of,
)
from eyetune.analysis.imbalance import balancing_weights
from eyetune.errors import DataError
from eyetune.values.history import Epoch


def history(*accuracies: float, seconds: float = 1.0) -> tuple[Epoch, ...]:
    return tuple(
        Epoch(number + 1, 1, 1, 1, one, 1, seconds, 1) for number, one in enumerate(accuracies)
    )


def candidate(
    label: str, *rights: float, images: int = 1000, seed: int = 0, shared: bool = True
) -> Candidate:
    """Return a candidate that is correct on a share of the images, the first ones if shared."""
    generator = np.random.default_rng(seed)
    rows = [np.arange(images) < round(share * images) for share in rights]
    if not shared:
        rows = [generator.permutation(row) for row in rows]
    return Candidate(label, np.stack(rows), (history(0.1, 0.2),) * len(rows), 10, 20)


def test_bootstrap_agrees_with_scipy() -> None:
    generator = np.random.default_rng(0)
    mine, theirs = generator.random(400) < 0.7, generator.random(400) < 0.6
    ours = np.quantile(bootstrap_differences(mine[np.newaxis], theirs[np.newaxis]), [0.025, 0.975])
    reference = stats.bootstrap(
        ((mine.astype(float) - theirs),),
        np.mean,
        method="percentile",
        n_resamples=9999,
        random_state=1,
    ).confidence_interval
    assert ours == pytest.approx([reference.low, reference.high], abs=0.004)


def test_weighted_candidates_are_compared_by_balanced_accuracy() -> None:
    weights = balancing_weights(np.repeat([0, 1], [900, 100]))
    frequent = replace(candidate("frequent only", 0.9), image_weights=weights)
    right = np.repeat([True, False, True], [700, 200, 100])[np.newaxis]
    both = replace(frequent, label="both", right=right)
    (difference,) = compare(frequent, [both])
    assert frequent.accuracy == pytest.approx(0.5)
    assert difference.difference == pytest.approx(7 / 18 + 0.5 - 0.5)
    low, high = difference.interval
    assert 0.2 < low < difference.difference < high < 0.6
    assert difference.certain


def test_compare_finds_a_clear_gain_and_loss() -> None:
    baseline = candidate("baseline", 0.6)
    better, worse = compare(baseline, [candidate("b", 0.7), candidate("w", 0.5)])
    assert (better.finding, worse.finding) == ("better", "worse")
    assert better.difference == pytest.approx(0.1)
    assert better.interval[0] < 0.1 < better.interval[1]
    assert better.interval[0] > 0 > worse.interval[1]


def test_compare_is_not_sure_of_chance() -> None:
    baseline = candidate("baseline", 0.60, shared=False, seed=1)
    (one,) = compare(baseline, [candidate("c", 0.61, shared=False, seed=2)])
    assert one.finding == "no difference that we can be sure of"
    assert one.interval[0] < 0 < one.interval[1]


def test_compare_seldom_mistakes_chance_for_a_difference() -> None:
    generator = np.random.default_rng(5)
    called = 0
    for seed in range(200):
        rows = generator.random((2, 300)) < 0.7
        mine, theirs = (
            Candidate(name, row[np.newaxis], (history(0.1),), 1, 1)
            for name, row in zip("ab", rows, strict=True)
        )
        called += compare(theirs, [mine], seed=seed)[0].certain
    assert called <= 20  # 5% of 200 is 10; more than 20 happens once in 700


def test_several_seeds_widen_the_interval() -> None:
    steady = compare(candidate("b", 0.6, 0.6, 0.6), [candidate("c", 0.65, 0.65, 0.65)])[0]
    shaky = compare(candidate("b", 0.5, 0.6, 0.7), [candidate("c", 0.55, 0.65, 0.75)])[0]
    assert steady.difference == pytest.approx(shaky.difference)
    width = [one.interval[1] - one.interval[0] for one in (steady, shaky)]
    assert width[1] > 3 * width[0]
    assert (steady.certain, shaky.certain) == (True, False)
    assert shaky.seed_deviation == pytest.approx(0.1)


def test_compare_needs_more_evidence_for_many_candidates() -> None:
    baseline = candidate("baseline", 0.600, images=4000)
    alone = compare(baseline, [candidate("c", 0.60125, images=4000)])[0]
    among = compare(
        baseline,
        [
            candidate("c", 0.60125, images=4000),
            *(candidate(str(n), 0.6, images=4000) for n in range(9)),
        ],
    )[0]
    assert among.p_value == pytest.approx(min(1.0, 10 * alone.p_value))
    assert alone.certain
    assert not among.certain


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_raises_p_values_and_keeps_their_order(values: list[float]) -> None:
    corrected = holm(values)
    assert all(before <= after <= 1 for before, after in zip(values, corrected, strict=True))
    assert min(corrected) == min(1.0, len(values) * min(values))
    order = np.argsort(values, kind="stable")
    assert np.all(np.diff(np.asarray(corrected)[order]) >= 0)


def test_compare_at_equal_epochs_and_seconds() -> None:
    right = np.ones((1, 10), bool)
    short = Candidate("short", right, (history(0.2, 0.4, seconds=10),), 1, 1)
    long = Candidate("long", right, (history(0.3, 0.5, 0.6, 0.7, seconds=4),), 1, 1)
    (one,) = compare(short, [long])
    assert one.at_equal_epochs == pytest.approx(0.5 - 0.4)
    assert one.at_equal_seconds == pytest.approx(
        0.7 - 0.2
    )  # 16 s: all of the long one, one epoch of the short one


def test_compare_leaves_out_epochs_without_validation() -> None:
    """As those of Keras's own fit with validation_freq=2."""
    right = np.ones((1, 10), bool)
    seldom = tuple(
        replace(epoch, val_accuracy=None) if epoch.epoch % 2 else epoch
        for epoch in history(0.1, 0.4, 0.5, 0.6)
    )
    first = Candidate("first", right, (seldom,), 1, 1)
    second = Candidate("second", right, (history(0.2, 0.3, 0.9),), 1, 1)
    (one,) = compare(first, [second])
    assert one.at_equal_epochs == pytest.approx(0.9 - 0.4)


def test_compare_refuses_other_images() -> None:
    with pytest.raises(DataError):
        compare(candidate("a", 0.5, images=100), [candidate("b", 0.5, images=90)])


@pytest.mark.parametrize(("seeds", "at_most"), [(3, 0.12), (5, 0.10)])
def test_equal_recipes_seldom_differ(seeds: int, at_most: float) -> None:
    """With a spread over seeds, intervals that knew only the images would be wrong three times as
    often.
    """
    generator, images, wrong = np.random.default_rng(0), 2000, 0
    for _ in range(80):
        accuracies = 0.7 + 0.012 * generator.standard_normal((2, seeds))
        mine, theirs = (
            generator.random((seeds, images)) < side[:, np.newaxis] for side in accuracies
        )
        low, high = interval_of(
            bootstrap_differences(mine, theirs, seed=int(generator.integers(1000)), resamples=2000)
        )
        wrong += low > 0 or high < 0
    assert wrong / 80 <= at_most


def test_interaction_is_what_exceeds_the_sum() -> None:
    baseline, first, second = candidate("0", 0.5), candidate("1", 0.6), candidate("2", 0.55)
    together = interaction(baseline, first, second, candidate("both", 0.65))
    assert together.difference == pytest.approx(0.0, abs=1e-9)
    helping = interaction(baseline, first, second, candidate("both", 0.8))
    assert helping.difference == pytest.approx(0.15)
    assert helping.interval[0] > 0
    assert helping.p_value < 0.01
    hindering = interaction(baseline, first, second, candidate("both", 0.5))
    assert hindering.interval[1] < 0
