"""TtaGain: what they give, how sure that is, and when they are not for these images."""

from __future__ import annotations

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from eyetune.analysis.metrics import evaluate
from eyetune.analysis.tta import tta_gain


def predictions(
    labels: NDArray[np.int64], accuracy: float, *, seed: int, sure_when_wrong: float = 0.5
) -> NDArray[np.float32]:
    """Make probabilities of 4 classes that are right with a chance, and then 80% sure."""
    generator = np.random.default_rng(seed)
    right = generator.random(len(labels)) < accuracy
    chosen = np.where(right, labels, (labels + generator.integers(1, 4, len(labels))) % 4)
    sure = np.where(right, 0.8, sure_when_wrong)[:, np.newaxis]
    rows = np.where(np.eye(4, dtype=bool)[chosen], sure, (1 - sure) / 3)
    return rows.astype(np.float32)


LABELS = np.arange(800) % 4


def test_tta_gain_of_independent_predictions() -> None:
    found = tta_gain(predictions(LABELS, 0.7, seed=1), predictions(LABELS, 0.7, seed=2), LABELS)
    assert found.finding == "better"
    assert found.difference_interval[0] > 0
    assert found.difference_interval[0] < found.difference < found.difference_interval[1]
    assert found.difference == found.averaged.accuracy - found.plain.accuracy
    assert found.hint == ""
    assert repr(found).endswith(" points: better>")
    assert found.summary.rows["accuracy"] == found.averaged.summary.rows["accuracy"]
    assert f"{100 * found.difference:+.2f} points" in found.summary.rows["difference"]
    assert found.summary.sentences == ()


def test_tta_gain_hints_at_mirror_images_of_other_meaning() -> None:
    found = tta_gain(
        predictions(LABELS, 0.7, seed=1),
        predictions(LABELS, 0.2, seed=2, sure_when_wrong=0.95),
        LABELS,
    )
    assert found.finding == "worse"
    assert "digits" in found.hint
    value = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert value["hint"] == found.hint
    assert found.summary.sentences == (found.hint,)
    assert value["mirrored_accuracy"] == found.mirrored_accuracy < 0.3


@given(st.integers(0, 1000), st.integers(1, 40))
def test_tta_gain_of_symmetric_images_is_zero(seed: int, count: int) -> None:
    plain = predictions(LABELS[:count], 0.6, seed=seed)
    found = tta_gain(plain, plain, LABELS[:count])
    assert found.difference == 0
    assert found.difference_interval == (0, 0)
    assert found.finding == "no difference that we can be sure of"
    assert found.averaged.to_json() == evaluate(plain, LABELS[:count]).to_json()
