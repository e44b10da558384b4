"""Metrics of predictions, from class probabilities and labels alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eyetune.analysis.class_metrics import (
    ClassMetrics,
    Share,
    balanced_accuracy,
    class_metrics,
    wilson_share,
)
from eyetune.values.summary import Summarized, Summary

CALIBRATION_BINS = 15
MIN_PROBABILITY = 1e-7  # as Keras clips, so that losses agree

Probabilities = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True, repr=False)
class Evaluation(Summarized):
    """The metrics of a network on a split. Shares are 0 to 1.

    Attributes:
        num_images: Number of images.
        loss: Mean cross-entropy.
        accuracy: Share of the images that is classified correctly.
        accuracy_interval: 95% interval of the accuracy (Wilson): how far other images might have
            moved it.
        balanced_accuracy: Mean recall of the classes that have images, with its interval.
        by_class: Precision, recall and F1 of each class, with their intervals.
        confusion: Number of images of each true class (row) by predicted class (column), shape
            (number of classes, number of classes).
        calibration_error: Expected calibration error: mean distance of confidence from accuracy.
    """

    num_images: int
    loss: float
    accuracy: float
    accuracy_interval: tuple[float, float]
    balanced_accuracy: Share
    by_class: tuple[ClassMetrics, ...]
    confusion: NDArray[np.int64]
    calibration_error: float

    @property
    def class_accuracy(self) -> tuple[float, ...]:
        """Recall of each class; NaN for a class without images."""
        return tuple(metrics.recall.value for metrics in self.by_class)

    @property
    def headline(self) -> str:
        """What it is, and the outcome, in one line."""
        return f"accuracy {self.accuracy:.2%}, loss {self.loss:.4f}, {self.num_images:,} classified"

    @property
    def summary(self) -> Summary:
        """What a notebook shows below the headline."""
        accuracy = Share(self.accuracy, *self.accuracy_interval)
        rows = {
            "accuracy": accuracy.text(digits=2),
            "balanced accuracy": self.balanced_accuracy.text(digits=2),
            "loss": f"{self.loss:.4f}",
            "expected calibration error": f"{self.calibration_error:.2%}",
            "classified": f"{self.num_images:,}",
        }
        return Summary(rows)

    def to_json(self) -> dict[str, Any]:
        """Return the evaluation as plain JSON values."""
        balanced = self.balanced_accuracy.to_json()
        return {
            "num_images": self.num_images,
            "loss": self.loss,
            "accuracy": self.accuracy,
            "accuracy_interval": list(self.accuracy_interval),
            "balanced_accuracy": balanced["value"],
            "balanced_accuracy_interval": balanced["interval"],
            "by_class": [metrics.to_json() for metrics in self.by_class],
            "class_accuracy": [None if np.isnan(value) else value for value in self.class_accuracy],
            "confusion_matrix": self.confusion.tolist(),
            "expected_calibration_error": self.calibration_error,
        }


def evaluate(probabilities: Probabilities, labels: Labels) -> Evaluation:
    """Return the metrics of a split.

    Args:
        probabilities: Shape (N, number of classes), with rows that sum to 1; N at least 1.
        labels: Shape (N,).

    Example:
        >>> probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.8, 0.2]], np.float32)
        >>> result = evaluate(probabilities, np.array([0, 1, 1]))
        >>> round(result.accuracy, 3), result.confusion.tolist()
        (0.667, [[1, 0], [1, 1]])
    """
    num_classes = probabilities.shape[1]
    predicted = probabilities.argmax(axis=1)
    cells = np.bincount(labels * num_classes + predicted, minlength=num_classes**2)
    confusion = cells.reshape(num_classes, num_classes)
    of_true_class = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    num_correct = int(confusion.trace())
    return Evaluation(
        num_images=len(labels),
        loss=float(-np.log(np.clip(of_true_class, MIN_PROBABILITY, 1)).mean()),
        accuracy=num_correct / len(labels),
        accuracy_interval=wilson_interval(num_correct, len(labels)),
        balanced_accuracy=balanced_accuracy(confusion),
        by_class=class_metrics(confusion),
        confusion=confusion,
        calibration_error=calibration_error(probabilities, labels),
    )


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Return the 95% interval of a share (Wilson, 1927).

    It stays between 0 and 1, also for few trials.

    Args:
        successes: Number of successes, 0 to `trials`.
        trials: Number of trials, 1 or more.

    Example:
        >>> [round(bound, 3) for bound in wilson_interval(7000, 10000)]
        [0.691, 0.709]
    """
    _, low, high = wilson_share(successes, trials)
    return low, high


def standard_error(accuracy: float, num_images: int) -> float:
    """Return the standard error of an accuracy that was measured on some images.

    Args:
        accuracy: 0 to 1.
        num_images: Number of images; none counts as one.

    Example:
        >>> round(standard_error(0.9, 900), 4)
        0.01
    """
    return math.sqrt(max(accuracy * (1 - accuracy), 0.0) / max(num_images, 1))


def calibration_error(
    probabilities: Probabilities, labels: Labels, bins: int = CALIBRATION_BINS
) -> float:
    """Return the expected calibration error, 0 (perfect) to 1.

    Images are sorted into bins by confidence, which is their largest probability. The result is the
    distance of a bin's accuracy from its mean confidence, averaged over all images.

    Source: Guo et al., 2017, On Calibration of Modern Neural Networks (arXiv:1706.04599).

    Args:
        probabilities: Shape (N, number of classes).
        labels: Shape (N,).
        bins: Number of bins of equal width. Default: 15.

    Example:
        >>> calibration_error(np.array([[1.0, 0.0], [1.0, 0.0]], np.float32), np.array([0, 1]))
        0.5
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    is_correct = (probabilities.argmax(axis=1) == labels).astype(np.float64)
    # Upper edges belong to their bin: (0, 1/15], (1/15, 2/15], ...
    bin_indices = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(bin_indices, weights=is_correct - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))


def confident_mistakes(
    probabilities: Probabilities, labels: Labels, count: int
) -> NDArray[np.int64]:
    """Return the indices of misclassified images, the most confident mistake first.

    Args:
        probabilities: Shape (N, number of classes).
        labels: Shape (N,).
        count: Number of images, at most.

    Example:
        >>> probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.1, 0.9]], np.float32)
        >>> confident_mistakes(probabilities, np.array([1, 1, 1]), 5)
        array([0, 1])
    """
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    order = np.argsort(-probabilities[wrong].max(axis=1), kind="stable")
    return wrong[order][:count]
