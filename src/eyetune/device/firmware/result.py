"""From the scores of a network to the predicted class, as in the firmware's result.c."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


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
