"""What a user's `fit` gets of data that was given as arrays, and the batches behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from eyetune.data.array_store import GivenData, keep_samples, open_samples
from eyetune.training.model_function.sample_batches import evaluation_batches, training_batches
from eyetune.training.model_function.user_data import SampleData
from eyetune.values.samples import Form, Order, Samples

X = np.random.default_rng(0).normal(size=(20, 3))
Y = np.arange(20)


def data(tmp_path: Path, *given: Any, **options: Any) -> SampleData:
    return SampleData(open_samples(keep_samples(tmp_path, GivenData(*given), **options)))


def epoch(batches: tuple[Any, Any], number: int) -> list[Any]:
    dataset, set_epoch = batches
    set_epoch(number)
    return list(dataset.as_numpy_iterator())


@pytest.mark.parametrize("order", list(Order))
def test_order_depends_on_seed_and_epoch(order: Order) -> None:
    samples = Samples(X, Y)

    def rows(seed: int, number: int) -> np.ndarray[Any, Any]:
        found = epoch(training_batches(samples, 6, seed, order), number)
        assert [len(y) for _, y in found] == [6, 6, 6, 2] or order is Order.BATCHES
        x, y = (np.concatenate(parts) for parts in zip(*found, strict=True))
        np.testing.assert_allclose(x, X[y], rtol=1e-6)  # pairs stay together
        assert sorted(y) == list(range(20))
        return y

    first = rows(1, 0)
    np.testing.assert_array_equal(first, rows(1, 0))
    assert np.array_equal(first, rows(1, 1)) == (order is Order.FIXED)
    assert np.array_equal(first, rows(2, 0)) == (order is Order.FIXED)
    if order is Order.BATCHES:
        starts = {tuple(y) for _, y in epoch(training_batches(samples, 6, 1, order), 0)}
        assert starts == {tuple(range(i, min(i + 6, 20))) for i in range(0, 20, 6)}


def test_types_are_those_of_keras() -> None:
    x = {
        "a": X,
        "b": np.arange(20, dtype=np.uint8),
        "c": (np.array(["ä", "b"] * 10), [X > 0]),
        "d": X.astype(np.float16),
    }
    (batch, weights), *_ = evaluation_batches(Samples(x, None, None), 20).map(
        lambda parts: (parts, tf.constant(0))
    )
    del weights
    assert batch["a"].dtype == batch["d"].dtype == tf.float32
    assert batch["b"].dtype == tf.uint8
    text, (truth,) = batch["c"]
    assert text.numpy()[0].decode() == "ä"
    assert truth.dtype == tf.bool


def test_sizes_of_given_batches_are_kept() -> None:
    samples = Samples(X, Y, None, (3, 3, 10, 4), Form.PY_DATASET, Order.BATCHES)
    fixed = epoch(training_batches(samples, 7, 0, Order.FIXED), 0)
    assert [len(y) for _, y in fixed] == [3, 3, 10, 4]
    shuffled = epoch(training_batches(samples, 7, 0, Order.BATCHES), 3)
    assert sorted(len(y) for _, y in shuffled) == [3, 3, 4, 10]


def test_fit_gets_arrays_as_they_were_given(tmp_path: Path) -> None:
    weights = np.ones(20)
    found = data(tmp_path, X, Y, weights, validation_split=0.25)
    np.testing.assert_array_equal(found.train[0], X)  # also those that are split off
    np.testing.assert_array_equal(found.offered["sample_weight"], weights)
    assert found.offered["validation_split"] == 0.25
    assert found.num_train == 15
    arguments = {"x": found.train[0], "y": found.train[1], **found.offered}
    assert found.is_trained_on(arguments)
    batches = found.validation_of(arguments)["validation_data"]
    y = np.concatenate([y for _, y, _ in batches.as_numpy_iterator()])
    np.testing.assert_array_equal(y, Y[15:])


@pytest.mark.parametrize(
    "changes",
    [
        {"x": X},
        {"y": Y},
        {"sample_weight": None},
        {"validation_split": 0.5},
        {"steps_per_epoch": 3},
    ],
)
def test_changed_data_is_not_trained_on_as_usual(tmp_path: Path, changes: dict[str, Any]) -> None:
    found = data(tmp_path, X, Y, np.ones(20), validation_split=0.25)
    arguments = {"x": found.train[0], "y": found.train[1], **found.offered}
    assert not found.is_trained_on({**arguments, **changes})


@pytest.mark.parametrize(
    ("shuffle", "is_ordered"), [(True, False), (False, True), ("batch", False), (None, True)]
)
def test_shuffle_is_that_of_fit(tmp_path: Path, shuffle: Any, is_ordered: bool) -> None:
    found = data(tmp_path, X, Y)
    arguments = {"x": found.train[0], "y": found.train[1], "shuffle": shuffle}
    assert found.is_trained_on(arguments)
    rows = epoch(found.training_batches(arguments, 4, 0), 0)
    assert (np.concatenate([y for _, y in rows]).tolist() == list(range(20))) == is_ordered
    assert found.can_join_batches(arguments) == (shuffle != "batch")


def test_dataset_is_given_as_a_dataset(tmp_path: Path) -> None:
    source = tf.data.Dataset.from_tensor_slices((X, Y)).batch(8)
    folder = keep_samples(tmp_path, GivenData(source), GivenData(source.take(1)))
    found = SampleData(open_samples(folder))
    (given,) = found.train
    assert isinstance(given, tf.data.Dataset)
    assert [len(y) for _, y in given.as_numpy_iterator()] == [8, 8, 4]
    assert found.has_batches
    assert found.is_trained_on({"x": given, **found.offered})
    assert found.batch_size({}) == 8
    validation = found.validation_of(found.offered)["validation_data"]
    assert [len(y) for _, y in validation.as_numpy_iterator()] == [8]


def test_validation_data_of_the_users_own_is_passed_on(tmp_path: Path) -> None:
    found = SampleData(
        open_samples(keep_samples(tmp_path, GivenData(X, Y), GivenData(X[:4], Y[:4])))
    )
    own = (X[:2], Y[:2])
    assert found.validation_of({"validation_data": own}) == {"validation_data": own}
    x, y = found.offered["validation_data"]
    batches = found.validation_of({"validation_data": [x, y]})["validation_data"]
    assert isinstance(batches, tf.data.Dataset)
    assert found.validation_of({}) == {}
