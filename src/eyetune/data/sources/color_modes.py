"""Images of any mode in red, green and blue."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

ROWS_AT_ONCE = 256  # that are converted


def to_rgb(image: Image.Image) -> Image.Image:
    """Return an image in RGB: transparency becomes white, 16-bit and floating-point values 8 bits.

    It is converted in strips, so that the copies that a conversion needs stay small.
    """
    if image.mode == "RGB" and "transparency" not in image.info:
        image.load()
        return image
    convert = _conversion(image)
    if image.height <= ROWS_AT_ONCE:
        return convert(image)
    converted = Image.new("RGB", image.size)
    for top in range(0, image.height, ROWS_AT_ONCE):
        bottom = min(top + ROWS_AT_ONCE, image.height)
        strip = image.crop((0, top, image.width, bottom))
        converted.paste(convert(strip), (0, top))
    return converted


def _conversion(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    """Return the function that converts parts of an image to RGB."""
    if image.mode.startswith(("I", "F")):  # 16 or 32 bits, which Pillow would clip at 255
        top = 65535.0
        if image.mode == "F":
            top = max(float(np.asarray(image).max()), 1.0)
        return lambda strip: _scaled(strip, top)
    if image.mode in ("LA", "PA", "RGBA", "RGBa", "La") or "transparency" in image.info:
        return _on_white
    return lambda strip: strip.convert("RGB")


def _scaled(image: Image.Image, top: float) -> Image.Image:
    values = np.asarray(image, np.float64)
    return Image.fromarray((np.clip(values / top, 0, 1) * 255).astype(np.uint8)).convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    layered = image.convert("RGBA")
    white = Image.new("RGBA", layered.size, "white")
    return Image.alpha_composite(white, layered).convert("RGB")
