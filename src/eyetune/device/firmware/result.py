"""From the network's scores to an answer, as the firmware's result.c does it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def read_result(scores: NDArray[np.int8], scale: float, zero_point: int) -> tuple[int, int]:
    """Return the class with the highest score, of several the first, and its confidence in per
    mille.

    Args:
        scores: Of all classes, shape (number of classes,).
        scale: A probability is (score - zero_point) * scale, in float32.
        zero_point: From -128 to 127.

    Example:
        >>> read_result(np.array([-128, 96, -96], np.int8), scale=1 / 256, zero_point=-128)
        (1, 875)
    """
    best = int(scores.argmax())
    with np.errstate(over="ignore"):
        share = np.float32(int(scores[best]) - zero_point) * np.float32(scale)
        rounded = share * np.float32(1000) + np.float32(0.5)
    return best, int(min(max(rounded, np.float32(0)), np.float32(1000)))
