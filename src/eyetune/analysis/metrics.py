"""How good predictions are, computed from class probabilities and labels alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

CALIBRATION_BINS = 15
MIN_PROBABILITY = 1e-7  # as Keras clips, so that losses agree

Probabilities = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Evaluation:
    """How a network does on a split. Shares are 0 to 1.

    Attributes:
        num_images: Images that were classified.
        loss: Mean cross-entropy.
        accuracy: Share classified right.
        accuracy_interval: 95% Wilson interval of the accuracy, for the chance of having drawn these
            images.
        class_accuracy: Share of each class that was classified right (NaN for a class without
            images).
        confusion: How many images of each true class (row) were taken for each class (column).
        calibration_error: Expected calibration error: how far confidence is from accuracy on
            average.
    """

    num_images: int
    loss: float
    accuracy: float
    accuracy_interval: tuple[float, float]
    class_accuracy: tuple[float, ...]
    confusion: NDArray[np.int64]
    calibration_error: float

    def to_json(self) -> dict[str, Any]:
        """Return the evaluation as plain JSON values."""
        return {
            "num_images": self.num_images,
            "loss": self.loss,
            "accuracy": self.accuracy,
            "accuracy_interval": list(self.accuracy_interval),
            "class_accuracy": [None if np.isnan(value) else value for value in self.class_accuracy],
            "confusion_matrix": self.confusion.tolist(),
            "expected_calibration_error": self.calibration_error,
        }


def evaluate(probabilities: Probabilities, labels: Labels) -> Evaluation:
    """Compute everything that is reported of a split.

    Args:
        probabilities: Shape (N, number of classes), rows that add up to 1; N at least 1.
        labels: Shape (N,).

    Example:
        >>> result = evaluate(np.array([[0.9, 0.1], [0.4, 0.6], [0.8, 0.2]], np.float32), np.array([0, 1, 1]))
        >>> round(result.accuracy, 3), result.confusion.tolist()
        (0.667, [[1, 0], [1, 1]])
    """
    from sklearn.metrics import confusion_matrix

    num_classes = probabilities.shape[1]
    predicted = probabilities.argmax(axis=1)
    confusion = confusion_matrix(labels, predicted, labels=np.arange(num_classes))
    of_class = confusion.sum(axis=1)
    by_class = np.where(of_class > 0, confusion.diagonal() / np.maximum(of_class, 1), np.nan)
    chosen = np.clip(
        probabilities[np.arange(len(labels)), labels].astype(np.float64), MIN_PROBABILITY, 1
    )
    right = int(confusion.trace())
    return Evaluation(
        num_images=len(labels),
        loss=float(-np.log(chosen).mean()),
        accuracy=right / len(labels),
        accuracy_interval=wilson_interval(right, len(labels)),
        class_accuracy=tuple(by_class.tolist()),
        confusion=confusion,
        calibration_error=calibration_error(probabilities, labels),
    )


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Return the 95% interval of a share (Wilson, 1927; it stays within 0 to 1, also for few
    trials).

    Example:
        >>> [round(bound, 3) for bound in wilson_interval(7000, 10000)]
        [0.691, 0.709]
    """
    from scipy.stats import binomtest

    interval = binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


def calibration_error(
    probabilities: Probabilities, labels: Labels, bins: int = CALIBRATION_BINS
) -> float:
    """Return the expected calibration error with bins of equal width (Guo et al., 2017,
    arXiv:1706.04599).

    Images are sorted by confidence, the largest probability, into bins; the result is the mean
    distance of a bin's accuracy from its confidence, weighed by its images: 0 is perfect, 1 the
    worst.

    Example:
        >>> calibration_error(np.array([[1.0, 0.0], [1.0, 0.0]], np.float32), np.array([0, 1]))
        0.5
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = (probabilities.argmax(axis=1) == labels).astype(np.float64)
    # Upper edges belong to their bin: (0, 1/15], (1/15, 2/15], ...
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(place, weights=right - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))


def confident_mistakes(
    probabilities: Probabilities, labels: Labels, count: int
) -> NDArray[np.int64]:
    """Return the positions of the wrongly classified images, the most confident mistake first.

    Example:
        >>> confident_mistakes(np.array([[0.9, 0.1], [0.6, 0.4], [0.1, 0.9]], np.float32), np.array([1, 1, 1]), 5)
        array([0, 1])
    """
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    order = np.argsort(-probabilities[wrong].max(axis=1), kind="stable")
    return wrong[order][:count]
