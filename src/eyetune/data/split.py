"""Split a source that has no splits: at random, stratified, and each split one slice."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eyetune.data.dataset import Labels, Split


def stratified_order(labels: Labels, seed: int) -> NDArray[np.int64]:
    """Return an order of the images in which every slice has the classes in their proportions.

    Each class is shuffled and its images are spread evenly over the whole. So any cut is a
    stratified split, the first N images are a stratified subset, and both are slices of one
    memory-mapped file.

    Args:
        labels: int64, shape (N,).
        seed: Random seed, 0 or above.

    Returns:
        Indices, int64, shape (N,): a permutation of 0 to N - 1. The first M of them have M * s
        images of a class with share s, plus or minus (1 + s * (K - 2)) / 2 images, where K is the
        number of classes. This is less than one image for classes of equal size, half an image for
        two classes, and nearly K / 2 images for a class that has almost all images. (Each class is
        within half an image of its position, and the differences add up.)

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
    # Classes of equal size have equal positions: their order is random.
    return np.lexsort((generator.permutation(len(labels)), position))


def stratified_part(split: Split, num_images: int) -> Split:
    """Return a fixed part of a split that has the classes in their proportions.

    It depends only on the labels and the number of images, and copies the images.

    Args:
        split: The images.
        num_images: Number of images, 1 or more; all are returned, in their order, if there are no
            more.

    Example:
        >>> labels = np.array([0, 0, 0, 0, 1, 1])
        >>> part = stratified_part(Split(np.zeros((6, 8, 8, 3), np.uint8), labels), 3)
        >>> sorted(part.labels.tolist())
        [0, 0, 1]
    """
    indices = np.sort(stratified_order(split.labels, seed=0)[:num_images])
    return Split(split.images[indices], split.labels[indices])


def cut(split: Split, share: float) -> tuple[Split, Split]:
    """Cut a split into two parts of at least one image each.

    Args:
        split: At least two images.
        share: Share of the images in the second part, above 0 and below 1.

    Example:
        >>> whole = Split(np.zeros((10, 8, 8, 3), np.uint8), np.zeros(10, np.int64))
        >>> [len(part) for part in cut(whole, 0.2)]
        [8, 2]
    """
    second = min(max(1, round(len(split) * share)), len(split) - 1)
    at = len(split) - second
    return split.take(0, at), split.take(at, len(split))
