"""Grad-CAM: where a network looks when it names a class (Selvaraju et al., 2017, arXiv:1610.02391)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eyetune.models.activations.trace import Call, Step, activation_of, batches, outline, watched
from eyetune.values.activations import Heatmaps

if TYPE_CHECKING:
    import keras

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


def heatmaps(model: keras.Model, images: Floats, classes: Integers) -> Heatmaps | None:
    """Return for each image where it speaks for a class, or None where no convolution gives a
    picture to look at.

    The feature maps of the last convolution (with the normalization, addition and activation that
    belong to it) are weighed by the mean gradient of the class's score, before the softmax, and
    added; what speaks against the class is cut off, and each map is divided by its largest value.

    Args:
        model: A built model with an output a class.
        images: float32, shape (N, height, width, channels), 0 to 1.
        classes: The class to explain of each image, shape (N,).

    Example:
        >>> from eyetune.models.cnn import build
        >>> from eyetune.recipe import ModelSection
        >>> model = build(ModelSection(), (32, 32, 3), 10)
        >>> heatmaps(model, np.ones((2, 32, 32, 3), np.float32), np.array([0, 3])).maps.shape
        (2, 13, 13)
    """
    steps = outline(model)
    looked_at = attention_step(steps)
    if looked_at is None:
        return None
    parts = [
        _weighed(model, steps, looked_at, images[stretch], classes[stretch])
        for stretch in batches(images, steps)
    ]
    return Heatmaps(
        looked_at.layer,
        np.concatenate(parts) if parts else np.zeros((0, *looked_at.shape[:2]), np.float32),
    )


def attention_step(steps: tuple[Step, ...]) -> Step | None:
    """Return the layer whose maps Grad-CAM weighs: the last of the last convolution's size, None
    for no convolution.
    """
    convolutions = [step for step in steps if step.is_convolution and step.is_picture]
    if not convolutions:
        return None
    last = convolutions[-1]
    return [step for step in steps[last.place :] if step.shape == last.shape][-1]


def _weighed(
    model: keras.Model, steps: tuple[Step, ...], looked_at: Step, images: Floats, classes: Integers
) -> Floats:
    import tensorflow as tf

    place = iter(steps)
    seen: dict[str, Any] = {}

    def see(call: Call) -> None:
        step = next(place)
        if step.place == looked_at.place:
            seen["maps"] = call.outputs
        if step.place == len(steps) - 1:
            seen["scores"] = _scores(call)

    with tf.GradientTape() as tape, watched(model, see):
        inputs = tf.convert_to_tensor(images)
        tape.watch(inputs)
        model(inputs, training=False)
        # One sum serves all images: none of them touches the score of another.
        score = tf.reduce_sum(tf.gather(seen["scores"], classes, batch_dims=1))
    gradient = np.asarray(tape.gradient(score, seen["maps"]))
    weights = gradient.mean(axis=(1, 2), keepdims=True)
    maps = np.maximum((weights * np.asarray(seen["maps"])).sum(axis=-1), 0)
    largest = maps.max(axis=(1, 2), keepdims=True)
    return np.asarray(maps / np.where(largest > 0, largest, 1), np.float32)


def _scores(call: Call) -> Any:
    """Return the scores before the softmax: behind it, a sure answer has hardly any gradient left."""
    from keras import ops

    if activation_of(call.layer) != "softmax":
        return call.outputs
    if type(call.layer).__name__ != "Dense":
        return call.inputs
    scores = ops.matmul(call.inputs, call.layer.kernel)
    return scores if call.layer.bias is None else scores + call.layer.bias
