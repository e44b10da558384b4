"""A choice of images to observe a network on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


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
