"""Balanced sampling: as many images of each class in each epoch, from seed and epoch alone."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from eyetune.training.balanced_sampling import balanced_order

LABELS = st.lists(st.integers(0, 5), min_size=1, max_size=80).map(np.array)


def spread(counts: NDArray[np.int64]) -> int:
    return int(counts.max() - counts.min())


@given(labels=LABELS, seed=st.integers(0, 2**40), epoch=st.integers(0, 1000))
def test_epoch_draws_classes_and_their_images_evenly(
    labels: NDArray[np.int64],
    seed: int,
    epoch: int,
) -> None:
    order = balanced_order(labels, seed, epoch)
    assert len(order) == len(labels)
    assert spread(np.unique(labels[order], return_counts=True)[1]) <= 1
    times_drawn = np.bincount(order, minlength=len(labels))
    for label in np.unique(labels):
        assert spread(times_drawn[labels == label]) <= 1
    np.testing.assert_array_equal(order, balanced_order(labels, seed, epoch))


def test_order_changes_with_seed_and_epoch() -> None:
    labels = np.repeat([0, 1], [40, 10])
    orders = {tuple(balanced_order(labels, seed, epoch)) for seed in (0, 2**33) for epoch in (0, 1)}
    assert len(orders) == 4
