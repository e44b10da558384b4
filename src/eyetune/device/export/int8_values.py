"""The values that go into an int8 model and come out of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from eyetune.errors import BoardError
from eyetune.values.pixels import PIXEL_LIMITS, PixelRange, Pixels, pixels_text

if TYPE_CHECKING:
    from eyetune.device.estimate.tflite import Port, TfliteModel

Images = NDArray[np.uint8]  # shape (N, height, width, channels)
Scores = NDArray[np.int8]  # shape (N, classes)
OnImage = Callable[[int], object]  # receives the number of images that are done

_MAX_EXCESS = 0.02  # of probabilities whose range was measured
_MAX_LEVELS = 1.01  # of 255, by which an input may differ: some divide by 127.5, some by 128


def no_progress(_: int) -> None:
    """Ignore the number of images that are done."""


def as_int8(images: Images) -> NDArray[np.int8]:
    """Return the int8 input for images: each byte less 128.

    Example:
        >>> as_int8(np.array([0, 128, 255], np.uint8)).tolist()
        [-128, 0, 127]
    """
    return (images ^ np.uint8(128)).view(np.int8)


def accuracy(scores: Scores, labels: NDArray[np.int64]) -> float:
    """Return the fraction of images whose highest score is that of their class, 0 to 1.

    Example:
        >>> accuracy(np.array([[3, -5], [-128, 127]], np.int8), np.array([0, 0]))
        0.5
    """
    return float(np.mean(scores.argmax(axis=1) == labels))


def confusion_matrix(scores: Scores, labels: NDArray[np.int64]) -> tuple[tuple[int, ...], ...]:
    """Return the number of images of each true class (row) by predicted class (column).

    Example:
        >>> confusion_matrix(np.array([[3, -5], [-128, 127]], np.int8), np.array([0, 0]))
        ((1, 1), (0, 0))
    """
    num_classes = scores.shape[1]
    cells = labels * num_classes + scores.argmax(axis=1)
    counts = np.bincount(cells, minlength=num_classes**2).reshape(num_classes, num_classes)
    return tuple(tuple(row) for row in counts.tolist())


def pixels_of_port(scale: float, zero_point: int, dtype: str) -> PixelRange:
    """Return the range of pixels that an input can represent.

    Numbers that are not quantized are taken for 0 to 1, but integers that reach 255 for 0 to 255.

    Args:
        scale: Its scale; 0 if it is not quantized.
        zero_point: Its zero point.
        dtype: The type of its values, for example "int8".

    Example:
        >>> pixels_of_port(1 / 255, -128, "int8"), pixels_of_port(1 / 128, 128, "uint8")
        ('0-1', '-1-1')
        >>> pixels_of_port(0, 0, "uint8"), pixels_of_port(0, 0, "float32")
        ('0-255', '0-1')
    """
    if not np.issubdtype(dtype, np.integer):
        return "0-1"
    limits = np.iinfo(dtype)
    if not scale:
        return "0-255" if limits.max >= 255 else "0-1"
    low, high = scale * (limits.min - zero_point), scale * (limits.max - zero_point)
    if high > 2:
        return "0-255"
    return "-1-1" if low < -0.5 else "0-1"


def check_ports(model: TfliteModel, pixels: Pixels = "auto") -> None:
    """Refuse a .tflite model that firmware cannot feed with a camera's bytes less 128.

    Args:
        model: The model.
        pixels: The range of pixels that its network takes. Default: inferred from its input.

    Raises:
        BoardError: Its input has another type or scale, or it has no int8 score for each of two
            classes or more.
    """
    given, returned = model.input, model.output
    if given.dtype != "int8" or not _takes_bytes(given.scale, given.zero_point, pixels):
        ranges = [each for each in PIXEL_LIMITS if pixels in ("auto", each)]
        raise BoardError(
            "The input of the .tflite model does not match the bytes of a camera.",
            expected=f"int8 with {' or '.join(map(_port_text, ranges))}",
            received=_received_text(given),
            fix="Convert the network with int8 input, from images that are only divided or "
            "shifted: eyetune export NETWORK.keras --format tflite --data NAME|PATH.",
        )
    if returned.dtype != "int8" or len(returned.shape) != 1 or returned.shape[0] < 2:
        raise BoardError(
            "The output of the .tflite model is not an int8 score for each class.",
            expected="int8 of shape (classes,), for 2 classes or more",
            received=f"{returned.dtype} of shape {returned.shape}",
            fix="Convert a network with one output for each class: eyetune export NETWORK.keras.",
        )


def returns_probabilities(output: Port) -> bool:
    """Return whether an int8 output holds numbers from 0 to 1, as that of a softmax does.

    Args:
        output: The output of a .tflite model.
    """
    lowest = output.scale * (-128 - output.zero_point)
    highest = output.scale * (127 - output.zero_point)
    return lowest > -_MAX_EXCESS and highest < 1 + _MAX_EXCESS


def check_scale(output: Port) -> None:
    """Refuse an output whose numbers are not known.

    Args:
        output: The output of a .tflite model.

    Raises:
        BoardError: Its scale is not a finite number above 0.
    """
    if not math.isfinite(output.scale) or output.scale <= 0:
        raise BoardError(
            "The output of the .tflite model has no valid scale.",
            expected="a finite number above 0",
            received=f"{output.scale:g}",
            fix="Convert the network again.",
        )


def probabilities_of(scores: Scores, output: Port) -> NDArray[np.float32]:
    """Return int8 scores as class probabilities, which logits become by a softmax.

    Args:
        scores: int8 of shape (N, classes).
        output: The output of the .tflite model.
    """
    values = (scores.astype(np.float32) - output.zero_point) * np.float32(output.scale)
    if returns_probabilities(output):
        return values
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def _takes_bytes(scale: float, zero_point: int, pixels: Pixels) -> bool:
    """Return whether an int8 input means pixels by a camera's bytes less 128, up to one level."""
    chosen = pixels_of_port(scale, zero_point, "int8") if pixels == "auto" else pixels
    low, high = PIXEL_LIMITS[chosen]
    level = (high - low) / 255
    darkest, lightest = scale * (-128 - zero_point), scale * (127 - zero_point)
    return max(abs(darkest - low), abs(lightest - high)) < _MAX_LEVELS * level


def _received_text(given: Port) -> str:
    if not given.scale:
        return f"{given.dtype}, not quantized"
    return f"{given.dtype} with scale {given.scale:g} and zero point {given.zero_point}"


def _port_text(pixels: PixelRange) -> str:
    low, high = PIXEL_LIMITS[pixels]
    scale = (high - low) / 255
    zero_point = math.ceil(-128 - low / scale)
    return f"scale {scale:.4g} and zero point {zero_point} (pixels from {pixels_text(pixels)})"
