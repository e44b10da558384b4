"""Grad-CAM: the regions of an image that speak for a class.

Source: Selvaraju et al., 2017 (arXiv:1610.02391).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eyetune.models.activations.trace import Call, Step, activation_of, batches, outline, traced
from eyetune.values.activations import Heatmaps

if TYPE_CHECKING:
    import keras

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


def heatmaps(model: keras.Model, images: Floats, classes: Integers) -> Heatmaps | None:
    """Return for each image which regions speak for a class.

    The feature maps of the last convolution (after its normalization, addition and activation) are
    weighted by the mean gradient of the class's score before the softmax, and added. Negative
    values are set to 0, and each map is divided by its largest value.

    Args:
        model: A built model with one output per class.
        images: float32, shape (N, height, width, channels), 0 to 1.
        classes: The class to explain for each image, int64, shape (N,).

    Returns:
        float32 maps of shape (N, height, width), 0 to 1, in the size of the feature maps; None if
        the network has no convolution.

    Example:
        >>> from eyetune.models.cnn import build
        >>> from eyetune.recipe import ModelSection
        >>> model = build(ModelSection(), (32, 32, 3), 10)
        >>> heatmaps(model, np.ones((2, 32, 32, 3), np.float32), np.array([0, 3])).maps.shape
        (2, 13, 13)
    """
    steps = outline(model)
    explained = attention_step(steps)
    if explained is None:
        return None
    no_map = np.zeros((0, *explained.shape[:2]), np.float32)
    maps = [
        _batch_maps(model, steps, explained, images[batch], classes[batch])
        for batch in batches(images, steps)
    ]
    return Heatmaps(explained.layer, np.concatenate([no_map, *maps]))


def attention_step(steps: tuple[Step, ...]) -> Step | None:
    """Return the layer whose maps Grad-CAM weights; None without convolution.

    It is the last one whose output has the size of the last convolution's.
    """
    convolutions = [step for step in steps if step.is_convolution and step.is_image]
    if not convolutions:
        return None
    last = convolutions[-1]
    return [step for step in steps[last.index :] if step.shape == last.shape][-1]


def _batch_maps(
    model: keras.Model, steps: tuple[Step, ...], explained: Step, images: Floats, classes: Integers
) -> Floats:
    import tensorflow as tf

    remaining = iter(steps)
    seen: dict[str, Any] = {}

    def on_call(call: Call) -> None:
        step = next(remaining)
        if step.index == explained.index:
            seen["maps"] = call.outputs
        if step.index == len(steps) - 1:
            seen["scores"] = _scores(call)

    with tf.GradientTape() as tape, traced(model, on_call):
        inputs = tf.convert_to_tensor(images)
        tape.watch(inputs)
        model(inputs, training=False)
        # One sum serves all images, because no image affects the score of another.
        score = tf.reduce_sum(tf.gather(seen["scores"], classes, batch_dims=1))
    gradient = np.asarray(tape.gradient(score, seen["maps"]))
    weights = gradient.mean(axis=(1, 2), keepdims=True)
    maps = np.maximum((weights * np.asarray(seen["maps"])).sum(axis=-1), 0)
    largest = maps.max(axis=(1, 2), keepdims=True)
    return np.asarray(maps / np.where(largest > 0, largest, 1), np.float32)


def _scores(call: Call) -> Any:
    """Return the scores before the softmax, after which confident answers have little gradient."""
    from keras import ops

    if activation_of(call.layer) != "softmax":
        return call.outputs
    if type(call.layer).__name__ != "Dense":
        return call.inputs
    scores = ops.matmul(call.inputs, call.layer.kernel)
    return scores if call.layer.bias is None else scores + call.layer.bias
