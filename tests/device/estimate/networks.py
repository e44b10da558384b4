"""Networks of many kinds, and their conversion to int8, for the tests of estimates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import layers

from eyetune.models.build import build
from eyetune.recipe import Recipe

IMAGES = (32, 32, 3)


def network(name: str = "lab", **edits: Any) -> keras.Model:
    """Build a known network with edits of its recipe section."""
    recipe = Recipe.model_validate({"model": name})
    recipe = recipe.with_({f"model.{key}": value for key, value in edits.items()})
    return build(recipe.model, IMAGES, 10)


def sequential(*stack: Any, shape: tuple[int, ...] = (16, 16, 3)) -> keras.Model:
    return keras.Sequential([layers.Input(shape), *stack])


def converted(model: keras.Model) -> bytes:
    """Return the int8 model that TensorFlow makes, with no weight at zero, as after a training."""
    import tensorflow as tf

    random = np.random.default_rng(0)
    weights = [weight + random.uniform(0.001, 0.01, weight.shape) for weight in model.get_weights()]
    model.set_weights(weights)
    shape = model.inputs[0].shape[1:]
    image = keras.Input(batch_shape=(1, *shape))
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(image, model(image)))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]

    def representative() -> Iterator[list[Any]]:
        for _ in range(3):
            yield [random.random((1, *shape), np.float32)]

    converter.representative_dataset = representative
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return bytes(converter.convert())


def branches() -> keras.Model:
    """Build two blocks of three branches: their order decides which memory they share."""
    images = layers.Input(IMAGES)
    values = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu", name="stem")(images)
    for block, filters in enumerate((8, 12)):
        point = layers.Conv2D(filters, 1, activation="relu", name=f"a{block}")(values)
        inner = layers.Conv2D(filters, 1, activation="relu", name=f"b{block}")(values)
        wide = layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"c{block}")(inner)
        pooled = layers.MaxPooling2D(3, 1, padding="same", name=f"d{block}")(values)
        last = layers.Conv2D(filters, 1, name=f"e{block}")(pooled)
        joined = layers.Concatenate()([point, wide, last])
        values = layers.ReLU()(layers.BatchNormalization()(joined))
    features = layers.Flatten()(layers.AveragePooling2D(4)(values))
    features = layers.Dense(24, activation="relu")(features)
    return keras.Model(images, layers.Dense(10, activation="softmax")(features))


def separable() -> keras.Model:
    return sequential(
        layers.SeparableConv2D(16, 3, activation="relu", padding="same"),
        layers.MaxPooling2D(),
        layers.SeparableConv2D(48, 3, activation="hard_swish"),
        layers.GlobalMaxPooling2D(),
        layers.Dense(10, activation="softmax"),
        shape=IMAGES,
    )


def squeeze_and_excite() -> keras.Model:
    images = layers.Input(IMAGES)
    values = layers.Conv2D(32, 3, strides=2, padding="same", activation="relu")(images)
    weights = layers.GlobalAveragePooling2D(keepdims=True)(values)
    weights = layers.Conv2D(8, 1, activation="relu")(weights)
    weights = layers.Conv2D(32, 1, activation="hard_sigmoid")(weights)
    values = layers.Multiply()([values, weights])
    values = layers.Conv2D(48, 3, activation="relu")(values)
    outputs = layers.Dense(10, activation="softmax")(layers.GlobalAveragePooling2D()(values))
    return keras.Model(images, outputs)


def transposed() -> keras.Model:
    return sequential(
        layers.Conv2D(24, 3, strides=2, padding="same", activation="relu"),
        layers.Conv2DTranspose(16, 3, strides=2, padding="same", activation="relu"),
        layers.Conv2D(32, 3, strides=2, activation="relu"),
        layers.Flatten(),
        layers.Dense(10, activation="softmax"),
        shape=IMAGES,
    )


def preprocessing() -> keras.Model:
    return sequential(
        layers.Rescaling(2.0, offset=-1.0),
        layers.RandomFlip("horizontal"),
        layers.ZeroPadding2D(2),
        layers.Conv2D(24, 5, strides=2, activation="relu"),
        layers.Cropping2D(1),
        layers.Conv2D(48, 3, activation="leaky_relu"),
        layers.AveragePooling2D(2),
        layers.Flatten(),
        layers.Dense(32, activation="tanh"),
        layers.Dense(10, activation="softmax"),
        shape=IMAGES,
    )


def activations() -> keras.Model:
    names = ("relu", "relu6", "leaky_relu", "elu", "swish", "hard_swish", "tanh", "sigmoid")
    more = ("hard_sigmoid", "softsign")
    stack = [layers.Conv2D(12, 3, padding="same", activation=name) for name in (*names, *more)]
    head = [layers.GlobalAveragePooling2D(), layers.Dense(10, activation="softmax")]
    return sequential(*stack, *head)


def other_activations() -> keras.Model:
    return sequential(
        layers.Conv2D(24, 3, padding="same", activation="relu"),
        layers.Conv2D(32, 3, strides=2, padding="same", activation="relu6"),
        layers.PReLU(shared_axes=[1, 2]),
        layers.Conv2D(32, 3, padding="same", activation="sigmoid"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(100, activation="softmax"),
        shape=IMAGES,
    )


def dense_only() -> keras.Model:
    stack = [layers.Dense(units, activation="relu") for units in (96, 64, 32)]
    return sequential(
        layers.Flatten(), *stack, layers.Dense(10, activation="softmax"), shape=(28, 28, 1)
    )


def group_normalization() -> Any:
    return layers.GroupNormalization(4)


def normalized(layer: Callable[[], Any]) -> keras.Model:
    stack: list[Any] = []
    for filters in (8, 16, 24):
        stack += [layers.Conv2D(filters, 3, strides=2, padding="same"), layer()]
    stack += [layers.Conv2D(32, 3, strides=2, padding="same"), layer(), layers.ReLU()]
    head = [layers.GlobalAveragePooling2D(), layers.Dense(10, activation="softmax")]
    return sequential(*stack, *head, shape=IMAGES)


_DEPTHWISE = [{"filters": 24, "depthwise": True}, {"filters": 64, "depthwise": True}]
_RESIDUAL = [{"filters": 16, "residual": True}, {"filters": 32, "residual": True}]
_STRIDED = [{"filters": 24, "kernel_size": 5, "stride": 2}, 48]
# Each edit has effect in one network at least. Combinations of them are tested by measurements of
# random networks, which need no conversion.
_EDITED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("lab", {}),
    ("lab", {"width": 0.5, "padding": "same", "batch_norm": True, "dense": [128, 64]}),
    ("lab", {"blocks": _STRIDED, "global_pooling": True, "dropout": 0.3}),
    ("lab", {"blocks": _DEPTHWISE, "dense": []}),
    ("lab", {"blocks": _RESIDUAL, "padding": "same", "activation": "hard_swish"}),
    ("vgg", {"width": 0.5, "activation": "swish", "batch_norm": False, "global_pooling": True}),
    ("resnet8", {"activation": "tanh", "dropout": 0.2, "dense": [32]}),
    ("resnet8", {"width": 2.0, "activation": "relu6"}),
    ("mobilenet", {}),
    ("mobilenet2", {"width": 0.5, "activation": "relu6", "batch_norm": False}),
)
# Networks of many kinds by a name for each, to compare estimates with conversions.
VARIED: dict[str, Callable[[], keras.Model]] = {
    **{f"{name}, {edits}": partial(network, name, **edits) for name, edits in _EDITED},
    "branches": branches,
    "separable": separable,
    "squeeze and excite": squeeze_and_excite,
    "transposed": transposed,
    "preprocessing": preprocessing,
    "activations": activations,
    "other activations": other_activations,
    "dense only": dense_only,
    "layer normalizations": partial(normalized, layers.LayerNormalization),
    "group normalizations": partial(normalized, group_normalization),
}
