"""Batches for `model.fit`: read from the memory-mapped images, shuffled anew each epoch, normalised on the way."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from eyetune.data.dataset import Split

EVALUATION_BATCH_SIZE = 256
PREFETCHED_BATCHES = 4


def training_batches(split: Split, num_classes: int, batch_size: int, seed: int) -> tuple[Any, Callable[[int], None]]:
    """Return one epoch's batches as a `tf.data.Dataset`, and the function that says which epoch comes next.

    The order of an epoch hangs on the seed and the epoch alone, so a resumed training sees what an uninterrupted
    one would have seen. Only the images of a batch are read at a time: they stay in the memory-mapped file.

    Args:
        split: uint8 images of shape (N, height, width, channels).
        num_classes: Columns of the one-hot labels.
        batch_size: Images in a batch; the last of an epoch may be smaller.
        seed: 0 or above.

    Returns:
        Batches of (float32 images in [0, 1], float32 one-hot labels), and `set_epoch(epoch)`, to be called before
        each epoch is iterated.
    """
    import tensorflow as tf

    # 64-bit seeds must survive as two 32-bit numbers; the epoch goes into the second.
    epoch = tf.Variable(0, dtype=tf.int64, trainable=False)

    def order(_: Any) -> Any:
        indices = tf.range(len(split), dtype=tf.int32)
        key = tf.stack([tf.constant(seed, tf.int64), epoch.read_value()])
        return tf.data.Dataset.from_tensor_slices(tf.random.experimental.stateless_shuffle(indices, key))

    indices = tf.data.Dataset.from_tensors(0).flat_map(order).batch(batch_size)
    batches = indices.map(_reader(split, num_classes)).prefetch(PREFETCHED_BATCHES)
    counted = batches.apply(tf.data.experimental.assert_cardinality(num_batches(split, batch_size)))
    return counted, epoch.assign


def evaluation_batches(split: Split, num_classes: int, batch_size: int = EVALUATION_BATCH_SIZE) -> Any:
    """Return all images of a split in their order, as batches like those of training."""
    import tensorflow as tf

    indices = tf.data.Dataset.range(len(split), output_type=tf.int32).batch(batch_size)
    batches = indices.map(_reader(split, num_classes)).prefetch(PREFETCHED_BATCHES)
    return batches.apply(tf.data.experimental.assert_cardinality(num_batches(split, batch_size)))


def num_batches(split: Split, batch_size: int) -> int:
    """Return how many batches an epoch has, the last and perhaps smaller one included."""
    return math.ceil(len(split) / batch_size)


def _reader(split: Split, num_classes: int) -> Callable[[Any], tuple[Any, Any]]:
    import tensorflow as tf

    labels = tf.constant(split.labels, tf.int32)
    image_shape = (None, *split.images.shape[1:])

    def read(indices: Any) -> tuple[Any, Any]:
        pixels = tf.numpy_function(lambda chosen: split.images[chosen], [indices], tf.uint8, stateful=False)
        pixels.set_shape(image_shape)
        images = tf.cast(pixels, tf.float32) / 255.0
        return images, tf.one_hot(tf.gather(labels, indices), num_classes)

    return read
