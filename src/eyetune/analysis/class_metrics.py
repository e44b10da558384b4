"""Precision, recall and F1 by class, and balanced accuracy, with 95% intervals.

All of them follow from the confusion matrix: the number of images of each true class (row) by
predicted class (column).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_DEVIATIONS = NormalDist().inv_cdf(0.975)  # half the width of a 95% interval in standard errors

Confusion = NDArray[np.int64]


class Share(NamedTuple):
    """A share with its 95% interval, each 0 to 1; NaN if there is nothing to measure it on."""

    value: float
    low: float
    high: float

    @property
    def is_known(self) -> bool:
        """Whether there is something to measure it on."""
        return not math.isnan(self.value)

    def text(self, *, digits: int = 1) -> str:
        """Return the share in percent with its 95% interval; "" if it is not known.

        Example:
            >>> wilson_share(12, 29).text()
            '41.4% (25.5% to 59.3%)'
        """
        if not self.is_known:
            return ""
        value, low, high = (f"{each:.{digits}%}" for each in self)
        return f"{value} ({low} to {high})"

    def to_json(self) -> dict[str, Any]:
        """Return the share as plain JSON values, which are null if it is not known."""
        if not self.is_known:
            return {"value": None, "interval": None}
        return {"value": self.value, "interval": [self.low, self.high]}


UNKNOWN = Share(math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class ClassMetrics:
    """The metrics of a class.

    Attributes:
        num_images: Number of images of the class.
        num_predicted: Number of images that are classified as the class.
        precision: Share of the images classified as the class that are of it.
        recall: Share of the images of the class that are classified as it.
        f1: Harmonic mean of precision and recall.
    """

    num_images: int
    num_predicted: int
    precision: Share
    recall: Share
    f1: Share

    def to_json(self) -> dict[str, Any]:
        """Return the metrics as plain JSON values."""
        return {
            "num_images": self.num_images,
            "num_predicted": self.num_predicted,
            "precision": self.precision.to_json(),
            "recall": self.recall.to_json(),
            "f1": self.f1.to_json(),
        }


def wilson_share(successes: int, trials: int) -> Share:
    """Return a share with its 95% interval, which stays between 0 and 1, also for few trials.

    Source: Wilson, 1927, Probable Inference, the Law of Succession, and Statistical Inference.

    Args:
        successes: Number of successes, 0 to `trials`.
        trials: Number of trials. The share of 0 trials is NaN.

    Example:
        >>> [round(value, 3) for value in wilson_share(7000, 10000)]
        [0.7, 0.691, 0.709]
    """
    if not trials:
        return UNKNOWN
    share = successes / trials
    spread = _DEVIATIONS**2 / trials
    center = (share + spread / 2) / (1 + spread)
    half = math.sqrt(spread * (share * (1 - share) + spread / 4)) / (1 + spread)
    low = 0.0 if successes == 0 else max(0.0, center - half)
    high = 1.0 if successes == trials else min(1.0, center + half)
    return Share(share, low, high)


def accuracy_share(accuracy: float, num_images: int) -> Share:
    """Return an accuracy that was measured on some images, with its 95% interval.

    Args:
        accuracy: 0 to 1.
        num_images: Number of images, at least one.

    Example:
        >>> [round(value, 3) for value in accuracy_share(0.7, 10000)]
        [0.7, 0.691, 0.709]
    """
    return wilson_share(round(accuracy * num_images), num_images)


def class_metrics(confusion: Confusion) -> tuple[ClassMetrics, ...]:
    """Return precision, recall and F1 of each class.

    Precision and recall have Wilson's interval. F1 is 2 J / (1 + J), where J is the share of
    correct answers among the images that are of the class or classified as it; its interval is
    Wilson's for J, converted in the same way (Lam, Gopal and Qian, 2023, Confidence Intervals for
    the F1 Score, arXiv:2309.14621: the indirect method of Wilson).

    Args:
        confusion: Number of images, shape (number of classes, number of classes).

    Example:
        >>> metrics = class_metrics(np.array([[8, 2], [4, 6]]))
        >>> [round(share.value, 3) for share in (metrics[0].precision, metrics[0].recall)]
        [0.667, 0.8]
        >>> [round(value, 3) for value in metrics[0].f1]
        [0.727, 0.492, 0.88]
    """
    num_images, num_predicted = confusion.sum(axis=1).tolist(), confusion.sum(axis=0).tolist()
    metrics = []
    for label, num_correct in enumerate(confusion.diagonal().tolist()):
        num_either = num_images[label] + num_predicted[label] - num_correct
        jaccard = wilson_share(num_correct, num_either)
        metrics.append(
            ClassMetrics(
                num_images=num_images[label],
                num_predicted=num_predicted[label],
                precision=wilson_share(num_correct, num_predicted[label]),
                recall=wilson_share(num_correct, num_images[label]),
                f1=Share(*(2 * value / (1 + value) for value in jaccard)),
            )
        )
    return tuple(metrics)


def balanced_accuracy(confusion: Confusion) -> Share:
    """Return the mean recall of the classes that have images, with its 95% interval.

    The interval combines Wilson's intervals of the recalls (Zou, Huang and Zhang, 2009, A note on
    confidence interval estimation for a linear function of binomial proportions).

    Args:
        confusion: Number of images, shape (number of classes, number of classes).

    Example:
        >>> [round(value, 3) for value in balanced_accuracy(np.array([[90, 10], [2, 8]]))]
        [0.85, 0.691, 0.925]
    """
    recalls = [each.recall for each in class_metrics(confusion) if each.num_images]
    if not recalls:
        return UNKNOWN
    values, lows, highs = np.array(recalls).T
    mean = float(values.mean())
    below = float(np.linalg.norm(values - lows)) / len(recalls)
    above = float(np.linalg.norm(highs - values)) / len(recalls)
    return Share(mean, mean - below, mean + above)
