"""Whether a network is any better than guessing, from its confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eyetune.analysis.class_metrics import Confusion, Share, wilson_share

# Times the share of the mean class: above it, always naming the most frequent class beats guessing.
UNEVEN_FROM = 1.2


@dataclass(frozen=True)
class Judgement:
    """An accuracy beside the accuracy of guessing.

    Attributes:
        num_images: Number of images.
        accuracy: Share of the images that is classified correctly, with its 95% interval.
        guess: Accuracy of guessing on the same images, 0 to 1.
        text: The result in two sentences.
    """

    num_images: int
    accuracy: Share
    guess: float
    text: str

    @property
    def is_better_than_guessing(self) -> bool:
        """Whether the whole interval of the accuracy lies above the accuracy of guessing."""
        return self.accuracy.low > self.guess


def is_uneven(class_shares: Sequence[float]) -> bool:
    """Return whether some class has far more images than its even share.

    Args:
        class_shares: Share of each class, which add up to 1.

    Example:
        >>> is_uneven([0.5, 0.5]), is_uneven([0.7, 0.3])
        (False, True)
    """
    return max(class_shares) > UNEVEN_FROM / len(class_shares)


def guessing_accuracy(class_shares: Sequence[float]) -> float:
    """Return the accuracy of guessing: of always naming the most frequent class if that is better.

    Args:
        class_shares: Share of each class, which add up to 1.

    Example:
        >>> guessing_accuracy([0.5, 0.5]), guessing_accuracy([0.7, 0.3])
        (0.5, 0.7)
    """
    return max(class_shares) if is_uneven(class_shares) else 1 / len(class_shares)


def judge(confusion: Confusion, split: str) -> Judgement:
    """Return the accuracy on some images, and whether it is better than guessing.

    Args:
        confusion: Number of images of each true class (row) by predicted class (column), shape
            (number of classes, number of classes); at least one image.
        split: Name of the split that the images are from, for the text.

    Example:
        >>> import numpy as np
        >>> judge(np.array([[90, 10], [20, 80]]), "test").text
        '85.0% of 200 test images are classified correctly (95% interval 79.4% to 89.3%). That is \
better than guessing, which reaches 50.0%.'
    """
    num_images = int(confusion.sum())
    accuracy = wilson_share(int(confusion.trace()), num_images)
    guess = guessing_accuracy((confusion.sum(axis=1) / num_images).tolist())
    first = (
        f"{accuracy.value:.1%} of {num_images:,} {split} images are classified correctly "
        f"(95% interval {accuracy.low:.1%} to {accuracy.high:.1%})."
    )
    if accuracy.low > guess:
        second = f"That is better than guessing, which reaches {guess:.1%}."
    elif accuracy.value > guess:
        second = (
            f"That is not shown to be better than guessing, which reaches {guess:.1%}: on so few "
            "images, the difference may be chance."
        )
    else:
        second = f"That is no better than guessing, which reaches {guess:.1%}."
    return Judgement(num_images, accuracy, guess, f"{first} {second}")
