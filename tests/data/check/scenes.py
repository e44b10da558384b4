"""Smooth random pictures, which are as different from each other as photographs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def scene(seed: int, width: int = 96, height: int = 72) -> Image.Image:
    """Return a picture of random patches of color."""
    generator = np.random.default_rng(seed)
    patches: NDArray[np.uint8] = generator.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(patches).resize((width, height), Image.Resampling.BICUBIC)
