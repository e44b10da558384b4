"""The number of training images that ranges are measured on: more where int8 loses accuracy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from eyetune.data import Split
from eyetune.device.export.int8_values import Images, OnImage, accuracy
from eyetune.device.export.litert import litert_scores
from eyetune.device.export.quantize import quantize

if TYPE_CHECKING:
    import keras

NUM_IMAGES = (200, 1000, 3000)  # tried one after the other


@dataclass(frozen=True)
class CalibratedModel:
    """An int8 model and how it was calibrated.

    Attributes:
        content: The content of its .tflite file.
        num_images: Number of training images that ranges were measured on.
        validation_accuracy: Its accuracy on the validation images, 0 to 1.
    """

    content: bytes
    num_images: int
    validation_accuracy: float


def calibrate(
    model: keras.Model,
    train: Split,
    validation: Split,
    *,
    min_accuracy: float,
    per_channel_dense: bool,
    on_step: Callable[[str, int], OnImage],
) -> CalibratedModel:
    """Convert a model to int8 with more and more calibration images, until it is accurate enough.

    If it never is, the most accurate of the converted models is returned.

    Args:
        model: The trained model.
        train: Training images, of which evenly spaced ones are used.
        validation: Images on which the int8 models are compared.
        min_accuracy: Validation accuracy that is enough, 0 to 1.
        per_channel_dense: Whether each output of a dense layer has its own scale.
        on_step: Called at the start of each step with a sentence about it and its number of
            images; returns what to call after each image.

    Raises:
        UsageError: There are no training images, or Keras does not run on TensorFlow.
        BoardError: TensorFlow cannot convert the model to int8.
    """
    models: list[CalibratedModel] = []
    for num_images in dict.fromkeys(min(limit, len(train)) for limit in NUM_IMAGES):
        text = f"Converting to int8 with ranges from {num_images:,} training images ..."
        on_image = on_step(text, num_images)
        content = quantize(
            model,
            _evenly_spaced(train, num_images),
            per_channel_dense=per_channel_dense,
            on_image=on_image,
        )
        text = f"Comparing int8 with float on {len(validation):,} validation images ..."
        on_image = on_step(text, len(validation))
        scores = litert_scores(content, validation.images, reference=False, on_image=on_image)
        models.append(CalibratedModel(content, num_images, accuracy(scores, validation.labels)))
        if models[-1].validation_accuracy >= min_accuracy:
            break
    return max(models, key=lambda model: model.validation_accuracy)


def _evenly_spaced(split: Split, num_images: int) -> Images:
    """Return images from all over a split, since files may be sorted by class."""
    indices = np.linspace(0, len(split) - 1, num_images).astype(np.int64)
    return np.asarray(split.images[indices])
