"""What is faster must compute the same."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from eyetune.training.fast_fit import fast_fit, speed_up_updates, steps_at_once

NUMBERS = np.random.default_rng(0)
IMAGES = NUMBERS.random((70, 8, 8, 3), np.float32)
LABELS = np.eye(4, dtype=np.float32)[NUMBERS.integers(0, 4, 70)]


def batches(size: int = 16) -> Any:
    return tf.data.Dataset.from_tensor_slices((IMAGES, LABELS)).batch(size)


def network(optimizer: keras.optimizers.Optimizer) -> keras.Model:
    keras.utils.set_random_seed(1)
    layers = [
        keras.layers.Conv2D(4, 3, activation="relu"),
        keras.layers.Dropout(0.3),
        keras.layers.Flatten(),
    ]
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), *layers, keras.layers.Dense(4, activation="softmax")]
    )
    model.compile(optimizer, "categorical_crossentropy", metrics=["accuracy"])
    return model


OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(0.01),
    "odd numbers": lambda: keras.optimizers.Adam(0.003, beta_1=0.8, beta_2=0.95, epsilon=1e-3),
    "adamw": lambda: keras.optimizers.AdamW(0.01, weight_decay=0.1, clipnorm=0.5),
    "averaged": lambda: keras.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.9),
    "accumulated": lambda: keras.optimizers.Adam(0.01, gradient_accumulation_steps=2),
    "falling rate": lambda: keras.optimizers.Adam(
        keras.optimizers.schedules.ExponentialDecay(0.01, 3, 0.5)
    ),
    "amsgrad": lambda: keras.optimizers.Adam(0.01, amsgrad=True),
    "sgd": lambda: keras.optimizers.SGD(0.01, momentum=0.9),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_fast_fit_learns_what_a_plain_fit_learns(name: str) -> None:
    plain, fast = network(OPTIMIZERS[name]()), network(OPTIMIZERS[name]())
    before = plain.fit(batches(), epochs=3, shuffle=False, verbose=0).history
    with fast_fit(fast, batches(48), 16, 3):  # of 70 images: 48 and 22, the last step on 6
        after = fast.fit(batches(48), epochs=3, shuffle=False, verbose=0).history
    for measured in ("loss", "accuracy"):
        np.testing.assert_allclose(before[measured], after[measured], rtol=1e-4)
    for one, other in zip(plain.variables, fast.variables, strict=True):
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), rtol=1e-3, atol=1e-5)
    for one, other in zip(plain.optimizer.variables, fast.optimizer.variables, strict=True):
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("steps", [1, 3])
def test_fast_fit_traces_once_and_restores_keras(
    steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    traced = 0
    original = keras.Model.train_step

    def counted(*arguments: Any) -> Any:
        nonlocal traced
        traced += 1
        return original(*arguments)

    monkeypatch.setattr(keras.Model, "train_step", counted)
    model = network(keras.optimizers.Adam())
    with fast_fit(model, batches(16 * steps), 16, steps):
        model.fit(batches(16 * steps), verbose=0)
    assert traced == 1
    assert len(model.fit(batches(), epochs=2, verbose=0).history["loss"]) == 2


def test_class_weights_count_in_each_step() -> None:
    plain, fast = network(keras.optimizers.SGD(0.1)), network(keras.optimizers.SGD(0.1))
    weights = {0: 3.0, 1: 0.5, 2: 1.0, 3: 0.0}
    before = plain.fit(batches(), class_weight=weights, shuffle=False, verbose=0).history["loss"]
    with fast_fit(fast, batches(64), 16, 4):
        after = fast.fit(batches(64), class_weight=weights, shuffle=False, verbose=0).history[
            "loss"
        ]
    np.testing.assert_allclose(before, after, rtol=1e-5)


def test_steps_at_once_respects_its_limits() -> None:
    class Own(keras.Sequential):  # type: ignore[misc]
        def train_step(self, *arguments: Any) -> Any:
            return super().train_step(*arguments)

    model = network(keras.optimizers.Adam())
    assert steps_at_once(model, 40_000, 4 * 32 * 32 * 3, 32) == 8
    assert steps_at_once(model, 2_400, 4 * 32 * 32 * 3, 32) == 7  # ten calls an epoch
    assert steps_at_once(model, 100, 4 * 32 * 32 * 3, 32) == 1
    assert steps_at_once(model, 40_000, 4 * 224 * 224 * 3, 32) == 1  # 19 MB a batch
    model.steps_per_execution = 4
    assert steps_at_once(model, 40_000, 4 * 32 * 32 * 3, 32) == 1  # the user's own
    own = Own([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(4)])
    own.compile("adam", "mse")
    assert steps_at_once(own, 40_000, 4 * 32 * 32 * 3, 32) == 1


def test_rows_of_an_embedding_are_updated_as_keras_does() -> None:
    rows = [keras.Variable(np.ones((3, 2), np.float32)) for _ in range(2)]
    for one, optimizer in zip(
        rows, (keras.optimizers.Adam(0.1), keras.optimizers.Adam(0.1)), strict=True
    ):
        if one is rows[1]:
            speed_up_updates(optimizer)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.gather(one.value, [0, 2]))
        optimizer.apply([tape.gradient(loss, one.value)], [one])
    np.testing.assert_array_equal(np.asarray(rows[0]), np.asarray(rows[1]))


def test_half_precision_is_updated_as_keras_does() -> None:
    halves = [keras.Variable(np.ones(3), dtype="bfloat16") for _ in range(2)]
    optimizers = [keras.optimizers.Adam(0.1), keras.optimizers.Adam(0.1)]
    speed_up_updates(optimizers[1])
    for one, optimizer in zip(halves, optimizers, strict=True):
        optimizer.apply([tf.constant([0.5, 1.0, 2.0], tf.bfloat16)], [one])
    expected, updated = (np.asarray(half.value).astype(np.float32) for half in halves)
    np.testing.assert_array_equal(updated, expected)


@pytest.mark.parametrize("optimizer", [keras.optimizers.Adam, keras.optimizers.SGD])
def test_no_weight_is_updated_before_all_gradients_are_there(optimizer: Any) -> None:
    weights = [keras.Variable(np.ones(shape, np.float32)) for shape in ((4, 3), (3, 2))]
    refined = optimizer(0.1)
    refined.build(weights)
    speed_up_updates(refined)
    gradients: list[tf.Tensor] = []

    def step(images: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(images @ weights[0].value @ weights[1].value)
        gradients[:] = tape.gradient(loss, [weight.value for weight in weights])
        refined.apply(gradients, weights)

    graph = tf.function(step).get_concrete_function(tf.TensorSpec((5, 4))).graph
    handles = {graph.capture(weight.value.handle).name for weight in weights}
    updates = [
        operation
        for operation in graph.get_operations()
        if operation.type in ("ResourceApplyAdam", "AssignSubVariableOp")
        and operation.inputs[0].name in handles
    ]
    assert len(updates) == len(weights)
    for update in updates:
        assert {gradient.op.name for gradient in gradients} <= before(update)


def before(operation: Any) -> set[str]:
    """Return the names of all operations that have to be done before one.

    What Keras bundles in an IdentityN is looked at apart, as TensorFlow does when it optimizes the
    graph.
    """
    found: set[str] = set()
    ahead = [operation]
    while ahead:
        one = ahead.pop()
        bundled = (
            put.op.inputs[put.value_index] if put.op.type == "IdentityN" else put
            for put in one.inputs
        )
        new = [
            each
            for each in (*(put.op for put in bundled), *one.control_inputs)
            if each.name not in found
        ]
        found |= {each.name for each in new}
        ahead += new
    return found
