"""Batches for `model.fit`: read from memory-mapped files, shuffled and normalized."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from eyetune.data.dataset import Floats, Labels
from eyetune.recipe import AugmentSection, CameraName
from eyetune.training.balanced_sampling import balanced_order

UNCHANGED = AugmentSection()
EVALUATION_BATCH_SIZE = 256
MAX_EVALUATION_PIXELS = 2**20  # in a batch: the feature maps of large images fill the memory
PREFETCHED_BATCHES = 4

# A teacher's predictions for the training images: rows of class probabilities in their order, or
# a function from a batch of images to such rows.
TeacherPredictions = Floats | Callable[[Any], Any]
# From float32 images and one-hot labels to the input of a user's network: images without channels,
# or integer labels.
Adapt = Callable[[Any, Any], tuple[Any, Any]]


class Rows(Protocol):
    """The source of batches: a split with uint8 images, or float32 features of images."""

    @property
    def images(self) -> NDArray[Any]:
        """Images or features, shape (N, ...); uint8 is divided by 255, other types are kept."""

    @property
    def labels(self) -> Labels:
        """Labels, shape (N,)."""

    def __len__(self) -> int: ...


def training_batches(
    split: Rows,
    num_classes: int,
    batch_size: int,
    seed: int,
    section: AugmentSection = UNCHANGED,
    teacher_predictions: TeacherPredictions | None = None,
    adapt: Adapt | None = None,
    *,
    sampling: str = "all",
    camera: CameraName = "none",
    camera_share: float = 1.0,
) -> tuple[Any, Callable[[int], None]]:
    """Return the batches of an epoch, and the function that sets the epoch.

    The order of the images and their augmentation depend on seed and epoch alone, so a resumed
    training sees the same batches as an uninterrupted one. Images are read from the memory-mapped
    file batch by batch.

    Args:
        split: uint8 images of shape (N, height, width, channels), or float32 features of shape
            (N, features).
        num_classes: Number of columns of the one-hot labels.
        batch_size: Images in a batch; the last batch of an epoch may be smaller.
        seed: Random seed, 0 or above.
        section: The augmentation.
        teacher_predictions: The teacher's probabilities, or a function that returns those of a
            batch of augmented images.
        adapt: Turns a batch into the network's input and labels, if these are of another form.
        sampling: "all" for every image once in an epoch, "balanced" for as many of each class.
        camera: The camera whose look some images get.
        camera_share: Share of the images that get it, others in each epoch.

    Returns:
        A `tf.data.Dataset` of (float32 images in [0, 1], float32 one-hot labels); and
        `set_epoch(epoch)`, to be called before each epoch. With a teacher, its probabilities follow
        the labels in additional columns.
    """
    import tensorflow as tf

    total = images_per_epoch(split, section)
    tiled_labels = np.tile(split.labels, 1 + section.copies)  # the copies follow the images
    epoch = tf.Variable(0, dtype=tf.int64, trainable=False)

    def key() -> Any:
        return tf.stack([tf.constant(seed, tf.int64), epoch.read_value()])

    def order(_: Any) -> Any:
        if sampling == "balanced":
            return tf.data.Dataset.from_tensor_slices(_balanced(tiled_labels, seed, epoch))
        indices = tf.range(total, dtype=tf.int32)
        return tf.data.Dataset.from_tensor_slices(
            tf.random.experimental.stateless_shuffle(indices, key())
        )

    batches = tf.data.Dataset.from_tensors(0).flat_map(order).batch(batch_size)
    batches = batches.enumerate().map(_numbered_reader(split, num_classes))
    if section.active or camera != "none":
        augmenter = _augmenter(section, camera, camera_share, len(split), key)
        # Without tuning (see `finished`), AUTOTUNE means one call per thread.
        batches = batches.map(augmenter, num_parallel_calls=tf.data.AUTOTUNE)
    elif teacher_predictions is None or callable(teacher_predictions):
        batches = batches.map(_plain)
    else:
        batches = batches.map(_with_predictions(teacher_predictions))
    if callable(teacher_predictions):
        batches = batches.map(
            lambda images, labels: (
                images,
                tf.concat([labels, teacher_predictions(images)], axis=1),
            )
        )
    if adapt:
        batches = batches.map(adapt)
    return finished(batches, math.ceil(total / batch_size)), epoch.assign


def evaluation_batches(
    split: Rows, num_classes: int, batch_size: int | None = None, adapt: Adapt | None = None
) -> Any:
    """Return all images of a split in their order, as batches like those of `training_batches`."""
    import tensorflow as tf

    batch_size = batch_size or evaluation_batch_size(split)
    indices = tf.data.Dataset.range(len(split), output_type=tf.int32).batch(batch_size)
    batches = indices.map(_reader(split, num_classes))
    return finished(batches.map(adapt) if adapt else batches, math.ceil(len(split) / batch_size))


def finished(batches: Any, num_batches: int) -> Any:
    """Return the batches with prefetching and a known number.

    TensorFlow's tuning of pipelines is off. There is nothing to tune here, and if all cores are
    busy, its thread needs up to half a second to end after each epoch. See
    https://www.tensorflow.org/api_docs/python/tf/data/experimental/AutotuneOptions.
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    counted = batches.prefetch(PREFETCHED_BATCHES).apply(
        tf.data.experimental.assert_cardinality(num_batches)
    )
    return counted.with_options(options)


def evaluation_batch_size(split: Rows) -> int:
    """Return the number of images in an evaluation batch: fewer if they are large."""
    pixels = math.prod(split.images.shape[1:3])
    return min(EVALUATION_BATCH_SIZE, max(1, MAX_EVALUATION_PIXELS // pixels))


def images_per_epoch(split: Rows, section: AugmentSection) -> int:
    """Return the number of images in an epoch, augmented copies included."""
    return len(split) * (1 + section.copies)


def _balanced(labels: Labels, seed: int, epoch: Any) -> Any:
    """Return the indices of an epoch in balanced order, as a tensor."""
    import tensorflow as tf

    indices = tf.numpy_function(
        lambda number: balanced_order(labels, seed, int(number)), [epoch.read_value()], tf.int32
    )
    indices.set_shape([len(labels)])
    return indices


def _plain(_number: Any, _indices: Any, images: Any, labels: Any) -> tuple[Any, Any]:
    return images, labels


def _with_predictions(teacher_predictions: Floats) -> Callable[..., tuple[Any, Any]]:
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
        # The indices of copies follow those of the images.
        images, labels = read(tf.math.floormod(indices, len(split)))
        return number, indices, images, labels

    return read_numbered


def _augmenter(
    section: AugmentSection,
    camera: CameraName,
    camera_share: float,
    num_images: int,
    key: Callable[[], Any],
) -> Callable[..., tuple[Any, Any]]:
    import tensorflow as tf

    from eyetune.data.augment import augment

    def vary(number: Any, indices: Any, images: Any, labels: Any) -> tuple[Any, Any]:
        seed = tf.random.experimental.stateless_fold_in(key(), number)
        varied = augment(images, labels, section, seed, camera, camera_share)
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
