"""What is read off a network: filters, feature maps and activity, of hand-made networks and of
every kind there is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eyetune.models.activations import trace
from eyetune.models.activations.gradcam import heatmaps
from eyetune.models.activations.layers import activity, feature_maps, first_filters
from eyetune.models.cnn import build
from eyetune.recipe import Recipe


def images(count: int, size: int = 8, channels: int = 3) -> Any:
    return np.random.default_rng(0).random((count, size, size, channels), np.float32)


def lab(activation: str = "relu") -> Any:
    """Four 1x1 filters on 8x8 images, then two units."""
    import keras
    from keras import layers

    first = layers.Conv2D(4, 1, activation=activation)
    hidden = layers.Dense(2, activation=activation)
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            first,
            layers.Flatten(),
            hidden,
            layers.Dense(3, activation="softmax"),
        ]
    )


def test_dead_units_are_found_and_zeros_counted() -> None:
    model = lab()
    kernel, bias = model.layers[0].get_weights()
    bias[2] = -100
    model.layers[0].set_weights([kernel, bias])
    given = images(20)
    first, hidden = activity(model, given)
    outputs = np.maximum(given @ kernel[0, 0] + bias, 0)
    assert (first.layer, first.activation, first.units, hidden.units) == ("conv2d", "relu", 4, 2)
    assert first.dead == (outputs.reshape(-1, 4).max(axis=0) <= 0).sum() >= 1
    assert first.resting == pytest.approx((outputs <= 0).mean())
    bias[:] = 100
    model.layers[0].set_weights([kernel, bias])
    assert activity(model, given)[0].dead == activity(model, given)[0].resting == 0


def test_a_unit_that_answers_once_is_not_dead() -> None:
    model = lab()
    model.layers[0].set_weights([np.ones((1, 1, 3, 4), np.float32), np.full(4, -2.9, np.float32)])
    given = np.zeros((300, 8, 8, 3), np.float32)
    given[277, 3, 5] = 1
    (first, _) = activity(model, given)
    assert first.dead == 0
    assert first.resting == 1 - 1 / (300 * 64)


@pytest.mark.parametrize(
    ("activation", "scale", "saturated"), [("tanh", 100, 1), ("sigmoid", 1000, 1), ("tanh", 0, 0)]
)
def test_bounded_activations_are_saturated_at_both_ends(
    activation: str, scale: float, saturated: int
) -> None:
    model = lab(activation)
    kernel = np.full((1, 1, 3, 4), scale, np.float32) * np.array([1, -1, 1, -1], np.float32)
    model.layers[0].set_weights([kernel, np.zeros(4, np.float32)])
    first = activity(model, images(10) + 0.1)[0]
    assert (first.resting, first.dead) == (saturated, 4 * saturated)


def test_batches_do_not_change_what_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    model, given = lab(), images(25)
    whole = activity(model, given)
    monkeypatch.setattr(trace, "MAX_BATCH", 4)
    assert activity(model, given) == whole


def test_the_strongest_filters_come_first_with_their_numbers() -> None:
    import keras

    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(3, 2, use_bias=False)])
    kernel = np.zeros((2, 2, 3, 3), np.float32)
    kernel[0, 1, 2] = [1, -9, 3]
    model.layers[0].set_weights([kernel])
    found = first_filters(model)
    assert found is not None
    assert (found.layer, found.numbers.tolist()) == ("conv2d", [1, 2, 0])
    assert found.kernels.shape == (3, 2, 2, 3)
    assert found.kernels[0, 0, 1, 2] == -9


def test_depthwise_and_separable_kernels_are_one_channel_each() -> None:
    import keras

    for layer in (
        keras.layers.DepthwiseConv2D(3, depth_multiplier=2),
        keras.layers.SeparableConv2D(5, 3),
    ):
        found = first_filters(keras.Sequential([keras.Input((8, 8, 3)), layer]))
        assert found is not None
        assert found.kernels.shape == (3 * layer.depth_multiplier, 3, 3, 1)


def test_feature_maps_are_what_the_layers_give_the_strongest_first() -> None:
    model, image = lab(), images(1)[0]
    first, hidden = feature_maps(model, image, channels=3)
    outputs = np.maximum(image @ model.layers[0].get_weights()[0][0, 0], 0)
    order = np.argsort(-outputs.mean(axis=(0, 1)), kind="stable")[:3]
    assert first.channels.tolist() == order.tolist()
    assert np.allclose(first.values, outputs[..., order].transpose(2, 0, 1), atol=1e-6)
    assert (first.kind, first.activation, first.shape) == ("Conv2D", "relu", (8, 8, 4))
    assert (hidden.kind, hidden.values.shape) == ("Dense", (2,))


def test_maps_of_one_place_are_values_in_their_order() -> None:
    import keras

    model = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Conv2D(20, 8), keras.layers.Flatten()]
    )
    (only,) = feature_maps(model, images(1)[0])
    assert np.array_equal(only.values, np.asarray(model(images(1)))[0])
    assert only.channels.tolist() == list(range(20))


@pytest.mark.parametrize(
    ("edits", "attention", "shape"),
    [
        ({}, "conv2d_1", (32, 32, 3)),
        ({"model": "resnet8"}, "activation_6", (32, 32, 1)),
        ({"model": "mobilenet", "model.width": 0.25}, "activation_12", (24, 40, 3)),
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
def test_every_network_of_a_recipe_can_be_looked_into(
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


def test_without_a_convolution_there_is_no_filter_and_no_heatmap() -> None:
    import keras
    from keras import layers

    model = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(2, activation="softmax")]
    )
    assert first_filters(model) is None
    assert heatmaps(model, images(1), np.array([0])) is None
    assert activity(model, images(1)) == ()
    assert feature_maps(model, images(1)[0]) == ()
