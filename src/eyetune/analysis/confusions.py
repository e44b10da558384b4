"""Predictions worth looking at: confused classes, most confident correct and wrong answers."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eyetune.analysis.metrics import Labels, Probabilities


@dataclass(frozen=True)
class ConfusedPair:
    """Images of one class that are classified as another one.

    Attributes:
        true: Their label.
        predicted: The label that was predicted.
        count: Number of images.
        share: Share of all images of the true class, 0 to 1.
        examples: Indices of some of the images, the most confident mistake first.
    """

    true: int
    predicted: int
    count: int
    share: float
    examples: tuple[int, ...]

    def to_json(self, class_names: tuple[str, ...]) -> dict[str, Any]:
        """Return the pair as plain JSON values."""
        return {
            "true": class_names[self.true],
            "predicted": class_names[self.predicted],
            "count": self.count,
            "share": self.share,
            "examples": list(self.examples),
        }


def confused_pairs(
    probabilities: Probabilities, labels: Labels, count: int, *, examples: int = 3
) -> tuple[ConfusedPair, ...]:
    """Return the pairs of classes that are confused most often, the most frequent first.

    Cats classified as dogs and dogs classified as cats are two pairs.

    Args:
        probabilities: Shape (N, number of classes).
        labels: Shape (N,).
        count: Number of pairs, at most.
        examples: Number of example images per pair, at most. Default: 3.

    Example:
        >>> probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.8, 0.2]], np.float32)
        >>> confused_pairs(probabilities, np.array([1, 0, 1]), 5)
        (ConfusedPair(true=1, predicted=0, count=2, share=1.0, examples=(0, 2)),)
    """
    predicted = probabilities.argmax(axis=1)
    num_classes = probabilities.shape[1]
    confusion = np.bincount(labels * num_classes + predicted, minlength=num_classes**2)
    confusion[:: num_classes + 1] = 0  # correct answers, on the diagonal
    order = np.argsort(-confusion, kind="stable")[:count]
    confidence = probabilities.max(axis=1)
    class_sizes = np.bincount(labels, minlength=num_classes)
    pairs = []
    for cell in order[confusion[order] > 0].tolist():
        true_label, predicted_label = divmod(cell, num_classes)
        indices = np.flatnonzero((labels == true_label) & (predicted == predicted_label))
        share = len(indices) / int(class_sizes[true_label])
        shown = tuple(_by_confidence(indices, confidence)[:examples].tolist())
        pairs.append(ConfusedPair(true_label, predicted_label, len(indices), share, shown))
    return tuple(pairs)


def most_confident_correct(
    probabilities: Probabilities, labels: Labels, count: int
) -> NDArray[np.int64]:
    """Return the indices of the most confident correct answers, taking turns between classes.

    Args:
        probabilities: Shape (N, number of classes).
        labels: Shape (N,).
        count: Number of images, at most.

    Example:
        >>> answers = np.array([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6], [0.9, 0.1]], np.float32)
        >>> most_confident_correct(answers, np.array([0, 0, 1, 1]), 2)
        array([0, 2])
    """
    correct = np.flatnonzero(probabilities.argmax(axis=1) == labels)
    order = _by_confidence(correct, probabilities.max(axis=1))
    return _in_turns(order, labels[order].tolist(), count)


def most_confident_wrong(
    probabilities: Probabilities, labels: Labels, count: int
) -> NDArray[np.int64]:
    """Return the indices of the most confident wrong answers, taking turns between true classes.

    Args:
        probabilities: Shape (N, number of classes).
        labels: Shape (N,).
        count: Number of images, at most.

    Example:
        >>> answers = np.array([[0.9, 0.1], [0.8, 0.2], [0.6, 0.4], [0.4, 0.6]], np.float32)
        >>> most_confident_wrong(answers, np.array([1, 1, 1, 0]), 2)
        array([0, 3])
    """
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    order = _by_confidence(wrong, probabilities.max(axis=1))
    return _in_turns(order, labels[order].tolist(), count)


def _by_confidence(
    indices: NDArray[np.int64], confidence: NDArray[np.float32]
) -> NDArray[np.int64]:
    return indices[np.argsort(-confidence[indices], kind="stable")]


def _in_turns(
    indices: NDArray[np.int64], classes: Iterable[Hashable], count: int
) -> NDArray[np.int64]:
    """Return the first index of each class, then the second of each, and so on, `count` in all."""
    last_round: dict[Hashable, int] = {}
    rounds = []
    for name in classes:
        last_round[name] = last_round.get(name, -1) + 1
        rounds.append(last_round[name])
    return indices[np.argsort(rounds, kind="stable")][:count]
