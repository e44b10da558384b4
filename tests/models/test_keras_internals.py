"""The private parts of Keras: the checked versions, and that each part does what we rely on."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import keras
import numpy as np

from eyetune.models.keras_internals import (
    CHECKED_KERAS_VERSIONS,
    adam_moments,
    build_loss_and_metrics,
    functional_model,
    nodes_in_order,
    output_of_first_call,
    running_fit,
)


def test_keras_version_is_one_that_was_checked() -> None:
    major_and_minor = ".".join(version("keras").split(".")[:2])
    assert major_and_minor in CHECKED_KERAS_VERSIONS


def test_nodes_in_order_follow_the_layers_of_a_model() -> None:
    layers = [keras.Input((3,)), keras.layers.Dense(2, name="a"), keras.layers.Dense(2, name="b")]
    functional = functional_model(keras.Sequential(layers))
    assert [node.operation.name for node in nodes_in_order(functional)] == ["a", "b"]
    assert functional_model(keras.Sequential([keras.layers.Dense(2)])) is None


def test_output_of_first_call_ignores_later_calls() -> None:
    layer = keras.layers.Dense(2)
    assert output_of_first_call(layer) is None
    first = layer(keras.Input((3,)))
    layer(keras.Input((3,)))
    assert output_of_first_call(layer)[0] is first


def test_build_loss_and_metrics_creates_their_variables() -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("adam", "mse", metrics=["accuracy"])
    before = len(model.metrics_variables)
    images, labels = (keras.KerasTensor((1, size), "float32") for size in (3, 2))
    build_loss_and_metrics(model, (images, labels))
    assert len(model.metrics_variables) > before


def test_adam_moments_follow_the_gradient() -> None:
    variable = keras.Variable(np.zeros(2, np.float32))
    optimizer = keras.optimizers.Adam(0.1, beta_1=0.9, beta_2=0.99)
    optimizer.apply([keras.ops.ones(2)], [variable])
    first, second = adam_moments(optimizer, variable)
    np.testing.assert_allclose(np.asarray(first), [0.1, 0.1], rtol=1e-5)
    np.testing.assert_allclose(np.asarray(second), [0.01, 0.01], rtol=1e-4)


def test_running_fit_has_the_data_and_the_callbacks() -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    seen: list[dict[str, Any]] = []

    def look(logs: Any = None) -> None:
        seen.append(running_fit(model))

    begin = keras.callbacks.LambdaCallback(on_train_begin=look)
    x, y = np.ones((10, 3), np.float32), np.ones((10, 1), np.float32)
    model.fit(x, y, batch_size=4, validation_split=0.2, callbacks=[begin], verbose=0)
    (variables,) = seen
    assert len(variables["x"]) == 8
    assert variables["batch_size"] == 4
    x_validation, y_validation, *_ = variables["validation_data"]
    assert (len(x_validation), len(y_validation)) == (2, 2)
    assert begin in variables["callbacks"].callbacks
    assert running_fit(model) == {}
