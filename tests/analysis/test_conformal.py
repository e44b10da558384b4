"""The threshold of split conformal prediction keeps its promise on simulated images."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyetune.analysis.conformal import (
    checked_rate,
    min_images,
    refused_range,
    refused_share,
    threshold_rank,
)
from eyetune.errors import UsageError

NUM_CALIBRATIONS = 20_000


def refused_by(rank: int, num_images: int, num_networks: int, seed: int = 0) -> np.ndarray:
    """Return the shares that thresholds refuse, shape (calibrations, networks).

    The confidences are uniform, so that a threshold refuses the share that it is.
    """
    generator = np.random.default_rng(seed)
    shape = (NUM_CALIBRATIONS, num_networks, num_images)
    return np.sort(generator.random(shape, np.float32), axis=2)[:, :, rank - 1]


@pytest.mark.parametrize(("num_images", "rate"), [(19, 0.05), (40, 0.1), (37, 0.29)])
def test_threshold_refuses_at_most_the_rate_on_average(num_images: int, rate: float) -> None:
    rank = threshold_rank(num_images, rate)
    mean = refused_by(rank, num_images, 1).mean()
    assert mean <= rate + 0.002
    assert mean > rate - 1 / (num_images + 1) - 0.002


def test_threshold_with_equal_confidences_refuses_less() -> None:
    generator = np.random.default_rng(0)
    confidences = generator.integers(0, 4, (NUM_CALIBRATIONS, 41))  # few values, as of a softmax
    known, new = np.sort(confidences[:, :40], axis=1), confidences[:, 40]
    threshold = known[:, threshold_rank(40, 0.1) - 1]
    assert np.mean(new < threshold) <= 0.1


@pytest.mark.parametrize("num_compared", [2, 8])
def test_threshold_holds_after_a_choice_of_the_network(num_compared: int) -> None:
    num_images, rate = 60, 0.2
    rank = threshold_rank(num_images, rate, num_compared)
    worst = refused_by(rank, num_images, num_compared).max(axis=1).mean()
    assert worst <= refused_share(rank, num_images, num_compared) + 0.002 <= rate + 0.002
    uncorrected = refused_by(threshold_rank(num_images, rate), num_images, num_compared)
    assert uncorrected.max(axis=1).mean() > rate  # so the correction is needed


@given(rate=st.floats(0.001, 0.5), num_compared=st.integers(1, 50))
def test_min_images_are_enough_and_fewer_are_not(rate: float, num_compared: int) -> None:
    enough = min_images(rate, num_compared)
    assert threshold_rank(enough, rate, num_compared) >= 1
    assert threshold_rank(enough - 1, rate, num_compared) == 0


@pytest.mark.parametrize(
    ("rate", "num_images"), [(0.05, 19), (0.1, 9), (0.07, 14), (0.01, 99), (0.5, 1)]
)
def test_min_images_of_round_rates_are_exact(rate: float, num_images: int) -> None:
    assert min_images(rate) == num_images


def test_refused_range_holds_95_of_100_calibrations() -> None:
    low, high = refused_range(5, 99)
    shares = refused_by(5, 99, 1)
    assert abs(np.mean((shares >= low) & (shares <= high)) - 0.95) < 0.01


@pytest.mark.parametrize("rate", [0, -0.1, 0.51, 5, float("nan")])
def test_checked_rate_refuses_other_shares(rate: float) -> None:
    with pytest.raises(UsageError):
        checked_rate(rate)
