"""The filters of the first convolution."""

from __future__ import annotations

import numpy as np

from eyetune.models.activations.filters import first_filters


def test_strongest_filters_come_first_with_their_numbers() -> None:
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
