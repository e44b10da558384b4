"""Label suspects: those that predictions contradict, the most likely first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from eyetune.analysis.label_suspects import label_suspects


def predictions(
    true: NDArray[Any],
    num_classes: int,
    *,
    seed: int = 0,
) -> NDArray[Any]:
    """Return probabilities of classifiers that are right about nine times of ten."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 1, (len(true), num_classes))
    logits[np.arange(len(true)), true] += 4
    shares = np.exp(logits)
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)


def test_flipped_labels_are_the_first_suspects() -> None:
    true = np.arange(400) % 4
    labels = true.copy()
    labels[:20] = (labels[:20] + 1) % 4
    suspects = label_suspects(labels, predictions(true, 4))
    assert {suspect.index for suspect in suspects[:15]} <= set(range(20))
    assert [suspect.score for suspect in suspects] == sorted(
        (suspect.score for suspect in suspects), reverse=True
    )
    for suspect in suspects[:15]:
        assert suspect.likelier == true[suspect.index]


def test_right_labels_are_hardly_suspected() -> None:
    true = np.arange(400) % 4
    assert len(label_suspects(true, predictions(true, 4))) < 8


@pytest.mark.parametrize("labels", [[0, 0, 0], [2, 2, 2, 2]])
def test_one_class_has_no_suspects(labels: list[int]) -> None:
    assert label_suspects(np.array(labels), np.full((len(labels), 3), 1 / 3, np.float32)) == ()


def test_classes_without_labels_are_left_out() -> None:
    true = np.repeat([0, 3], 60)
    labels = true.copy()
    labels[0] = 3
    predicted = np.zeros((120, 5), np.float32)
    predicted[:, [0, 3]] = predictions(true // 3, 2)
    suspects = label_suspects(labels, predicted)
    assert (suspects[0].index, suspects[0].likelier) == (0, 0)
