"""Small networks and random images, for tests."""

from __future__ import annotations

from typing import Any

import numpy as np


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
