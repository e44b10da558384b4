"""The graph of a Keras model: its operators, as TensorFlow's converter would make them."""

from __future__ import annotations

from typing import Any

import keras
import pytest
from keras import layers

from eyetune.device.estimate.lowering import lower
from eyetune.errors import UsageError
from eyetune.models.structure import structure
from tests.device.estimate.networks import network, sequential


def kinds(model: keras.Model) -> list[str]:
    return [operator.kind for operator in lower(model).operators]


def test_lower_drops_layers_that_only_training_needs() -> None:
    trained = sequential(
        layers.RandomFlip("horizontal"),
        layers.GaussianNoise(0.1),
        layers.Conv2D(8, 3),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.SpatialDropout2D(0.1),
        layers.Flatten(),
        layers.Dropout(0.5),
        layers.Dense(4),
    )
    assert kinds(trained) == ["CONV_2D", "RESHAPE", "FULLY_CONNECTED"]


@pytest.mark.parametrize(
    ("stack", "expected"),
    [
        ([layers.MaxPooling2D(), layers.BatchNormalization()], ["MAX_POOL_2D", "MUL", "ADD"]),
        (
            [layers.Conv2D(4, 3, activation="relu"), layers.BatchNormalization()],
            ["CONV_2D", "MUL", "ADD"],
        ),
        ([layers.Rescaling(1 / 255), layers.Conv2D(4, 3)], ["CONV_2D"]),
        ([layers.Rescaling(2, -1), layers.Conv2D(4, 3)], ["MUL", "ADD", "CONV_2D"]),
        ([layers.ZeroPadding2D(((0, 1), (0, 1))), layers.Conv2D(4, 3, strides=2)], ["CONV_2D"]),
        ([layers.ZeroPadding2D(1), layers.Conv2D(4, 3, strides=2)], ["PAD", "CONV_2D"]),
        ([layers.Conv2D(4, 3), layers.Softmax()], ["CONV_2D", "SOFTMAX"]),
        ([layers.MaxPooling2D(), layers.ReLU()], ["MAX_POOL_2D"]),
        (
            [layers.SeparableConv2D(4, 3, activation="hard_swish")],
            ["DEPTHWISE_CONV_2D", "CONV_2D", "HARD_SWISH"],
        ),
        ([layers.GlobalAveragePooling2D(), layers.Reshape((1, 1, 3))], ["MEAN"]),
    ],
)
def test_lower_fuses_as_the_converter_does(stack: list[Any], expected: list[str]) -> None:
    assert kinds(sequential(*stack)) == expected


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (layers.UpSampling2D(interpolation="bilinear"), "RESIZE_BILINEAR"),
        (layers.UpSampling2D(), "TILE"),
        (layers.UpSampling2D(interpolation="bicubic"), "UNKNOWN"),
        (layers.Resizing(8, 8, interpolation="nearest"), "RESIZE_NEAREST_NEIGHBOR"),
        (layers.Resizing(8, 8, crop_to_aspect_ratio=True), "UNKNOWN"),
        (layers.ReLU(negative_slope=0.1), "LEAKY_RELU"),
        (layers.ReLU(max_value=1.0), "UNKNOWN"),
        (layers.ReLU(threshold=0.5), "UNKNOWN"),
        (layers.Softmax(axis=1), "UNKNOWN"),
        (layers.BatchNormalization(axis=1), "UNKNOWN"),
        (layers.LayerNormalization(axis=[1, 2, 3]), "UNKNOWN"),
        (layers.Conv2DTranspose(4, 3, dilation_rate=2), "UNKNOWN"),
        (layers.Conv2D(4, 3, data_format="channels_first"), "UNKNOWN"),
    ],
)
def test_lower_knows_only_what_was_compared_with_conversions(layer: Any, expected: str) -> None:
    assert kinds(sequential(layer)) == [expected]


def test_lower_orders_branches_as_the_converter_does() -> None:
    """The pooling runs between the convolutions, since variables of the last ones come first."""
    keras.utils.clear_session(free_memory=False)
    images = layers.Input((16, 16, 1))
    values = layers.Conv2D(8, 3, padding="same")(images)
    first = layers.Conv2D(4, 1)(values)
    narrow = layers.Conv2D(6, 1)(values)
    second = layers.Conv2D(4, 3, padding="same")(narrow)
    pooled = layers.MaxPooling2D(3, strides=1, padding="same")(values)
    model = keras.Model(images, layers.Concatenate()([first, second, pooled]))
    pairs = [(operator.kind, operator.layers[0]) for operator in lower(model).operators]
    assert pairs == [
        ("CONV_2D", "conv2d"),
        ("CONV_2D", "conv2d_1"),
        ("MAX_POOL_2D", "max_pooling2d"),
        ("CONV_2D", "conv2d_2"),
        ("CONV_2D", "conv2d_3"),
        ("CONCATENATION", "concatenate"),
    ]


def test_lower_keeps_what_another_layer_reads() -> None:
    images = layers.Input((16, 16, 3))
    values = layers.Conv2D(8, 3, padding="same")(images)
    rest = layers.ReLU()(layers.BatchNormalization()(values))
    model = keras.Model(images, layers.Concatenate()([values, rest]))
    assert kinds(model) == ["CONV_2D", "MUL", "ADD", "CONCATENATION"]


def test_lower_expands_nested_models() -> None:
    inner = sequential(layers.Conv2D(8, 3, activation="relu"), layers.BatchNormalization())
    nested = sequential(inner, layers.Flatten(), layers.Dense(4))
    assert kinds(nested) == ["CONV_2D", "MUL", "ADD", "RESHAPE", "FULLY_CONNECTED"]


@pytest.mark.parametrize("name", ["lab", "resnet8", "mobilenet", "mobilenet_v2"])
def test_lower_counts_the_macs_of_the_structure(name: str) -> None:
    model = network(name)
    assert lower(model).macs == structure(model).macs


def test_lower_refuses_a_model_that_it_cannot_trace() -> None:
    class Own(keras.Model):  # type: ignore[misc]
        def call(self, values: Any) -> Any:
            return values

    for model in (Own(), keras.Sequential([layers.Dense(3)])):
        with pytest.raises(UsageError):
            lower(model)
