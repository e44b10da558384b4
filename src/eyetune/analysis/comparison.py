"""Which recipe is better, by how much and how certainly, from predictions on the same images."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eyetune.errors import DataError
from eyetune.values.history import History
from eyetune.values.renamed_attributes import renamed_to

RESAMPLES = 10_000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Candidate:
    """The runs of one recipe, one for each seed.

    Attributes:
        label: Its name in tables.
        right: Whether each validation image was classified correctly, booleans of shape (seeds,
            images).
        histories: The epochs of each run.
        parameters: Number of weights of its network.
        macs: Multiply-accumulates (MACs) for one image.
        image_weights: Weight of each image, shape (images,), 1 on average; with those of
            `imbalance.balancing_weights`, the accuracy is balanced accuracy. None: all are equal.
    """

    label: str
    right: NDArray[np.bool_]
    histories: tuple[History, ...]
    parameters: int
    macs: int
    image_weights: NDArray[np.float64] | None = None
    multiply_adds = renamed_to("macs")

    @property
    def scores(self) -> NDArray[Any]:
        """What each image adds to the accuracy, shape (seeds, images): the weights count."""
        return self.right if self.image_weights is None else self.right * self.image_weights

    @property
    def accuracy(self) -> float:
        """Accuracy on the validation images, 0 to 1, on average over the seeds."""
        return float(self.scores.mean())

    @property
    def seed_deviation(self) -> float | None:
        """Standard deviation of the accuracy over the seeds (None with one seed)."""
        return float(self.scores.mean(axis=1).std(ddof=1)) if len(self.right) > 1 else None

    @property
    def seconds(self) -> float:
        """Mean training time of a run."""
        totals = [sum(epoch.duration_seconds for epoch in history) for history in self.histories]
        return float(np.mean(totals))

    def to_json(self) -> dict[str, Any]:
        """Return its metrics as plain JSON values."""
        return {
            "label": self.label,
            "validation_accuracy": self.accuracy,
            "seed_deviation": self.seed_deviation,
            "seconds": self.seconds,
            "parameters": self.parameters,
            "macs": self.macs,
            "multiply_adds": self.macs,
        }


@dataclass(frozen=True)
class Difference:
    """How a candidate compares with the baseline. Differences are shares: 0.01 is one point.

    Attributes:
        label: Name of the candidate.
        accuracy: Its validation accuracy.
        difference: Its accuracy less the baseline's.
        interval: 95% interval of the difference (paired bootstrap over validation images and
            seeds).
        chance_of_better: Probability that the candidate is better, 0 to 1: the share of bootstrap
            draws in which it is.
        p_value: Probability of a difference as large by chance alone, corrected for the number of
            comparisons (Holm).
        seed_deviation: Standard deviation of its accuracy over seeds (None with one seed).
        at_equal_epochs: The difference if both are stopped after as many epochs as the shorter
            training has.
        at_equal_seconds: The difference if both are stopped after as many seconds as the shorter
            training took.
        seconds: Mean training time.
        parameters: Number of weights of the network.
        macs: Multiply-accumulates (MACs) for one image.
    """

    label: str
    accuracy: float
    difference: float
    interval: tuple[float, float]
    chance_of_better: float
    p_value: float
    seed_deviation: float | None
    at_equal_epochs: float
    at_equal_seconds: float
    seconds: float
    parameters: int
    macs: int

    @property
    def certain(self) -> bool:
        """Whether chance alone is an unlikely explanation (corrected p below 5%)."""
        return self.p_value < 1 - CONFIDENCE

    @property
    def finding(self) -> str:
        """The finding as text: better, worse or neither."""
        if not self.certain:
            return "no difference that we can be sure of"
        return "better" if self.difference > 0 else "worse"

    words = renamed_to("finding")
    multiply_adds = renamed_to("macs")

    def to_json(self) -> dict[str, Any]:
        """Return the difference as plain JSON values."""
        return {
            "label": self.label,
            "validation_accuracy": self.accuracy,
            "difference": self.difference,
            "interval": list(self.interval),
            "p_value": self.p_value,
            "finding": self.finding,
            "seed_deviation": self.seed_deviation,
            "difference_at_equal_epochs": self.at_equal_epochs,
            "difference_at_equal_seconds": self.at_equal_seconds,
            "seconds": self.seconds,
            "parameters": self.parameters,
            "macs": self.macs,
            "multiply_adds": self.macs,
        }


@dataclass(frozen=True)
class Comparison:
    """How candidates compare with a baseline.

    Attributes:
        baseline: The candidate that the others are compared with.
        differences: One for each other candidate, in the order in which they were given.
    """

    baseline: Candidate
    differences: tuple[Difference, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as plain JSON values."""
        return {
            "baseline": self.baseline.to_json(),
            "differences": [difference.to_json() for difference in self.differences],
        }


def compare(
    baseline: Candidate, candidates: Sequence[Candidate], *, seed: int = 0
) -> list[Difference]:
    """Compare each candidate with the baseline.

    Args:
        baseline: The candidate that the others are compared with.
        candidates: At least one, evaluated on the baseline's validation images.
        seed: Seed of the bootstrap. Default: 0.

    Raises:
        DataError: The numbers of validation images differ.
    """
    differences = [_difference(baseline, candidate, seed) for candidate in candidates]
    corrected = holm([difference.p_value for difference in differences])
    pairs = zip(differences, corrected, strict=True)
    return [replace(difference, p_value=p_value) for difference, p_value in pairs]


def _difference(baseline: Candidate, candidate: Candidate, seed: int) -> Difference:
    if baseline.right.shape[1] != candidate.right.shape[1]:
        raise DataError(
            f"{candidate.label} and {baseline.label} were not validated on the same data.",
            expected=f"{baseline.right.shape[1]} predictions",
            received=candidate.right.shape[1],
        )
    drawn = bootstrap_differences(candidate.scores, baseline.scores, seed=seed)
    return Difference(
        label=candidate.label,
        accuracy=candidate.accuracy,
        difference=candidate.accuracy - baseline.accuracy,
        interval=interval_of(drawn),
        chance_of_better=float((drawn > 0).mean() + (drawn == 0).mean() / 2),
        p_value=p_value_of(drawn),
        seed_deviation=candidate.seed_deviation,
        at_equal_epochs=_at_equal(baseline, candidate, _epoch_ends),
        at_equal_seconds=_at_equal(baseline, candidate, _second_ends),
        seconds=candidate.seconds,
        parameters=candidate.parameters,
        macs=candidate.macs,
    )


def bootstrap_differences(
    candidate: NDArray[Any],
    baseline: NDArray[Any],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> NDArray[np.float64]:
    """Draw differences of accuracy as other validation images and seeds would have given them.

    Images are drawn with replacement, the same for both (paired). Where there are several seeds,
    they are drawn too, so that the spread over seeds widens the interval. Images with equal results
    are drawn together: their numbers are multinomial, which is the bootstrap itself and takes
    milliseconds.

    Args:
        candidate: Whether each image was classified correctly, booleans of shape (seeds, images),
            or what it adds to the accuracy (`Candidate.scores`).
        baseline: The same for the baseline, with as many images.
        seed: Seed of the draws. Default: 0.
        resamples: Number of differences to draw. Default: 10,000.

    Returns:
        Shape (resamples,).

    Example:
        >>> right = np.array([[True] * 60 + [False] * 40])
        >>> other = np.array([[True] * 50 + [False] * 50])
        >>> bool(abs(bootstrap_differences(right, other).mean() - 0.1) < 0.005)
        True
    """
    return bootstrap_contrast([(1, candidate), (-1, baseline)], seed=seed, resamples=resamples)


def bootstrap_contrast(
    terms: Sequence[tuple[float, NDArray[Any]]], *, seed: int = 0, resamples: int = RESAMPLES
) -> NDArray[np.float64]:
    """Draw weighted sums of accuracies as other images and seeds would have given them.

    Args:
        terms: Weights, each with booleans or scores of shape (seeds, images) for the same images.
        seed: Seed of the draws. Default: 0.
        resamples: Number of sums to draw. Default: 10,000.

    Returns:
        Shape (resamples,).
    """
    generator = np.random.default_rng(seed)
    has_several_seeds = any(len(right) > 1 for _, right in terms)
    rounds = 200 if has_several_seeds else 1  # draws of seeds, each with its draws of images
    drawn = []
    for _ in range(rounds):
        sums = sum(weight * _mean_over_drawn_seeds(right, generator) for weight, right in terms)
        values, counts = np.unique(np.round(sums, 12), return_counts=True)
        num_images = counts.sum()
        sizes = generator.multinomial(num_images, counts / num_images, size=resamples // rounds)
        drawn.append(sizes @ values / num_images)
    return np.concatenate(drawn)


def _mean_over_drawn_seeds(
    right: NDArray[Any], generator: np.random.Generator
) -> NDArray[np.float64]:
    """Return the mean of each image over seeds that are drawn with replacement.

    The variance of means of n drawn values is too small by (n - 1) / n, which matters for two or
    three seeds and is corrected.
    """
    mean: NDArray[np.float64] = right.mean(axis=0)
    count = len(right)
    if count == 1:
        return mean
    drawn = right[generator.integers(count, size=count)].mean(axis=0)
    return np.asarray(mean + math.sqrt(count / (count - 1)) * (drawn - mean))


def interval_of(drawn: NDArray[np.float64]) -> tuple[float, float]:
    """Return the 95% interval of bootstrap draws."""
    low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


@dataclass(frozen=True)
class Contrast:
    """A difference with its 95% interval and its p-value.

    Attributes:
        difference: A difference of shares: 0.01 is one point.
        interval: Its 95% interval.
        p_value: Probability of a difference as large by chance alone.
    """

    difference: float
    interval: tuple[float, float]
    p_value: float


def interaction(
    baseline: Candidate, first: Candidate, second: Candidate, both: Candidate, *, seed: int = 0
) -> Contrast:
    """Return what two changes together are worth beyond the sum of each by itself.

    Above 0, they help each other. Below 0, they partly do the same, or hinder each other.

    Args:
        baseline: The recipe without either change.
        first: The recipe with the first change.
        second: The recipe with the second change.
        both: The recipe with both changes.
        seed: Seed of the bootstrap. Default: 0.
    """
    terms = [(1.0, both.scores), (-1.0, first.scores), (-1.0, second.scores)]
    terms.append((1.0, baseline.scores))
    value = sum(weight * float(scores.mean()) for weight, scores in terms)
    drawn = bootstrap_contrast(terms, seed=seed)
    return Contrast(value, interval_of(drawn), p_value_of(drawn))


def p_value_of(drawn: NDArray[np.float64]) -> float:
    """Return twice the share of bootstrap draws beyond zero, of which at least one is counted."""
    beyond = min((drawn <= 0).mean(), (drawn >= 0).mean())
    return float(min(1.0, 2 * max(beyond, 1 / len(drawn))))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values that are corrected for the number of comparisons.

    Source: Holm, 1979, A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian
    Journal of Statistics 6, 65-70.

    Args:
        p_values: One for each comparison, 0 to 1.

    Example:
        >>> [round(value, 3) for value in holm([0.01, 0.04, 0.03])]
        [0.03, 0.06, 0.06]
    """
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(np.argsort(p_values, kind="stable")):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected


def _epoch_ends(history: History) -> list[float]:
    return [float(epoch.epoch) for epoch in history]


def _second_ends(history: History) -> list[float]:
    return list(accumulate(epoch.duration_seconds for epoch in history))


def _at_equal(
    baseline: Candidate, candidate: Candidate, ends: Callable[[History], list[float]]
) -> float:
    """Return the difference of the curves at the end of the shorter training."""
    limit = min(max(ends(history)) for history in (*baseline.histories, *candidate.histories))
    means = []
    for runs in (candidate, baseline):
        values = [_value_at(history, ends(history), limit) for history in runs.histories]
        means.append(np.mean(values))
    return float(means[0] - means[1])


def _value_at(history: History, ends: Sequence[float], limit: float) -> float:
    """Return the validation accuracy of the last epoch that ends by the limit, or of the first.

    Epochs without validation do not count; NaN if no epoch has one.
    """
    value = math.nan
    for epoch, end in zip(history, ends, strict=True):
        is_early = math.isnan(value) or end <= limit * (1 + 1e-9)
        if is_early and epoch.measures("val_accuracy"):
            value = epoch.value("val_accuracy")
    return value
