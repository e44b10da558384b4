from __future__ import annotations

import json
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss, recall_score

from eyetune.analysis.metrics import (
    calibration_error,
    confident_mistakes,
    evaluate,
    wilson_interval,
)

Predictions = tuple[NDArray[np.float32], NDArray[np.int64]]


@st.composite
def predictions(draw: st.DrawFn) -> Predictions:
    """Probabilities that add up to 1, and labels."""
    num_images, num_classes = draw(st.integers(1, 40)), draw(st.integers(2, 6))
    weights = draw(
        arrays.arrays(np.float64, (num_images, num_classes), elements=st.floats(0.001, 1))
    )
    labels = draw(arrays.arrays(np.int64, num_images, elements=st.integers(0, num_classes - 1)))
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32), labels


@given(predictions())
def test_evaluate_agrees_with_scikit_learn(case: Predictions) -> None:
    probabilities, labels = case
    found, classes = evaluate(probabilities, labels), np.arange(probabilities.shape[1])
    predicted = probabilities.argmax(axis=1)
    assert found.num_images == len(labels)
    assert found.accuracy == pytest.approx(accuracy_score(labels, predicted))
    assert np.array_equal(found.confusion, confusion_matrix(labels, predicted, labels=classes))
    exact = probabilities.astype(np.float64)
    exact /= exact.sum(axis=1, keepdims=True)
    assert found.loss == pytest.approx(log_loss(labels, exact, labels=classes), rel=1e-5, abs=1e-6)


@given(predictions())
def test_class_accuracy_is_recall_or_nan(case: Predictions) -> None:
    probabilities, labels = case
    found, classes = (
        evaluate(probabilities, labels).class_accuracy,
        np.arange(probabilities.shape[1]),
    )
    recall = recall_score(
        labels, probabilities.argmax(axis=1), labels=classes, average=None, zero_division=np.nan
    )
    assert np.allclose(found, recall, equal_nan=True)


def plain_calibration_error(probabilities: Any, labels: Any, bins: int) -> float:
    """Follow the definition literally: bins of equal width that include their upper edges."""
    total = Fraction(0)
    for number in range(bins):
        low, high = Fraction(number, bins), Fraction(number + 1, bins)
        members = [
            (Fraction(float(max(row))), int(np.argmax(row) == label))
            for row, label in zip(probabilities, labels, strict=True)
            if low < Fraction(float(max(row))) <= high
        ]
        if members:
            confidence = sum((share for share, _ in members), Fraction(0)) / len(members)
            accuracy = Fraction(sum(correct for _, correct in members), len(members))
            total += Fraction(len(members), len(labels)) * abs(accuracy - confidence)
    return float(total)


@given(predictions(), st.integers(1, 20))
def test_calibration_error_follows_its_definition(case: Predictions, bins: int) -> None:
    probabilities, labels = case
    probabilities = np.minimum(probabilities, np.float32(1))
    assert calibration_error(probabilities, labels, bins) == pytest.approx(
        plain_calibration_error(probabilities, labels, bins), abs=1e-9
    )


def test_calibration_bins_include_their_upper_edge() -> None:
    probabilities = np.array([[0.5, 0.5], [0.75, 0.25]], np.float32)
    labels = np.array([0, 1])
    assert calibration_error(probabilities, labels, 2) == pytest.approx((0.5 + 0.75) / 2)
    assert calibration_error(probabilities, labels, 1) == pytest.approx(abs(1 - 1.25) / 2)


@pytest.mark.parametrize(("label", "error"), [(0, 0.0), (1, 1.0)])
def test_calibration_error_of_certain_predictions(label: int, error: float) -> None:
    assert calibration_error(np.array([[1, 0]] * 5, np.float32), np.full(5, label)) == error


def test_loss_clips_probabilities_as_keras_does() -> None:
    found = evaluate(np.array([[1.0, 0.0]], np.float32), np.array([1]))
    assert found.loss == pytest.approx(-math.log(1e-7))
    assert evaluate(np.array([[1.0, 0.0]], np.float32), np.array([0])).loss == 0


def plain_wilson(successes: int, trials: int) -> tuple[float, float]:
    z, share = 1.959963984540054, successes / trials
    center = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = (
        z
        / (1 + z * z / trials)
        * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    )
    return center - half, center + half


@given(
    st.integers(1, 20_000).flatmap(
        lambda trials: st.tuples(st.integers(0, trials), st.just(trials))
    )
)
def test_wilson_interval_agrees_with_its_formula(case: tuple[int, int]) -> None:
    successes, trials = case
    low, high = wilson_interval(successes, trials)
    assert (low, high) == pytest.approx(plain_wilson(successes, trials), abs=1e-9)
    assert 0 <= low <= successes / trials <= high <= 1


def test_evaluate_has_the_interval_of_its_accuracy() -> None:
    probabilities = np.eye(2, dtype=np.float32)[[0, 0, 1, 1]]
    found = evaluate(probabilities, np.array([0, 1, 1, 1]))
    assert found.accuracy == 0.75
    assert found.accuracy_interval == wilson_interval(3, 4)


def test_to_json_has_null_for_a_class_without_images() -> None:
    found = evaluate(np.array([[0.7, 0.2, 0.1], [0.2, 0.7, 0.1]], np.float32), np.array([0, 0]))
    value = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert value["num_images"] == 2
    assert value["accuracy"] == 0.5
    assert value["class_accuracy"] == [0.5, None, None]
    assert value["confusion_matrix"] == [[1, 1, 0], [0, 0, 0], [0, 0, 0]]
    assert value["loss"] == pytest.approx(-(math.log(0.7) + math.log(0.2)) / 2)
    assert value["expected_calibration_error"] == pytest.approx(0.2)
    assert value["accuracy_interval"] == pytest.approx(plain_wilson(1, 2))


@given(predictions(), st.integers(0, 10))
def test_confident_mistakes_are_wrong_and_sorted(case: Predictions, count: int) -> None:
    probabilities, labels = case
    found = confident_mistakes(probabilities, labels, count).tolist()
    wrong = [
        place for place in range(len(labels)) if probabilities[place].argmax() != labels[place]
    ]
    wrong.sort(key=lambda place: -probabilities[place].max())
    assert found == wrong[:count]
