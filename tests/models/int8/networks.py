"""Networks for the tests of int8 arithmetic: one that classifies without training, random ones."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from hypothesis import strategies as st
from keras import layers

from eyetune.data import Split
from eyetune.models.cnn import build
from eyetune.models.int8.folding import ACTIVATIONS
from eyetune.recipe import ModelSection
from eyetune.testing.datasets import tiny_images

SHAPE = (16, 16, 3)
NUM_CLASSES = 10
NUM_TRAIN = 300


def solved(activation: str = "relu") -> tuple[keras.Model, Split, Split]:
    """Return a network that classifies tiny images, with training and validation images.

    Its convolutions are random; the last layer is the solution of a linear system.
    """
    keras.utils.set_random_seed(3)
    train = Split(*tiny_images(NUM_TRAIN, NUM_CLASSES, size=SHAPE[0]))
    validation = Split(*tiny_images(1000, NUM_CLASSES, size=SHAPE[0], seed=5))
    convolutions = [
        layers.Conv2D(12, 3, name="first", activation=activation),
        layers.Conv2D(12, 3, name="second", activation=activation, bias_initializer="normal"),
        layers.MaxPooling2D(4),
    ]
    body = keras.Sequential([layers.Input(SHAPE), *convolutions, layers.Flatten()])
    features = np.asarray(body(train.images / np.float32(255)))
    targets = 12 * np.eye(NUM_CLASSES, dtype=np.float32)[train.labels] - 6
    head = layers.Dense(NUM_CLASSES, activation="softmax")
    model = keras.Sequential([body, head])
    with_ones = np.concatenate([features, np.ones((NUM_TRAIN, 1), np.float32)], axis=1)
    ridge = with_ones.T @ with_ones + 0.1 * np.eye(with_ones.shape[1])
    solution = np.linalg.solve(ridge, with_ones.T @ targets)
    head.set_weights([solution[:-1], solution[-1]])
    return model, train, validation


def add_outliers(model: keras.Model, factor: float) -> None:
    """Make one channel larger by a factor, and the weights that read it smaller.

    In float, a network with ReLU computes the same as before.
    """
    body = model.layers[0]
    kernel, bias = body.get_layer("first").get_weights()
    kernel[..., 0] *= factor
    bias[0] *= factor
    body.get_layer("first").set_weights([kernel, bias])
    kernel, bias = body.get_layer("second").get_weights()
    kernel[:, :, 0] /= factor
    body.get_layer("second").set_weights([kernel, bias])


_BLOCKS = st.lists(
    st.fixed_dictionaries(
        {
            "filters": st.integers(2, 6),
            "kernel_size": st.sampled_from([1, 3]),
            "stride": st.integers(1, 2),
            "pool_size": st.integers(1, 2),
            "residual": st.booleans(),
        },
        optional={"depthwise": st.just(True)},
    ),
    min_size=1,
    max_size=2,
)
_BOTTLENECK = {"filters": 4, "expansion": 2, "residual": True, "pool_size": 1}

# Model sections of small networks
SECTIONS = st.builds(
    lambda blocks, bottlenecks, **values: ModelSection(
        blocks=[*blocks, *bottlenecks], padding="same", **values
    ),
    blocks=_BLOCKS,
    bottlenecks=st.sampled_from([(), (_BOTTLENECK,)]),
    dense=st.sampled_from([(), (5,)]),
    activation=st.sampled_from(sorted(ACTIVATIONS - {"softmax"})),
    batch_norm=st.booleans(),
    global_pooling=st.booleans(),
    dropout=st.sampled_from([0.0, 0.5]),
)


def with_random_weights(section: ModelSection) -> keras.Model:
    """Return the network of a model section with random weights, batch normalization included."""
    keras.utils.set_random_seed(0)
    model = build(section, (12, 12, 3), 4)
    generator = np.random.default_rng(0)
    for variable in model.variables:
        values = np.asarray(variable)
        if values.ndim == 1 and values.dtype == np.float32:  # biases and batch normalization
            noise = generator.normal(0, 0.3, values.shape)
            variable.assign(values * generator.uniform(0.5, 2, values.shape) + np.abs(noise))
    return model


def random_images(num_images: int = 24, shape: tuple[int, ...] = (12, 12, 3)) -> Any:
    """Return blurred noise as uint8 images."""
    generator = np.random.default_rng(0)
    coarse = generator.integers(0, 256, (num_images, shape[0] // 4, shape[1] // 4, 3))
    fine = generator.integers(-30, 31, (num_images, *shape))
    return np.clip(coarse.repeat(4, 1).repeat(4, 2) + fine, 0, 255).astype(np.uint8)
