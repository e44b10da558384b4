"""Test-time augmentation (TTA): averages of the predictions for an image and its mirror image.

Source: Krizhevsky, Sutskever and Hinton, 2012, ImageNet Classification with Deep Convolutional
Neural Networks, section 4.1, which averages over crops and their mirror images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from eyetune.analysis.comparison import bootstrap_differences, interval_of
from eyetune.analysis.metrics import Evaluation, Labels, Probabilities, evaluate
from eyetune.values.summary import Summarized, Summary

# Accuracy lost on mirror images alone: from here on, they may show other things than the images,
# as mirrored digits, letters and signs do.
OTHER_MEANING = 0.05


@dataclass(frozen=True, repr=False)
class TtaGain(Summarized):
    """What test-time augmentation gains. Shares are 0 to 1.

    Attributes:
        plain: Metrics on the images alone.
        averaged: Metrics of the mean probabilities for an image and its mirror image.
        mirrored_accuracy: Accuracy on the mirror images alone.
        difference: Accuracy of `averaged` less that of `plain`.
        difference_interval: 95% interval of the difference (paired bootstrap over the images).
    """

    plain: Evaluation
    averaged: Evaluation
    mirrored_accuracy: float
    difference: float
    difference_interval: tuple[float, float]

    @property
    def finding(self) -> str:
        """The difference as text: better, worse or neither."""
        low, high = self.difference_interval
        if low <= 0 <= high:
            return "no difference that we can be sure of"
        return "better" if low > 0 else "worse"

    @property
    def hint(self) -> str:
        """What to look out for; "" if there is nothing."""
        loss = self.plain.accuracy - self.mirrored_accuracy
        if loss <= OTHER_MEANING:
            return ""
        return (
            f"Accuracy on the mirror images alone is {100 * loss:.1f} points lower: mirrored, "
            "these images may mean something else, as digits, letters and signs do. Then test-time "
            "augmentation is not for them."
        )

    @property
    def headline(self) -> str:
        """What it is, and the outcome, in one line."""
        return f"test-time augmentation, {100 * self.difference:+.2f} points: {self.finding}"

    @property
    def summary(self) -> Summary:
        """What a notebook shows below the headline."""
        low, high = (100 * bound for bound in self.difference_interval)
        points = f"{100 * self.difference:+.2f} points"
        rows = {
            "accuracy": self.averaged.summary.rows["accuracy"],
            "on the images alone": self.plain.summary.rows["accuracy"],
            "on the mirror images alone": f"{self.mirrored_accuracy:.2%}",
            "difference": f"{points} (95% interval {low:+.1f} to {high:+.1f}): {self.finding}",
        }
        return Summary(rows, (self.hint,) if self.hint else ())

    def to_json(self) -> dict[str, Any]:
        """Return the metrics as plain JSON values."""
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
    """Compare averaged predictions with those for the images alone.

    Args:
        plain: Probabilities for the images, shape (N, number of classes); N at least 1.
        mirrored: Probabilities for their mirror images, same shape.
        labels: Shape (N,).

    Example:
        >>> plain = np.array([[0.6, 0.4], [0.6, 0.4]], np.float32)
        >>> mirrored = np.array([[0.9, 0.1], [0.1, 0.9]], np.float32)
        >>> gain = tta_gain(plain, mirrored, np.array([0, 1]))
        >>> gain.plain.accuracy, gain.averaged.accuracy, gain.difference
        (0.5, 1.0, 0.5)
    """
    averaged: Probabilities = np.asarray((plain + mirrored) / 2, np.float32)
    # As from one seed: shape (1, N).
    averaged_correct = (averaged.argmax(axis=1) == labels)[np.newaxis]
    plain_correct = (plain.argmax(axis=1) == labels)[np.newaxis]
    before, after = evaluate(plain, labels), evaluate(averaged, labels)
    return TtaGain(
        plain=before,
        averaged=after,
        mirrored_accuracy=float((mirrored.argmax(axis=1) == labels).mean()),
        difference=after.accuracy - before.accuracy,
        difference_interval=interval_of(bootstrap_differences(averaged_correct, plain_correct)),
    )
