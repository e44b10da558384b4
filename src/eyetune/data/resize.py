"""From a photo of any size to the image of a network, in integers that firmware computes as well.

The firmware's image.c does the same with a camera's frame: a test compares both byte for byte. Each
value is the mean of the area that it covers, rounded half up, and nothing is rounded before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from eyetune.data.dataset import Images
from eyetune.recipe import Resize

# Returns rows of pixels, from a first one to before a last one: uint8 of shape (rows, values).
ReadRows = Callable[[int, int], NDArray[np.uint8]]

_GRAYSCALE = np.array([19595, 38470, 7471], np.int64)  # ITU-R BT.601 with 16 fractional bits
_HALF = 0x8000
_ROWS_AT_ONCE = 64  # that are read and added up


@dataclass(frozen=True)
class Area:
    """A rectangle of whole pixels.

    Attributes:
        left: Its left edge in pixels.
        top: Its top edge in pixels.
        width: Its width in pixels.
        height: Its height in pixels.
    """

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Placement:
    """Which part of a photo becomes which part of an image.

    Attributes:
        source: The part of the photo.
        target: The part of the image; the rest of it is black.
    """

    source: Area
    target: Area


def placement(
    photo_size: tuple[int, int], image_size: tuple[int, int], resize: Resize
) -> Placement:
    """Return which part of a photo becomes which part of an image.

    Args:
        photo_size: Width and height of the photo in pixels.
        image_size: Width and height of the image in pixels.
        resize: "crop" takes the largest part in the center that has the aspect ratio of the image,
            "pad" all of the photo with its aspect ratio, "squash" all of it without.

    Example:
        >>> placement((160, 120), (32, 32), "crop").source
        Area(left=20, top=0, width=120, height=120)
        >>> placement((160, 120), (32, 32), "pad").target
        Area(left=0, top=4, width=32, height=24)
    """
    (photo_width, photo_height), (width, height) = photo_size, image_size
    photo, image = Area(0, 0, photo_width, photo_height), Area(0, 0, width, height)
    is_wider = photo_width * height >= photo_height * width  # than the image
    if resize == "crop":
        crop_width = photo_height * width // height if is_wider else photo_width
        crop_height = photo_height if is_wider else photo_width * height // width
        return Placement(_centered(crop_width, crop_height, photo), image)
    if resize == "pad":
        used_width = width if is_wider else _rounded(photo_width * height, photo_height)
        used_height = _rounded(photo_height * width, photo_width) if is_wider else height
        return Placement(photo, _centered(used_width, used_height, image))
    return Placement(photo, image)


def resized(pixels: Images, image_size: tuple[int, int], resize: Resize) -> Images:
    """Return the image of a network for a photo.

    Args:
        pixels: The photo, uint8 of shape (height, width, channels).
        image_size: Width and height of the image in pixels.
        resize: What happens to other aspect ratios; see `placement`.

    Returns:
        uint8 of shape (height, width, channels).

    Example:
        >>> photo = np.arange(12, dtype=np.uint8).reshape(2, 6, 1)
        >>> resized(photo, (1, 1), "crop")[0, 0], resized(photo, (1, 1), "squash")[0, 0]
        (array([6], dtype=uint8), array([6], dtype=uint8))
    """
    place = placement((pixels.shape[1], pixels.shape[0]), image_size, resize)
    source = place.source
    part = pixels[source.top : source.top + source.height]
    part = part[:, source.left : source.left + source.width]
    rows = part.reshape(source.height, -1)
    return placed(place, image_size, pixels.shape[2], lambda first, last: rows[first:last])


def placed(
    place: Placement, image_size: tuple[int, int], channels: int, read_rows: ReadRows
) -> Images:
    """Return the image of a network for a photo that is read row by row.

    Args:
        place: Which part of the photo becomes which part of the image.
        image_size: Width and height of the image in pixels.
        channels: Values of each pixel.
        read_rows: Returns rows of `place.source`, with all of its columns.

    Returns:
        uint8 of shape (height, width, channels).
    """
    width, height = image_size
    source, target = place.source, place.target
    # From the photo's rows to the image's, then from its columns to the image's.
    by_row = _sums(read_rows, source.height, target.height)
    by_column = by_row.reshape(target.height, source.width, channels).swapaxes(0, 1)
    columns = by_column.reshape(source.width, -1)
    sums = _sums(lambda first, last: columns[first:last], source.width, target.width)
    area = source.width * source.height
    means = (sums + area // 2) // area
    image = np.zeros((height, width, channels), np.uint8)
    image[target.top : target.top + target.height, target.left : target.left + target.width] = (
        means.reshape(target.width, target.height, channels).swapaxes(0, 1)
    )
    return image


def grayscale(images: Images) -> Images:
    """Return images with one channel, by ITU-R BT.601 as in Pillow.

    Args:
        images: uint8 of shape (..., 1 or 3).

    Example:
        >>> grayscale(np.array([[255, 0, 0]], np.uint8))
        array([[76]], dtype=uint8)
    """
    if images.shape[-1] == 1:
        return images
    gray = np.empty((*images.shape[:-1], 1), np.uint8)
    for index in np.ndindex(images.shape[:1]):  # one after the other, for the memory
        gray[index] = (images[index] @ _GRAYSCALE + _HALF >> 16)[..., np.newaxis]
    return gray


def _centered(width: int, height: int, whole: Area) -> Area:
    """Return the rectangle of a size, at least one pixel, in the center of another one."""
    width, height = max(width, 1), max(height, 1)
    return Area((whole.width - width) // 2, (whole.height - height) // 2, width, height)


def _rounded(numerator: int, denominator: int) -> int:
    """Return a quotient, rounded half up."""
    return (2 * numerator + denominator) // (2 * denominator)


def _sums(
    read_rows: Callable[[int, int], NDArray[np.uint8] | NDArray[np.int64]], length: int, size: int
) -> NDArray[np.int64]:
    """Return the sums over the areas that `size` values cover on `length` rows.

    In units in which a row is `size` long and a value is `length` long, nothing is rounded.

    Returns:
        int64 of shape (size, values of a row).
    """
    edges = np.arange(size + 1) * length  # of the values
    first_rows = edges // size
    before = edges % size  # the part of the first row that lies before the edge
    values_at_once = max(1, _ROWS_AT_ONCE * size // length)
    sums = []
    for start in range(0, size, values_at_once):
        stop = min(start + values_at_once, size)
        first = int(first_rows[start])
        rows = read_rows(first, min(int(first_rows[stop]) + 1, length))
        indices = first_rows[start : stop + 1] - first
        parts = rows[np.minimum(indices, len(rows) - 1)].astype(np.int64)
        parts *= before[start : stop + 1, np.newaxis]
        whole = size * _added(rows, indices)
        sums.append(whole - parts[:-1] + parts[1:])
    return np.concatenate(sums)


def _added(
    rows: NDArray[np.uint8] | NDArray[np.int64], indices: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the sums of rows from each index to before the next one, 0 for no rows."""
    # 32 bits are faster, and enough for 16 million rows of bytes.
    kind = np.uint32 if rows.dtype == np.uint8 else np.int64
    added = np.empty((len(indices) - 1, rows.shape[1]), kind)
    for number, (first, end) in enumerate(pairwise(indices.tolist())):
        np.add.reduce(rows[first:end], axis=0, dtype=kind, out=added[number])
    return added.astype(np.int64)
