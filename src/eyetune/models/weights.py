"""Weights of pre-trained networks: download them or read them from files, and check each layer.

Code in a file is never run: HDF5 and NumPy files are read as plain arrays, and `.keras` files in
Keras's safe mode.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eyetune.errors import RecipeError
from eyetune.inputs.damage import explaining_damage
from eyetune.inputs.hdf5_file import open_hdf5
from eyetune.inputs.limits import WEIGHTS_BYTES
from eyetune.inputs.npz_file import read_arrays
from eyetune.inputs.regular_file import check_file
from eyetune.inputs.zip_file import check_zip
from eyetune.models.transfer import BACKBONES, backbone_of, build_backbone
from eyetune.recipe import ModelSection

if TYPE_CHECKING:
    import keras

IMAGENET, RANDOM = "imagenet", "random"
DOWNLOAD_TIMEOUT_SECONDS = 30.0
# The shapes of weights do not depend on the images, and a small network is built faster.
SMALLEST_IMAGES = (32, 32, 3)
EXTENSIONS = ".weights.h5, .h5, .keras or .npz"

Arrays = tuple[NDArray[Any], ...]


@dataclass(frozen=True)
class _Layer:
    """A layer of a backbone: its name, and the shapes of its weights by their names."""

    name: str
    shapes: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Weights:
    """The weights of a backbone, or of a network without its dense layers.

    Attributes:
        layers: Arrays of each layer with weights, in the order of the network's layers and of
            Keras's `layer.weights`.
        digest: Hash of all arrays, sixteen hexadecimal digits.
    """

    layers: tuple[Arrays, ...]
    digest: str


def load(section: ModelSection) -> Weights | None:
    """Return the initial weights of a recipe's backbone; None for random ones.

    Keras downloads them once and keeps them in its folder. A process reads them once.

    Args:
        section: The recipe's model section, with a base.

    Raises:
        RecipeError: They are missing, cannot be downloaded or read, or belong to another network.
    """
    if section.weights == RANDOM:
        return None
    if section.weights == IMAGENET:
        return _read(section.base, IMAGENET, ())
    path = Path(section.weights).expanduser()
    try:
        check_file(path)
        state = path.stat()
    except (OSError, ValueError) as error:
        raise RecipeError(
            f"The weights {path} for {section.base} cannot be read.",
            expected=f"imagenet, random, or the path of a {EXTENSIONS} file",
            received=getattr(error, "strerror", None) or error,
            fix="Use another file: --set model.weights=FILE.",
        ) from None
    return _read(section.base, str(path.resolve()), (state.st_size, state.st_mtime_ns))


def put(weights: Weights, network: keras.Model) -> None:
    """Set the weights of the backbone in a network from `transfer.build`."""
    for layer, values in zip(_weighted(backbone_of(network)), weights.layers, strict=True):
        layer.set_weights(values)
        _finalize_state(layer)


def current(network: keras.Model) -> Weights:
    """Return the current weights of a network's backbone."""
    return as_weights(tuple(layer.get_weights()) for layer in _weighted(backbone_of(network)))


def _finalize_state(layer: Any) -> None:
    """Update what Keras's Normalization computes from its weights, after these were set."""
    if hasattr(layer, "finalize_state"):
        layer.finalize_state()


def _weighted(base: keras.Model) -> list[Any]:
    return [layer for layer in base.layers if layer.weights]


def as_weights(layers: Iterable[Arrays]) -> Weights:
    """Return the arrays of layers as float32, with their hash."""
    kept = tuple(tuple(np.asarray(value, np.float32) for value in values) for values in layers)
    digest = hashlib.sha256()
    for values in kept:
        for value in values:
            digest.update(str(value.shape).encode())
            digest.update(np.ascontiguousarray(value).data)
    return Weights(kept, digest.hexdigest()[:16])


@lru_cache(maxsize=1)
def _read(base: str, source: str, _state: tuple[int, ...]) -> Weights:
    if source == IMAGENET:
        return as_weights(tuple(layer.get_weights()) for layer in _weighted(_download(base)))
    path, expected = Path(source), _layers(base)

    def damaged(reason: str) -> RecipeError:
        return RecipeError(
            f"The weights {path} for {base} cannot be read.",
            expected=f"a {EXTENSIONS} file",
            received=reason,
            fix="Download the file again, or use another one: --set model.weights=FILE.",
        )

    with explaining_damage(damaged):
        stored = _reader(path)(path, expected)
    return as_weights(_fitting(layer, stored, path, base) for layer in expected)


@lru_cache(maxsize=1)
def _layers(base: str) -> tuple[_Layer, ...]:
    """Return the layers of a backbone that have weights."""
    return tuple(
        _Layer(_key(layer.name), {weight.name: tuple(weight.shape) for weight in layer.weights})
        for layer in _weighted(build_backbone(base, SMALLEST_IMAGES))
    )


def _fitting(layer: _Layer, stored: Mapping[str, Arrays], path: Path, base: str) -> Arrays:
    """Return a layer's arrays from the content of a file, if they have its shapes."""
    name, shapes = layer.name, list(layer.shapes.values())
    values = stored.get(name)
    if values is None:
        problem = "is missing"
        received = f"layers {', '.join(list(stored)[:8])}, ..."
    elif [value.shape for value in values] != shapes:
        problem = "has other shapes"
        received = f"{name}: {_shown([value.shape for value in values])}"
    else:
        return values
    raise RecipeError(
        f"The weights {path} do not fit {base}: its layer {name} {problem}.",
        expected=f"{name}: {_shown(shapes)}",
        received=received,
        fix=f"Use a file with weights of {base}, for example {BACKBONES[base].file}.",
    )


def _shown(shapes: list[tuple[int, ...]]) -> str:
    return ", ".join("x".join(map(str, shape)) or "one number" for shape in shapes)


def _key(name: str) -> str:
    """Return a layer's name without the number that Keras adds to later ones in a process."""
    return re.sub(r"^normalization_\d+$", "normalization", name)


def _reader(path: Path) -> Callable[[Path, Sequence[_Layer]], dict[str, Arrays]]:
    if path.suffix == ".npz":
        return _from_npz
    return _from_keras if path.suffix == ".keras" else _from_hdf5


def _from_npz(path: Path, expected: Sequence[_Layer]) -> dict[str, Arrays]:
    """Read arrays named LAYER/WEIGHT, for example block1_conv1/kernel."""
    stored = read_arrays(path)
    layers = {name.partition("/")[0] for name in stored}
    return {
        layer.name: tuple(
            stored[f"{layer.name}/{weight}"]
            for weight in layer.shapes
            if f"{layer.name}/{weight}" in stored
        )
        for layer in expected
        if layer.name in layers
    }


def _from_keras(path: Path, _expected: Sequence[_Layer]) -> dict[str, Arrays]:
    """Read a whole network, of which the backbone may be a part."""
    import keras

    check_zip(path, WEIGHTS_BYTES)
    network = keras.saving.load_model(path, compile=False, safe_mode=True)
    return {_key(layer.name): tuple(layer.get_weights()) for layer in _leaves(network)}


def _leaves(network: keras.Model) -> Iterator[Any]:
    import keras

    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from _leaves(layer)
        elif layer.weights:
            yield layer


def _from_hdf5(path: Path, expected: Sequence[_Layer]) -> dict[str, Arrays]:
    with open_hdf5(path) as stored:
        if (
            "layer_names" in stored.attrs
            or "layer_names0" in stored.attrs
            or "model_weights" in stored
        ):
            return _from_legacy(stored.get("model_weights", stored), expected)
        return _from_groups(stored)


def _from_legacy(stored: Any, expected: Sequence[_Layer]) -> dict[str, Arrays]:
    """Read the older format of Keras's ImageNet weights; by order, if the names differ."""
    result = {}
    for layer in _attributes(stored, "layer_names"):
        values = tuple(
            stored[layer][weight][()] for weight in _attributes(stored[layer], "weight_names")
        )
        if values:
            result[_key(layer)] = values
    names = [layer.name for layer in expected]
    if len(result) == len(names) and set(result) != set(names):
        return dict(zip(names, result.values(), strict=True))
    return result


def _attributes(group: Any, name: str) -> list[str]:
    """Return a list of strings; HDF5 stores a long list in several numbered attributes."""
    keys = [name]
    if name not in group.attrs:
        keys = [f"{name}{index}" for index in range(len(group.attrs))]
    values = [value for key in keys for value in group.attrs.get(key, ())]
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values]


def _from_groups(stored: Any) -> dict[str, Arrays]:
    """Read Keras 3's format: groups with arrays 0, 1, ... and the name of the layer."""
    result: dict[str, Arrays] = {}
    paths: list[str] = []
    stored.visit(paths.append)  # h5py does not pass on what is raised while it visits
    for path in paths:
        group = stored[path]
        name = group.attrs.get("name")
        if name is not None and len(group):
            result[_key(str(name))] = tuple(group[str(index)][()] for index in range(len(group)))
    return result


def _download(base: str) -> keras.Model:
    """Return Keras's network with ImageNet weights, which Keras downloads if necessary."""
    import keras

    application = getattr(keras.applications, BACKBONES[base].application)
    try:
        with _download_timeout(), redirect_stdout(sys.stderr):  # standard output is for results
            # Keras has MobileNet weights for several image sizes. All backbones have this one.
            return application(include_top=False, weights="imagenet", input_shape=(224, 224, 3))
    except Exception as error:  # Keras raises a bare Exception if a download fails
        folder = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "models"
        name = BACKBONES[base].file
        raise RecipeError(
            f"The ImageNet weights of {base} are not on this machine and could not be downloaded.",
            expected=f"{folder / name}, or a connection",
            received=f"Keras's downloader: {' '.join(str(error).split())[:200]}",
            fix=(
                f"Download {name} from that address on another machine and put it into {folder}, "
                "or use another file: --set model.weights=FILE."
            ),
        ) from None


@contextmanager
def _download_timeout() -> Iterator[None]:
    import socket

    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_TIMEOUT_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
