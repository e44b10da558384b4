"""Copies among pictures: the same file, or the same picture resized, mirrored or compressed again.

Candidates are pairs with similar perceptual hashes (imagehash), of the pictures as they are or of
one mirrored. A hash has 64 bits only, so that smooth pictures have similar ones by chance: what
counts is that the pixels agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eyetune.data.check.pictures import Pictures
from eyetune.data.dataset import Images
from eyetune.values.progress import OnProgress

MAX_DISTANCE = 10  # bits that differ in the hashes of candidates
# Of the pixels of 16x16 areas: 1 less their difference in proportion to the contrast of the
# pictures (both as root mean squares). benchmarks/data_check.py measures what it finds.
MIN_SIMILARITY = 0.6
MIN_CONTRAST = 4.0  # of 255: pictures of nearly one color have hashes of noise
ROWS_AT_ONCE = 128
PAIRS_AT_ONCE = 4096

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Copies:
    """Pictures that are copies of each other.

    Attributes:
        indices: Their indices, two or more, in order.
        is_exact: Whether all are the same, byte for byte.
        similarity: Similarity of the pair that is least alike among those that make the group, up
            to 1.
    """

    indices: tuple[int, ...]
    is_exact: bool
    similarity: float


def find_copies(pictures: Pictures, on_progress: OnProgress = lambda *_: None) -> list[Copies]:
    """Return the groups of pictures that are copies of each other.

    Args:
        pictures: The pictures.
        on_progress: Called with the number of pictures that were compared with all others, and of
            all pictures.
    """
    first_of: dict[bytes, int] = {}
    representative = np.array(
        [first_of.setdefault(digest, index) for index, digest in enumerate(pictures.digests)]
    )
    different = np.unique(representative)
    edges = [(index, int(first), 1.0) for index, first in enumerate(representative)]
    for one, other, similarity in _similar_pairs(pictures, different, on_progress):
        edges.append((one, other, similarity))
    return _groups(len(pictures), edges, representative)


def _similar_pairs(
    pictures: Pictures, different: Indices, on_progress: OnProgress
) -> Iterator[tuple[int, int, float]]:
    """Yield the pairs of pictures that are similar, with their similarity."""
    hashes, mirrored = pictures.hashes[different], pictures.mirrored_hashes[different]
    starts = range(0, len(different), ROWS_AT_ONCE)

    def candidates(start: int) -> list[tuple[bool, Indices, Indices]]:
        rows = slice(start, start + ROWS_AT_ONCE)
        return [
            (is_mirrored, *_close(own[rows], hashes[start:], start))
            for is_mirrored, own in ((False, hashes), (True, mirrored))
        ]

    with ThreadPoolExecutor() as threads:
        for start, found in zip(starts, threads.map(candidates, starts), strict=True):
            for is_mirrored, one, other in found:
                yield from _verified(pictures.images, different, one, other, is_mirrored)
            on_progress(min(start + ROWS_AT_ONCE, len(different)), len(different))


def _close(
    rows: NDArray[np.uint64], hashes: NDArray[np.uint64], start: int
) -> tuple[Indices, Indices]:
    """Return the pairs of similar hashes, each pair once."""
    distances = np.bitwise_count(rows[:, np.newaxis] ^ hashes)
    one, other = np.nonzero(distances <= MAX_DISTANCE)
    is_pair = other > one
    return one[is_pair] + start, other[is_pair] + start


def _verified(
    images: Images, different: Indices, one: Indices, other: Indices, is_mirrored: bool
) -> Iterator[tuple[int, int, float]]:
    for start in range(0, len(one), PAIRS_AT_ONCE):
        ones = different[one[start : start + PAIRS_AT_ONCE]]
        others = different[other[start : start + PAIRS_AT_ONCE]]
        first = images[ones][:, :, ::-1] if is_mirrored else images[ones]
        similarity = pixel_similarity(first, images[others])
        for index in np.flatnonzero(similarity >= MIN_SIMILARITY):
            yield int(ones[index]), int(others[index]), float(similarity[index])


def pixel_similarity(one: Images, other: Images) -> NDArray[np.float32]:
    """Return how similar pictures are pair by pair: 1 if they are equal, 0 if unrelated.

    Args:
        one: Pictures, uint8, shape (N, height, width, channels), of even height and width.
        other: As many others.
    """
    first, second = _areas(one), _areas(other)
    difference = np.sqrt(np.square(first - second).mean(axis=(1, 2, 3)))
    variances = [
        np.square(areas - areas.mean(axis=(1, 2), keepdims=True)).mean(axis=(1, 2, 3))
        for areas in (first, second)
    ]
    contrast = np.maximum(np.sqrt((variances[0] + variances[1]) / 2), MIN_CONTRAST)
    return np.asarray(1 - difference / contrast, np.float32)


def _areas(images: Images) -> NDArray[np.float32]:
    """Return the means of areas of 2x2 pixels, in which the noise of compression vanishes."""
    count, height, width, channels = images.shape
    areas = images.reshape(count, height // 2, 2, width // 2, 2, channels)
    means: NDArray[np.float32] = areas.mean(axis=(2, 4), dtype=np.float32)
    return means


def _groups(
    num_pictures: int, edges: list[tuple[int, int, float]], representative: Indices
) -> list[Copies]:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ones, others, similarities = (np.array(column) for column in zip(*edges, strict=True))
    matrix = coo_array((np.ones(len(ones)), (ones, others)), shape=(num_pictures, num_pictures))
    _, group_of = connected_components(matrix, directed=False)
    worst = np.ones(num_pictures)
    np.minimum.at(worst, group_of[ones], similarities)
    sizes = np.bincount(group_of)
    order = np.argsort(group_of, kind="stable")
    members = np.split(order, np.cumsum(sizes)[:-1])
    return [
        Copies(
            tuple(int(index) for index in indices),
            is_exact=len(np.unique(representative[indices])) == 1,
            similarity=float(worst[group]),
        )
        for group, indices in enumerate(members)
        if len(indices) > 1
    ]
