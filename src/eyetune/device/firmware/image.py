"""From a frame of the camera to the image of the network, as in the firmware's image.c."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eyetune.errors import UsageError

# Frame sizes of the camera's driver that are square or 4:3, the smallest first, up to 600 KiB.
# All of them exist since its version 2; 128X128 and 320X320 are newer.
# https://github.com/espressif/esp32-camera/blob/master/driver/sensor.c
_FRAMES = (
    ("FRAMESIZE_96X96", 96, 96),
    ("FRAMESIZE_QQVGA", 160, 120),
    ("FRAMESIZE_240X240", 240, 240),
    ("FRAMESIZE_QVGA", 320, 240),
    ("FRAMESIZE_CIF", 400, 296),
    ("FRAMESIZE_VGA", 640, 480),
)
_BYTES_PER_PIXEL = 2  # RGB565
_MAX_PIXELS = 4096 * 4096  # of a frame: image.c adds up in 32 bits


@dataclass(frozen=True)
class CameraFrame:
    """A frame that the camera captures, and the crop that the network sees. Lengths are in pixels.

    Attributes:
        name: Name of the frame size in the camera's driver.
        width: Width of the frame.
        height: Height of the frame.
        left: Left edge of the crop.
        top: Top edge of the crop.
        crop_width: Width of the crop.
        crop_height: Height of the crop.
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
        """Size of the frame in bytes."""
        return _BYTES_PER_PIXEL * self.width * self.height


def camera_frame(image_shape: tuple[int, int, int]) -> CameraFrame:
    """Return the smallest frame that is at least as large as the network's images, and its crop.

    Args:
        image_shape: Height, width and channels (1 or 3) of the images.

    Raises:
        UsageError: The images are larger than every frame, or the shape is not that of images.

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
            crop = _center_crop(frame_width, frame_height, width, height)
            return CameraFrame(name, frame_width, frame_height, *crop)
    _, max_width, max_height = _FRAMES[-1]
    raise UsageError(
        "The network's images are larger than the frames of the camera.",
        expected=f"at most {max_height} x {max_width} pixels (height, width)",
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
            "The firmware cannot produce images of this shape.",
            expected="height, width and channels: 1 (grayscale) or 3 (red, green, blue)",
            received=" x ".join(map(str, image_shape)),
        )
    return image_shape


def preprocess(frame: NDArray[np.uint8], image_shape: tuple[int, int, int]) -> NDArray[np.int8]:
    """Return the network's image for a frame, with the same integer arithmetic as image.c.

    The largest crop in the center with the image's aspect ratio becomes the image: each value is
    the rounded mean of the area that it covers. Grayscale is computed from the rounded colors by
    ITU-R BT.601, as in Pillow.

    Args:
        frame: A frame in RGB565, uint8 of shape (height, width, 2), the high byte first.
        image_shape: Height, width and channels (1 or 3) of the image; at most as large as the
            frame.

    Returns:
        The image, int8 of that shape: each value less 128.

    Raises:
        UsageError: The frame is smaller than the image, or one of the shapes is invalid.

    Example:
        >>> red = np.full((96, 96, 2), [0xF8, 0x00], np.uint8)
        >>> preprocess(red, (32, 32, 3))[0, 0]
        array([ 120, -128, -128], dtype=int8)
    """
    height, width, channels = checked_shape(image_shape)
    _check_frame(frame, height, width)
    frame_height, frame_width, _ = frame.shape
    left, top, crop_width, crop_height = _center_crop(frame_width, frame_height, width, height)
    colors = _colors(frame[top : top + crop_height, left : left + crop_width])
    row_overlaps = _overlaps(crop_height, height)
    column_overlaps = _overlaps(crop_width, width)
    sums = np.einsum("yr,rcn,xc->yxn", row_overlaps, colors, column_overlaps, optimize=True)
    area = crop_height * crop_width
    means = (sums + area // 2) // area
    if channels == 1:
        weighted = means @ np.array([19595, 38470, 7471])
        means = (weighted + 0x8000 >> 16)[..., np.newaxis]
    image: NDArray[np.int8] = (means - 128).astype(np.int8)
    return image


def _check_frame(frame: NDArray[np.uint8], height: int, width: int) -> None:
    is_rgb565 = frame.ndim == 3 and frame.shape[2] == _BYTES_PER_PIXEL and frame.dtype == np.uint8
    if (
        not is_rgb565
        or frame.shape[0] < height
        or frame.shape[1] < width
        or frame.size > _BYTES_PER_PIXEL * _MAX_PIXELS
    ):
        raise UsageError(
            "The frame cannot become an image of this shape.",
            expected=f"uint8 of shape (height, width, 2), "
            f"from {height} x {width} to 4096 x 4096 pixels",
            received=f"{frame.dtype} of shape {frame.shape}",
        )


def _center_crop(
    frame_width: int, frame_height: int, width: int, height: int
) -> tuple[int, int, int, int]:
    """Return left, top, width and height of the largest central crop of an image's shape."""
    crop_width, crop_height = frame_width, frame_height
    if frame_width * height >= frame_height * width:
        crop_width = frame_height * width // height
    else:
        crop_height = frame_width * height // width
    left = (frame_width - crop_width) // 2
    top = (frame_height - crop_height) // 2
    return left, top, crop_width, crop_height


def _colors(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return red, green and blue of RGB565 pixels, each a byte whose lowest bits are 0."""
    high, low = pixels[..., 0].astype(np.int64), pixels[..., 1].astype(np.int64)
    red = high & 0xF8
    green = (high & 0x07) << 5 | (low & 0xE0) >> 3
    blue = (low & 0x1F) << 3
    return np.stack([red, green, blue], axis=-1)


def _overlaps(length: int, size: int) -> NDArray[np.int64]:
    """Return how much of each of `length` pixels lies in each of `size` values.

    In units in which a pixel is `size` long and a value is `length` long, nothing is rounded.

    Returns:
        The lengths, shape (size, length).
    """
    values, pixels = np.arange(size)[:, np.newaxis], np.arange(length)
    starts = np.maximum(values * length, pixels * size)
    ends = np.minimum((values + 1) * length, (pixels + 1) * size)
    overlaps: NDArray[np.int64] = np.maximum(ends - starts, 0)
    return overlaps
