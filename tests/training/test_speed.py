"""What is faster must compute the same."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from eyetune.training.speed import fuse, hasten

NUMBERS = np.random.default_rng(0)
IMAGES = NUMBERS.random((64, 8, 8, 3), np.float32)
LABELS = np.eye(4, dtype=np.float32)[NUMBERS.integers(0, 4, 64)]


def batches() -> Any:
    return tf.data.Dataset.from_tensor_slices((IMAGES, LABELS)).batch(16)


def network(optimizer: keras.optimizers.Optimizer) -> keras.Model:
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Conv2D(4, 3, activation="relu"), keras.layers.Dropout(0.3), keras.layers.Flatten()]
    model = keras.Sequential([keras.Input((8, 8, 3)), *layers, keras.layers.Dense(4, activation="softmax")])
    model.compile(optimizer, "categorical_crossentropy", metrics=["accuracy"])
    return model


OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(0.01),
    "odd numbers": lambda: keras.optimizers.Adam(0.003, beta_1=0.8, beta_2=0.95, epsilon=1e-3),
    "adamw": lambda: keras.optimizers.AdamW(0.01, weight_decay=0.1, clipnorm=0.5),
    "averaged": lambda: keras.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.9),
    "accumulated": lambda: keras.optimizers.Adam(0.01, gradient_accumulation_steps=2),
    "falling rate": lambda: keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.01, 3, 0.5)),
    "amsgrad": lambda: keras.optimizers.Adam(0.01, amsgrad=True),
    "sgd": lambda: keras.optimizers.SGD(0.01, momentum=0.9),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_hastened_network_learns_what_a_plain_one_learns(name: str) -> None:
    plain, hastened = network(OPTIMIZERS[name]()), network(OPTIMIZERS[name]())
    hasten(hastened, batches())
    histories = [one.fit(batches(), epochs=3, shuffle=False, verbose=0).history for one in (plain, hastened)]
    np.testing.assert_allclose(histories[0]["loss"], histories[1]["loss"], rtol=1e-4)
    for one, other in zip(plain.variables, hastened.variables, strict=True):
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), rtol=1e-3, atol=1e-5)
    for one, other in zip(plain.optimizer.variables, hastened.optimizer.variables, strict=True):
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), rtol=1e-3, atol=1e-5)


def test_the_graph_is_traced_once() -> None:
    traced = 0

    class Counted(keras.Sequential):  # type: ignore[misc]
        def train_step(self, *arguments: Any) -> Any:
            nonlocal traced
            traced += 1
            return super().train_step(*arguments)

    model = Counted([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(4, activation="softmax")])
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    hasten(model, batches())
    model.fit(batches(), verbose=0)
    assert traced == 1


def test_rows_of_an_embedding_are_updated_as_keras_does() -> None:
    rows = [keras.Variable(np.ones((3, 2), np.float32)) for _ in range(2)]
    for one, optimizer in zip(rows, (keras.optimizers.Adam(0.1), keras.optimizers.Adam(0.1)), strict=True):
        if one is rows[1]:
            fuse(optimizer)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.gather(one.value, [0, 2]))
        optimizer.apply([tape.gradient(loss, one.value)], [one])
    np.testing.assert_array_equal(np.asarray(rows[0]), np.asarray(rows[1]))


def test_half_precision_is_updated_as_keras_does() -> None:
    halves = [keras.Variable(np.ones(3), dtype="bfloat16") for _ in range(2)]
    optimizers = [keras.optimizers.Adam(0.1), keras.optimizers.Adam(0.1)]
    fuse(optimizers[1])
    for one, optimizer in zip(halves, optimizers, strict=True):
        optimizer.apply([tf.constant([0.5, 1.0, 2.0], tf.bfloat16)], [one])
    np.testing.assert_array_equal(*(np.asarray(one.value).astype(np.float32) for one in halves))
