"""From the scores of a network to the predicted class, as in the firmware's result.c."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eyetune.errors import UsageError

UNKNOWN_CLASS = 0xFFFFFFFF  # of a picture that the network is not sure about
UNKNOWN_LABEL = "unknown"  # what the firmware prints for it
FULL_CONFIDENCE = 1 << 24
MAX_VOTE_FRAMES = 32
_NUM_SCORES = 256  # values of an int8


class Answers(NamedTuple):
    """Answers for images, in their order.

    Attributes:
        classes: Index of the class or `UNKNOWN_CLASS`, int64 of shape (N,).
        per_mille: Confidence in per mille, int64 of shape (N,).
    """

    classes: NDArray[np.int64]
    per_mille: NDArray[np.int64]


@dataclass(frozen=True)
class UnknownRule:
    """How scores become a confidence, and below which confidence a picture is unknown.

    Each score has a weight. The confidence is the weight of the highest score divided by the sum of
    the weights of all scores, in units of 1 / `FULL_CONFIDENCE`, rounded down. All is computed in
    integers, so that a board and this computer agree.

    Attributes:
        weights: 256 weights from 0 to `FULL_CONFIDENCE`, by the difference of a score from the
            highest score, or from 127.
        scores_are_logits: Whether the difference is that from the highest score.
        threshold: A picture with a lower confidence is unknown; 0 to `FULL_CONFIDENCE`.

    Raises:
        UsageError: A value is out of range.
    """

    weights: tuple[int, ...]
    scores_are_logits: bool
    threshold: int

    def __post_init__(self) -> None:
        # A difference from 127 is that of the highest score in some image or other.
        positive = self.weights[:1] if self.scores_are_logits else self.weights
        if (
            len(self.weights) != _NUM_SCORES
            or not 0 <= min(self.weights) <= max(self.weights) <= FULL_CONFIDENCE
            or min(positive) < 1
            or not 0 <= self.threshold <= FULL_CONFIDENCE
        ):
            raise UsageError(
                "The rule for unknown pictures is out of range.",
                expected=f"{_NUM_SCORES} weights and a threshold from 0 to {FULL_CONFIDENCE}, with "
                "a weight above 0 for each score that can be the highest",
                received=f"{len(self.weights)} weights and the threshold {self.threshold}",
            )

    def confidences(self, scores: NDArray[np.int8]) -> NDArray[np.int64]:
        """Return the confidence of each image, in units of 1 / `FULL_CONFIDENCE`.

        Args:
            scores: int8 of shape (N, classes).
        """
        weights = self._weights_of(scores)
        best = weights[np.arange(len(scores)), scores.argmax(axis=1)]
        confidences: NDArray[np.int64] = best * FULL_CONFIDENCE // weights.sum(axis=1)
        return confidences

    def probabilities(self, scores: NDArray[np.int8]) -> NDArray[np.float64]:
        """Return the probabilities of all classes, of which the confidence is the highest.

        Args:
            scores: int8 of shape (N, classes).
        """
        weights = self._weights_of(scores)
        probabilities: NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
        return probabilities

    def _weights_of(self, scores: NDArray[np.int8]) -> NDArray[np.int64]:
        values = scores.astype(np.int64)
        reference = values.max(axis=1, keepdims=True) if self.scores_are_logits else 127
        weights: NDArray[np.int64] = np.array(self.weights, np.int64)[reference - values]
        return weights


def read_result(scores: NDArray[np.int8], scale: float, zero_point: int) -> tuple[int, int]:
    """Return the index of the class with the highest score, and its confidence in per mille.

    If several classes have the highest score, the first one is returned.

    Args:
        scores: The scores of all classes, int8 of shape (classes,).
        scale: A probability is (score - zero_point) * scale, computed in float32.
        zero_point: From -128 to 127.

    Example:
        >>> read_result(np.array([-128, 96, -96], np.int8), scale=1 / 256, zero_point=-128)
        (1, 875)
    """
    best = int(scores.argmax())
    with np.errstate(over="ignore"):
        probability = np.float32(int(scores[best]) - zero_point) * np.float32(scale)
        per_mille = probability * np.float32(1000) + np.float32(0.5)
    return best, int(min(max(per_mille, np.float32(0)), np.float32(1000)))


def read_known_results(scores: NDArray[np.int8], rule: UnknownRule) -> Answers:
    """Return the class with the highest score of each image, or that it is unknown.

    Args:
        scores: int8 of shape (N, classes).
        rule: When an image is unknown.

    Example:
        >>> rule = UnknownRule((1 << 24, 1 << 23, *[0] * 254), True, threshold=12_000_000)
        >>> read_known_results(np.array([[5, 3], [5, 4]], np.int8), rule).classes.tolist()
        [0, 4294967295]
    """
    confidences = rule.confidences(scores)
    classes = np.where(confidences < rule.threshold, UNKNOWN_CLASS, scores.argmax(axis=1))
    return Answers(classes, (confidences * 1000 + FULL_CONFIDENCE // 2) // FULL_CONFIDENCE)


def vote_over_frames(answers: Answers, num_voting: int) -> Answers:
    """Return what the firmware prints after each frame: the answer of more than half of the last.

    Args:
        answers: The answers for frames, one after the other.
        num_voting: Number of frames that vote, 1 to 32; fewer at the start.

    Returns:
        The answers after the votes. Without a majority, a frame is unknown. The confidence is the
        mean of the frames that agree, or of all of them without a majority.

    Raises:
        UsageError: The number of frames is out of range.

    Example:
        >>> answers = Answers(np.array([2, 2, 0, 2]), np.array([900, 800, 600, 700]))
        >>> vote_over_frames(answers, 3).classes.tolist()
        [2, 2, 2, 2]
    """
    check_vote_frames(num_voting)
    classes, per_mille = np.array(answers.classes), np.array(answers.per_mille)
    for frame in range(len(classes)):
        window = slice(max(0, frame - num_voting + 1), frame + 1)
        given, confidences = answers.classes[window], answers.per_mille[window]
        names, counts = np.unique(given, return_counts=True)
        has_majority = 2 * counts.max() > len(given)
        if has_majority:
            confidences = confidences[given == names[counts.argmax()]]
        classes[frame] = names[counts.argmax()] if has_majority else UNKNOWN_CLASS
        per_mille[frame] = (confidences.sum() + len(confidences) // 2) // len(confidences)
    return Answers(classes, per_mille)


def check_vote_frames(num_voting: int) -> None:
    """Check the number of frames that vote.

    Raises:
        UsageError: It is out of range.
    """
    if not 1 <= num_voting <= MAX_VOTE_FRAMES:
        raise UsageError(
            "The number of frames that vote is out of range.",
            expected=f"1 to {MAX_VOTE_FRAMES}",
            received=num_voting,
        )
