"""What it means for accuracy that classes differ in number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGE_RATIO = 2.0  # of the largest class to the smallest: from there on, balanced accuracy decides


@dataclass(frozen=True)
class Imbalance:
    """How the classes of some images differ in number.

    Attributes:
        largest: The class with the most images.
        smallest: The class with the fewest images, among those that have any.
        ratio: Images of the largest class for each image of the smallest.
        constant_accuracy: Accuracy of always answering with the largest class, 0 to 1.
        constant_balanced_accuracy: Balanced accuracy of the same answer, 0 to 1.
    """

    largest: int
    smallest: int
    ratio: float
    constant_accuracy: float
    constant_balanced_accuracy: float

    @property
    def is_large(self) -> bool:
        """Whether accuracy says little about rare classes, so that balanced accuracy decides."""
        return self.ratio > LARGE_RATIO

    def to_json(self) -> dict[str, Any]:
        """Return the imbalance as plain JSON values."""
        return {
            "largest_class": self.largest,
            "smallest_class": self.smallest,
            "ratio": self.ratio,
            "constant_answer_accuracy": self.constant_accuracy,
            "constant_answer_balanced_accuracy": self.constant_balanced_accuracy,
            "is_large": self.is_large,
        }


def imbalance(class_counts: Sequence[float]) -> Imbalance:
    """Return how classes differ in number.

    Args:
        class_counts: Number or share of the images of each class, at least one image in all.
            Classes without images are left out.

    Example:
        >>> uneven = imbalance([90, 10])
        >>> uneven.ratio, uneven.constant_accuracy, uneven.constant_balanced_accuracy
        (9.0, 0.9, 0.5)
    """
    present = [label for label, count in enumerate(class_counts) if count]
    largest = max(present, key=lambda label: class_counts[label])
    smallest = min(present, key=lambda label: class_counts[label])
    return Imbalance(
        largest=largest,
        smallest=smallest,
        ratio=class_counts[largest] / class_counts[smallest],
        constant_accuracy=class_counts[largest] / sum(class_counts),
        constant_balanced_accuracy=1 / len(present),
    )


def imbalance_text(found: Imbalance, class_names: Sequence[str]) -> str:
    """Return what an imbalance does to accuracy, as sentences; "" if it is not large.

    Args:
        found: From `imbalance`.
        class_names: Name of each class.
    """
    if not found.is_large:
        return ""
    return (
        f"{class_names[found.largest]} has {found.ratio:.1f} times as many images as "
        f"{class_names[found.smallest]}. Always answering {class_names[found.largest]} would be "
        f"right for {found.constant_accuracy:.1%} of the images, with a balanced accuracy (the "
        f"mean over classes) of {found.constant_balanced_accuracy:.1%}: judge by balanced accuracy."
    )


def balancing_weights(labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return a weight for each image, with which the mean of correct answers is balanced accuracy.

    Args:
        labels: The class of each image, shape (N,), N at least 1.

    Returns:
        Shape (N,), 1 on average.

    Example:
        >>> balancing_weights(np.array([0, 0, 0, 1])).round(2).tolist()
        [0.67, 0.67, 0.67, 2.0]
    """
    counts = np.bincount(labels)
    return np.asarray(len(labels) / (np.count_nonzero(counts) * counts[labels]))


def balanced_recall(class_recall: Sequence[float]) -> float:
    """Return the mean recall of the classes that have images (NaN: it has none).

    Example:
        >>> balanced_recall([0.9, 0.5, math.nan])
        0.7
    """
    known = [recall for recall in class_recall if not math.isnan(recall)]
    return sum(known) / len(known) if known else math.nan
