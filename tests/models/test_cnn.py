"""The lab's network, layer for layer, and its variations."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from eyetune.errors import RecipeConflictError, RecipeError
from eyetune.models.cnn import build
from eyetune.models.structure import structure
from eyetune.recipe import ZOO, ModelSection, Recipe

IMAGES = (32, 32, 3)


def kinds(model: Any) -> list[str]:
    return [type(layer).__name__ for layer in model.layers]


def edited(**edits: Any) -> ModelSection:
    return Recipe().with_({f"model.{name}": value for name, value in edits.items()}).model


def test_default_is_the_labs_network_layer_for_layer() -> None:
    layers = keras.layers
    lab = keras.Sequential(
        [
            layers.Input(IMAGES),
            layers.Conv2D(32, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Conv2D(64, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    ours = build(ModelSection(), IMAGES, 10)
    ours.set_weights(lab.get_weights())
    images = np.random.default_rng(0).random((4, *IMAGES), np.float32)
    assert kinds(ours) == kinds(lab)
    np.testing.assert_array_equal(ours(images), lab(images))


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ({"batch_norm": True}, {"BatchNormalization": 2, "Activation": 2}),
        ({"dropout": 0.3}, {"Dropout": 2}),
        ({"global_pooling": True}, {"GlobalAveragePooling2D": 1, "Flatten": 0}),
        ({"dense": [128, 64]}, {"Dense": 3}),
        ({"dense": []}, {"Dense": 1}),
        ({"blocks": [16, 32, 64]}, {"Conv2D": 3, "MaxPooling2D": 3}),
        (
            {"blocks": [{"filters": 8, "convolutions": 2, "pool_size": 1}]},
            {"Conv2D": 2, "MaxPooling2D": 0},
        ),
    ],
)
def test_section_values_change_the_layers(edits: dict[str, Any], expected: dict[str, int]) -> None:
    found = kinds(build(edited(**edits), IMAGES, 10))
    assert {kind: found.count(kind) for kind in expected} == expected


def test_activation_can_be_of_one_layer_alone() -> None:
    model = build(Recipe().with_({"model.blocks.0.activation": "tanh"}).model, IMAGES, 10)
    activations = [
        layer.activation.__name__ for layer in model.layers if hasattr(layer, "activation")
    ]
    assert activations == ["tanh", "relu", "relu", "softmax"]


@pytest.mark.parametrize("name", ["relu6", "leaky_relu", "gelu", "hard_swish", "mish", "linear"])
def test_every_kind_of_activation_builds(name: str) -> None:
    assert build(edited(activation=name), IMAGES, 10).count_params() == 167_562


def test_mixed_precision_keeps_weights_and_softmax_in_float32() -> None:
    model = build(ModelSection(), IMAGES, 10, dtype="mixed_bfloat16")
    assert model.layers[0].compute_dtype == "bfloat16"
    assert model.layers[-1].compute_dtype == "float32"
    assert {weight.dtype for weight in model.weights} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.parametrize(
    ("edits", "shape", "where"),
    [
        ({"blocks": [8, 8, 8, 8, 8]}, IMAGES, "convolution 1 of block 3"),
        (
            {"blocks": [{"filters": 8, "pool_size": 16}, {"filters": 8, "pool_size": 16}]},
            IMAGES,
            "convolution 1 of",
        ),
        ({"blocks": [{"filters": 8, "kernel_size": 9}]}, (8, 8, 3), "convolution 1 of block 0"),
        ({"padding": "same", "blocks": [8] * 6}, IMAGES, "the pooling of block 5"),
    ],
)
def test_build_names_where_images_shrink_to_nothing(
    edits: dict[str, Any], shape: tuple[int, int, int], where: str
) -> None:
    with pytest.raises(RecipeError, match=where):
        build(edited(**edits), shape, 10)


def test_structure_counts_mac_of_every_kind_of_layer() -> None:
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((8, 8, 4)),
            layers.Conv2D(6, 3, padding="same", strides=2, name="strided"),
            layers.DepthwiseConv2D(3, padding="same", name="depthwise"),
            layers.SeparableConv2D(10, 3, padding="same", name="separable"),
            layers.Conv2D(10, 1, groups=2, name="grouped"),
            layers.Conv2DTranspose(3, 2, strides=2, name="transposed"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(5, name="dense"),
        ]
    )
    network = structure(model)
    counted = {layer.name: layer.macs for layer in network.layers if layer.macs}
    assert counted == {
        "strided": 4 * 4 * 9 * 4 * 6,
        "depthwise": 4 * 4 * 9 * 6,
        "separable": 4 * 4 * (9 * 6 + 6 * 10),
        "grouped": 4 * 4 * 5 * 10,
        "transposed": 4 * 4 * 2 * 2 * 3 * 10,
        "dense": 3 * 5,
    }
    assert network.parameters == model.count_params()
    assert network.layers[0].output_shape == (4, 4, 6)
    assert network.layers[0].activation_bytes == 96


def test_structure_includes_nested_models() -> None:
    inner = keras.Sequential(
        [keras.layers.Input((8, 8, 3)), keras.layers.Conv2D(2, 3), keras.layers.Flatten()]
    )
    inner.trainable = False
    model = keras.Sequential([keras.layers.Input((8, 8, 3)), inner, keras.layers.Dense(2)])
    network = structure(model)
    assert [layer.kind for layer in network.layers] == ["Conv2D", "Flatten", "Dense"]
    assert network.parameters - network.trainable_parameters == 3 * 3 * 3 * 2 + 2


@pytest.mark.parametrize(
    ("name", "parameters", "macs"),
    [
        ("lab", 167_562, 4_040_704),
        ("vgg", 551_914, 38_896_896),
        ("resnet8", 78_714, 12_501_632),
        ("resnet14", 176_378, 26_657_408),
        ("resnet20", 274_042, 40_813_184),
        ("mobilenet", 40_202, 5_936_384),
        ("mobilenet2", 73_754, 11_807_200),
    ],
)
def test_known_network_is_built_from_its_name(name: str, parameters: int, macs: int) -> None:
    model = build(Recipe().with_(model=name).model, IMAGES, 10)
    network = structure(model)
    assert (network.parameters, network.macs) == (parameters, macs)
    assert model(np.zeros((2, *IMAGES), np.float32)).shape == (2, 10)


@pytest.mark.parametrize("name", list(ZOO))
def test_width_scales_every_known_network(name: str) -> None:
    counts = [
        build(
            Recipe().with_({"model": name, "model.width": width}).model, IMAGES, 10
        ).count_params()
        for width in (0.25, 1, 2)
    ]
    assert counts == sorted(counts)
    assert counts[2] > 1.5 * counts[1]


def test_known_network_goes_to_toml_and_back_and_can_be_edited() -> None:
    recipe = Recipe().with_({"model": "resnet8", "model.blocks.1.activation": "gelu"})
    assert Recipe.from_toml(recipe.to_toml()) == recipe
    assert Recipe.from_toml('model = "resnet8"').model == Recipe().with_(model="resnet8").model
    with pytest.raises(RecipeError, match="resnet8"):
        Recipe().with_(model="resnet9")


def test_residual_blocks_add_their_input() -> None:
    block = {
        "filters": 3,
        "convolutions": 2,
        "residual": True,
        "pool_size": 1,
        "activation": "linear",
    }
    section = edited(blocks=[block], dense=[])
    model = build(section, (8, 8, 3), 2)
    for layer in model.layers:
        if "conv" in layer.name:
            layer.set_weights([np.zeros_like(weight) for weight in layer.get_weights()])
    images = np.random.default_rng(0).random((2, 8, 8, 3), np.float32)
    inner = keras.Model(
        model.inputs, next(layer for layer in model.layers if "add" in layer.name).output
    )
    np.testing.assert_array_equal(inner(images), images)


def test_depthwise_blocks_have_far_fewer_weights() -> None:
    plain = build(edited(blocks=[32, 64]), IMAGES, 10).count_params()
    block = {"filters": 64, "depthwise": True}
    separable = build(edited(blocks=[32, block]), IMAGES, 10)
    assert plain - separable.count_params() == (9 * 32 * 64 + 64) - (9 * 32 + 32 + 32 * 64 + 64)
    assert "DepthwiseConv2D" in kinds(separable)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_inverted_bottleneck_expands_filters_and_projects(batch_norm: bool) -> None:
    block = {"filters": 6, "expansion": 4, "stride": 2, "activation": "relu6", "kernel_size": 5}
    model = build(edited(blocks=[block], batch_norm=batch_norm), IMAGES, 10)
    network = structure(model)
    convolutions = [layer for layer in network.layers if "Conv2D" in layer.kind]
    assert [(layer.kind, layer.output_shape) for layer in convolutions] == [
        ("Conv2D", (32, 32, 12)),
        ("DepthwiseConv2D", (14, 14, 12)),
        ("Conv2D", (14, 14, 6)),
    ]
    activations = [layer.activation.__name__ for layer in model.layers if _has_activation(layer)]
    assert activations == ["relu6", "relu6", "relu", "softmax"]


def _has_activation(layer: Any) -> bool:
    return getattr(layer, "activation", keras.activations.linear) is not keras.activations.linear


@pytest.mark.parametrize(
    ("edits", "added"),
    [
        ({}, True),
        ({"residual": False}, False),
        ({"stride": 2}, False),
        ({"filters": 4}, False),
    ],
)
def test_inverted_bottleneck_adds_inputs_of_its_shape(edits: dict[str, Any], added: bool) -> None:
    block = {"filters": 3, "expansion": 2, "residual": True, "pool_size": 1} | edits
    model = build(edited(blocks=[block], dense=[]), (8, 8, 3), 2)
    assert ("Add" in kinds(model)) == added
    if not added:
        return
    for layer in model.layers:
        if "conv" in layer.name:
            layer.set_weights([np.zeros_like(weight) for weight in layer.get_weights()])
    images = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)
    flattened = keras.Model(model.inputs, model.layers[-2].output)
    np.testing.assert_array_equal(flattened(images), images.reshape(2, -1))  # no activation


@pytest.mark.parametrize("edits", [{"depthwise": True}, {"convolutions": 2}])
def test_block_refuses_values_that_exclude_expansion(edits: dict[str, Any]) -> None:
    with pytest.raises(RecipeConflictError):
        edited(blocks=[{"filters": 8, "expansion": 4} | edits])
