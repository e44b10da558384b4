"""Sources of batches that Keras's `fit` accepts: what they are, and how they are read.

They are recognized without importing TensorFlow, Keras or PyTorch.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from eyetune.errors import DataError
from eyetune.values.samples import Form, Order, leaves, map_leaves

# A batch: inputs, targets and weights, as far as the source has them.
Batch = tuple[Any, ...]


@dataclass(frozen=True)
class BatchedSource:
    """A source of batches, ready to be read.

    Attributes:
        form: Its kind.
        order: The order in which Keras would train on it.
        num_batches: Number of batches that are read; None if that is not known before.
        read: Yields the batches.
        notes: What differs from a training by Keras, as sentences.
    """

    form: Form
    order: Order
    num_batches: int | None
    read: Callable[[], Iterator[Batch]]
    notes: tuple[str, ...] = ()


def batched_source(value: Any, name: str, steps: int | None) -> BatchedSource | None:
    """Return a user's object as a source of batches; None if it is something else.

    Args:
        value: The object.
        name: Its name in messages, for example "x".
        steps: Number of batches to read (None: all).

    Raises:
        DataError: It is endless, and the number of batches is not given.
    """
    if hasattr(value, "element_spec") and hasattr(value, "as_numpy_iterator"):
        return _tf_dataset(value, name, steps)
    is_sized = hasattr(value, "__len__") and not _is_structure(value)
    if is_sized and (_is_py_dataset(value) or hasattr(value, "__iter__")):
        return _sized(value, name, steps)
    if isinstance(value, Iterator):
        return _iterator(value, name, steps)
    return None


def is_batched(value: Any) -> bool:
    """Return whether a user's object is a source of batches, and not arrays."""
    is_dataset = hasattr(value, "element_spec") and hasattr(value, "as_numpy_iterator")
    return is_dataset or (
        not _is_structure(value) and (hasattr(value, "__iter__") or _is_py_dataset(value))
    )


def _is_structure(value: Any) -> bool:
    """Return whether a value is an array or a structure of arrays."""
    is_container = isinstance(value, list | tuple | str | bytes | Mapping)
    return is_container or hasattr(value, "__array__") or hasattr(value, "dtype")


def _is_py_dataset(value: Any) -> bool:
    names = {kind.__name__ for kind in type(value).__mro__}
    return not names.isdisjoint({"PyDataset", "Sequence"}) and hasattr(value, "__getitem__")


def _tf_dataset(dataset: Any, name: str, steps: int | None) -> BatchedSource:
    count = int(dataset.cardinality())  # negative: endless (-1) or not known (-2)
    if count == -1 and steps is None:
        raise _endless(name, "a tf.data.Dataset that repeats forever")
    num_batches = steps if count < 0 else min(count, steps or count)
    first, again = (_first(dataset.as_numpy_iterator()) for _ in range(2))
    changes = not _are_equal(first, again)
    note = (
        f"{name} gives other batches each time it is read. It is read once, and its samples are "
        "shuffled in each epoch; random augmentation in it stays as it was read. For other "
        "augmentation in each epoch, use augmentation layers in the model."
    )
    return BatchedSource(
        Form.DATASET,
        Order.SHUFFLED if changes else Order.FIXED,
        num_batches,
        lambda: map(_as_batch, itertools.islice(dataset.as_numpy_iterator(), num_batches)),
        (note,) if changes else (),
    )


def _sized(source: Any, name: str, steps: int | None) -> BatchedSource:
    """Return a `keras.utils.PyDataset`, or another object with a length that yields batches."""
    is_py_dataset = _is_py_dataset(source)
    num_batches = min(len(source), steps or len(source))

    def read() -> Iterator[Batch]:
        items = (source[index] for index in range(num_batches)) if is_py_dataset else source
        return map(_as_batch, itertools.islice(items, num_batches))

    notes = []
    if not _are_equal(_first(read()), _first(read())):
        notes.append(
            f"{name} gives other batches each time it is read. It is read once: random "
            "augmentation in it stays as it was read."
        )
    if is_py_dataset and _overrides_on_epoch_end(source):
        notes.append(f"on_epoch_end of {name} is not called, because it is read once.")
    return BatchedSource(
        Form.PY_DATASET if is_py_dataset else Form.GENERATOR,
        Order.BATCHES if is_py_dataset else Order.FIXED,
        num_batches,
        read,
        tuple(notes),
    )


def _iterator(iterator: Iterator[Any], name: str, steps: int | None) -> BatchedSource:
    if steps is None:
        raise _endless(name, "a generator, whose length is not known")
    note = f"The first {steps} batches of {name} are read once: each epoch has the same batches."
    return BatchedSource(
        Form.GENERATOR,
        Order.FIXED,
        steps,
        lambda: map(_as_batch, itertools.islice(iterator, steps)),
        (note,),
    )


def _endless(name: str, received: str) -> DataError:
    return DataError(
        f"The number of batches of {name} is not known.",
        expected="a source of batches with a length",
        received=received,
        fix="Pass steps_per_epoch (validation_steps for validation data), or arrays.",
    )


def _overrides_on_epoch_end(source: Any) -> bool:
    for kind in type(source).__mro__:
        if "on_epoch_end" in vars(kind):
            return kind.__name__ not in ("PyDataset", "Sequence", "PyDatasetAdapter")
    return False


def _as_batch(item: Any) -> Batch:
    """Return an item of a source as inputs, targets and weights, as arrays."""
    parts = tuple(item) if isinstance(item, list | tuple) else (item,)
    return tuple(map_leaves(np.asarray, part) for part in parts)


def _first(batches: Iterator[Any]) -> Batch:
    return _as_batch(next(batches, ()))


def _are_equal(first: Batch, second: Batch) -> bool:
    pairs = itertools.zip_longest(leaves(first), leaves(second))
    return all(_is_equal(one, other) for one, other in pairs)


def _is_equal(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return one is other
    has_nan = one.dtype.kind in "fc"
    return bool(np.array_equal(one, other, equal_nan=has_nan))


def run_lengths(sizes: tuple[int, ...]) -> list[list[int]]:
    """Return sizes as pairs of a size and how often it follows itself.

    Example:
        >>> run_lengths((32, 32, 8))
        [[32, 2], [8, 1]]
    """
    return [[size, len(list(group))] for size, group in itertools.groupby(sizes)]


def usual_batch_size(sizes: tuple[int, ...]) -> int:
    """Return the size of most batches; the last one may be smaller."""
    return max(set(sizes), key=sizes.count)
