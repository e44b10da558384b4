"""Balanced sampling: each epoch trains on as many images of each class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eyetune.data.dataset import Labels


def balanced_order(labels: Labels, seed: int, epoch: int) -> NDArray[np.int32]:
    """Return the images of an epoch in random order, as many of each class.

    There are as many as there are labels. Images of a rare class are drawn several times, each as
    often as the others of its class or once more, and of a frequent class only a part is drawn,
    another one in each epoch. The result depends on the arguments alone, so that a resumed training
    continues as if it had not been interrupted.

    Args:
        labels: The class of each image, shape (N,).
        seed: Random seed, 0 or above.
        epoch: Number of the epoch, 0 or above.

    Returns:
        Indices of images, int32, shape (N,).

    Example:
        >>> labels = np.array([0] * 90 + [1] * 10)
        >>> np.bincount(labels[balanced_order(labels, seed=0, epoch=0)]).tolist()
        [50, 50]
    """
    generator = np.random.default_rng([seed, epoch])
    classes = generator.permutation(np.unique(labels))
    parts = []
    for rank, label in enumerate(classes):
        members = np.flatnonzero(labels == label)
        share = len(labels) // len(classes) + (rank < len(labels) % len(classes))
        rounds = -(-share // len(members))
        drawn = np.concatenate([generator.permutation(members) for _ in range(rounds)])
        parts.append(drawn[:share])
    return generator.permutation(np.concatenate(parts)).astype(np.int32)
