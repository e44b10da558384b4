"""The accuracy that a network has on a board, measured right after its training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from eyetune.data.dataset import Dataset
from eyetune.data.split import stratified_part
from eyetune.device.export.board_scores import board_scores, interpreter_name
from eyetune.device.export.calibration import NUM_IMAGES
from eyetune.device.export.quantize import quantize, quantize_with_ranges
from eyetune.models.int8.folding import fold
from eyetune.models.int8.images import evenly_spaced
from eyetune.values.int8_accuracy import Int8Accuracy

if TYPE_CHECKING:
    import keras

    from eyetune.models.int8.ranges import Ranges

MAX_IMAGES = 2000  # validation images; their 95% interval is 3.5 points wide at 80%
NUM_CALIBRATION_IMAGES = NUM_IMAGES[0]  # an export tries remedies where int8 loses accuracy


@dataclass(frozen=True)
class Int8Task:
    """How to measure the accuracy of an int8 network.

    Attributes:
        num_images: Number of validation images, 1 or more.
        per_channel_dense: Whether each output of a dense layer has its own scale; some boards
            compute that incorrectly.
    """

    num_images: int
    per_channel_dense: bool = True


def measure_int8_accuracy(
    model: keras.Model, dataset: Dataset, task: Int8Task, learned: Ranges | None = None
) -> Int8Accuracy:
    """Convert a trained network to int8 and classify validation images with it.

    Ranges are measured on training images, unless training has learned them. The images that are
    classified are a stratified part of the validation images, the same one whenever their number is
    the same. TensorFlow Lite Micro classifies them, as a board will; LiteRT's reference kernels do
    where it is not available.

    Args:
        model: The trained network, in float32.
        dataset: Its images.
        task: Number of images, and what the board supports.
        learned: The range of each int8 tensor from quantization-aware training. Default: there are
            none.

    Raises:
        UsageError: There are no training images, or Keras does not run on TensorFlow.
        BoardError: The network cannot be converted, or the interpreter cannot run it.
    """
    images = evenly_spaced(dataset.train.images, NUM_CALIBRATION_IMAGES)
    if learned is None:
        content = quantize(model, images, per_channel_dense=task.per_channel_dense)
    else:
        content = quantize_with_ranges(
            fold(model), learned, images, per_channel_dense=task.per_channel_dense
        )
    part = stratified_part(dataset.validation, task.num_images)
    scores = board_scores(content, part.images)
    num_correct = int(np.sum(scores.argmax(axis=1) == part.labels))
    return Int8Accuracy(num_correct, len(part), interpreter_name(content))
