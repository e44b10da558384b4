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
