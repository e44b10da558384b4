"""Pictures unlike all others: far from their nearest ones, or with hardly any contrast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NUM_NEIGHBORS = 10
MAX_REFERENCES = 4000  # pictures among which neighbors are looked for, at random
ROWS_AT_ONCE = 4096
# Robust standard deviations from the median, of a logarithm. benchmarks/data_check.py counts the
# pictures of CIFAR-10 that are so far away.
FAR = 4.0


@dataclass(frozen=True)
class Strange:
    """A picture unlike all others.

    Attributes:
        index: Its index.
        score: How far it is from the usual, 0.5 to 1.
        reason: What is unusual, as a sentence.
    """

    index: int
    score: float
    reason: str


def strange_pictures(
    features: NDArray[np.float32], images: NDArray[np.uint8]
) -> tuple[Strange, ...]:
    """Return the pictures that are unlike all others, the strangest first.

    Args:
        features: Features of the pictures, shape (N, features).
        images: The pictures, uint8, shape (N, height, width, channels).
    """
    if len(features) <= 2 * NUM_NEIGHBORS:
        return ()
    gray = images.mean(axis=-1, dtype=np.float32)
    detail = np.abs(np.diff(gray, axis=1)).mean(axis=(1, 2))
    reasons = {
        "Unlike all others.": _deviations(_neighbor_distances(features)),
        "It has hardly any contrast.": -_deviations(gray.std(axis=(1, 2))),
        "It is blurred, or has hardly any detail.": -_deviations(detail),
    }
    found: dict[int, Strange] = {}
    for reason, deviations in reasons.items():
        for index in np.flatnonzero(deviations > FAR).tolist():
            score = float(deviations[index] / (deviations[index] + FAR))
            if index not in found or score > found[index].score:
                found[index] = Strange(index, score, reason)
    return tuple(sorted(found.values(), key=lambda strange: -strange.score))


def _neighbor_distances(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean distance of each picture to its nearest ones, in standardized features."""
    scaled = (features - features.mean(axis=0)) / np.maximum(features.std(axis=0), 1e-6)
    generator = np.random.default_rng(0)
    count = min(MAX_REFERENCES, len(features))
    chosen = np.sort(generator.choice(len(features), count, replace=False))
    references, squares = scaled[chosen], np.square(scaled).sum(axis=1)
    means = np.empty(len(scaled), np.float32)
    for start in range(0, len(scaled), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        products = scaled[rows] @ references.T
        distances = squares[rows, np.newaxis] - 2 * products + squares[chosen]
        is_own = (chosen >= start) & (chosen < start + ROWS_AT_ONCE)
        distances[chosen[is_own] - start, np.flatnonzero(is_own)] = np.inf  # itself
        nearest = np.partition(distances, NUM_NEIGHBORS, axis=1)[:, :NUM_NEIGHBORS]
        means[rows] = np.sqrt(np.maximum(nearest, 0)).mean(axis=1)
    return means


def _deviations(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return how far values are above their median, in robust standard deviations of logarithms."""
    logarithms = np.log(np.maximum(values.astype(np.float64), 1e-3))
    median = np.median(logarithms)
    deviation = 1.4826 * np.median(np.abs(logarithms - median))
    return np.asarray((logarithms - median) / max(deviation, 1e-3))
