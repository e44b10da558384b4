"""From the camera's picture to the network's image, as the firmware's image.c does it; and which
picture that is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eyetune.errors import UsageError

# Sizes of the camera's driver that are square or 4:3, the smallest first, up to 600 KiB of memory.
# All of them are as old as its version 2; 128X128 and 320X320 are younger.
# https://github.com/espressif/esp32-camera/blob/master/driver/sensor.c
_FRAMES = (
    ("FRAMESIZE_96X96", 96, 96),
    ("FRAMESIZE_QQVGA", 160, 120),
    ("FRAMESIZE_240X240", 240, 240),
    ("FRAMESIZE_QVGA", 320, 240),
    ("FRAMESIZE_CIF", 400, 296),
    ("FRAMESIZE_VGA", 640, 480),
)
_BYTES_A_PIXEL = 2  # RGB565
_MAX_PIXELS = 4096 * 4096  # of a frame: image.c adds up in 32 bits


@dataclass(frozen=True)
class CameraFrame:
    """What the camera captures, and the part of it that the network sees. Lengths are in pixels.

    Attributes:
        name: What the camera's driver calls it.
        width: Of all.
        height: Of all.
        left: Where the part that the network sees begins.
        top: Where the part that the network sees begins.
        crop_width: Of that part.
        crop_height: Of that part.
    """

    name: str
    width: int
    height: int
    left: int
    top: int
    crop_width: int
    crop_height: int

    @property
    def bytes(self) -> int:
        """The memory that it takes."""
        return _BYTES_A_PIXEL * self.width * self.height


def camera_frame(image_shape: tuple[int, int, int]) -> CameraFrame:
    """Return the smallest frame of the camera that is at least as large as images, and what of it
    becomes one.

    Args:
        image_shape: Height, width and channels of the images.

    Raises:
        UsageError: No frame is that large, or the shape is none of images.

    Example:
        >>> camera_frame((32, 32, 3)).name
        'FRAMESIZE_96X96'
        >>> frame = camera_frame((100, 100, 1))
        >>> frame.name, frame.left, frame.crop_width
        ('FRAMESIZE_QQVGA', 20, 120)
    """
    height, width, _ = checked_shape(image_shape)
    for name, frame_width, frame_height in _FRAMES:
        if frame_width >= width and frame_height >= height:
            return CameraFrame(
                name, frame_width, frame_height, *_middle(frame_width, frame_height, width, height)
            )
    _, largest_width, largest_height = _FRAMES[-1]
    raise UsageError(
        "The network's images are larger than what the camera captures.",
        expected=f"at most {largest_height} x {largest_width} pixels (height, width)",
        received=f"{height} x {width}",
        fix="Train on smaller images.",
    )


def checked_shape(image_shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return the shape of images.

    Raises:
        UsageError: It is not height, width and 1 or 3 channels.
    """
    if len(image_shape) != 3 or min(image_shape) < 1 or image_shape[2] not in (1, 3):
        raise UsageError(
            "The firmware cannot make such images.",
            expected="a shape of height, width and channels, of which there are 1 (gray) or 3 (red, green, blue)",
            received=" x ".join(map(str, image_shape)),
        )
    return image_shape


def preprocess(frame: NDArray[np.uint8], image_shape: tuple[int, int, int]) -> NDArray[np.int8]:
    """Make the network's image of a picture of the camera, with the same whole numbers as the
    firmware's image.c.

    The middle of the picture, as much as has the image's proportions, becomes the image: a value is
    the mean of the area that it stands for, rounded. Gray is made of the rounded colours by ITU-R
    BT.601, as Pillow does.

    Args:
        frame: A picture in RGB565, the high byte first, shape (height, width, 2).
        image_shape: Height, width and channels (1 or 3) of the image; not larger than the picture.

    Returns:
        The image, each value less 128.

    Raises:
        UsageError: The picture is smaller than the image, or a shape cannot be used.

    Example:
        >>> red = np.full((96, 96, 2), [0xF8, 0x00], np.uint8)
        >>> preprocess(red, (32, 32, 3))[0, 0]
        array([ 120, -128, -128], dtype=int8)
    """
    height, width, channels = checked_shape(image_shape)
    _check_frame(frame, height, width)
    frame_height, frame_width, _ = frame.shape
    left, top, crop_width, crop_height = _middle(frame_width, frame_height, width, height)
    colours = _colours(frame[top : top + crop_height, left : left + crop_width])
    sums = np.einsum(
        "yr,rcn,xc->yxn",
        _shares(crop_height, height),
        colours,
        _shares(crop_width, width),
        optimize=True,
    )
    area = crop_height * crop_width
    means = (sums + area // 2) // area
    if channels == 1:
        means = (means @ np.array([19595, 38470, 7471]) + 0x8000 >> 16)[..., np.newaxis]
    image: NDArray[np.int8] = (means - 128).astype(np.int8)
    return image


def _check_frame(frame: NDArray[np.uint8], height: int, width: int) -> None:
    right = frame.ndim == 3 and frame.shape[2] == _BYTES_A_PIXEL and frame.dtype == np.uint8
    if (
        not right
        or frame.shape[0] < height
        or frame.shape[1] < width
        or frame.size > _BYTES_A_PIXEL * _MAX_PIXELS
    ):
        raise UsageError(
            "The picture cannot become an image.",
            expected=f"uint8 of shape (height, width, 2), from {height} x {width} to 4096 x 4096 pixels",
            received=f"{frame.dtype} of shape {frame.shape}",
        )


def _middle(
    frame_width: int, frame_height: int, width: int, height: int
) -> tuple[int, int, int, int]:
    """Return left, top, width and height of the largest part in the middle that has an image's
    proportions.
    """
    crop_width, crop_height = frame_width, frame_height
    if frame_width * height >= frame_height * width:
        crop_width = frame_height * width // height
    else:
        crop_height = frame_width * height // width
    return (
        (frame_width - crop_width) // 2,
        (frame_height - crop_height) // 2,
        crop_width,
        crop_height,
    )


def _colours(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return red, green and blue of RGB565, each a byte whose lowest bits are 0."""
    high, low = pixels[..., 0].astype(np.int64), pixels[..., 1].astype(np.int64)
    return np.stack(
        [high & 0xF8, (high & 0x07) << 5 | (low & 0xE0) >> 3, (low & 0x1F) << 3], axis=-1
    )


def _shares(length: int, size: int) -> NDArray[np.int64]:
    """Return how much of each of `length` pixels lies in each of `size` values, shape (size,
    length).

    Along the axis, a pixel is `size` long and a value is `length` long.
    """
    values, pixels = np.arange(size)[:, np.newaxis], np.arange(length)
    ends = np.minimum((values + 1) * length, (pixels + 1) * size)
    shares: NDArray[np.int64] = np.maximum(ends - np.maximum(values * length, pixels * size), 0)
    return shares
