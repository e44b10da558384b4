"""When a picture is unknown: temperature and threshold from the int8 scores of known pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from eyetune.analysis.class_metrics import Share, wilson_share
from eyetune.analysis.conformal import threshold_rank
from eyetune.device.export.int8_values import Scores, check_scale
from eyetune.device.firmware.result import FULL_CONFIDENCE, UnknownRule
from eyetune.values.json_model import JsonModel

if TYPE_CHECKING:
    from eyetune.device.estimate.tflite import Port

_MIN_LOG_TEMPERATURE, _MAX_LOG_TEMPERATURE = np.log(0.1), np.log(10)
# With few images, or none that is wrong, the likelihood alone would make the network certain of
# everything. This is the standard deviation of a normal distribution of the logarithm around 0.
_LOG_TEMPERATURE_DEVIATION = 0.5
_NUM_LEVELS = 256  # of an int8 score


class RefusedPictures(JsonModel):
    """How many pictures of one kind are unknown to a network."""

    name: str = Field(description="what they show")
    images: int = Field(ge=1, description="number of pictures")
    refused: int = Field(ge=0, description="number of pictures that are answered with unknown")

    @property
    def share(self) -> Share:
        """The share that is answered with unknown, with its 95% interval."""
        return wilson_share(self.refused, self.images)


class UnknownReport(JsonModel):
    """How a network says that it does not know a picture, and how often it does."""

    rate: float = Field(gt=0, lt=1, description="largest share of known pictures to refuse")
    vote_frames: int = Field(ge=1, description="number of frames that vote in the firmware")
    temperature: float = Field(gt=0, description="what logits are divided by")
    threshold: int = Field(
        ge=0, le=FULL_CONFIDENCE, description="confidence below which a picture is unknown, x 2^24"
    )
    scores_are_logits: bool = Field(description="whether the int8 network returns logits")
    softmax_removed: bool = Field(description="whether the export removed a softmax at its end")
    temperature_images: int = Field(ge=0, description="images that the temperature is from")
    calibration_images: int = Field(ge=1, description="images that the threshold is from")
    calibration_rank: int = Field(
        ge=1, description="rank of the threshold among their confidences, from the lowest"
    )
    is_held_out: bool = Field(
        description="whether neither the training nor a search has seen the calibration images"
    )
    num_compared: int | None = Field(
        description="networks that were compared on the calibration images, which the threshold "
        "allows for; null if that is not known"
    )
    interpreter: str = Field(description="what computed the scores")
    known: RefusedPictures | None = Field(description="test pictures; null if there are none")
    correct_answers: int | None = Field(
        description="number of test pictures that are answered with the right class"
    )
    unknown: tuple[RefusedPictures, ...] = Field(description="pictures of something else")

    @property
    def confidence(self) -> float:
        """The confidence below which a picture is unknown, 0 to 1."""
        return self.threshold / FULL_CONFIDENCE

    @property
    def answered_accuracy(self) -> Share | None:
        """The accuracy on the test pictures that are answered; None if there are none."""
        if self.known is None or self.correct_answers is None:
            return None
        return wilson_share(self.correct_answers, self.known.images - self.known.refused)

    def rule(self, output: Port) -> UnknownRule:
        """Return the rule of the firmware for the output of the network."""
        return UnknownRule(
            confidence_weights(output, self.temperature, scores_are_logits=self.scores_are_logits),
            self.scores_are_logits,
            self.threshold,
        )


@dataclass(frozen=True)
class CalibratedRule:
    """A rule for unknown pictures, and what it is from.

    Attributes:
        rule: The rule.
        temperature: What logits are divided by.
        rank: Rank of the threshold among the confidences of the calibration images; 0 if there are
            too few of them, so that nothing is refused.
    """

    rule: UnknownRule
    temperature: float
    rank: int


def calibrated_rule(
    output: Port,
    temperature_scores: Scores,
    labels: NDArray[np.int64],
    calibration_scores: Scores,
    *,
    scores_are_logits: bool,
    rate: float,
    num_compared: int = 1,
) -> CalibratedRule:
    """Return the rule that refuses at most a given share of known pictures.

    Args:
        output: The output of the int8 network.
        temperature_scores: Scores of the images that the temperature is from, shape (N, classes).
        labels: Their classes.
        calibration_scores: Scores of other images, which the threshold is from.
        scores_are_logits: Whether the network returns logits; otherwise it returns probabilities.
        rate: The largest share of known pictures to refuse, on average.
        num_compared: Number of networks that were compared on the calibration images.
    """
    temperature = fitted_temperature(
        output, temperature_scores, labels, scores_are_logits=scores_are_logits
    )
    weights = confidence_weights(output, temperature, scores_are_logits=scores_are_logits)
    rank = threshold_rank(len(calibration_scores), rate, num_compared)
    confidences = np.sort(
        UnknownRule(weights, scores_are_logits, 0).confidences(calibration_scores)
    )
    threshold = int(confidences[rank - 1]) if rank else 0
    return CalibratedRule(UnknownRule(weights, scores_are_logits, threshold), temperature, rank)


def fitted_temperature(
    output: Port, scores: Scores, labels: NDArray[np.int64], *, scores_are_logits: bool
) -> float:
    """Return the temperature with which confidences are closest to the share of right answers.

    It minimizes the negative log-likelihood, with a prior that keeps it near 1 where there are few
    images.

    Source: Guo et al., 2017, On Calibration of Modern Neural Networks (arXiv:1706.04599).

    Args:
        output: The output of the int8 network.
        scores: int8 of shape (N, classes); 1 is returned for none.
        labels: Their classes.
        scores_are_logits: Whether the network returns logits; otherwise it returns probabilities.
    """
    from scipy.optimize import minimize_scalar

    if not len(scores):
        return 1.0
    logits = _logits(output, scores_are_logits)[scores.astype(int) + _NUM_LEVELS // 2]
    logits -= logits.max(axis=1, keepdims=True)
    correct = logits[np.arange(len(labels)), labels]

    def loss(log_temperature: float) -> float:
        divided = logits / np.exp(log_temperature)
        likelihood = correct / np.exp(log_temperature) - np.log(np.exp(divided).sum(axis=1))
        prior = (log_temperature / _LOG_TEMPERATURE_DEVIATION) ** 2 / 2
        return float(prior - likelihood.sum())

    bounds = (_MIN_LOG_TEMPERATURE, _MAX_LOG_TEMPERATURE)
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def confidence_weights(
    output: Port, temperature: float, *, scores_are_logits: bool
) -> tuple[int, ...]:
    """Return the weights of scores, as `UnknownRule` takes them.

    Args:
        output: The output of the int8 network.
        temperature: What logits are divided by.
        scores_are_logits: Whether the network returns logits; otherwise it returns probabilities.
    """
    logits = _logits(output, scores_are_logits)[::-1] / temperature  # from the score 127 down
    powers = np.exp(logits - logits[0])
    lowest = 0 if scores_are_logits else 1  # any probability may be the highest score
    weights = np.maximum(np.rint(FULL_CONFIDENCE * powers), lowest)
    return tuple(int(weight) for weight in weights)


def _logits(output: Port, scores_are_logits: bool) -> NDArray[np.float64]:
    """Return the logit that each score from -128 to 127 stands for.

    That of a probability is its logarithm. The lowest one, 0, stands for what is rounded to it.
    """
    check_scale(output)
    scores = np.arange(_NUM_LEVELS, dtype=np.float64) - _NUM_LEVELS // 2
    values = (scores - output.zero_point) * output.scale
    if not scores_are_logits:
        values = np.log(np.maximum(values, output.scale / 4))
    return np.asarray(values, np.float64)
