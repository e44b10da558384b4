"""From a frame of the camera to the image of the network, as in the firmware's image.c."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eyetune.data.resize import grayscale, placement, resized
from eyetune.errors import UsageError
from eyetune.recipe import Resize

# Frame sizes of the camera's driver that are square or 4:3, the smallest first, up to 600 KiB. The
# sensor sees 4:3: of a square frame it leaves out both sides. All of them exist since the driver's
# version 2; 128X128 and 320X320 are newer.
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
    """A frame that the camera captures, and the part that the network sees. Lengths are in pixels.

    Attributes:
        name: Name of the frame size in the camera's driver.
        width: Width of the frame.
        height: Height of the frame.
        left: Left edge of the part.
        top: Top edge of the part.
        crop_width: Width of the part.
        crop_height: Height of the part.
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


def camera_frame(image_shape: tuple[int, int, int], resize: Resize = "crop") -> CameraFrame:
    """Return the smallest frame that is at least as large as the network's images, and its part.

    Args:
        image_shape: Height, width and channels (1 or 3) of the images.
        resize: How the frame becomes an image. Where all of a picture is used, the frame has all
            that the sensor sees.

    Raises:
        UsageError: The images are larger than every frame, or the shape is not that of images.

    Example:
        >>> camera_frame((32, 32, 3)).name, camera_frame((32, 32, 3), "pad").name
        ('FRAMESIZE_96X96', 'FRAMESIZE_QQVGA')
        >>> frame = camera_frame((100, 100, 1))
        >>> frame.name, frame.left, frame.crop_width
        ('FRAMESIZE_QQVGA', 20, 120)
    """
    height, width, _ = checked_shape(image_shape)
    for name, frame_width, frame_height in _FRAMES:
        is_whole = frame_width > frame_height
        if frame_width >= width and frame_height >= height and (is_whole or resize == "crop"):
            part = placement((frame_width, frame_height), (width, height), resize).source
            return CameraFrame(
                name, frame_width, frame_height, part.left, part.top, part.width, part.height
            )
    _, max_width, max_height = _FRAMES[-1]
    raise UsageError(
        "The network's images are larger than the frames of the camera.",
        expected=f"at most {max_height} x {max_width} pixels (height, width)",
        received=f"{height} x {width}",
        fix="Train on smaller images (--image-size).",
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


def preprocess(
    frame: NDArray[np.uint8], image_shape: tuple[int, int, int], resize: Resize = "crop"
) -> NDArray[np.int8]:
    """Return the network's image for a frame, with the same integer arithmetic as image.c.

    Each value is the rounded mean of the area that it covers, as in images made from photos.
    Grayscale is computed from the rounded colors by ITU-R BT.601, as in Pillow.

    Args:
        frame: A frame in RGB565, uint8 of shape (height, width, 2), the high byte first.
        image_shape: Height, width and channels (1 or 3) of the image; at most as large as the
            frame.
        resize: "crop" takes the largest part in the center with the image's aspect ratio, "pad" all
            of the frame with black borders, "squash" all of it without its aspect ratio.

    Returns:
        The image, int8 of that shape: each value less 128.

    Raises:
        UsageError: The frame is smaller than the image, or one of the shapes is invalid.

    Example:
        >>> red = np.full((96, 96, 2), [0xF8, 0x00], np.uint8)
        >>> preprocess(red, (32, 32, 3))[0, 0]
        array([ 120, -128, -128], dtype=int8)
    """
    height, width, _ = checked_shape(image_shape)
    _check_frame(frame, height, width)
    return image_of_frame(frame, image_shape, resize)


def image_of_frame(
    frame: NDArray[np.uint8], image_shape: tuple[int, int, int], resize: Resize
) -> NDArray[np.int8]:
    """Return the network's image for a frame of any size, which may have to be enlarged.

    Args:
        frame: A frame in RGB565, uint8 of shape (height, width, 2), the high byte first.
        image_shape: Height, width and channels (1 or 3) of the image.
        resize: How the frame becomes an image.
    """
    height, width, channels = image_shape
    image = resized(colors(frame), (width, height), resize)
    if channels == 1:
        image = grayscale(image)
    return (image.astype(np.int16) - 128).astype(np.int8)


def rgb565(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return pixels as a camera's frame: 5 bits of red, 6 of green, 5 of blue, the high byte first.

    Args:
        pixels: Red, green and blue, uint8 of shape (height, width, 3).

    Returns:
        uint8 of shape (height, width, 2).

    Example:
        >>> rgb565(np.array([[[255, 0, 0]]], np.uint8))
        array([[[248,   0]]], dtype=uint8)
    """
    red, green, blue = (pixels[..., channel] for channel in range(3))
    high = red & 0xF8 | green >> 5
    low = (green & 0x1C) << 3 | blue >> 3
    return np.stack([high, low], axis=-1)


def colors(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return red, green and blue of a frame in RGB565, each a byte whose lowest bits are 0.

    Args:
        frame: uint8 of shape (height, width, 2), the high byte first.

    Example:
        >>> colors(np.array([[[0xF8, 0x00]]], np.uint8))
        array([[[248,   0,   0]]], dtype=uint8)
    """
    high, low = frame[..., 0], frame[..., 1]
    red = high & 0xF8
    green = (high & 0x07) << 5 | (low & 0xE0) >> 3
    blue = (low & 0x1F) << 3
    return np.stack([red, green, blue], axis=-1)


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
