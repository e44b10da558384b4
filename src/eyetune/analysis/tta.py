"""Test-time flips: what averaging the predictions for an image and its mirror image is worth.

Source: Krizhevsky, Sutskever and Hinton, 2012, ImageNet Classification with Deep Convolutional
    Neural Networks, section
4.1, which averages over crops and their mirror images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from eyetune.analysis.comparison import bootstrap_differences, interval_of
from eyetune.analysis.metrics import Evaluation, Labels, Probabilities, evaluate

# So many points fewer on mirrored images alone, and they may show other things: mirrored digits,
# letters, signs.
OTHER_MEANING = 0.05


@dataclass(frozen=True)
class TtaGain:
    """How classifying each image together with its mirror image does, against the image alone.
    Shares are 0 to 1.

    Attributes:
        plain: The images alone.
        averaged: The mean of the probabilities for the image and for its mirror image.
        mirrored_accuracy: The mirror images alone.
        difference: Accuracy averaged less plain.
        difference_interval: Its 95% interval, by a paired bootstrap over the images.
    """

    plain: Evaluation
    averaged: Evaluation
    mirrored_accuracy: float
    difference: float
    difference_interval: tuple[float, float]

    @property
    def finding(self) -> str:
        """The difference in words."""
        low, high = self.difference_interval
        if low <= 0 <= high:
            return "no difference that we can be sure of"
        return "better" if low > 0 else "worse"

    @property
    def hint(self) -> str:
        """What to beware of (empty: nothing)."""
        loss = self.plain.accuracy - self.mirrored_accuracy
        if loss <= OTHER_MEANING:
            return ""
        return (
            f"Mirror images alone are classified right {100 * loss:.1f} points less often: mirrored, these images may "
            "mean something else, as digits, letters and signs do, and flips are not for them."
        )

    def to_json(self) -> dict[str, Any]:
        """Return what was found as plain JSON values."""
        return {
            "accuracy": self.averaged.accuracy,
            "accuracy_interval": list(self.averaged.accuracy_interval),
            "loss": self.averaged.loss,
            "difference": self.difference,
            "difference_interval": list(self.difference_interval),
            "finding": self.finding,
            "mirrored_accuracy": self.mirrored_accuracy,
            "hint": self.hint or None,
        }


def tta_gain(plain: Probabilities, mirrored: Probabilities, labels: Labels) -> TtaGain:
    """Compare the mean of two predictions with the first of them.

    Args:
        plain: Probabilities for the images, shape (N, number of classes); N at least 1.
        mirrored: Those for their mirror images, same shape.
        labels: Shape (N,).

    Example:
        >>> plain = np.array([[0.6, 0.4], [0.6, 0.4]], np.float32)
        >>> mirrored = np.array([[0.9, 0.1], [0.1, 0.9]], np.float32)
        >>> found = tta_gain(plain, mirrored, np.array([0, 1]))
        >>> found.plain.accuracy, found.averaged.accuracy, found.difference
        (0.5, 1.0, 0.5)
    """
    averaged: Probabilities = np.asarray((plain + mirrored) / 2, np.float32)
    right = [(one.argmax(axis=1) == labels)[np.newaxis] for one in (averaged, plain)]
    before, after = evaluate(plain, labels), evaluate(averaged, labels)
    return TtaGain(
        plain=before,
        averaged=after,
        mirrored_accuracy=float((mirrored.argmax(axis=1) == labels).mean()),
        difference=after.accuracy - before.accuracy,
        difference_interval=interval_of(bootstrap_differences(*right)),
    )
