"""Which answers are worth a look: the classes that are confused most, and the surest right and
wrong answers.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eyetune.analysis.metrics import Labels, Probabilities


@dataclass(frozen=True)
class ConfusedPair:
    """Images of one class that are taken for another.

    Attributes:
        true: Their label.
        predicted: The label that they were given.
        count: How many.
        share: Of all images of the true class, 0 to 1.
        examples: Their positions, the most confident mistake first.
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
    """Return the pairs of classes that are confused most, the most images first; cat for dog and
    dog for cat are two.

    Args:
        probabilities: Shape (N, number of classes).
        labels: Shape (N,).
        count: How many pairs at most.
        examples: How many of each pair's images to name at most.

    Example:
        >>> sure_of_0 = np.array([[0.9, 0.1], [0.6, 0.4], [0.8, 0.2]], np.float32)
        >>> confused_pairs(sure_of_0, np.array([1, 0, 1]), 5)
        (ConfusedPair(true=1, predicted=0, count=2, share=1.0, examples=(0, 2)),)
    """
    predicted = probabilities.argmax(axis=1)
    num_classes = probabilities.shape[1]
    confusion = np.bincount(labels * num_classes + predicted, minlength=num_classes**2)
    confusion[:: num_classes + 1] = 0  # the right answers, on the diagonal
    order = np.argsort(-confusion, kind="stable")[:count]
    confidence = probabilities.max(axis=1)
    of_class = np.bincount(labels, minlength=num_classes)
    pairs = []
    for cell in order[confusion[order] > 0].tolist():
        true, taken_for = divmod(cell, num_classes)
        chosen = _surest(np.flatnonzero((labels == true) & (predicted == taken_for)), confidence)
        number = len(chosen)
        pairs.append(
            ConfusedPair(
                true,
                taken_for,
                number,
                number / int(of_class[true]),
                tuple(chosen[:examples].tolist()),
            )
        )
    return tuple(pairs)


def most_confident_correct(
    probabilities: Probabilities, labels: Labels, count: int
) -> NDArray[np.int64]:
    """Return the positions of the surest right answers, of as many classes as there are before any
    class again.

    Example:
        >>> answers = np.array([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6], [0.9, 0.1]], np.float32)
        >>> most_confident_correct(answers, np.array([0, 0, 1, 1]), 2)
        array([0, 2])
    """
    right = np.flatnonzero(probabilities.argmax(axis=1) == labels)
    order = _surest(right, probabilities.max(axis=1))
    return _varied(order, labels[order].tolist(), count)


def most_confident_wrong(
    probabilities: Probabilities, labels: Labels, count: int
) -> NDArray[np.int64]:
    """Return the positions of the surest wrong answers, of as many true classes as there are before
    any class again.

    Example:
        >>> answers = np.array([[0.9, 0.1], [0.8, 0.2], [0.6, 0.4], [0.4, 0.6]], np.float32)
        >>> most_confident_wrong(answers, np.array([1, 1, 1, 0]), 2)
        array([0, 3])
    """
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    order = _surest(wrong, probabilities.max(axis=1))
    return _varied(order, labels[order].tolist(), count)


def _surest(places: NDArray[np.int64], confidence: NDArray[np.float32]) -> NDArray[np.int64]:
    return places[np.argsort(-confidence[places], kind="stable")]


def _varied(places: NDArray[np.int64], kinds: Iterable[Hashable], count: int) -> NDArray[np.int64]:
    """Take the first of each kind, then the second of each, and so on, `count` in all."""
    seen: dict[Hashable, int] = {}
    rounds = []
    for kind in kinds:
        seen[kind] = seen.get(kind, -1) + 1
        rounds.append(seen[kind])
    return places[np.argsort(rounds, kind="stable")][:count]
