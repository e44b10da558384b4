"""Networks that are compiled again with the optimizer, loss and metrics of a tuner."""

from __future__ import annotations

from typing import Any

import cloudpickle
import keras
import keras_tuner
import numpy as np
import pytest

from eyetune.compat.keras_tuner.compile_arguments import recompiled
from eyetune.errors import UsageError


def error_of_three(labels: Any, outputs: Any) -> Any:
    return keras.ops.mean(keras.ops.abs(labels - outputs)) + 3.0


def network(compiled: bool = True) -> Any:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    if compiled:
        model.compile("sgd", "mse", metrics=["mae", error_of_three], run_eagerly=True)
    return model


def built(arguments: dict[str, Any], build: Any = lambda _: network()) -> Any:
    """Return the network that a worker gets."""
    function = cloudpickle.loads(cloudpickle.dumps(recompiled(build, arguments)))
    return function(keras_tuner.HyperParameters())


def measured(model: Any) -> dict[str, float]:
    values = model.evaluate(np.ones((4, 2)), np.ones((4, 1)), verbose=0, return_dict=True)
    return dict(values)


def test_recompiled_replaces_what_is_given_and_keeps_the_rest() -> None:
    model = built({"optimizer": keras.optimizers.Adam(0.25), "loss": None, "metrics": None})
    assert isinstance(model.optimizer, keras.optimizers.Adam)
    assert float(model.optimizer.learning_rate) == 0.25
    assert model.loss == "mse"
    assert set(measured(model)) == {"loss", "mae", "error_of_three"}
    assert model.run_eagerly


def test_recompiled_replaces_loss_and_metrics() -> None:
    metrics = [keras.metrics.MeanSquaredError(name="squares"), "mae"]
    model = built({"loss": error_of_three, "metrics": metrics})
    values = measured(model)
    assert set(values) == {"loss", "squares", "mae"}
    assert values["loss"] == pytest.approx(values["mae"] + 3)
    assert isinstance(model.optimizer, keras.optimizers.SGD)


def test_recompiled_compiles_what_is_not_compiled() -> None:
    arguments = {"optimizer": "adam", "loss": keras.losses.Huber(delta=0.5), "metrics": ["mae"]}
    model = built(arguments, lambda _: network(compiled=False))
    assert set(measured(model)) == {"loss", "mae"}
    values = model.evaluate(np.zeros((1, 2)), np.full((1, 1), 9.0), verbose=0, return_dict=True)
    assert values["loss"] == pytest.approx(0.5 * (9 - 0.25))


def test_recompiled_gives_each_network_its_own_objects() -> None:
    function = recompiled(lambda _: network(), {"optimizer": keras.optimizers.Adam()})
    first, second = (function(keras_tuner.HyperParameters()) for _ in range(2))
    assert first.optimizer is not second.optimizer


def test_recompiled_works_with_a_hypermodel() -> None:
    class Net(keras_tuner.HyperModel):  # type: ignore[misc]
        def build(self, hp: Any) -> Any:  # noqa: ARG002
            return network()

    original = Net()
    changed = recompiled(original, {"loss": "mae"})
    assert changed.build(keras_tuner.HyperParameters()).loss == "mae"
    assert original.build(keras_tuner.HyperParameters()).loss == "mse"
    assert recompiled(Net, {"loss": "mae"}).build(keras_tuner.HyperParameters()).loss == "mae"
    assert Net().build(keras_tuner.HyperParameters()).loss == "mse"


def test_recompiled_returns_the_function_where_nothing_is_given() -> None:
    assert recompiled(network, {"optimizer": None, "loss": None, "metrics": []}) is network


def test_recompiled_refuses_what_workers_cannot_get() -> None:
    class Bounded(keras.metrics.Mean):  # type: ignore[misc]
        def __init__(self, bound: int) -> None:
            super().__init__()
            self.bound = bound

    for metric in (Bounded(3), keras.metrics.CosineSimilarity(axis=0)):
        with pytest.raises(UsageError) as caught:
            recompiled(network, {"metrics": [metric]})
    assert caught.value.fix
    with pytest.raises(UsageError):
        recompiled("model.py:build_model", {"loss": "mse"})
