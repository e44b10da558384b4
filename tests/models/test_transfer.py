"""Pre-trained networks: fed as Keras feeds them, with weights of every kind of file, refused where
they do not fit.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from eyetune.errors import RecipeError
from eyetune.models.build import build
from eyetune.models.structure import structure
from eyetune.models.transfer import (
    BACKBONES,
    backbone_of,
    build_backbone,
    features_of,
    head_of,
    thaw,
)
from eyetune.models.weights import Weights, current, load, put
from eyetune.recipe import LAST_STRETCH, ModelSection

IMAGES = (32, 32, 3)
SMALL_BASE = "mobilenet_v1"
PARAMETERS = {
    "vgg16": 14_714_688,
    "mobilenet_v1": 3_228_864,
    "mobilenet_v2": 2_257_984,
    "efficientnet_b0": 4_049_571,
    "resnet50": 23_587_712,
}
PREPROCESS: dict[str, Any] = {
    "vgg16": keras.applications.vgg16.preprocess_input,
    "mobilenet_v1": keras.applications.mobilenet.preprocess_input,
    "mobilenet_v2": keras.applications.mobilenet_v2.preprocess_input,
    "resnet50": keras.applications.resnet.preprocess_input,
}


def section(base: str = SMALL_BASE, **values: Any) -> ModelSection:
    return ModelSection.model_validate({"base": base, **values})


@pytest.fixture(scope="module")
def pixels() -> Any:
    return np.random.default_rng(0).random((2, *IMAGES), np.float32)


@pytest.mark.parametrize("base", list(BACKBONES))
def test_each_backbone_is_built_whole_frozen_and_counted_once(base: str) -> None:
    network = build(section(base, trainable_from=LAST_STRETCH[base]), IMAGES, 10)
    found = structure(network)
    head = 64 * backbone_of(network).output_shape[-1] + 64 + 650
    assert found.parameters == network.count_params() == PARAMETERS[base] + head
    assert found.trainable_parameters == head
    assert {layer.rate for layer in backbone_of(network).layers if hasattr(layer, "rate")} <= {0.0}


@pytest.mark.parametrize("base", ["vgg16", "mobilenet_v1"])
def test_backbone_gets_its_own_preprocessing(base: str, pixels: Any) -> None:
    network = build(section(base), IMAGES, 10)
    expected = backbone_of(network)(PREPROCESS[base](pixels * 255.0))
    found = features_of(network)(pixels)
    np.testing.assert_allclose(found, np.asarray(expected).reshape(2, -1), rtol=1e-4, atol=1e-12)


def test_efficientnet_gets_what_keras_gives_its_imagenet_weights(pixels: Any) -> None:
    # Keras normalizes by the file's mean and variance, and then once more by the root of the
    # deviation.
    network = build(section("efficientnet_b0"), IMAGES, 10)
    base = backbone_of(network)
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    normalization = next(layer for layer in base.layers if type(layer).__name__ == "Normalization")
    normalization.set_weights([mean, deviation, np.array(1)])
    normalization.finalize_state()
    given = keras.Model(base.input, normalization.output)(network.layers[1](pixels))
    np.testing.assert_allclose(given, (pixels - mean) / deviation, rtol=1e-4, atol=1e-4)


def test_features_and_head_share_the_networks_weights(pixels: Any) -> None:
    network = build(section("vgg16", dropout=0.5, dense=[8]), IMAGES, 10)
    head = head_of(network)
    np.testing.assert_allclose(head(features_of(network)(pixels)), network(pixels), rtol=1e-5)
    head.layers[-1].set_weights([np.zeros((8, 10)), np.arange(10.0)])
    assert np.asarray(network(pixels)).argmax(axis=1).tolist() == [9, 9]


def test_thaw_skips_normalization_and_earlier_layers() -> None:
    network = build(section(), IMAGES, 10)
    thaw(network, "conv_pw_13")
    assert [layer.name for layer in backbone_of(network).layers if layer.trainable_weights] == [
        "conv_pw_13"
    ]
    thaw(network, "")
    assert backbone_of(network).trainable_weights == []


def test_trained_frozen_backbone_keeps_its_statistics(pixels: Any) -> None:
    network = build(section(dense=[]), IMAGES, 2)
    thaw(network, "conv_pw_13")
    before = {
        layer.name: layer.get_weights() for layer in backbone_of(network).layers if layer.weights
    }
    network.compile("sgd", "categorical_crossentropy", run_eagerly=True)
    network.fit(pixels, np.eye(2), verbose=0)
    after = {
        layer.name: layer.get_weights() for layer in backbone_of(network).layers if layer.weights
    }
    changed = {
        name for name, values in before.items() if not all(map(np.array_equal, values, after[name]))
    }
    assert changed <= {"conv_pw_13"}


@pytest.mark.parametrize(
    ("values", "shape", "detail"),
    [
        ({}, (32, 32, 1), "3 channels"),
        ({}, (31, 48, 3), "31x48"),
        (
            {"trainable_from": "conv_pw_14"},
            IMAGES,
            "conv_pw_4",
        ),
    ],
)
def test_build_rejects_what_a_backbone_does_not_support(
    values: dict[str, Any], shape: Any, detail: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        build(section(**values), shape, 10)
    assert detail in str(caught.value)


@pytest.fixture(scope="module")
def base() -> Any:
    keras.utils.set_random_seed(3)
    return build_backbone("vgg16", IMAGES)


def write_legacy(path: Path, base: Any, *, rename: str = "{}") -> None:
    """Write the older format as Keras's own ImageNet files have it."""
    with h5py.File(path, "w") as stored:
        names = [rename.format(layer.name) for layer in base.layers]
        stored.attrs["layer_names"] = [name.encode() for name in names]
        for name, layer in zip(names, base.layers, strict=True):
            group = stored.create_group(name)
            group.attrs["weight_names"] = [
                f"{name}/{weight.name}:0".encode() for weight in layer.weights
            ]
            for weight in layer.weights:
                group[f"{name}/{weight.name}:0"] = weight.numpy()


def named(base: Any) -> dict[str, Any]:
    return {
        f"{layer.name}/{weight.name}": weight.numpy()
        for layer in base.layers
        for weight in layer.weights
    }


def write(path: Path, base: Any) -> None:
    if path.suffix == ".npz":
        np.savez(path, **named(base))
    elif path.suffix == ".keras":
        network = build(section("vgg16", dense=[4]), IMAGES, 3)
        backbone_of(network).set_weights(base.get_weights())
        network.save(path)
    elif path.name.endswith(".weights.h5"):
        base.save_weights(path)
    else:
        write_legacy(path, base, rename="old_{}" if path.stem == "renamed" else "{}")


@pytest.mark.parametrize("name", ["a.weights.h5", "a.h5", "renamed.h5", "a.keras", "a.npz"])
def test_weights_come_from_every_kind_of_file(tmp_path: Path, base: Any, name: str) -> None:
    write(tmp_path / name, base)
    weights = load(section("vgg16", weights=str(tmp_path / name)))
    assert weights is not None
    network = build(section("vgg16"), IMAGES, 10)
    put(weights, network)
    for mine, theirs in zip(backbone_of(network).get_weights(), base.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert current(network).digest == weights.digest


def test_random_weights_are_the_networks_own() -> None:
    assert load(section("vgg16", weights="random")) is None
    one, other = (current(build(section("vgg16"), IMAGES, 2)) for _ in range(2))
    assert isinstance(one, Weights)
    assert one.digest != other.digest


@pytest.mark.parametrize(
    ("change", "received"),
    [
        (
            lambda name, value: value[..., :7] if name == "block2_conv1/kernel" else value,
            "block2_conv1: 3x3x64x7, 128",
        ),
        (
            lambda name, value: None if name.startswith("block2_conv1") else value,
            "layers block1_conv1, block1_conv2, ",
        ),
        (
            lambda name, value: None if name == "block2_conv1/bias" else value,
            "block2_conv1: 3x3x64x128",
        ),
    ],
)
def test_load_names_the_layer_that_does_not_fit(
    tmp_path: Path, base: Any, change: Any, received: str
) -> None:
    changed = {name: change(name, value) for name, value in named(base).items()}
    np.savez(
        tmp_path / "w.npz", **{name: value for name, value in changed.items() if value is not None}
    )
    with pytest.raises(RecipeError, match="block2_conv1") as caught:
        load(section("vgg16", weights=str(tmp_path / "w.npz")))
    assert caught.value.expected == "block2_conv1: 3x3x64x128, 128"
    assert str(caught.value.received).startswith(received)
    assert "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5" in str(caught.value.fix)


@pytest.mark.parametrize("name", ["w.h5", "w.weights.h5", "w.keras", "w.npz", "w.bin"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"\x89HDF\r\n\x1a\n broken"])
def test_damaged_file_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RecipeError, match=name):
        load(section("vgg16", weights=str(tmp_path / name)))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["w.h5", "w.keras", "w.npz"])
def test_named_pipe_is_refused_at_once(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(RecipeError, match=name):
        load(section("vgg16", weights=str(tmp_path / name)))


def test_weights_in_another_file_are_refused(tmp_path: Path, base: Any) -> None:
    path = tmp_path / "w.weights.h5"
    base.save_weights(path)
    (tmp_path / "secret").write_bytes(bytes(4 * 64))
    with h5py.File(path, "r+") as file:
        group = file["layers/conv2d/vars"]
        del group["1"]
        group.create_dataset("1", (64,), np.float32, external=[(tmp_path / "secret", 0, 4 * 64)])
    with pytest.raises(RecipeError, match=r"w\.weights\.h5"):
        load(section("vgg16", weights=str(path)))


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"missing\.h5") as caught:
        load(section("vgg16", weights=str(tmp_path / "missing.h5")))
    assert caught.value.received == "No such file or directory"


def test_failed_download_says_which_file_goes_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # the discard port: nothing listens there
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(
        "keras.src.backend.config._KERAS_DIR", str(tmp_path)
    )  # Keras reads the variable on import
    with pytest.raises(RecipeError) as caught:
        load(section("mobilenet_v2"))
    name = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"
    assert str(caught.value.expected).startswith(str(tmp_path / "models" / name))
    assert str(tmp_path / "models") in str(caught.value.fix)
    assert "--set model.weights=FILE" in str(caught.value.fix)


@pytest.mark.parametrize("base", ["mobilenet_v2", "efficientnet_b0"])
def test_keras_asks_for_the_file_that_the_error_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, base: str
) -> None:
    asked: list[str] = []

    def get_file(name: str, *_: Any, **__: Any) -> str:
        asked.append(name)
        raise OSError("offline")

    monkeypatch.setattr("keras.src.utils.file_utils.get_file", get_file)
    with pytest.raises(RecipeError, match="offline"):
        load(section(base))
    assert asked == [BACKBONES[base].file]
