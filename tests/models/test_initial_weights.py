"""Initial weights of blocks: they give the same features, fit by shape, and are read safely."""

from __future__ import annotations

import io
import json
import pickle
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from eyetune.errors import RecipeError, UsageError
from eyetune.inputs.limits import WEIGHTS_BYTES
from eyetune.models import initial_weights
from eyetune.models.build import build
from eyetune.models.initial_weights import in_package, keep, load, put, save
from eyetune.recipe import WITH_CIFAR10_WEIGHTS, Recipe

COLOR, GRAY = (16, 16, 3), (16, 16, 1)
BLOCKS = {
    "model.blocks": [4, {"filters": 8, "convolutions": 2, "residual": True}],
    "model.batch_norm": True,
    "model.global_pooling": True,
    "model.dense": [],
}


def network(
    edits: Any = BLOCKS, shape: tuple[int, int, int] = COLOR, classes: int = 3, seed: int = 0
) -> Any:
    """Return a network whose weights are all random, those of batch normalization too."""
    model = build(Recipe().with_(edits).model, shape, classes)
    generator = np.random.default_rng(seed)
    model.set_weights([generator.uniform(0.2, 0.8, weight.shape) for weight in model.get_weights()])
    return model


def features(model: Any, images: Any) -> Any:
    """Return what the last layer before the dense layers gives for some images."""
    last = [layer for layer in model.layers if not isinstance(layer, keras.layers.Dense)][-1]
    return np.asarray(keras.Model(model.inputs, last.output)([images], training=False))


def images(shape: tuple[int, int, int] = COLOR) -> Any:
    return np.random.default_rng(1).random((2, *shape), np.float32)


def initialized(source: Path, model: Any) -> Any:
    put(load(str(source), model), model)
    return model


@pytest.fixture
def keras_file(tmp_path: Path) -> Path:
    path = tmp_path / "model.keras"
    network().save(path)
    return path


def kept_at(path: Path, source: Any = None) -> Path:
    save(source or network(), path)
    return path


def test_keras_file_gives_the_same_features(keras_file: Path) -> None:
    model = initialized(keras_file, network(classes=7, seed=5))
    np.testing.assert_array_equal(features(model, images()), features(network(), images()))


def test_kept_weights_give_the_same_predictions(tmp_path: Path) -> None:
    edits = {**BLOCKS, "model.dense": [6]}
    path = keep(network(edits), tmp_path / "weights")
    model = initialized(path, network(edits, seed=5))
    expected = network(edits)([images()], training=False)
    np.testing.assert_array_equal(model([images()], training=False), expected)
    assert keep(model, tmp_path / "weights") == path  # named by its contents
    with pytest.raises(RecipeError):
        load(str(path), network(edits, classes=7))


def test_saved_weights_give_nearly_the_same_features(tmp_path: Path) -> None:
    path = kept_at(tmp_path / "weights.npz")
    with np.load(path) as stored:
        assert {array.dtype for array in stored.values()} == {np.dtype(np.float16)}
    model = initialized(path, network(classes=2, seed=5))
    np.testing.assert_allclose(features(model, images()), features(network(), images()), rtol=0.01)


def test_weights_fit_images_of_every_size(keras_file: Path) -> None:
    larger = (24, 40, 3)
    model = initialized(keras_file, network(shape=larger, seed=5))
    expected = features(network(shape=larger), images(larger))
    np.testing.assert_array_equal(features(model, images(larger)), expected)


def test_weights_for_color_fit_gray_images(keras_file: Path) -> None:
    model = initialized(keras_file, network(shape=GRAY, seed=5))
    gray = images(GRAY)
    expected = features(network(), np.repeat(gray, 3, axis=-1))
    np.testing.assert_allclose(features(model, gray), expected, rtol=1e-5)


def _with_kind(block: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return blocks of each kind: convolutions, depthwise-separable ones, inverted bottlenecks."""
    convolutions = {"convolutions": st.integers(1, 2), "depthwise": st.booleans()}
    bottleneck = {"expansion": st.integers(1, 3)}
    kinds = st.one_of(st.fixed_dictionaries(convolutions), st.fixed_dictionaries(bottleneck))
    return kinds.map(lambda kind: block | kind)


@given(
    blocks=st.lists(
        st.fixed_dictionaries(
            {
                "filters": st.integers(1, 6),
                "stride": st.integers(1, 2),
                "residual": st.booleans(),
                "pool_size": st.just(1),
            }
        ).flatmap(_with_kind),
        min_size=1,
        max_size=3,
    ),
    batch_norm=st.booleans(),
)
@settings(
    max_examples=5, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)
def test_every_network_of_blocks_can_be_a_start(
    tmp_path_factory: pytest.TempPathFactory, blocks: list[dict[str, Any]], batch_norm: bool
) -> None:
    edits = {"model.blocks": blocks, "model.batch_norm": batch_norm, "model.padding": "same"}
    source = network(edits)
    path = tmp_path_factory.mktemp("networks") / "model.keras"
    source.save(path)
    model = initialized(path, network(edits, classes=5, seed=5))
    np.testing.assert_array_equal(features(model, images()), features(source, images()))


def test_digest_depends_on_the_weights_alone(tmp_path: Path, keras_file: Path) -> None:
    def digest(**options: Any) -> str:
        path = tmp_path / "other.keras"
        network(**options).save(path)
        return load(str(path), network()).digest

    # The dense layer is drawn last, so the other weights are the same for more classes.
    assert digest(classes=9) == load(str(keras_file), network()).digest
    assert digest(classes=9) != digest(seed=1)


@pytest.mark.parametrize(
    ("edits", "index", "shape"),
    [
        ({"model.width": 2}, "layer 1 ", "3x3x3x8"),
        ({"model.batch_norm": False}, "layer 1 ", "3x3x3x4"),
        ({"model.blocks.0.kernel_size": 5}, "layer 1 ", "5x5x3x4"),
        ({"model.blocks.1.filters": 9}, "layer 3 ", "3x3x4x9"),
    ],
)
def test_load_names_the_first_layer_that_differs(
    keras_file: Path, edits: dict[str, Any], index: str, shape: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        load(str(keras_file), network({**BLOCKS, **edits}))
    if edits != {"model.batch_norm": False}:
        assert index in caught.value.message
        assert shape in str(caught.value.expected)


@pytest.mark.parametrize("count", [1, 3])
def test_load_refuses_another_number_of_layers(keras_file: Path, count: int) -> None:
    blocks = [*BLOCKS["model.blocks"], 4][:count]  # type: ignore[misc]
    with pytest.raises(RecipeError):
        load(str(keras_file), network({**BLOCKS, "model.blocks": blocks}))


def test_first_kernel_is_summed_for_gray_images_only(tmp_path: Path) -> None:
    path = tmp_path / "gray.keras"
    network(shape=GRAY).save(path)
    with pytest.raises(RecipeError):
        load(str(path), network())


def write_npz(path: Path, **arrays: Any) -> None:
    np.savez(path, **{name.replace("_", "/"): values for name, values in arrays.items()})


def write_pickled(path: Path) -> None:
    write_npz(path, weights_0=np.array([print, {}], object))


def write_header(path: Path, header: bytes, body: bytes = b"") -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("weights/0.npy", header + body)


def npy_header(version: bytes, shape: str, length: int | None = None) -> bytes:
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    size = 2 if version == b"\x01\x00" else 4
    return b"\x93NUMPY" + version + (length or len(text)).to_bytes(size, "little") + text


def write_bomb(path: Path) -> None:
    content = npy_header(b"\x01\x00", "(1000000,)") + bytes(4_000_000)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("weights/0.npy", content)


def write_damaged(path: Path) -> None:
    content = kept_at(path).read_bytes()
    path.write_bytes(content[:200] + b"\x00" * 50 + content[250:])


def write_nan(path: Path) -> None:
    weights = network().get_weights()[:-2]
    weights[3][0] = np.nan
    write_npz(path, **{f"weights_{index}": value for index, value in enumerate(weights)})


BROKEN: dict[str, Callable[[Path], Any]] = {
    "missing": lambda path: path.unlink(missing_ok=True),
    "text": lambda path: path.write_text("weights"),
    "empty": lambda path: path.write_bytes(b""),
    "folder": lambda path: path.mkdir(),
    "pickle": lambda path: path.write_bytes(pickle.dumps({"weights/0": 1})),
    "pickled array": write_pickled,
    "integers": lambda path: write_npz(path, weights_0=np.zeros((3, 3, 3, 4), int)),
    "other names": lambda path: write_npz(path, conv_kernel=np.zeros((3, 3, 3, 4))),
    "gap": lambda path: write_npz(path, weights_0=np.zeros(1), weights_2=np.zeros(1)),
    "huge shape": lambda path: write_header(path, npy_header(b"\x01\x00", "(10**15,)")),
    "huge number": lambda path: write_header(path, npy_header(b"\x01\x00", "(999999999999999,)")),
    "long header": lambda path: write_header(path, npy_header(b"\x02\x00", "(1,)", 2**32 - 1)),
    "bomb": write_bomb,
    "damaged": write_damaged,
    "not a number": write_nan,
}


@pytest.mark.parametrize("kind", BROKEN)
def test_load_refuses_a_broken_npz_file(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(WEIGHTS_BYTES.variable, "1000000")  # so that a bomb can be small
    path = tmp_path / "weights.npz"
    BROKEN[kind](path)
    with pytest.raises(RecipeError):
        load(str(path), network())


def rewritten(path: Path, change: Callable[[Any, Any], None]) -> None:
    """Change the configuration and the weights in a `.keras` file."""
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    config, stream = json.loads(contents["config.json"]), io.BytesIO(contents["model.weights.h5"])
    with h5py.File(stream, "r+") as weights:
        change(config, weights)
    contents |= {"config.json": json.dumps(config).encode(), "model.weights.h5": stream.getvalue()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)


def without_kernel(_config: Any, weights: Any) -> None:
    del weights["layers/conv2d/vars/0"]


def with_huge_kernel(_config: Any, weights: Any) -> None:
    del weights["layers/conv2d/vars/0"]
    weights["layers/conv2d/vars"].create_dataset("0", (10**6, 10**6), np.float32, chunks=True)


def without_layers(config: Any, _weights: Any) -> None:
    config["config"] = {}


@pytest.mark.parametrize("change", [without_kernel, with_huge_kernel, without_layers])
def test_load_refuses_a_broken_keras_file(keras_file: Path, change: Any) -> None:
    rewritten(keras_file, change)
    with pytest.raises(RecipeError):
        load(str(keras_file), network())


def test_load_reads_keras_files_without_running_them(keras_file: Path) -> None:
    def with_code(config: Any, _weights: Any) -> None:
        config["config"]["layers"].append(
            {"class_name": "Lambda", "module": "builtins", "config": {"name": "exit"}}
        )

    rewritten(keras_file, with_code)
    assert load(str(keras_file), network()).layers


def test_save_refuses_weights_beyond_float16(tmp_path: Path) -> None:
    model = network()
    model.set_weights([weight * 1e6 for weight in model.get_weights()])
    with pytest.raises(UsageError):
        save(model, tmp_path / "weights.npz")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in place of the package's."""
    monkeypatch.setattr(initial_weights, "FOLDER", tmp_path)
    return tmp_path


def test_package_weights_are_chosen_by_the_blocks(package: Path) -> None:
    wide = {**BLOCKS, "model.width": 2}
    for name, edits in (("narrow", BLOCKS), ("wide", wide)):
        kept_at(package / f"cifar10-{name}.npz", network(edits))
    assert in_package() == ("narrow", "wide")
    for edits in (BLOCKS, wide):
        model = network(edits, seed=5)
        put(load("cifar10", model), model)
        expected = features(network(edits), images())
        np.testing.assert_allclose(features(model, images()), expected, rtol=0.01)


def test_package_weights_must_fit(package: Path) -> None:
    with pytest.raises(RecipeError):
        load("cifar10", network())
    kept_at(package / "cifar10-narrow.npz")
    with pytest.raises(RecipeError) as caught:
        load("cifar10", network({**BLOCKS, "model.width": 2}))
    assert "narrow" in str(caught.value.fix)


def test_order_of_layers_stays_that_of_stored_weights() -> None:
    """A batch normalization of a shortcut has the same shapes as the one that it is added to."""
    model = build(Recipe().with_(model="resnet8").model, (32, 32, 3), 10)
    kernels = [
        layer.input._keras_history.operation.kernel_size[0]
        for layer in model.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert kernels == [3, 3, 3, 3, 3, 1, 3, 3, 1]


def test_package_holds_the_weights_that_it_describes() -> None:
    files = list(initial_weights.FOLDER.iterdir())
    assert sum(path.stat().st_size for path in files) <= 2**20
    assert set(WITH_CIFAR10_WEIGHTS) <= set(in_package())
    for path in initial_weights.FOLDER.glob("*.npz"):
        about = tomllib.loads(path.with_suffix(".toml").read_text())
        model = build(Recipe.make(about["recipe"]).model, (32, 32, 3), len(about["classes"]))
        assert load("cifar10", model).digest == about["digest"]
