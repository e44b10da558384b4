"""Samples that a user gave as arrays, of any shape and type, exactly as they were given.

Inputs, targets and weights are arrays, or tuples, lists and dictionaries of arrays, as Keras takes
them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Tree = Any  # an array, or tuples, lists and dictionaries of arrays; None: not given

MAX_CLASSES = 10_000  # integers above this are not labels of classes


class Form(StrEnum):
    """How the data was given, which is how a user's own `fit` gets it."""

    ARRAYS = "arrays"
    DATASET = "tf.data.Dataset"
    PY_DATASET = "keras.utils.PyDataset"
    GENERATOR = "generator"


class Order(StrEnum):
    """The order of the samples in an epoch of `fit`."""

    SHUFFLED = "shuffled"  # another order of all samples in each epoch
    BATCHES = "batches shuffled"  # another order of the batches in each epoch
    FIXED = "fixed"  # the order in which they were given


@dataclass(frozen=True, repr=False)
class Samples:
    """Samples with their targets, each part an array or a structure of arrays.

    Attributes:
        x: Inputs; each array has a sample in each row.
        y: Targets; None for data that contains its own, such as a network's with `add_loss`.
        sample_weight: Weights of the samples; None for equal weights.
        batch_sizes: Number of samples in each batch, if the data was given in batches; else empty.
        form: How the data was given.
        order: The order of the samples in an epoch.
    """

    x: Tree
    y: Tree = None
    sample_weight: Tree = None
    batch_sizes: tuple[int, ...] = ()
    form: Form = Form.ARRAYS
    order: Order = Order.SHUFFLED

    def __len__(self) -> int:
        return len(next(leaves(self.x)))

    def __repr__(self) -> str:
        return f"<Samples: {len(self)}, x {shapes(self.x)}, y {shapes(self.y)}>"

    @property
    def parts(self) -> tuple[Tree, ...]:
        """Inputs, targets and weights, as far as they are given, as Keras's `fit` takes them."""
        if self.sample_weight is not None:
            return self.x, self.y, self.sample_weight
        return (self.x,) if self.y is None else (self.x, self.y)

    def take(self, start: int, stop: int) -> Samples:
        """Return the samples from `start` to before `stop`, as views without copies."""

        def cut(tree: Tree) -> Tree:
            return map_leaves(lambda values: values[start:stop], tree)

        return Samples(cut(self.x), cut(self.y), cut(self.sample_weight))

    @property
    def bytes_per_sample(self) -> int:
        """Size of the inputs of a sample in memory."""
        return sum(values.nbytes for values in leaves(self.x)) // max(1, len(self))


def leaves(tree: Tree) -> Iterator[Array]:
    """Yield the arrays of a structure, in order; of a dictionary in the order of its keys.

    Example:
        >>> [values.shape for values in leaves(({"a": np.zeros(2)}, None, np.ones((2, 3))))]
        [(2,), (2, 3)]
    """
    if isinstance(tree, Mapping):
        for name in tree:
            yield from leaves(tree[name])
    elif isinstance(tree, list | tuple):
        for item in tree:
            yield from leaves(item)
    elif tree is not None:
        yield tree


def map_leaves(function: Callable[[Any], Any], tree: Tree) -> Tree:
    """Return a structure with a function applied to each of its arrays.

    Example:
        >>> map_leaves(len, {"a": np.zeros(2), "b": (np.ones(3), None)})
        {'a': 2, 'b': (3, None)}
    """
    if tree is None:
        return None
    if isinstance(tree, Mapping):
        return {name: map_leaves(function, item) for name, item in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)([map_leaves(function, item) for item in tree])
    return function(tree)


def shapes(tree: Tree) -> str:
    """Return the shapes of the samples' arrays as text, for messages."""
    texts = map_leaves(lambda values: f"(N, {', '.join(map(str, values.shape[1:]))})", tree)
    return str(texts).replace("'", "").replace(", )", ",)")


def labels_of(y: Tree) -> NDArray[np.int64] | None:
    """Return the classes of targets, int64 of shape (N,); None if they are not classes.

    Classes are whole numbers from 0 in one column, or one-hot rows.

    Example:
        >>> labels_of(np.array([[0.0, 1.0], [1.0, 0.0]])).tolist()
        [1, 0]
        >>> labels_of(np.array([2, 0])).tolist()
        [2, 0]
        >>> labels_of(np.array([0.5, 2.0])) is None
        True
    """
    if not isinstance(y, np.ndarray) or y.dtype.kind not in "biuf" or not y.size:
        return None
    if y.ndim == 2 and y.shape[1] > 1:
        is_one_hot = np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all()
        return y.argmax(axis=1).astype(np.int64) if is_one_hot else None
    if y.ndim > 2:
        return None
    flat = y.reshape(-1)
    is_label = np.isfinite(flat).all() and (flat >= 0).all() and (flat < MAX_CLASSES).all()
    if not is_label or (flat != np.floor(flat)).any():
        return None
    return flat.astype(np.int64)
