"""Layers are seen at work in their order, whatever they are part of, and left as they were."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eyetune.models.activations.trace import (
    BATCH_BYTES,
    Call,
    Step,
    activation_of,
    batches,
    leaves,
    outline,
    traced,
)
from eyetune.models.cnn import build
from eyetune.recipe import ModelSection


def nested() -> Any:
    """A functional model with a residual connection, in a sequential one, in a functional one."""
    import keras
    from keras import layers

    inputs = keras.Input((8, 8, 3))
    first = layers.Conv2D(4, 3, padding="same", activation="relu", name="first")(inputs)
    second = layers.Conv2D(4, 3, padding="same", name="second")(first)
    base = keras.Model(inputs, layers.ReLU(name="last")(layers.Add()([second, first])))
    middle = keras.Sequential([keras.Input((8, 8, 3)), base, layers.GlobalAveragePooling2D()])
    images = keras.Input((8, 8, 3))
    return keras.Model(
        images, layers.Dense(2, activation="softmax")(middle(layers.Rescaling(2.0)(images)))
    )


def test_outline_lists_nested_layers_in_call_order() -> None:
    kinds = [(step.index, step.layer, step.kind) for step in outline(nested())]
    assert kinds == [
        (0, "rescaling", "Rescaling"),
        (1, "first", "Conv2D"),
        (2, "second", "Conv2D"),
        (3, "add", "Add"),
        (4, "last", "ReLU"),
        (5, "global_average_pooling2d", "GlobalAveragePooling2D"),
        (6, "dense", "Dense"),
    ]


def test_outline_names_do_not_depend_on_earlier_models() -> None:
    names = [
        [step.layer for step in outline(build(ModelSection(), (32, 32, 3), 10))] for _ in range(2)
    ]
    assert names[0] == names[1]
    assert names[0][:4] == ["conv2d", "max_pooling2d", "conv2d_1", "max_pooling2d_1"]


def test_tracing_changes_neither_output_nor_model() -> None:
    model = nested()
    images = np.random.default_rng(0).random((2, 8, 8, 3), np.float32)
    before = np.asarray(model(images))
    calls: list[Call] = []
    with traced(model, calls.append):
        during = np.asarray(model(images))
    assert np.array_equal(before, during)
    assert np.array_equal(np.asarray(calls[-1].outputs), before)
    assert np.allclose(np.asarray(calls[1].inputs), 2 * images)
    assert not any("call" in vars(layer) for layer in leaves(model))
    calls.clear()
    model(images)
    assert calls == []


def test_tracing_restores_the_layers_after_an_error() -> None:
    model = nested()

    def fail(call: Call) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), traced(model, fail):
        model(np.zeros((1, 8, 8, 3), np.float32))
    assert not any("call" in vars(layer) for layer in leaves(model))
    assert np.asarray(model(np.zeros((1, 8, 8, 3), np.float32))).shape == (1, 2)


def test_layer_called_twice_is_traced_twice() -> None:
    import keras

    shared = keras.layers.Dense(3, name="shared")
    inputs = keras.Input((3,))
    model = keras.Model(inputs, shared(shared(inputs)))
    assert len(outline(model)) == 2


def test_subclassed_model_is_traced_too() -> None:
    import keras

    @keras.saving.register_keras_serializable("eyetune-tests")
    class Own(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.one = keras.layers.Conv2D(2, 3, activation="relu", name="one")

        def call(self, values: Any) -> Any:
            return self.one(values)

    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, keras.layers.Flatten()(Own()(inputs)))
    assert [step.layer for step in outline(model)] == ["one", "flatten"]


def test_activations_have_their_names() -> None:
    from keras import layers

    given = [
        layers.Dense(1),
        layers.Dense(1, activation="swish"),
        layers.Activation("tanh"),
        layers.LeakyReLU(),
        layers.Flatten(),
        layers.Softmax(),
    ]
    assert [activation_of(layer) for layer in given] == [
        "",
        "silu",
        "tanh",
        "leaky_relu",
        "",
        "softmax",
    ]


@pytest.mark.parametrize("values", [1, 1000, BATCH_BYTES])
def test_batches_cover_all_images_and_stay_within_their_bytes(values: int) -> None:
    images = np.zeros((300, 1), np.float32)
    stretches = list(batches(images, (Step(0, "", "", "", "", (values,)),)))
    assert np.concatenate([np.arange(300)[stretch] for stretch in stretches]).tolist() == list(
        range(300)
    )
    largest = max(len(images[stretch]) for stretch in stretches)
    assert largest == 1 or 4 * values * largest <= BATCH_BYTES
