"""Metrics by class: values as scikit-learn computes them, intervals as their formulas say."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.metrics import balanced_accuracy_score, precision_recall_fscore_support

from eyetune.analysis.class_metrics import (
    balanced_accuracy,
    class_metrics,
    wilson_share,
)

CONFUSIONS = st.integers(2, 5).flatmap(
    lambda size: arrays.arrays(np.int64, (size, size), elements=st.integers(0, 30))
)


def answers(confusion: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return labels and predictions that have a confusion matrix."""
    cells = np.repeat(np.arange(confusion.size), confusion.ravel())
    labels, predicted = np.divmod(cells, len(confusion))
    return labels, predicted


@given(CONFUSIONS.filter(lambda confusion: bool(confusion.sum())))
def test_class_metrics_agree_with_scikit_learn(confusion: NDArray[np.int64]) -> None:
    labels, predicted = answers(confusion)
    expected = precision_recall_fscore_support(
        labels, predicted, labels=np.arange(len(confusion)), zero_division=np.nan
    )
    metrics = class_metrics(confusion)
    found = [[each.precision.value, each.recall.value, each.f1.value] for each in metrics]
    assert np.allclose(np.array(found).T, expected[:3], equal_nan=True)
    assert [each.num_images for each in metrics] == expected[3].tolist()


@given(CONFUSIONS.filter(lambda confusion: bool(confusion.sum())))
def test_balanced_accuracy_agrees_with_scikit_learn(confusion: NDArray[np.int64]) -> None:
    labels, predicted = answers(confusion)
    present = np.flatnonzero(confusion.sum(axis=1))
    found = balanced_accuracy(confusion)
    recalls = [np.mean(predicted[labels == label] == label) for label in present]
    assert found.value == pytest.approx(np.mean(recalls))
    if len(present) > 1 and set(predicted) <= set(labels):  # otherwise scikit-learn warns
        assert found.value == pytest.approx(balanced_accuracy_score(labels, predicted))


@given(CONFUSIONS)
def test_intervals_hold_their_value_within_0_and_1(confusion: NDArray[np.int64]) -> None:
    shares = [balanced_accuracy(confusion)]
    for each in class_metrics(confusion):
        shares += [each.precision, each.recall, each.f1]
    for share in shares:
        if share.is_known:
            assert -1e-12 <= share.low <= share.value + 1e-12
            assert share.value - 1e-12 <= share.high <= 1 + 1e-12


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_share_agrees_with_scipy(case: tuple[int, int]) -> None:
    interval = binomtest(*case).proportion_ci(0.95, method="wilson")
    assert wilson_share(*case)[1:] == pytest.approx((interval.low, interval.high), abs=1e-12)


def test_balanced_accuracy_of_one_class_has_wilsons_interval() -> None:
    assert balanced_accuracy(np.array([[7, 3], [0, 0]])) == pytest.approx(wilson_share(7, 10))


def test_balanced_accuracy_interval_covers_the_truth() -> None:
    generator = np.random.default_rng(0)
    sizes, recalls = np.array([200, 30, 12]), np.array([0.9, 0.7, 0.5])
    correct = generator.binomial(sizes, recalls, (1000, 3))
    hits = []
    for row in correct:
        confusion = np.diag(row)
        confusion[np.arange(3), [1, 2, 0]] = sizes - row
        share = balanced_accuracy(confusion)
        hits.append(share.low <= recalls.mean() <= share.high)
    assert 0.93 <= np.mean(hits) <= 0.98


def test_f1_interval_covers_the_truth() -> None:
    generator = np.random.default_rng(0)
    probabilities = np.array([0.15, 0.08, 0.05, 0.72])  # true and false positives and negatives
    true_f1 = 2 * 0.15 / (2 * 0.15 + 0.08 + 0.05)
    hits = []
    for tp, fp, fn, tn in generator.multinomial(200, probabilities, 1000):
        f1 = class_metrics(np.array([[tp, fn], [fp, tn]]))[0].f1
        hits.append(f1.low <= true_f1 <= f1.high)
    assert 0.93 <= np.mean(hits) <= 0.98


def test_metrics_of_a_class_without_images_are_null() -> None:
    metrics = class_metrics(np.array([[3, 0], [0, 0]]))[1]
    value = json.loads(json.dumps(metrics.to_json(), allow_nan=False))
    assert value["recall"] == value["f1"] == {"value": None, "interval": None}
    assert math.isnan(balanced_accuracy(np.zeros((2, 2), np.int64)).value)
