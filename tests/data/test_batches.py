"""Sources of batches that Keras's `fit` accepts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from eyetune.data.batches import batched_source, is_batched, run_lengths, usual_batch_size
from eyetune.errors import DataError
from eyetune.values.samples import Form, Order

X, Y = np.arange(20, dtype=np.float32).reshape(10, 2), np.arange(10)


class Stored(keras.utils.PyDataset):  # type: ignore[misc]
    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> Any:
        return X[4 * index : 4 * index + 4], Y[4 * index : 4 * index + 4]


class Random(Stored):
    def __getitem__(self, index: int) -> Any:
        x, y = super().__getitem__(index)
        return x + np.random.default_rng().normal(), y

    def on_epoch_end(self) -> None:
        """Do something at the end of an epoch."""


def read(value: Any, steps: int | None = None) -> list[Any]:
    source = batched_source(value, "x", steps)
    assert source is not None
    batches = list(source.read())
    assert source.num_batches in (None, len(batches))
    return batches


def test_tf_dataset_is_read_in_its_order() -> None:
    dataset = tf.data.Dataset.from_tensor_slices((X, Y)).batch(4)
    source = batched_source(dataset, "x", None)
    assert source is not None
    assert (source.form, source.order, source.notes) == (Form.DATASET, Order.FIXED, ())
    np.testing.assert_array_equal(np.concatenate([x for x, _ in read(dataset)]), X)
    assert len(read(dataset, 2)) == 2


def test_tf_dataset_that_shuffles_is_shuffled_in_each_epoch() -> None:
    dataset = tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(10, seed=1).batch(4)
    source = batched_source(dataset, "x", None)
    assert source is not None
    assert source.order is Order.SHUFFLED
    assert source.notes


def test_tf_dataset_of_dictionaries_keeps_them() -> None:
    dataset = tf.data.Dataset.from_tensor_slices(({"a": X, "b": Y}, Y)).batch(5)
    (first, _), *_ = read(dataset)
    assert set(first) == {"a", "b"}
    np.testing.assert_array_equal(first["b"], Y[:5])


def test_endless_sources_need_a_number_of_batches() -> None:
    endless = tf.data.Dataset.from_tensor_slices((X, Y)).batch(4).repeat()
    for source in (endless, iter([(X, Y)])):
        with pytest.raises(DataError):
            batched_source(source, "x", None)
    assert len(read(endless, 5)) == 5


def test_py_dataset_shuffles_its_batches() -> None:
    source = batched_source(Stored(), "x", None)
    assert source is not None
    assert (source.form, source.order, source.notes) == (Form.PY_DATASET, Order.BATCHES, ())
    assert [len(x) for x, _ in read(Stored())] == [4, 4, 2]


def test_random_py_dataset_and_its_epoch_end_are_reported() -> None:
    source = batched_source(Random(), "x", None)
    assert source is not None
    assert len(source.notes) == 2


def test_generator_gives_its_first_batches() -> None:
    def generate() -> Iterator[Any]:
        while True:
            yield X, Y

    source = batched_source(generate(), "x", 3)
    assert source is not None
    assert (source.form, source.num_batches) == (Form.GENERATOR, 3)
    assert len(list(source.read())) == 3
    assert source.notes


@pytest.mark.parametrize("value", [X, [X, Y], (X,), {"a": X}, "text", tf.constant(X), None, 3])
def test_other_values_are_no_sources(value: Any) -> None:
    assert batched_source(value, "x", None) is None
    assert not is_batched(value)


def test_sources_are_recognized() -> None:
    dataset = tf.data.Dataset.from_tensor_slices((X, Y)).batch(4)
    assert all(map(is_batched, (dataset, Stored(), iter([X]))))


def test_sizes_are_counted() -> None:
    assert run_lengths((4, 4, 2)) == [[4, 2], [2, 1]]
    assert usual_batch_size((4, 4, 2)) == 4
