"""A photo as the firmware sees it: a frame of the camera in RGB565, then the network's image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eyetune.device.firmware.image import camera_frame, preprocess, rgb565
from eyetune.recipe import Resize


def frame_shape(image_shape: tuple[int, int, int], resize: Resize) -> tuple[int, int, int]:
    """Return height, width and channels of a photo that has the size of the camera's frames.

    Args:
        image_shape: Height, width and channels (1 or 3) of the network's images.
        resize: How a frame becomes an image.

    Raises:
        UsageError: The images are larger than every frame.

    Example:
        >>> frame_shape((32, 32, 1), "crop")
        (96, 96, 3)
    """
    frame = camera_frame(image_shape, resize)
    return frame.height, frame.width, 3


def seen_image(
    photo: NDArray[np.uint8], image_shape: tuple[int, int, int], resize: Resize
) -> NDArray[np.uint8]:
    """Return the image that the network on a board gets for a photo.

    Args:
        photo: uint8 of the shape that `frame_shape` returns.
        image_shape: Height, width and channels (1 or 3) of the network's images.
        resize: How a frame becomes an image.

    Returns:
        uint8 of that shape, 0 to 255.

    Raises:
        UsageError: A shape is invalid.
    """
    image = preprocess(rgb565(photo), image_shape, resize)
    return image.view(np.uint8) ^ np.uint8(128)
