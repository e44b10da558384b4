"""How important the channels of a trained network are, by a first-order Taylor expansion.

A channel is multiplied by a gate of 1. The loss changes by about minus its derivative by the gate
when the channel is removed, and the square of that, averaged over batches, is the importance.
Since a convolution, dense layer or batch normalization is linear in its weights, the derivative
is the sum of weight times gradient over the weights that scale and shift the channel.

Source: Molchanov et al., 2019, Importance Estimation for Neural Network Pruning
(arXiv:1906.10771).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from eyetune.data.dataset import Split
from eyetune.models.channels import Channels, Floats
from eyetune.training.pipeline import training_batches

if TYPE_CHECKING:
    import keras

MAX_IMAGES = 2000
BATCH_SIZE = 32
_SMALLEST = 1e-12  # importance of a channel without any effect: below, float32 has no order


def channel_importance(
    network: keras.Model, channels: Channels, split: Split, num_classes: int
) -> dict[int, Floats]:
    """Return the importance of each channel of a trained network, by group.

    The network is used as in evaluation: with the running averages of batch normalization, and
    without dropout and augmentation.

    Args:
        network: The trained network, in float32.
        channels: Its channels.
        split: Training images; 2,000 of them are used, from all over the split.
        num_classes: Number of classes.

    Returns:
        float32 of shape (channels,) by the number of the group; larger is more important.
    """
    import keras
    import tensorflow as tf

    makers = [item for item in channels.layers if item.gate is not None]
    variables = [variable.value for item in makers for variable in item.gate.trainable_variables]
    compute_loss = keras.losses.CategoricalCrossentropy()

    @tf.function  # type: ignore[untyped-decorator]
    def gates(images: Any, labels: Any) -> list[Any]:
        with tf.GradientTape() as tape:
            loss = compute_loss(labels, network(images, training=False))
        gradients = iter(tape.gradient(loss, variables))
        result = []
        for item in makers:
            parts = [
                _by_channel(variable.value * next(gradients))
                for variable in item.gate.trainable_variables
            ]
            result.append(tf.add_n(parts))
        return result

    importance = {group: np.zeros(size, np.float32) for group, size in channels.sizes.items()}
    chosen = np.unique(np.linspace(0, len(split) - 1, min(MAX_IMAGES, len(split))).astype(np.int64))
    part = Split(split.images[chosen], split.labels[chosen])
    batches, _ = training_batches(part, num_classes, min(BATCH_SIZE, len(part)), seed=0)
    for images, labels in batches.take(len(batches)):
        derivative: dict[int, Floats] = {}
        for item, gate in zip(makers, gates(images, labels), strict=True):
            derivative[item.made] = derivative.get(item.made, 0) + np.asarray(gate)
        for group, values in derivative.items():
            importance[group] += np.square(values) / len(batches)
    return {group: values + np.float32(_SMALLEST) for group, values in importance.items()}


def _by_channel(values: Any) -> Any:
    """Return the sum over all axes but the last, that of the channels."""
    import tensorflow as tf

    return tf.reduce_sum(values, axis=list(range(values.shape.rank - 1)))
