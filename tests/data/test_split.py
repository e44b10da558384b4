from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from eyetune.data import Split
from eyetune.data.split import cut, stratified_order, stratified_part

class_sizes = st.lists(st.integers(1, 60), min_size=1, max_size=12)
seeds = st.integers(0, 2**32 - 1)


def labels_of(sizes: list[int]) -> NDArray[np.int64]:
    return np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))


def largest_excess(sizes: list[int], order: NDArray[np.int64]) -> list[Fraction]:
    """Return for each class how far its count in any prefix gets from the prefix's length times its
    share.
    """
    labels = labels_of(sizes)[order]
    counts = np.cumsum(labels[:, np.newaxis] == np.arange(len(sizes)), axis=0)
    total = len(labels)
    return [
        max(
            abs(int(count) - Fraction((prefix + 1) * size, total))
            for prefix, count in enumerate(counts[:, label])
        )
        for label, size in enumerate(sizes)
    ]


@given(class_sizes, seeds)
def test_order_is_a_permutation(sizes: list[int], seed: int) -> None:
    order = stratified_order(labels_of(sizes), seed)
    assert sorted(order.tolist()) == list(range(sum(sizes)))


@given(class_sizes, seeds)
@example([100] + [1] * 20, 0)
@example([7] * 10, 0)
def test_stratified_order_keeps_proportions_within_its_bound(sizes: list[int], seed: int) -> None:
    excess = largest_excess(sizes, stratified_order(labels_of(sizes), seed))
    for size, found in zip(sizes, excess, strict=True):
        share = Fraction(size, sum(sizes))
        assert found <= (1 + share * (len(sizes) - 2)) / 2


@given(st.integers(1, 30), st.integers(2, 12), seeds)
def test_classes_of_one_size_are_less_than_one_image_off(
    size: int, num_classes: int, seed: int
) -> None:
    sizes = [size] * num_classes
    assert max(largest_excess(sizes, stratified_order(labels_of(sizes), seed))) < 1


def test_stratified_order_reaches_its_bound() -> None:
    sizes = [1000] + [1] * 20
    found = largest_excess(sizes, stratified_order(labels_of(sizes), 0))[0]
    assert found > 0.95 * (1 + Fraction(1000, 1020) * 19) / 2


@given(class_sizes, seeds)
def test_one_seed_gives_one_order(sizes: list[int], seed: int) -> None:
    labels = labels_of(sizes)
    assert np.array_equal(stratified_order(labels, seed), stratified_order(labels, seed))


def test_stratified_order_depends_on_the_seed() -> None:
    labels = labels_of([20, 20, 20])
    first, second = (stratified_order(labels, seed) for seed in (1, 2))
    assert not np.array_equal(first, second)
    assert not np.array_equal(labels[first], labels[second])
    assert not np.array_equal(first[labels[first] == 0], second[labels[second] == 0])


def test_classes_with_equal_positions_have_a_random_order() -> None:
    labels = np.repeat(np.arange(3), 20)
    groups = labels[stratified_order(labels, 0)].reshape(20, 3).tolist()
    assert all(sorted(group) == [0, 1, 2] for group in groups)
    assert len({tuple(group) for group in groups}) > 3


def numbered(count: int) -> Split:
    return Split(np.zeros((count, 8, 8, 3), np.uint8), np.arange(count))


@pytest.mark.parametrize(
    ("count", "share", "sizes"),
    [
        (10, 0.2, (8, 2)),
        (50_000, 0.2, (40_000, 10_000)),
        (3, 0.01, (2, 1)),
        (3, 0.99, (1, 2)),
        (2, 0.5, (1, 1)),
    ],
)
def test_cut_leaves_at_least_one_image_on_each_side(
    count: int, share: float, sizes: tuple[int, int]
) -> None:
    first, second = cut(numbered(count), share)
    assert (len(first), len(second)) == sizes
    assert np.array_equal(np.concatenate([first.labels, second.labels]), np.arange(count))


def test_cut_copies_nothing() -> None:
    whole = numbered(10)
    for part in cut(whole, 0.3):
        assert np.shares_memory(part.images, whole.images)


@given(class_sizes, st.integers(1, 200), st.data())
def test_stratified_part_is_fixed_and_in_proportion(
    sizes: list[int], num_images: int, data: st.DataObject
) -> None:
    labels = labels_of(sizes)
    images = np.arange(len(labels)).astype(np.uint8).reshape(-1, 1, 1, 1)
    part = stratified_part(Split(images, labels), num_images)
    assert len(part) == min(num_images, len(labels))
    again = stratified_part(Split(images, labels), num_images)
    assert (part.images == again.images).all()
    label = data.draw(st.integers(0, len(sizes) - 1))
    expected = len(part) * sizes[label] / len(labels)
    assert abs(int((part.labels == label).sum()) - expected) <= (len(sizes) + 1) / 2
