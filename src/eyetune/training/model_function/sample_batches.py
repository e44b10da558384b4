"""Batches of samples that a user gave as arrays, exactly as Keras's `fit` would make them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from eyetune.training.pipeline import finished
from eyetune.values.samples import Array, Order, Samples, Tree, leaves, map_leaves


def training_batches(
    samples: Samples, batch_size: int, seed: int, order: Order
) -> tuple[Any, Callable[[int], None]]:
    """Return the batches of an epoch, and the function that sets the epoch.

    The order depends on seed and epoch alone, so a resumed training sees the same batches as an
    uninterrupted one. Arrays are read from their memory maps batch by batch.

    Args:
        samples: What to train on.
        batch_size: Samples in a batch; the last one may be smaller. Samples that were given in
            batches keep these, unless all samples are shuffled.
        seed: Random seed, 0 or above.
        order: The order of the samples.

    Returns:
        A `tf.data.Dataset` of inputs, targets and weights; and `set_epoch(epoch)`, to be called
        before each epoch.
    """
    import tensorflow as tf

    epoch = tf.Variable(0, dtype=tf.int64, trainable=False)

    def shuffled(count: int) -> Callable[[Any], Any]:
        def order_of_epoch(_: Any) -> Any:
            key = tf.stack([tf.constant(seed, tf.int64), epoch.read_value()])
            numbers = tf.random.experimental.stateless_shuffle(tf.range(count), key)
            return tf.data.Dataset.from_tensor_slices(numbers)

        return order_of_epoch

    start = tf.data.Dataset.from_tensors(0)
    if order is Order.SHUFFLED:
        indices = start.flat_map(shuffled(len(samples))).batch(batch_size)
        num_batches = math.ceil(len(samples) / batch_size)
    else:
        ends = np.cumsum(batch_sizes(samples, batch_size), dtype=np.int32)
        num_batches = len(ends)
        bounds = tf.constant(np.stack([np.concatenate([[0], ends[:-1]]), ends]), tf.int32)
        numbers = tf.data.Dataset.range(num_batches)
        if order is Order.BATCHES:
            numbers = start.flat_map(shuffled(num_batches))
        indices = numbers.map(lambda number: tf.range(bounds[0, number], bounds[1, number]))
    return finished(indices.map(_reader(samples)), num_batches), epoch.assign


def evaluation_batches(samples: Samples, batch_size: int) -> Any:
    """Return all samples in their order, in batches like those of `training_batches`."""
    return training_batches(samples, batch_size, 0, Order.FIXED)[0]


def batch_sizes(samples: Samples, batch_size: int) -> tuple[int, ...]:
    """Return the sizes of the batches in the given order: those that were given, if any."""
    if samples.batch_sizes:
        return samples.batch_sizes
    whole, rest = divmod(len(samples), batch_size)
    return tuple(itertools.chain(itertools.repeat(batch_size, whole), [rest] if rest else []))


def _reader(samples: Samples) -> Callable[[Any], Any]:
    import keras
    import tensorflow as tf

    # TensorFlow would stack the arrays of a list.
    parts = _with_tuples(samples.parts)
    arrays = list(leaves(parts))
    floatx = keras.config.floatx()
    kinds = [_kind(values, floatx) for values in arrays]

    def take(chosen: Array) -> list[Array]:
        return [_as_kind(values[chosen], kind) for values, kind in zip(arrays, kinds, strict=True)]

    def read(indices: Any) -> Any:
        batch = tf.numpy_function(take, [indices], [tf.as_dtype(kind) for kind in kinds])
        for tensor, values in zip(batch, arrays, strict=True):
            tensor.set_shape((None, *values.shape[1:]))
        tensors = iter(batch)
        return map_leaves(lambda _: next(tensors), parts)

    return read


def _kind(values: Array, floatx: str) -> str:
    """Return the type in which Keras's `fit` passes on an array."""
    if values.dtype.kind in "SU":
        return "string"
    return floatx if values.dtype.kind == "f" else values.dtype.name


def _as_kind(values: Array, kind: str) -> Array:
    if kind != "string":
        return values.astype(kind, copy=False)
    return np.char.encode(values, "utf-8") if values.dtype.kind == "U" else values


def _with_tuples(tree: Tree) -> Tree:
    if isinstance(tree, dict):
        return {name: _with_tuples(item) for name, item in tree.items()}
    if isinstance(tree, list | tuple):
        return tuple(_with_tuples(item) for item in tree)
    return tree
