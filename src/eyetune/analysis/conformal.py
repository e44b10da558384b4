"""Split conformal prediction: a threshold that refuses at most a given share of known images.

The confidences of n calibration images and of a new image of the same kind come in every order with
the same probability, if none of them influenced the network. So the new confidence is below the
k-th smallest of the others with a probability of at most k / (n + 1).

Source: Vovk, Gammerman and Shafer, 2005, Algorithmic Learning in a Random World; Angelopoulos and
Bates, 2023, Conformal Prediction: A Gentle Introduction.

Where the calibration images also chose the network among several, it is the one whose threshold may
be too high. For each of m networks, the share that its threshold refuses has the distribution
Beta(k, n + 1 - k), so the largest of m such shares has, on average, at most the mean of the highest
1 / m of this distribution, whatever the dependence between them. For m = 1 that is k / (n + 1).
"""

from __future__ import annotations

import math
from fractions import Fraction

from eyetune.errors import UsageError

MAX_RATE = 0.5


def checked_rate(rate: float) -> float:
    """Return the largest share of known images that may be refused.

    Raises:
        UsageError: It is out of range.
    """
    if not 0 < rate <= MAX_RATE:
        raise UsageError(
            "The share of known images that may be refused is out of range.",
            expected=f"above 0%, at most {MAX_RATE:.0%}",
            received=f"{100 * rate:g}%",
            fix="--unknown 5% refuses at most 5 of 100 known images, on average.",
        )
    return rate


def refused_share(rank: int, num_images: int, num_compared: int = 1) -> float:
    """Return the largest share of new images that a threshold refuses, on average.

    Args:
        rank: The threshold is the confidence of this rank among the calibration images, from 1 for
            the lowest. Images with a lower confidence are refused.
        num_images: Number of calibration images, at least `rank`.
        num_compared: Number of networks that were compared on them, 1 or more.

    Example:
        >>> refused_share(1, 19)
        0.05
        >>> round(refused_share(1, 19, num_compared=10), 3)
        0.158
    """
    mean = rank / (num_images + 1)
    if num_compared == 1:
        return mean
    from scipy.stats import beta

    # The mean of a beta distribution above a quantile, from the distribution with one more success.
    above = beta.isf(1 / num_compared, rank, num_images + 1 - rank)
    return float(num_compared * mean * beta.sf(above, rank + 1, num_images + 1 - rank))


def threshold_rank(num_images: int, rate: float, num_compared: int = 1) -> int:
    """Return the rank of the threshold among the confidences of calibration images; 0 if none is.

    Args:
        num_images: Number of calibration images.
        rate: The largest share of new images that may be refused, on average.
        num_compared: Number of networks that were compared on the calibration images.

    Example:
        >>> threshold_rank(100, 0.05), threshold_rank(18, 0.05)
        (5, 0)
    """
    # A share such as 0.29 means 29 / 100, not the nearest number in binary.
    rank = math.floor(Fraction(str(rate)) * (num_images + 1))
    rank = min(rank, num_images)
    if num_compared > 1:
        low, high = 0, rank  # the share grows with the rank
        while low < high:
            middle = (low + high + 1) // 2
            if refused_share(middle, num_images, num_compared) <= rate:
                low = middle
            else:
                high = middle - 1
        rank = low
    return rank


def min_images(rate: float, num_compared: int = 1) -> int:
    """Return the smallest number of calibration images for a rate.

    Example:
        >>> min_images(0.05), min_images(0.1), min_images(0.05, num_compared=10)
        (19, 9, 65)
    """
    fewest = max(1, math.ceil(1 / Fraction(str(rate))) - 1)
    enough = fewest
    while not threshold_rank(enough, rate, num_compared):
        fewest, enough = enough + 1, 2 * enough
    while fewest < enough:
        middle = (fewest + enough) // 2
        if threshold_rank(middle, rate, num_compared):
            enough = middle
        else:
            fewest = middle + 1
    return enough


def refused_range(rank: int, num_images: int) -> tuple[float, float]:
    """Return the range of the share that a threshold refuses, over 95% of all calibrations.

    Args:
        rank: Rank of the threshold, from 1.
        num_images: Number of calibration images.

    Example:
        >>> [round(share, 3) for share in refused_range(50, 999)]
        [0.037, 0.064]
    """
    from scipy.stats import beta

    low, high = beta.ppf((0.025, 0.975), rank, num_images + 1 - rank)
    return float(low), float(high)
