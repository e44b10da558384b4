"""Predict class probabilities with a trained network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eyetune.data.dataset import Floats, Images, Split, normalize
from eyetune.errors import DataError
from eyetune.models.model_function.checking import Fit
from eyetune.training.pipeline import EVALUATION_BATCH_SIZE, evaluation_batches
from eyetune.values.samples import Samples

if TYPE_CHECKING:
    import keras


def probabilities(model: keras.Model, split: Split, *, mirrored: bool = False) -> Floats:
    """Return the class probabilities of a split's images.

    Args:
        model: A model for images of the split's shape.
        split: The images.
        mirrored: Mirror each image horizontally first.

    Returns:
        float32, shape (N, number of classes), in the order of the split.
    """
    step = -1 if mirrored else 1
    batches = evaluation_batches(split, model.output_shape[-1]).map(
        lambda images, _: images[:, :, ::step]
    )
    return np.asarray(model.predict(batches, verbose=0), np.float32)


def sample_probabilities(model: keras.Model, samples: Samples, fit: Fit) -> Floats:
    """Return the class probabilities of samples that a user gave.

    Args:
        model: A classifier.
        samples: What it classifies.
        fit: The form of its outputs. One output stands for the second of two classes.

    Returns:
        float32, shape (N, number of classes), in the order of the samples.
    """
    import keras

    from eyetune.training.model_function import sample_batches

    inputs = Samples(samples.x)
    batches = sample_batches.evaluation_batches(inputs, EVALUATION_BATCH_SIZE)
    outputs = np.asarray(model.predict(batches, verbose=0), np.float32)
    is_binary = outputs.shape[1] == 1
    if fit.gives_logits:
        activation = keras.ops.sigmoid if is_binary else keras.ops.softmax
        outputs = np.asarray(activation(outputs), np.float32)
    return np.concatenate([1 - outputs, outputs], axis=1) if is_binary else outputs


def classify(model: keras.Model, images: Images) -> Floats:
    """Return the class probabilities of a few images.

    Args:
        model: The network.
        images: uint8, shape (N, height, width, channels), 0 to 255.

    Returns:
        float32, shape (N, number of classes).

    Raises:
        DataError: The network is for images of another shape.
    """
    expected = tuple(model.input_shape[1:])
    if images.shape[1:] != expected:
        raise DataError(
            "The network is for images of another shape.",
            expected=expected,
            received=images.shape[1:],
        )
    return np.asarray(model(normalize(images), training=False), np.float32)
