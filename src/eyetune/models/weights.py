"""Weights of pre-trained networks: found or downloaded, read from the usual kinds of files, checked
layer by layer.

Nothing in a file is run: HDF5 and NumPy files are read as plain arrays, and a `.keras` file in
Keras's safe mode.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eyetune.errors import RecipeError
from eyetune.models.transfer import BACKBONES, backbone_of, build_backbone
from eyetune.recipe import ModelSection

if TYPE_CHECKING:
    import keras

IMAGENET, RANDOM = "imagenet", "random"
DOWNLOAD_TIMEOUT_SECONDS = 30.0
SMALLEST = (
    32,
    32,
    3,
)  # shapes of weights do not hang on the images: the smallest network is built soonest
KINDS = ".weights.h5, .h5, .keras or .npz"

Arrays = tuple[NDArray[Any], ...]


@dataclass(frozen=True)
class Weights:
    """The weights of a base.

    Attributes:
        layers: Arrays of each layer that has any, in the order of the base and of Keras's
            `layer.weights`.
        digest: The same for the same weights only: sixteen hexadecimal digits.
    """

    layers: tuple[Arrays, ...]
    digest: str


def load(section: ModelSection) -> Weights | None:
    """Return the weights that a recipe's base begins with; None for random ones.

    They are downloaded once by Keras, which keeps them in its folder, and read once by a process.

    Args:
        section: The recipe's model section, with a base.

    Raises:
        RecipeError: They are not there, cannot be downloaded or read, or are of another network.
    """
    if section.weights == RANDOM:
        return None
    if section.weights == IMAGENET:
        return _read(section.base, IMAGENET, ())
    path = Path(section.weights).expanduser()
    try:
        state = path.stat()
    except OSError as error:
        raise RecipeError(
            f"The weights {path} for {section.base} cannot be read.",
            expected=f"imagenet, random, or the path of a {KINDS} file",
            received=error.strerror or error,
            fix="Name another file with --set model.weights=FILE.",
        ) from None
    return _read(section.base, str(path.resolve()), (state.st_size, state.st_mtime_ns))


def put(weights: Weights, network: keras.Model) -> None:
    """Put weights into the base of a network from `transfer.build`."""
    for layer, values in zip(_weighted(backbone_of(network)), weights.layers, strict=True):
        layer.set_weights(values)
        resolve_shapes(layer)


def current(network: keras.Model) -> Weights:
    """Return the current weights of a network's backbone."""
    return _weights(tuple(layer.get_weights()) for layer in _weighted(backbone_of(network)))


def resolve_shapes(layer: Any) -> None:
    """Let a layer that computes values from its weights do so anew: Keras's Normalization, after an
    assignment.
    """
    if hasattr(layer, "finalize_state"):
        layer.finalize_state()


def _weighted(base: keras.Model) -> list[Any]:
    return [layer for layer in base.layers if layer.weights]


def _weights(layers: Iterable[Arrays]) -> Weights:
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
        return _weights(tuple(layer.get_weights()) for layer in _weighted(_download(base)))
    path, expected = Path(source), _weighted(build_backbone(base, SMALLEST))
    try:
        found = _reader(path)(path, expected)
    except RecipeError:
        raise
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise RecipeError(
            f"The weights {path} for {base} cannot be read.",
            expected=f"a {KINDS} file",
            received=f"{type(error).__name__}: {str(error)[:200]}",
            fix="Get the file again, or name another one with --set model.weights=FILE.",
        ) from None
    return _weights(_fitting(layer, found, path, base) for layer in expected)


def _fitting(layer: Any, found: Mapping[str, Arrays], path: Path, base: str) -> Arrays:
    """Return a layer's arrays from what a file holds, if they are of its shapes."""
    name, shapes = _key(layer.name), [tuple(weight.shape) for weight in layer.weights]
    values = found.get(name)
    received = None if values is None else [value.shape for value in values]
    if values is None or received != shapes:
        wrong = "is not there" if values is None else "differs"
        raise RecipeError(
            f"The weights {path} do not fit {base}: its layer {name} {wrong}.",
            expected=f"{name}: {_shown(shapes)}",
            received=f"layers {', '.join(list(found)[:8])}, ..."
            if received is None
            else f"{name}: {_shown(received)}",
            fix=f"Name a file with weights of {base}, for example {BACKBONES[base].file}.",
        )
    return values


def _shown(shapes: list[tuple[int, ...]]) -> str:
    return ", ".join("x".join(map(str, shape)) or "one number" for shape in shapes)


def _key(name: str) -> str:
    """Return a layer's name without the number that Keras gives the second normalization of a
    process.
    """
    return re.sub(r"^normalization_\d+$", "normalization", name)


def _reader(path: Path) -> Callable[[Path, list[Any]], dict[str, Arrays]]:
    if path.suffix == ".npz":
        return _from_npz
    return _from_keras if path.suffix == ".keras" else _from_hdf5


def _from_npz(path: Path, expected: list[Any]) -> dict[str, Arrays]:
    """Read arrays named LAYER/WEIGHT, for example block1_conv1/kernel."""
    with np.load(path, allow_pickle=False) as stored:
        names = {_key(layer.name): [weight.name for weight in layer.weights] for layer in expected}
        there = {name.partition("/")[0] for name in stored}
        return {
            layer: tuple(
                stored[f"{layer}/{weight}"] for weight in weights if f"{layer}/{weight}" in stored
            )
            for layer, weights in names.items()
            if layer in there
        }


def _from_keras(path: Path, _expected: list[Any]) -> dict[str, Arrays]:
    """Read a whole network, of which the base may be a part."""
    import keras

    network = keras.saving.load_model(path, compile=False, safe_mode=True)
    return {_key(layer.name): tuple(layer.get_weights()) for layer in _leaves(network)}


def _leaves(network: keras.Model) -> Iterator[Any]:
    import keras

    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from _leaves(layer)
        elif layer.weights:
            yield layer


def _from_hdf5(path: Path, expected: list[Any]) -> dict[str, Arrays]:
    import h5py  # comes with Keras

    with h5py.File(path, "r") as stored:
        if (
            "layer_names" in stored.attrs
            or "layer_names0" in stored.attrs
            or "model_weights" in stored
        ):
            return _from_legacy(stored.get("model_weights", stored), expected)
        return _from_groups(stored)


def _from_legacy(stored: Any, expected: list[Any]) -> dict[str, Arrays]:
    """Read the older format, in which Keras's own ImageNet weights are; it goes by order where
    names differ.
    """
    found = {}
    for layer in _attributes(stored, "layer_names"):
        values = tuple(
            stored[layer][weight][()] for weight in _attributes(stored[layer], "weight_names")
        )
        if values:
            found[_key(layer)] = values
    names = [_key(layer.name) for layer in expected]
    if len(found) == len(names) and set(found) != set(names):
        return dict(zip(names, found.values(), strict=True))
    return found


def _attributes(group: Any, name: str) -> list[str]:
    """Return a list of names, which HDF5 holds in several pieces where it is long."""
    pieces = (
        [name] if name in group.attrs else [f"{name}{number}" for number in range(len(group.attrs))]
    )
    words = [word for piece in pieces if piece in group.attrs for word in group.attrs[piece]]
    return [word.decode() if isinstance(word, bytes) else str(word) for word in words]


def _from_groups(stored: Any) -> dict[str, Arrays]:
    """Read Keras 3's format: beside the arrays 0, 1, ... of a layer stands its name."""
    found: dict[str, Arrays] = {}

    def visit(_path: str, group: Any) -> None:
        name = group.attrs.get("name")
        if name is not None and len(group):
            found[_key(str(name))] = tuple(group[str(place)][()] for place in range(len(group)))

    stored.visititems(visit)
    return found


def _download(base: str) -> keras.Model:
    """Let Keras find or download its ImageNet weights; where it cannot, say which file belongs
    where.
    """
    import keras

    application = getattr(keras.applications, BACKBONES[base].application)
    try:
        with _impatient(), redirect_stdout(sys.stderr):  # standard output is for results
            # Keras has MobileNets for several sizes of images: this is the one that all have in
            # common.
            return application(include_top=False, weights="imagenet", input_shape=(224, 224, 3))
    except Exception as error:  # Keras raises a bare Exception where a download fails
        folder = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "models"
        name = BACKBONES[base].file
        raise RecipeError(
            f"The ImageNet weights of {base} are not on this machine and could not be downloaded.",
            expected=f"{folder / name}, or a connection",
            received=f"Keras's downloader: {' '.join(str(error).split())[:200]}",
            fix=f"Get {name} from that address on another machine and put it into {folder}; or name another file with "
            "--set model.weights=FILE.",
        ) from None


@contextmanager
def _impatient() -> Iterator[None]:
    import socket

    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_TIMEOUT_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
