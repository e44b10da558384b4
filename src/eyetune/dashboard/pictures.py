"""Pictures as data URLs, which pages show without another request."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def png_url(content: bytes) -> str:
    """Return the content of a PNG file as a data URL."""
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def image_url(image: Image.Image) -> str:
    """Return an image as a data URL."""
    file = io.BytesIO()
    image.save(file, "PNG")
    return png_url(file.getvalue())


def pixels_url(pixels: NDArray[np.uint8], width: int) -> str:
    """Return pixels as a data URL, enlarged by a whole number so that they stay sharp.

    Args:
        pixels: uint8, shape (height, width, 1 or 3).
        width: Width of the enlarged image in pixels, at most, unless the pixels have more.
    """
    image = Image.fromarray(pixels if pixels.shape[-1] == 3 else pixels[..., 0])
    scale = max(1, width // image.width)
    size = (image.width * scale, image.height * scale)
    return image_url(image.resize(size, Image.Resampling.NEAREST))
