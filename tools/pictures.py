"""Small files of pictures for the documentation."""

from __future__ import annotations

import io

from PIL import Image

NUM_COLORS = 128  # a file is a fraction as large then


def with_few_colors(content: bytes) -> bytes:
    """Return a picture as a PNG file with few colors.

    Args:
        content: The content of an image file.
    """
    target = io.BytesIO()
    with Image.open(io.BytesIO(content)) as image:
        image.convert("RGB").quantize(NUM_COLORS).save(target, "PNG", optimize=True)
    return target.getvalue()
