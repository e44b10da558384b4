"""The values that go into an int8 model and come out of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from eyetune.errors import BoardError

if TYPE_CHECKING:
    from eyetune.device.estimate.tflite import TfliteModel

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


def check_ports(model: TfliteModel) -> None:
    """Refuse a .tflite model that firmware cannot feed with a camera's bytes less 128.

    Args:
        model: The model.

    Raises:
        BoardError: Its input has another type or scale, or it has no int8 score for each of two
            classes or more.
    """
    given, returned = model.input, model.output
    is_scaled = math.isclose(given.scale, INPUT_SCALE, rel_tol=1e-4)
    if given.dtype != "int8" or not is_scaled or given.zero_point != INPUT_ZERO_POINT:
        raise BoardError(
            "The input of the .tflite model does not match the bytes of a camera.",
            expected=f"int8 with scale 1/255 and zero point {INPUT_ZERO_POINT}",
            received=f"{given.dtype} with scale {given.scale:g} and zero point {given.zero_point}",
            fix="Convert a network that takes images from 0 to 1: eyetune export NETWORK.keras.",
        )
    if returned.dtype != "int8" or len(returned.shape) != 1 or returned.shape[0] < 2:
        raise BoardError(
            "The output of the .tflite model is not an int8 score for each class.",
            expected="int8 of shape (classes,), for 2 classes or more",
            received=f"{returned.dtype} of shape {returned.shape}",
            fix="Convert a network with one output for each class: eyetune export NETWORK.keras.",
        )
