"""Samples that a user gave: structures of arrays, and labels of classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from eyetune.values.samples import Samples, labels_of, leaves, map_leaves, shapes

ARRAYS = st.integers(0, 3).map(lambda width: np.arange(4 * width).reshape(4, width))
TREES = st.recursive(
    ARRAYS | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(TREES)
def test_map_leaves_keeps_the_structure_and_the_order(tree: object) -> None:
    seen: list[object] = []

    def number(values: object) -> int:
        seen.append(values)
        return len(seen)

    numbered = map_leaves(number, tree)
    assert [id(values) for values in seen] == [id(values) for values in leaves(tree)]
    assert list(leaves(numbered)) == list(range(1, len(seen) + 1))
    same = map_leaves(lambda values: values, tree)
    assert repr(same) == repr(tree)


@given(TREES)
def test_take_is_a_view_of_each_array(tree: object) -> None:
    samples = Samples((np.arange(4), tree), np.arange(4.0))
    few = samples.take(1, 3)
    assert len(few) == 2
    for part, whole in zip(leaves(few.parts), leaves(samples.parts), strict=True):
        np.testing.assert_array_equal(part, whole[1:3])
        assert not part.size or np.shares_memory(part, whole)


def test_parts_are_what_fit_takes() -> None:
    x, y, weights = np.zeros((2, 3)), np.zeros(2), np.ones(2)
    assert Samples(x).parts == (x,)
    assert Samples(x, y).parts == (x, y)
    assert Samples(x, y, weights).parts == (x, y, weights)
    assert "(N, 3)" in repr(Samples(x, y))
    assert Samples(x, y).bytes_per_sample == 24


def test_shapes_names_every_array() -> None:
    assert shapes({"a": np.zeros((2, 3)), "b": (np.zeros(2), None)}) == (
        "{a: (N, 3), b: ((N,), None)}"
    )


@pytest.mark.parametrize(
    ("y", "labels"),
    [
        (np.array([2, 0, 1]), [2, 0, 1]),
        (np.array([[2], [0]], np.uint8), [2, 0]),
        (np.array([0.0, 1.0]), [0, 1]),
        (np.array([True, False]), [1, 0]),
        (np.eye(3, dtype=np.float32)[[1, 2]], [1, 2]),
    ],
)
def test_labels_of_finds_classes(y: NDArray[Any], labels: list[int]) -> None:
    found = labels_of(y)
    assert found is not None
    assert found.tolist() == labels
    assert found.dtype == np.int64


@pytest.mark.parametrize(
    "y",
    [
        np.array([0.5, 1.0]),
        np.array([-1, 0]),
        np.array([np.nan, 0.0]),
        np.array([10_000]),
        np.array([[0, 1], [1, 1]]),
        np.zeros((2, 2, 2)),
        np.array(["a"]),
        np.zeros(0),
        {"a": np.zeros(2)},
        None,
    ],
)
def test_labels_of_refuses_other_targets(y: object) -> None:
    assert labels_of(y) is None
