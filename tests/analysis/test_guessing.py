"""Better than guessing or not: it depends on the accuracy, the images and the classes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from eyetune.analysis.guessing import guessing_accuracy, judge


def two_classes(correct: int, num_images: int) -> NDArray[np.int64]:
    """Return the confusion matrix of two classes of about the same size."""
    first = num_images // 2
    right = min(correct, first)
    second_right = correct - right
    return np.array([[right, first - right], [num_images - first - second_right, second_right]])


@pytest.mark.parametrize(
    ("correct", "num_images", "is_better", "text"),
    [
        (900, 1000, True, "better than guessing"),
        (18, 30, False, "not shown to be better"),  # 60%, but on 30 images
        (600, 1000, True, "better than guessing"),  # 60% on more images
        (10, 30, False, "no better than guessing"),
    ],
)
def test_judge_depends_on_accuracy_and_images(
    correct: int, num_images: int, is_better: bool, text: str
) -> None:
    found = judge(two_classes(correct, num_images), "test")
    assert found.is_better_than_guessing == is_better
    assert (found.num_images, found.accuracy.value) == (num_images, correct / num_images)
    assert text in found.text


def test_judge_compares_with_the_most_frequent_class() -> None:
    always_first = np.array([[90, 0], [10, 0]])
    found = judge(always_first, "test")
    assert found.guess == 0.9
    assert not found.is_better_than_guessing


def test_guessing_accuracy_of_even_classes_is_their_share() -> None:
    assert guessing_accuracy([0.26, 0.25, 0.25, 0.24]) == 0.25
