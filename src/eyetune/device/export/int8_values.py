"""The values that go into an int8 model and come out of it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from eyetune.errors import BoardError

Images = NDArray[np.uint8]  # shape (N, height, width, channels)
Scores = NDArray[np.int8]  # shape (N, classes)
OnImage = Callable[[int], object]  # receives the number of images that are done

# The int8 value of a pixel is the camera's byte less 128; the network takes images from 0 to 1.
INPUT_SCALE = 1 / 255
INPUT_ZERO_POINT = -128


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


def check_input(scale: float, zero_point: int) -> None:
    """Refuse an int8 model whose input is not the camera's bytes less 128.

    Args:
        scale: Scale of the model's input.
        zero_point: Zero point of the model's input.

    Raises:
        BoardError: The input is quantized differently, so the firmware would feed wrong values.
    """
    if math.isclose(scale, INPUT_SCALE, rel_tol=1e-4) and zero_point == INPUT_ZERO_POINT:
        return
    raise BoardError(
        "The input of the int8 model does not match the bytes of a camera.",
        expected=f"an input with scale 1/255 and zero point {INPUT_ZERO_POINT}",
        received=f"scale {scale:g} and zero point {zero_point}",
        fix="Export the run again with eyetune export.",
    )
