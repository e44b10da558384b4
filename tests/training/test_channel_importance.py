"""Importance of channels: the square of the derivative of the loss by a factor of the channel."""

from __future__ import annotations

import statistics
from typing import Any

import numpy as np
import pytest

from eyetune.data.dataset import normalize, one_hot
from eyetune.models.build import build
from eyetune.models.channels import channels_of
from eyetune.recipe import Recipe
from eyetune.testing.datasets import tiny_dataset
from eyetune.training.channel_importance import channel_importance

BLOCKS = [
    {"filters": 4, "pool_size": 1},
    {"filters": 4, "convolutions": 2, "residual": True},
]


@pytest.mark.parametrize("batch_norm", [True, False])
def test_importance_is_the_squared_derivative_by_a_factor(batch_norm: bool) -> None:
    recipe = Recipe().with_({"model.blocks": BLOCKS, "model.batch_norm": batch_norm})
    network = build(recipe.model, (8, 8, 3), 3)
    generator = np.random.default_rng(0)
    network.set_weights(
        [generator.uniform(-0.2, 0.5, weight.shape) ** 2 for weight in network.get_weights()]
    )
    channels = channels_of(network)
    split = tiny_dataset(size=8).train.take(0, 30)  # a single batch
    importance = channel_importance(network, channels, split, 3)
    labels = one_hot(split.labels, 3)

    def loss() -> float:
        predicted = np.asarray(network(normalize(split.images), training=False), np.float64)
        return float(-(labels * np.log(predicted)).sum() / len(split))

    makers = [item for item in channels.layers if item.gate]
    group = statistics.mode(item.made for item in makers)  # that of the addition
    members = [item.gate for item in makers if item.made == group]
    assert len(members) == 2
    for channel in range(4):
        losses = [scaled(members, channel, factor, loss) for factor in (0.98, 1.02)]
        derivative = (losses[1] - losses[0]) / 0.04
        assert importance[group][channel] == pytest.approx(derivative**2, rel=0.05, abs=1e-9)


def scaled(layers: list[Any], channel: int, factor: float, loss: Any) -> float:
    """Return the loss with a channel multiplied by a factor in all layers that make it."""
    before = [layer.get_weights() for layer in layers]
    for layer, weights in zip(layers, before, strict=True):
        changed = [weight.copy() for weight in weights]
        for weight in changed[:2]:  # scale and shift, or kernel and bias
            weight[..., channel] *= factor
        layer.set_weights(changed)
    result = float(loss())
    for layer, weights in zip(layers, before, strict=True):
        layer.set_weights(weights)
    return result
