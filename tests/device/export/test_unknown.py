"""Temperature and threshold for unknown pictures, from simulated int8 scores."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from eyetune.device.estimate.tflite import Port
from eyetune.device.export.unknown import (
    calibrated_rule,
    confidence_weights,
    fitted_temperature,
)
from eyetune.device.firmware import FULL_CONFIDENCE, UNKNOWN_CLASS, read_known_results
from eyetune.errors import BoardError

NUM_CLASSES = 6
LOGITS = Port((NUM_CLASSES,), "int8", 0.2, 3)
PROBABILITIES = Port((NUM_CLASSES,), "int8", 1 / 256, -128)


def simulated(
    num_images: int, seed: int, sharpness: float = 1.0
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return logits and labels of a network whose probabilities are right, and sharpened ones."""
    generator = np.random.default_rng(seed)
    logits = 2.5 * generator.normal(size=(num_images, NUM_CLASSES))
    powers = np.exp(logits)
    shares = (powers / powers.sum(axis=1, keepdims=True)).cumsum(axis=1)
    labels = (generator.random((num_images, 1)) > shares).sum(axis=1)
    return sharpness * logits, np.minimum(labels, NUM_CLASSES - 1)


def as_scores(logits: NDArray[np.float64], port: Port) -> NDArray[np.int8]:
    """Return logits, or their probabilities, as the int8 output of a network."""
    values = logits
    if port is PROBABILITIES:
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        values = powers / powers.sum(axis=1, keepdims=True)
    scores: NDArray[np.int8] = np.clip(
        np.round(values / port.scale) + port.zero_point, -128, 127
    ).astype(np.int8)
    return scores


@pytest.mark.parametrize("port", [LOGITS, PROBABILITIES], ids=["logits", "probabilities"])
@pytest.mark.parametrize("rate", [0.05, 0.2])
def test_calibrated_rule_refuses_at_most_the_rate(port: Port, rate: float) -> None:
    tuning, labels = simulated(500, 0)
    rest, _ = simulated(2000, 1)
    new, _ = simulated(20_000, 2)
    calibrated = calibrated_rule(
        port,
        as_scores(tuning, port),
        labels,
        as_scores(rest, port),
        scores_are_logits=port is LOGITS,
        rate=rate,
    )
    answers = read_known_results(as_scores(new, port), calibrated.rule)
    assert abs(np.mean(answers.classes == UNKNOWN_CLASS) - rate) < 0.015
    lower = calibrated_rule(
        port,
        as_scores(tuning, port),
        labels,
        as_scores(rest, port),
        scores_are_logits=port is LOGITS,
        rate=rate,
        num_compared=50,
    )
    assert lower.rule.threshold < calibrated.rule.threshold


def test_calibrated_rule_without_enough_images_refuses_nothing() -> None:
    logits, labels = simulated(30, 0)
    scores = as_scores(logits, LOGITS)
    calibrated = calibrated_rule(
        LOGITS, scores[:12], labels[:12], scores[12:], scores_are_logits=True, rate=0.05
    )
    assert (calibrated.rank, calibrated.rule.threshold) == (0, 0)


@pytest.mark.parametrize("sharpness", [0.7, 1.0, 1.5])
def test_fitted_temperature_undoes_overconfidence(sharpness: float) -> None:
    logits, labels = simulated(4000, 3, sharpness)
    scores = as_scores(logits, Port((NUM_CLASSES,), "int8", 0.1, 0))
    port = Port((NUM_CLASSES,), "int8", 0.1, 0)
    temperature = fitted_temperature(port, scores, labels, scores_are_logits=True)
    assert temperature == pytest.approx(sharpness, rel=0.08)


def test_fitted_temperature_stays_near_1_with_few_images() -> None:
    logits, _ = simulated(4, 0)
    scores = as_scores(logits, LOGITS)
    # Without a prior, images that are all right would be given the lowest temperature.
    labels = scores.argmax(axis=1)
    assert 0.4 < fitted_temperature(LOGITS, scores, labels, scores_are_logits=True) < 1
    assert fitted_temperature(LOGITS, scores[:0], labels[:0], scores_are_logits=True) == 1


@pytest.mark.parametrize("port", [LOGITS, PROBABILITIES], ids=["logits", "probabilities"])
def test_confidence_weights_fall_with_the_score(port: Port) -> None:
    weights = confidence_weights(port, 1.7, scores_are_logits=port is LOGITS)
    assert len(weights) == 256
    assert weights[0] == FULL_CONFIDENCE
    assert list(weights) == sorted(weights, reverse=True)
    assert weights[-1] >= (port is PROBABILITIES)


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_confidence_weights_refuse_an_invalid_scale(scale: float) -> None:
    with pytest.raises(BoardError):
        confidence_weights(Port((3,), "int8", scale, 0), 1.0, scores_are_logits=True)
