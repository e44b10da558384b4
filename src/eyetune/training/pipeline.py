"""Batches for `model.fit`: read from memory-mapped files, shuffled anew each epoch, images
normalised on the way.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

from numpy.typing import NDArray

from eyetune.data.dataset import Floats, Labels
from eyetune.recipe import AugmentSection

UNCHANGED = AugmentSection()
EVALUATION_BATCH_SIZE = 256
EVALUATION_PIXELS = 2**20  # in a batch of larger images, whose feature maps would fill the memory
PREFETCHED_BATCHES = 4

# What a teacher says of training images: rows of probabilities in their order, or a function from
# images to those.
TeacherPredictions = Floats | Callable[[Any], Any]
# From float32 images and one-hot labels to what a user's network takes: without channels, or class
# numbers.
Adapt = Callable[[Any, Any], tuple[Any, Any]]


class Rows(Protocol):
    """What batches are read from: a split with its uint8 images, or float32 features of images, and
    labels.
    """

    @property
    def images(self) -> NDArray[Any]:
        """Shape (N, ...): uint8 is divided by 255 on the way, anything else is left as it is."""

    @property
    def labels(self) -> Labels:
        """Shape (N,)."""

    def __len__(self) -> int: ...


def training_batches(
    split: Rows,
    num_classes: int,
    batch_size: int,
    seed: int,
    section: AugmentSection = UNCHANGED,
    teacher_predictions: TeacherPredictions | None = None,
    adapt: Adapt | None = None,
) -> tuple[Any, Callable[[int], None]]:
    """Return one epoch's batches as a `tf.data.Dataset`, and the function that says which epoch
    comes next.

    The order of an epoch and its variations hang on the seed and the epoch alone, so a resumed
    training sees what an uninterrupted one would have seen. Only the images of a batch are read at
    a time: they stay in the memory-mapped file.

    Args:
        split: uint8 images of shape (N, height, width, channels), or features of shape (N,
            numbers).
        num_classes: Columns of the one-hot labels.
        batch_size: Images in a batch; the last of an epoch may be smaller.
        seed: 0 or above.
        section: Which variations to make of them.
        teacher_predictions: A teacher's probabilities, or where images vary a function that asks it about each
            varied one.
        adapt: Turns a batch into what the network takes, where that is something else.

    Returns:
        Batches of (float32 images in [0, 1], float32 one-hot labels), and `set_epoch(epoch)`, to be
        called before each epoch is iterated. With a teacher its probabilities stand beside the
        labels, in as many columns again.
    """
    import tensorflow as tf

    total = images_per_epoch(split, section)
    epoch = tf.Variable(0, dtype=tf.int64, trainable=False)

    def key() -> Any:
        return tf.stack([tf.constant(seed, tf.int64), epoch.read_value()])

    def order(_: Any) -> Any:
        indices = tf.range(total, dtype=tf.int32)
        return tf.data.Dataset.from_tensor_slices(
            tf.random.experimental.stateless_shuffle(indices, key())
        )

    batches = tf.data.Dataset.from_tensors(0).flat_map(order).batch(batch_size)
    batches = batches.enumerate().map(_numbered_reader(split, num_classes))
    if section.active:
        parallel = tf.data.AUTOTUNE  # one for each thread, as nothing is tuned
        batches = batches.map(_augmenter(section, len(split), key), num_parallel_calls=parallel)
    else:
        batches = batches.map(
            _plain
            if teacher_predictions is None or callable(teacher_predictions)
            else _taught(teacher_predictions)
        )
    if callable(teacher_predictions):
        batches = batches.map(
            lambda images, labels: (
                images,
                tf.concat([labels, teacher_predictions(images)], axis=1),
            )
        )
    if adapt:
        batches = batches.map(adapt)
    return _finished(batches, math.ceil(total / batch_size)), epoch.assign


def evaluation_batches(
    split: Rows, num_classes: int, batch_size: int | None = None, adapt: Adapt | None = None
) -> Any:
    """Return all images of a split in their order, as batches like those of training."""
    import tensorflow as tf

    batch_size = batch_size or evaluation_batch_size(split)
    indices = tf.data.Dataset.range(len(split), output_type=tf.int32).batch(batch_size)
    batches = indices.map(_reader(split, num_classes))
    return _finished(batches.map(adapt) if adapt else batches, math.ceil(len(split) / batch_size))


def _finished(batches: Any, num_batches: int) -> Any:
    """Make batches ahead of time, as many as are said to come.

    TensorFlow's tuning of pipelines is off: there is nothing here to tune, and where all cores are
    busy the thread that does it takes up to half a second to end, at the end of each pass over the
    images. See https://www.tensorflow.org/api_docs/python/tf/data/experimental/AutotuneOptions.
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    counted = batches.prefetch(PREFETCHED_BATCHES).apply(
        tf.data.experimental.assert_cardinality(num_batches)
    )
    return counted.with_options(options)


def evaluation_batch_size(split: Rows) -> int:
    """Return how many images are evaluated at a time: fewer of large ones, so that memory does not
    grow with them.
    """
    pixels = math.prod(split.images.shape[1:3])
    return min(EVALUATION_BATCH_SIZE, max(1, EVALUATION_PIXELS // pixels))


def images_per_epoch(split: Rows, section: AugmentSection) -> int:
    """Return how many images an epoch has: each one, and its varied copies where there are any."""
    return len(split) * (1 + section.copies)


def _plain(_number: Any, _indices: Any, images: Any, labels: Any) -> tuple[Any, Any]:
    return images, labels


def _taught(teacher_predictions: Floats) -> Callable[..., tuple[Any, Any]]:
    import tensorflow as tf

    rows = tf.constant(teacher_predictions)
    return lambda _number, indices, images, labels: (
        images,
        tf.concat([labels, tf.gather(rows, indices)], axis=1),
    )


def _numbered_reader(
    split: Rows, num_classes: int
) -> Callable[[Any, Any], tuple[Any, Any, Any, Any]]:
    import tensorflow as tf

    read = _reader(split, num_classes)

    def read_numbered(number: Any, indices: Any) -> tuple[Any, Any, Any, Any]:
        images, labels = read(
            tf.math.floormod(indices, len(split))
        )  # copies come after the images themselves
        return number, indices, images, labels

    return read_numbered


def _augmenter(
    section: AugmentSection, num_images: int, key: Callable[[], Any]
) -> Callable[..., tuple[Any, Any]]:
    import tensorflow as tf

    from eyetune.data.augment import augment

    def vary(number: Any, indices: Any, images: Any, labels: Any) -> tuple[Any, Any]:
        varied = augment(
            images, labels, section, tf.random.experimental.stateless_fold_in(key(), number)
        )
        if not section.copies:
            return varied
        copied = indices >= num_images
        return (
            tf.where(copied[:, tf.newaxis, tf.newaxis, tf.newaxis], varied[0], images),
            tf.where(copied[:, tf.newaxis], varied[1], labels),
        )

    return vary


def _reader(split: Rows, num_classes: int) -> Callable[[Any], tuple[Any, Any]]:
    import tensorflow as tf

    labels = tf.constant(split.labels, tf.int32)
    image_shape = (None, *split.images.shape[1:])
    kind = tf.as_dtype(split.images.dtype)

    def read(indices: Any) -> tuple[Any, Any]:
        values = tf.numpy_function(
            lambda chosen: split.images[chosen], [indices], kind, stateful=False
        )
        values.set_shape(image_shape)
        images = tf.cast(values, tf.float32) / 255.0 if kind == tf.uint8 else values
        return images, tf.one_hot(tf.gather(labels, indices), num_classes)

    return read
