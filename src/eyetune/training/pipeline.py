"""Batches for `model.fit`: read from the memory-mapped images, shuffled anew each epoch, normalised on the way."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from eyetune.data.dataset import Split
from eyetune.recipe import AugmentSection

UNCHANGED = AugmentSection()
EVALUATION_BATCH_SIZE = 256
PREFETCHED_BATCHES = 4


def training_batches(
    split: Split, num_classes: int, batch_size: int, seed: int, section: AugmentSection = UNCHANGED
) -> tuple[Any, Callable[[int], None]]:
    """Return one epoch's batches as a `tf.data.Dataset`, and the function that says which epoch comes next.

    The order of an epoch and its variations hang on the seed and the epoch alone, so a resumed training sees what an
    uninterrupted one would have seen. Only the images of a batch are read at a time: they stay in the memory-mapped
    file.

    Args:
        split: uint8 images of shape (N, height, width, channels).
        num_classes: Columns of the one-hot labels.
        batch_size: Images in a batch; the last of an epoch may be smaller.
        seed: 0 or above.
        section: Which variations to make of them.

    Returns:
        Batches of (float32 images in [0, 1], float32 one-hot labels), and `set_epoch(epoch)`, to be called before
        each epoch is iterated.
    """
    import tensorflow as tf

    total = images_per_epoch(split, section)
    epoch = tf.Variable(0, dtype=tf.int64, trainable=False)

    def key() -> Any:
        return tf.stack([tf.constant(seed, tf.int64), epoch.read_value()])

    def order(_: Any) -> Any:
        indices = tf.range(total, dtype=tf.int32)
        return tf.data.Dataset.from_tensor_slices(tf.random.experimental.stateless_shuffle(indices, key()))

    batches = tf.data.Dataset.from_tensors(0).flat_map(order).batch(batch_size)
    batches = batches.enumerate().map(_numbered_reader(split, num_classes))
    if section.active:
        batches = batches.map(_augmenter(section, len(split), key), num_parallel_calls=tf.data.AUTOTUNE)
    else:
        batches = batches.map(lambda _number, _indices, images, labels: (images, labels))
    counted = batches.prefetch(PREFETCHED_BATCHES).apply(
        tf.data.experimental.assert_cardinality(math.ceil(total / batch_size))
    )
    return counted, epoch.assign


def evaluation_batches(split: Split, num_classes: int, batch_size: int = EVALUATION_BATCH_SIZE) -> Any:
    """Return all images of a split in their order, as batches like those of training."""
    import tensorflow as tf

    indices = tf.data.Dataset.range(len(split), output_type=tf.int32).batch(batch_size)
    batches = indices.map(_reader(split, num_classes)).prefetch(PREFETCHED_BATCHES)
    return batches.apply(tf.data.experimental.assert_cardinality(math.ceil(len(split) / batch_size)))


def images_per_epoch(split: Split, section: AugmentSection) -> int:
    """Return how many images an epoch has: each one, and its varied copies where there are any."""
    return len(split) * (1 + section.copies)


def _numbered_reader(split: Split, num_classes: int) -> Callable[[Any, Any], tuple[Any, Any, Any, Any]]:
    import tensorflow as tf

    read = _reader(split, num_classes)

    def read_numbered(number: Any, indices: Any) -> tuple[Any, Any, Any, Any]:
        images, labels = read(tf.math.floormod(indices, len(split)))  # copies come after the images themselves
        return number, indices, images, labels

    return read_numbered


def _augmenter(section: AugmentSection, num_images: int, key: Callable[[], Any]) -> Callable[..., tuple[Any, Any]]:
    import tensorflow as tf

    from eyetune.data.augment import augment

    def vary(number: Any, indices: Any, images: Any, labels: Any) -> tuple[Any, Any]:
        varied = augment(images, labels, section, tf.random.experimental.stateless_fold_in(key(), number))
        if not section.copies:
            return varied
        copied = indices >= num_images
        return (
            tf.where(copied[:, tf.newaxis, tf.newaxis, tf.newaxis], varied[0], images),
            tf.where(copied[:, tf.newaxis], varied[1], labels),
        )

    return vary


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
