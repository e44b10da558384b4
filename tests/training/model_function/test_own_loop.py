"""The weights that are kept of networks which a user's `fit` trains in its own way."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from eyetune.training.model_function.own_loop import OwnLoopWeights, weights_digest


def network(value: float = 0.0, units: int = 1) -> Any:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(units)])
    model.set_weights([np.full(part.shape, value) for part in model.get_weights()])
    return model


def kept(monitor: str, *epochs: tuple[float, dict[str, float]]) -> OwnLoopWeights:
    """Return what is kept of a network for each epoch."""
    keeper = OwnLoopWeights(monitor)
    for number, (value, logs) in enumerate(epochs):
        keeper.set_model(network(value))
        keeper.on_epoch_end(number, logs)
    return keeper


@pytest.mark.parametrize(
    ("monitor", "value"),
    [("error:min", 1.0), ("error:max", 3.0), ("val_loss", 1.0), ("other", 2.0)],
)
def test_keeper_restores_the_best_epoch(monitor: str, value: float) -> None:
    scores = (3.0, 1.0, 2.0)
    keeper = kept(monitor, *((score, {"error": score, "val_loss": score}) for score in scores))
    model = network()
    before = weights_digest(model)
    assert keeper.restore(model)
    assert weights_digest(model) == weights_digest(network(value)) != before


def test_keeper_restores_only_what_fits() -> None:
    assert not OwnLoopWeights("val_loss").restore(network())
    wider = network(units=3)
    before = weights_digest(wider)
    assert not kept("val_loss", (1.0, {"val_loss": 1.0})).restore(wider)
    assert weights_digest(wider) == before
