"""The ranges of pixels that networks take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from eyetune.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PixelRange = Literal["0-1", "0-255", "-1-1"]
Pixels = Literal["auto", "0-1", "0-255", "-1-1"]

# The numbers that a network takes for the bytes 0 and 255.
PIXEL_LIMITS: dict[PixelRange, tuple[float, float]] = {
    "0-1": (0.0, 1.0),
    "0-255": (0.0, 255.0),
    "-1-1": (-1.0, 1.0),
}


def scaled_pixels(images: NDArray[np.uint8], pixels: PixelRange = "0-1") -> NDArray[np.float32]:
    """Return pixels as a network takes them, float32.

    Args:
        images: Pixels, uint8, 0 to 255.
        pixels: The range that the network takes. Default: "0-1".

    Example:
        >>> import numpy as np
        >>> images = np.array([0, 255], np.uint8)
        >>> scaled_pixels(images).tolist(), scaled_pixels(images, "-1-1").tolist()
        ([0.0, 1.0], [-1.0, 1.0])
    """
    import numpy as np  # here, since the command line needs only the names of the ranges

    low, high = PIXEL_LIMITS[pixels]
    return np.asarray(images, np.float32) / np.float32(255 / (high - low)) + np.float32(low)


def pixels_text(pixels: PixelRange) -> str:
    """Return a range of pixels as text.

    Example:
        >>> pixels_text("0-255"), pixels_text("-1-1")
        ('0 to 255', '-1 to 1')
    """
    return " to ".join(f"{limit:g}" for limit in PIXEL_LIMITS[pixels])


def check_pixels(pixels: str) -> None:
    """Check the name of a range of pixels, or auto.

    Raises:
        UsageError: There is no such range.
    """
    if pixels not in get_args(Pixels):
        raise UsageError(
            "The range of pixels is not one of the allowed values.",
            expected=", ".join(get_args(Pixels)),
            received=pixels,
        )
