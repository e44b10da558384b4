"""The fused kernel must compute what Keras computes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from eyetune.training.fused_batch_norm import (
    MAX_WINDOW_STEPS,
    automatic_momentum,
    fused_batch_norm,
)

STEPS = 20
BATCH_SIZE = 12
NUMBERS = np.random.default_rng(0)
IMAGES = NUMBERS.random((STEPS, BATCH_SIZE, 6, 6, 3), np.float32)
LABELS = np.eye(4, dtype=np.float32)[NUMBERS.integers(0, 4, (STEPS, BATCH_SIZE))]


@dataclass(frozen=True)
class Training:
    """What 20 steps of training computed.

    Attributes:
        losses: Shape (20,).
        gradients: Those of the first step.
        averages: The running averages after the last step.
        outputs: Predictions for the first batch after the last step.
    """

    losses: NDArray[np.float32]
    gradients: list[NDArray[np.float32]]
    averages: list[NDArray[np.float32]]
    outputs: NDArray[np.float32]


def network(precision: str, **options: Any) -> keras.Model:
    keras.utils.set_random_seed(1)
    layers = keras.layers
    images = keras.Input((6, 6, 3))
    values = layers.Conv2D(8, 3, padding="same", dtype=precision)(images)
    values = layers.BatchNormalization(dtype=precision, **options)(values)
    inner = keras.Sequential(
        [
            keras.Input((6, 6, 8)),
            layers.Conv2D(8, 3, strides=2, dtype=precision),
            layers.BatchNormalization(dtype=precision, **options),
        ]
    )
    values = layers.Flatten(dtype=precision)(inner(layers.Activation("relu")(values)))
    values = layers.Dense(8, dtype=precision)(values)
    values = layers.BatchNormalization(dtype=precision)(values)  # its inputs are no feature maps
    return keras.Model(images, layers.Dense(4, activation="softmax", dtype="float32")(values))


def train(model: keras.Model, context: AbstractContextManager[None]) -> Training:
    optimizer = keras.optimizers.SGD(0.05, momentum=0.9)
    optimizer.build(model.trainable_variables)
    loss_of = keras.losses.CategoricalCrossentropy()

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def step(images: Any, labels: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = loss_of(labels, model(images, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        return loss, gradients

    with context:
        results = [step(*batch) for batch in zip(IMAGES, LABELS, strict=True)]
        outputs = np.asarray(model(IMAGES[0], training=False), np.float32)
    averages = [np.asarray(variable) for variable in model.non_trainable_variables]
    gradients = [np.asarray(gradient) for gradient in results[0][1]]
    return Training(np.asarray([loss for loss, _ in results]), gradients, averages, outputs)


@pytest.mark.parametrize("options", [{}, {"momentum": 0.7, "epsilon": 0.1}, {"scale": False}])
def test_fused_batch_norm_computes_what_keras_computes(options: dict[str, Any]) -> None:
    plain = train(network("float32", **options), nullcontext())
    model = network("float32", **options)
    fused = train(model, fused_batch_norm(model))
    np.testing.assert_allclose(fused.losses, plain.losses, rtol=1e-4)
    np.testing.assert_allclose(fused.outputs, plain.outputs, rtol=1e-3, atol=1e-5)
    for own, reference in zip(fused.gradients, plain.gradients, strict=True):
        np.testing.assert_allclose(own, reference, rtol=1e-3, atol=1e-5)
    for own, reference in zip(fused.averages, plain.averages, strict=True):
        np.testing.assert_allclose(own, reference, rtol=1e-3, atol=1e-5)


def test_fused_batch_norm_trains_in_bfloat16() -> None:
    reference = train(network("float32"), nullcontext())
    plain = train(network("mixed_bfloat16"), nullcontext())
    model = network("mixed_bfloat16")
    fused = train(model, fused_batch_norm(model))
    assert distance(fused, reference) < 2 * distance(plain, reference)


def distance(training: Training, reference: Training) -> float:
    """Return the largest difference in losses and running averages."""
    pairs = zip(
        [training.losses, *training.averages], [reference.losses, *reference.averages], strict=True
    )
    return max(float(np.abs(own - other).max()) for own, other in pairs)


def operations(model: keras.Model, *, training: bool = True) -> set[str]:
    """Return the types of the operations in the graph of a network."""
    function = tf.function(lambda images: model(images, training=training), autograph=False)
    graph = function.get_concrete_function(tf.constant(IMAGES[0])).graph
    return {operation.type for operation in graph.get_operations()}


@contextmanager
def assert_unchanged(model: keras.Model) -> Iterator[None]:
    before = operations(model)
    yield
    assert operations(model) == before


def test_fused_batch_norm_uses_the_kernel_inside_the_context() -> None:
    model = network("float32")
    with assert_unchanged(model), fused_batch_norm(model):
        assert "FusedBatchNormV3" in operations(model)
        assert "FusedBatchNormV3" in operations(model, training=False)
    assert "FusedBatchNormV3" not in operations(model)


class OwnNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]
    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        return 2.0 * super().call(inputs, training=training, mask=mask)


@pytest.mark.parametrize(
    "layer",
    [
        OwnNormalization,
        lambda: keras.layers.BatchNormalization(axis=1),
        lambda: keras.layers.BatchNormalization(epsilon=1e-7),
        lambda: keras.layers.BatchNormalization(trainable=False),
        lambda: keras.layers.BatchNormalization(renorm=True),
    ],
)
def test_fused_batch_norm_leaves_other_layers_alone(layer: Any) -> None:
    model = keras.Sequential([keras.Input((6, 6, 3)), layer()])
    expected = np.asarray(model(IMAGES[0], training=False))
    with fused_batch_norm(model):
        assert "FusedBatchNormV3" not in operations(model)
        np.testing.assert_array_equal(np.asarray(model(IMAGES[0], training=False)), expected)


def test_automatic_momentum_averages_the_first_steps() -> None:
    model = keras.Sequential([keras.Input((6, 6, 3)), keras.layers.BatchNormalization()])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    momentum = automatic_momentum(steps_per_epoch=STEPS)
    means = []
    for batch in IMAGES[:3]:
        with fused_batch_norm(model, momentum):
            model.train_on_batch(batch, np.zeros_like(batch))
        means.append(batch.mean((0, 1, 2)))
    averages = {variable.name: np.asarray(variable) for variable in model.non_trainable_variables}
    np.testing.assert_allclose(averages["moving_mean"], np.mean(means, 0), rtol=1e-4)


@settings(max_examples=30)
@given(st.integers(1, 100_000), st.integers(0, 1_000_000))
def test_automatic_momentum_is_a_share_that_never_falls(steps: int, step: int) -> None:
    momentum = automatic_momentum(steps)
    first, second = float(momentum(step)), float(momentum(step + 1))
    assert 0.0 <= first <= second <= 1.0 - 1.0 / MAX_WINDOW_STEPS + 1e-6
