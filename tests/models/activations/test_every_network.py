"""Every kind of network can be explained."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eyetune.models.activations.feature_maps import feature_maps
from eyetune.models.activations.filters import first_filters
from eyetune.models.activations.gradcam import heatmaps
from eyetune.models.activations.unit_activity import activity
from eyetune.models.cnn import build
from eyetune.recipe import Recipe
from tests.models.activations.support import images


@pytest.mark.parametrize(
    ("edits", "attention", "shape"),
    [
        ({}, "conv2d_1", (32, 32, 3)),
        ({"model": "resnet8"}, "activation_6", (32, 32, 1)),
        ({"model": "mobilenet", "model.width": 0.25}, "activation_12", (24, 40, 3)),
        ({"model": "mobilenet2", "model.width": 0.5}, "add_4", (32, 32, 3)),
        (
            {"model.batch_norm": True, "model.activation": "tanh", "model.dense": []},
            "activation_1",
            (32, 32, 3),
        ),
        (
            {"model.global_pooling": True, "model.dropout": 0.5, "model.activation": "gelu"},
            "conv2d_1",
            (32, 32, 3),
        ),
    ],
)
def test_every_network_of_a_recipe_can_be_explained(
    edits: dict[str, Any], attention: str, shape: tuple[int, int, int]
) -> None:
    model = build(Recipe().with_(edits).model, shape, 2)
    given = np.random.default_rng(0).random((3, *shape), np.float32)
    maps = feature_maps(model, given[0])
    assert {one.values.ndim for one in maps} >= {3}
    assert all(0 < len(one.values) == len(one.channels) for one in maps)
    active = activity(model, given)
    assert active
    assert all(0 <= one.resting <= 1 for one in active)
    looks = heatmaps(model, given, np.array([0, 1, 1]))
    found = first_filters(model)
    assert looks is not None
    assert found is not None
    assert looks.layer == attention
    assert found.kernels.shape[-1] == shape[-1]


def test_network_without_convolution_has_no_filters_or_heatmap() -> None:
    import keras
    from keras import layers

    model = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(2, activation="softmax")]
    )
    assert first_filters(model) is None
    assert heatmaps(model, images(1), np.array([0])) is None
    assert activity(model, images(1)) == ()
    assert feature_maps(model, images(1)[0]) == ()
