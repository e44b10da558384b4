"""Images as a network takes them, and a choice of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eyetune.models.int8.folding import Floats


def as_floats(images: NDArray[np.uint8]) -> Floats:
    """Return pixels as a network takes them: float32 from 0 to 1.

    Example:
        >>> as_floats(np.array([0, 255], np.uint8)).tolist()
        [0.0, 1.0]
    """
    return np.asarray(images, np.float32) / np.float32(255)


def evenly_spaced(images: NDArray[np.uint8], num_images: int) -> NDArray[np.uint8]:
    """Return images from all over an array, since files may be sorted by class.

    Args:
        images: The images, at least one.
        num_images: How many to return, 1 or more; all if there are fewer.

    Example:
        >>> evenly_spaced(np.arange(9, dtype=np.uint8), 3).tolist()
        [0, 4, 8]
    """
    count = min(num_images, len(images))
    return np.asarray(images[np.linspace(0, len(images) - 1, count).astype(np.int64)])
