"""Imbalance: what a constant answer reaches, and weights that give balanced accuracy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from eyetune.analysis.imbalance import (
    balanced_recall,
    balancing_weights,
    imbalance,
    imbalance_text,
)


@given(labels=st.lists(st.integers(0, 4), min_size=1, max_size=60))
def test_constant_answer_has_the_accuracy_that_is_reported(labels: list[int]) -> None:
    found = imbalance(np.bincount(labels, minlength=7).tolist())
    answers = [found.largest] * len(labels)
    assert found.constant_accuracy == pytest.approx(accuracy_score(labels, answers))
    balanced = balanced_accuracy_score(labels, answers)
    assert found.constant_balanced_accuracy == pytest.approx(balanced)
    assert labels.count(found.largest) == pytest.approx(found.ratio * labels.count(found.smallest))


@pytest.mark.parametrize(("counts", "is_large"), [([20, 10], False), ([21, 10, 0], True)])
def test_imbalance_is_large_beyond_a_factor_of_two(counts: list[int], is_large: bool) -> None:
    found = imbalance(counts)
    assert found.is_large is is_large
    text = imbalance_text(found, ["cat", "dog", "fish"])
    assert ("cat" in text and "dog" in text) is is_large
    assert "fish" not in text


@given(pairs=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=50))
def test_balancing_weights_give_balanced_accuracy(pairs: list[tuple[int, int]]) -> None:
    labels, predicted = np.array(pairs).T
    weights = balancing_weights(labels)
    assert weights.mean() == pytest.approx(1)
    recalls = [
        (predicted[labels == label] == label).mean() if (labels == label).any() else float("nan")
        for label in range(4)
    ]
    expected = np.nanmean(recalls)
    assert np.mean((labels == predicted) * weights) == pytest.approx(expected)
    assert balanced_recall(recalls) == pytest.approx(expected)
