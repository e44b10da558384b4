"""Initial weights of a network of blocks: from the package, or from the file of a trained network.

What is compared and copied are the weights of all layers but the dense ones, which belong to the
classes: layers in the order of Keras's `network.layers`, the weights of a layer in the order of its
`layer.weights` (of a convolution kernel and bias; of a batch normalization gamma, beta, moving
mean and moving variance). Names do not matter, since Keras numbers them through a process, and the
size of the images does not matter to convolutions. An .npz file from `keep` also holds the weights
of the dense layers (`dense/0`, `dense/1`, ...): it is for a network of the same classes.

Code in a file is never run, and no more is read of it than the network has weights.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eyetune._files import replaced_file
from eyetune.errors import RecipeError, UsageError
from eyetune.inputs.hdf5_file import open_hdf5
from eyetune.inputs.limits import WEIGHTS_BYTES, fix_for
from eyetune.inputs.npz_file import read_header
from eyetune.inputs.zip_file import open_zip
from eyetune.models.weights import Weights, as_weights
from eyetune.recipe import CIFAR10_WEIGHTS

if TYPE_CHECKING:
    import keras

FOLDER = Path(__file__).with_name("pretrained")
FORMAT = "arrays weights/0, weights/1, ... of floating point"

Shape = tuple[int, ...]


@dataclass(frozen=True)
class _Stored:
    """An array in a file, of which only the shape has been read."""

    shape: Shape
    read: Callable[[], NDArray[Any]]


def in_package() -> tuple[str, ...]:
    """Return the names of the networks that the package has weights for."""
    return tuple(sorted(_package_files()))


def load(source: str, network: keras.Model) -> Weights:
    """Return initial weights that fit a network of blocks.

    The weights of a network for color images also fit the same network for gray ones: the first
    kernel is summed over the channels, which gives the same result as a gray image stored in color.

    Args:
        source: `cifar10`, for weights in the package, or the path of a .keras or .npz file.
        network: From `cnn.build`.

    Raises:
        RecipeError: The file cannot be read, or the weights do not fit.
    """
    layers = _layers(network)
    path = Path(source)
    if source == CIFAR10_WEIGHTS:
        path = _fitting_file(layers)
    with _opened(path, source) as (stored, num_dense):
        if num_dense:
            layers = [*layers, *_dense_layers(network)]
        expected = [tuple(weight.shape) for layer in layers for weight in layer.weights]
        different = _first_difference(expected, stored)
        if different is not None:
            raise _misfit(source, path, layers, stored, different)
        arrays = iter(
            [_as_shaped(item.read(), shape) for item, shape in zip(stored, expected, strict=True)]
        )
    weights = as_weights(tuple(next(arrays) for _ in layer.weights) for layer in layers)
    if not all(np.isfinite(value).all() for values in weights.layers for value in values):
        raise RecipeError(
            f"The initial weights {source} are damaged.",
            expected="finite numbers",
            received="NaN or infinity",
            fix="Use another file: --set model.initial_weights=FILE.",
        )
    return weights


def put(weights: Weights, network: keras.Model) -> None:
    """Set the weights of a network of blocks; those of its dense layers if they are there."""
    layers = _layers(network)
    if len(weights.layers) > len(layers):
        layers = [*layers, *_dense_layers(network)]
    for layer, values in zip(layers, weights.layers, strict=True):
        layer.set_weights(values)


def keep(network: keras.Model, folder: Path) -> Path:
    """Write all weights of a network, exactly, into a file that is named by their hash.

    Args:
        network: A network of blocks.
        folder: The folder of the file; it is created.

    Returns:
        The path of the file, for `model.initial_weights` of a recipe with the same blocks, dense
        layers and classes.

    Raises:
        OSError: The file cannot be written.
    """
    groups = {"weights": _layers(network), "dense": _dense_layers(network)}
    kept = as_weights(tuple(layer.get_weights()) for layers in groups.values() for layer in layers)
    path = folder / f"{kept.digest}.npz"
    if path.exists():
        return path
    arrays = {
        f"{name}/{index}": value
        for name, layers in groups.items()
        for index, value in enumerate(value for layer in layers for value in layer.get_weights())
    }
    folder.mkdir(parents=True, exist_ok=True)
    with replaced_file(path) as unfinished, unfinished.open("wb") as stream:
        np.savez_compressed(stream, **arrays)
    return path


def save(network: keras.Model, path: Path) -> None:
    """Write the weights of a network, without its dense layers, as float16 into an .npz file.

    Args:
        network: A trained network of blocks.
        path: Path of the file, with the extension .npz.

    Raises:
        UsageError: A weight is outside the range of float16.
        OSError: The file cannot be written. A file that existed before is kept.
    """
    weights = [value for layer in _layers(network) for value in layer.get_weights()]
    with np.errstate(over="ignore"):
        arrays = {f"weights/{index}": np.float16(value) for index, value in enumerate(weights)}
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise UsageError(
            "The weights cannot be stored as float16.",
            expected=f"finite numbers of at most {np.finfo(np.float16).max:,.0f}",
            received=f"up to {max(np.abs(value).max() for value in weights):g}",
        )
    with replaced_file(path) as unfinished, unfinished.open("wb") as stream:
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]


def _layers(network: keras.Model) -> list[Any]:
    return [layer for layer in network.layers if layer.weights and not _is_dense(layer)]


def _dense_layers(network: keras.Model) -> list[Any]:
    return [layer for layer in network.layers if _is_dense(layer)]


def _is_dense(layer: Any) -> bool:
    import keras

    return isinstance(layer, keras.layers.Dense)


def _package_files() -> dict[str, Path]:
    prefix = f"{CIFAR10_WEIGHTS}-"
    return {path.stem.removeprefix(prefix): path for path in FOLDER.glob(f"{prefix}*.npz")}


def _fitting_file(layers: Sequence[Any]) -> Path:
    """Return the package's weights that fit some layers, or else those that fit the most."""
    expected = [tuple(weight.shape) for layer in layers for weight in layer.weights]
    closest: tuple[float, Path] | None = None
    for _, path in sorted(_package_files().items()):
        with _opened(path, CIFAR10_WEIGHTS) as (stored, _):
            different = _first_difference(expected, stored)
        num_fitting = np.inf if different is None else different
        if closest is None or num_fitting > closest[0]:
            closest = num_fitting, path
    if closest is None:
        raise RecipeError(
            "This installation of eyetune has no weights of small networks.",
            expected=f"{FOLDER / CIFAR10_WEIGHTS}-*.npz",
            fix="Install eyetune again, or use a file: --set model.initial_weights=FILE.",
        )
    return closest[1]


@contextmanager
def _opened(path: Path, source: str) -> Iterator[tuple[Sequence[_Stored], int]]:
    """Yield the arrays in a file, not read yet, and how many of them belong to dense layers.

    Raises:
        RecipeError: The file cannot be read, here or by the caller.
    """
    try:
        with open_zip(path.expanduser(), WEIGHTS_BYTES) as archive, ExitStack() as stack:
            if path.suffix == ".keras":
                yield _in_keras(archive, stack), 0
            else:
                dense = _in_npz(archive, "dense")
                yield [*_in_npz(archive, "weights"), *dense], len(dense)
    except RecipeError:
        raise
    # Damaged zip, NumPy, JSON and HDF5 files raise over a dozen types of errors.
    except Exception as error:
        received = f"{type(error).__name__}: {str(error)[:200]}"
        if isinstance(error, OSError) and error.strerror:
            received = f"{path}: {error.strerror}"
        raise RecipeError(
            f"The initial weights {source} cannot be read.",
            expected=(
                f"{CIFAR10_WEIGHTS}, the .keras file of a trained network, or an .npz file with "
                f"{FORMAT}"
            ),
            received=received,
            fix=fix_for(error, "Use another file: --set model.initial_weights=FILE."),
        ) from None


def _in_npz(archive: zipfile.ZipFile, group: str) -> list[_Stored]:
    names = [name for name in archive.namelist() if name.startswith(f"{group}/")]
    if group == "weights" and not names:
        raise ValueError(f"no {FORMAT}")
    return [_in_npy(archive, f"{group}/{index}.npy") for index in range(len(names))]


def _in_npy(archive: zipfile.ZipFile, name: str) -> _Stored:
    shape, dtype = read_header(archive, archive.getinfo(name))
    _check_floating_point(name, dtype)

    def read() -> NDArray[Any]:
        with archive.open(name) as stream:
            values: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
            return values

    return _Stored(shape, read)


def _in_keras(archive: zipfile.ZipFile, stack: ExitStack) -> list[_Stored]:
    """Return the weights of a `.keras` file, whose layers are neither built nor run.

    Args:
        archive: The file.
        stack: Closes what the weights are read from.
    """
    file = stack.enter_context(open_hdf5(archive.read("model.weights.h5")))
    groups: dict[str, Any] = {}
    paths: list[str] = []
    file.visit(paths.append)  # h5py does not pass on what is raised while it visits
    for path in paths:
        attributes = file[path].attrs
        if "name" in attributes:
            groups.setdefault(str(attributes["name"]), file[path])
    arrays = []
    for layer in _layer_names(json.loads(archive.read("config.json"))):
        for index in range(len(groups.get(layer, ()))):
            array = groups[layer][str(index)]
            _check_floating_point(f"{layer}/{index}", array.dtype)
            arrays.append(_Stored(tuple(array.shape), partial(array.__getitem__, ())))
    return arrays


def _layer_names(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of a network's layers in order, those of parts included, without Dense."""
    for layer in config["config"]["layers"]:
        if "layers" in layer["config"]:
            yield from _layer_names(layer)
        elif layer["class_name"] != "Dense":
            yield layer["config"]["name"]


def _check_floating_point(name: str, dtype: np.dtype[Any]) -> None:
    if dtype.kind != "f":
        raise ValueError(f"{name} is of type {dtype}")


def _first_difference(expected: Sequence[Shape], stored: Sequence[_Stored]) -> int | None:
    """Return the index of the first array that does not fit; None if all do."""
    given = [item.shape for item in stored]
    for index, (wanted, shape) in enumerate(zip_longest(expected, given)):
        is_fit = shape == wanted or (index == 0 and shape == _in_color(wanted))
        if not is_fit:
            return index
    return None


def _in_color(shape: Shape | None) -> Shape | None:
    """Return the shape of a first kernel for gray images if it were for color images."""
    if shape is None or len(shape) != 4 or shape[2] != 1:
        return None
    height, width, _, filters = shape
    return height, width, 3, filters


def _as_shaped(values: NDArray[Any], shape: Shape) -> NDArray[np.float32]:
    """Return an array as float32, summed over the color channels if it is for one channel."""
    values = np.asarray(values, np.float32)
    if values.shape == shape:
        return values
    return np.asarray(values.sum(axis=2, keepdims=True), np.float32)


def _misfit(
    source: str, path: Path, layers: Sequence[Any], stored: Sequence[_Stored], index: int
) -> RecipeError:
    """Return the error that names the first weights that do not fit."""
    names = [
        (f"{weight.name} of layer {number} ({type(layer).__name__})", tuple(weight.shape))
        for number, layer in enumerate(layers, start=1)
        for weight in layer.weights
    ]
    message = f"The initial weights {source} are those of a larger network."
    expected, received = f"{len(names)} arrays of weights", f"{len(stored)} arrays of weights"
    if index < len(names):
        name, shape = names[index]
        message = f"The initial weights {source} do not fit the network at the {name}."
        expected = _shown(shape)
    if index < min(len(names), len(stored)):
        received = f"{_shown(stored[index].shape)} in {path.name}"
    fix = "Use the weights of a network with the same blocks"
    if in_package():
        fix += f" (in the package: those of {', '.join(in_package())})"
    return RecipeError(
        message,
        expected=expected,
        received=received,
        fix=f"{fix}, or random weights: --set model.initial_weights=",
    )


def _shown(shape: Shape) -> str:
    return "x".join(map(str, shape)) or "one number"
