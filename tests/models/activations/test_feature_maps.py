"""The outputs of each layer for one image."""

from __future__ import annotations

import numpy as np

from eyetune.models.activations.feature_maps import feature_maps
from tests.models.activations.support import images, lab


def test_feature_maps_are_the_outputs_strongest_first() -> None:
    model, image = lab(), images(1)[0]
    first, hidden = feature_maps(model, image, channels=3)
    outputs = np.maximum(image @ model.layers[0].get_weights()[0][0, 0], 0)
    order = np.argsort(-outputs.mean(axis=(0, 1)), kind="stable")[:3]
    assert first.channels.tolist() == order.tolist()
    assert np.allclose(first.values, outputs[..., order].transpose(2, 0, 1), atol=1e-6)
    assert (first.kind, first.activation, first.shape) == ("Conv2D", "relu", (8, 8, 4))
    assert (hidden.kind, hidden.values.shape) == ("Dense", (2,))


def test_feature_maps_of_one_pixel_are_values_in_order() -> None:
    import keras

    model = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Conv2D(20, 8), keras.layers.Flatten()]
    )
    (only,) = feature_maps(model, images(1)[0])
    assert np.array_equal(only.values, np.asarray(model(images(1)))[0])
    assert only.channels.tolist() == list(range(20))
