"""Making splits where the source has none: seeded, stratified, and such that every split is one
slice.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eyetune.data.dataset import Labels, Split


def stratified_order(labels: Labels, seed: int) -> NDArray[np.int64]:
    """Return an order of the images in which every stretch holds the classes in their overall
    proportions.

    Each class is shuffled and its images are spread evenly over the whole, so any cut is a
    stratified split, any first N images are a stratified subset, and both are plain slices of one
    memory-mapped file.

    Args:
        labels: Shape (N,).
        seed: The same seed gives the same order.

    Returns:
        Indices, shape (N,): a permutation of 0 to N-1. Any first M of them hold M * s images of a
        class whose share is s, give or take (1 + s * (K - 2)) / 2 images, K being the number of
        classes: always less than one image where the classes are of one size, half an image where
        there are two, and nearly K / 2 for a class that has almost all the images. (Each class is
        within half an image of its place; the differences add up.)

    Example:
        >>> labels = np.array([0, 0, 0, 0, 1, 1])
        >>> labels[stratified_order(labels, seed=0)].tolist()
        [0, 1, 0, 0, 1, 0]
    """
    generator = np.random.default_rng(seed)
    position = np.empty(len(labels))
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        position[members] = (np.arange(len(members)) + 0.5) / len(members)
    # Classes of one size meet at equal positions: chance, not the class number, says who goes
    # first.
    return np.lexsort((generator.permutation(len(labels)), position))


def cut(split: Split, share: float) -> tuple[Split, Split]:
    """Cut a split in two by a share of its images for the second part, at least one image each.

    Example:
        >>> whole = Split(np.zeros((10, 8, 8, 3), np.uint8), np.zeros(10, np.int64))
        >>> [len(part) for part in cut(whole, 0.2)]
        [8, 2]
    """
    second = min(max(1, round(len(split) * share)), len(split) - 1)
    at = len(split) - second
    return split.take(0, at), split.take(at, len(split))
