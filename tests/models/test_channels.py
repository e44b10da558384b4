"""Channels of networks: which layers share them, and networks with the most important ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eyetune.errors import TrainingError
from eyetune.models.build import build
from eyetune.models.channels import channels_of, kept_channels, put_part
from eyetune.recipe import Recipe
from eyetune.recipe.channels import channel_groups, with_channels

SHAPE = (8, 8, 3)
NORMALIZED = {"model.batch_norm": True, "model.padding": "same", "model.global_pooling": True}
NETWORKS: dict[str, dict[str, Any]] = {
    "flattened": {"model.blocks": [4, 6], "model.dense": [5, 4], "model.padding": "same"},
    "dropout": {"model.blocks": [4], "model.dense": [5], "model.dropout": 0.5},
    "residual": {
        **NORMALIZED,
        "model.dense": [],
        "model.blocks": [
            {"filters": 4, "pool_size": 1},
            {"filters": 4, "pool_size": 1, "convolutions": 2, "residual": True},
            {"filters": 7, "pool_size": 1, "stride": 2, "convolutions": 2, "residual": True},
        ],
    },
    "depthwise": {
        **NORMALIZED,
        "model.blocks": [4, {"filters": 6, "depthwise": True}],
        "model.dense": [4],
        "model.activation": "sigmoid",
    },
    "bottleneck": {
        **NORMALIZED,
        "model.batch_norm": False,
        "model.blocks": [
            {"filters": 4, "pool_size": 1},
            {"filters": 4, "pool_size": 1, "expansion": 3, "residual": True},
            {"filters": 6, "pool_size": 1, "expansion": 2, "residual": True},
        ],
    },
}


def narrower(recipe: Recipe) -> Recipe:
    """Return a recipe with one channel less in every group."""
    for index in range(len(channel_groups(recipe.model, 3))):
        group = channel_groups(recipe.model, 3)[index]
        changed = with_channels(recipe, group, group.count - 1, 3)
        assert changed is not None
        recipe = changed
    return recipe


def test_networks_with_fewer_channels_compute_the_same_if_none_counts() -> None:
    for name, edits in NETWORKS.items():
        recipe = Recipe().with_(edits)
        large, small = (build(value.model, SHAPE, 3) for value in (recipe, narrower(recipe)))
        generator = np.random.default_rng(0)
        large.set_weights(
            [generator.uniform(0.2, 0.8, weight.shape) for weight in large.get_weights()]
        )
        channels, smaller = channels_of(large), channels_of(small)
        importance = {
            group: generator.random(size).astype(np.float32)
            for group, size in channels.sizes.items()
        }
        kept = kept_channels(smaller.sizes, importance)
        for item in channels.layers:  # what reads the other channels takes them times 0
            if item.gate is None:
                continue
            size = channels.sizes[item.read]
            is_kept = np.tile(np.isin(np.arange(size), kept[item.read]), item.positions)
            kernel, *others = item.layer.get_weights()
            item.layer.set_weights([kernel * is_kept[:, np.newaxis], *others])
        put_part(channels, smaller, importance)
        images = generator.random((2, *SHAPE), np.float32)
        expected, actual = (np.asarray(model(images, training=False)) for model in (large, small))
        assert smaller.sizes != channels.sizes
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-6, err_msg=name)


def test_put_part_refuses_a_network_with_other_layers() -> None:
    channels = [
        channels_of(build(Recipe().with_(NETWORKS[name]).model, SHAPE, 3))
        for name in ("flattened", "residual")
    ]
    with pytest.raises(TrainingError):
        put_part(channels[0], channels[1], {})


def test_channels_of_refuses_layers_that_mix_channels() -> None:
    import keras

    layers = [keras.layers.Input(SHAPE), keras.layers.Reshape((4, 4, 12)), keras.layers.Flatten()]
    with pytest.raises(TrainingError):
        channels_of(keras.Sequential(layers))
