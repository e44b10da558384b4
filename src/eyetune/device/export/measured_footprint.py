"""What a network needs of a board, from its conversion to int8 rather than from its layers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eyetune._scratch import scratch_folder
from eyetune.device.estimate.footprint import Footprint, footprint
from eyetune.device.estimate.keras_file import load_keras_file
from eyetune.device.estimate.operators import takes_other_memory
from eyetune.device.estimate.tflite import footprint_of, read
from eyetune.device.export import tflm
from eyetune.device.export.compact_file import compact
from eyetune.device.export.quantize import quantize
from eyetune.device.sandbox import client
from eyetune.errors import BoardError, EyetuneError, UsageError

if TYPE_CHECKING:
    import keras

_SMALLEST, _LARGEST = 0.001, 0.01  # what is added to weights that are all equal
_MAX_SECONDS = 300  # for loading TensorFlow and converting; some 10 on a laptop
_MAX_SHOWN = 200  # characters of a message in an error
_NAMED, _COMPACT, _ERROR = "with-names.tflite", "compact.tflite", "error.json"  # of the child
_CHILD = """
import sys
from pathlib import Path
from eyetune.device.export.measured_footprint import write_conversion
path, folder, unsafe = sys.argv[1:]
write_conversion(Path(path), Path(folder), unsafe=bool(int(unsafe)))
"""


def measured_footprint(model: keras.Model) -> Footprint:
    """Convert a model to int8, and return what the result needs of a board.

    The ranges of values are measured on random inputs, which hardly changes the sizes. The file is
    as large as that of a trained network, whose biases are all different; the converter leaves out
    those that are zero, and stores equal ones once. The arena is measured in TensorFlow Lite Micro
    where that is available and can run a network with such weights, otherwise planned.

    Args:
        model: A built Keras model with one input of a known shape.

    Raises:
        UsageError: A board cannot use the converted model, for example since it has loops.
        BoardError: The model cannot be converted, or TensorFlow Lite Micro cannot run it.
    """
    return _needs_of(*_converted(model))


def _converted(model: Any) -> tuple[bytes, bytes]:
    """Return a model as an int8 .tflite file with names, and the compact one."""
    shape = _input_shape(model)
    inputs = np.random.default_rng(0).integers(0, 256, (2, *shape), np.uint8)
    with _distinct_weights(model):
        with_names = quantize(model, inputs, with_names=True)
    return with_names, compact(with_names)


def _needs_of(with_names: bytes, content: bytes) -> Footprint:
    file = read(with_names)
    graph = replace(file.graph, offsets=read(content).graph.offsets)
    needs = replace(footprint_of(replace(file, graph=graph)), flash_bytes=len(content))
    can_be_measured = tflm.is_available() and not file.has_zero_sum
    is_planned = not any(map(takes_other_memory, file.operators))
    if needs.unsupported or (is_planned and not can_be_measured):
        return needs
    return measured_in_sandbox(content, needs)


def measured_in_sandbox(content: bytes, needs: Footprint) -> Footprint:
    """Return what an int8 model needs, with the arena that TensorFlow Lite Micro takes.

    The interpreter runs in a process of its own, since the model may come from anywhere.

    Args:
        content: The content of a .tflite file.
        needs: The footprint of that file.

    Raises:
        BoardError: TensorFlow Lite Micro is not available here, cannot run the model, crashes, or
            exceeds a limit.
    """
    if not tflm.is_available():
        raise BoardError(
            "TensorFlow Lite Micro is not available for this computer.",
            expected="Linux on x86-64, for which tflite-micro has wheels",
        )
    shape = needs.graph.tensors[needs.graph.inputs[0]].shape
    image = np.zeros((1, *shape), np.uint8)
    arena = client.classify(content, image, ["micro"], arena_bytes=needs.arena_bytes).arena
    assert arena is not None
    return replace(
        needs,
        head_bytes=arena.head_bytes,
        tail_bytes=arena.tail_bytes,
        arena_is_measured=True,
    )


def _input_shape(model: Any) -> tuple[int, ...]:
    shapes = [tuple(tensor.shape[1:]) for tensor in model.inputs]
    if len(shapes) == 1 and all(shapes[0]):
        return shapes[0]
    raise BoardError(
        "Only a network with one input of a known shape can be converted.",
        expected="a keras.Input with all sizes, such as keras.Input((32, 32, 3))",
        received=f"{model.name} with inputs of shape {', '.join(map(str, shapes)) or 'none'}",
    )


@contextmanager
def _distinct_weights(model: Any) -> Iterator[None]:
    """Make weights that are all equal, such as biases before a training, differ for a while."""
    random = np.random.default_rng(1)
    weights = model.get_weights()
    trained = []
    for weight in weights:
        are_equal = weight.size and np.all(weight == weight.flat[0])
        added = random.uniform(_SMALLEST, _LARGEST, weight.shape) if are_equal else 0.0
        trained.append((weight + added).astype(weight.dtype))
    model.set_weights(trained)
    try:
        yield
    finally:
        model.set_weights(weights)


def measured_apart(model: keras.Model, *, unsafe: bool = False) -> Footprint:
    """Return `measured_footprint` of a model, converted in a process of its own.

    TensorFlow's converter ends the process for some layers, such as GRU.

    Args:
        model: A built Keras model.
        unsafe: Whether code inside the model, such as in Lambda layers, may run. Default: False.

    Raises:
        UsageError: A board cannot use the converted model, or another process cannot load it.
        BoardError: The model cannot be converted, or TensorFlow Lite Micro cannot run it.
    """
    return _needs_of(*_converted_apart(model, unsafe=unsafe))


def check_converts(model: keras.Model) -> None:
    """Refuse a network with which TensorFlow's converter would end this process.

    Networks of layers that are known take no time. Others are converted in another process first;
    one that cannot be loaded there, such as one with code of a user, is not refused.

    Args:
        model: A built Keras model.

    Raises:
        BoardError: It cannot be converted.
    """
    if footprint(model).unknown:
        with suppress(UsageError):
            _converted_apart(model, unsafe=False)


def _converted_apart(model: keras.Model, *, unsafe: bool) -> tuple[bytes, bytes]:
    """Return the same as `_converted`, from a process of its own."""
    with scratch_folder() as folder:
        try:
            model.save(folder / "model.keras")
        except Exception as error:  # layers of users can raise anything here
            raise _not_converted(f"{type(error).__name__}: {error}"[:_MAX_SHOWN]) from None
        arguments = [str(folder / "model.keras"), str(folder), str(int(unsafe))]
        # -P: no module of the current folder, which may be someone else's, is imported.
        command = [sys.executable, "-P", "-c", _CHILD, *arguments]
        try:
            done = subprocess.run(command, capture_output=True, check=False, timeout=_MAX_SECONDS)
        except subprocess.TimeoutExpired:
            raise _not_converted(f"no result within {_MAX_SECONDS} seconds") from None
        if (folder / _ERROR).exists():
            raise _error(json.loads((folder / _ERROR).read_text(encoding="utf-8")))
        if done.returncode or not (folder / _COMPACT).exists():
            raise _not_converted("TensorFlow's converter crashed")
        return (folder / _NAMED).read_bytes(), (folder / _COMPACT).read_bytes()


def write_conversion(path: Path, folder: Path, *, unsafe: bool) -> None:
    """Convert the model in a .keras file, and write the results or the error into a folder."""
    try:
        named, compacted = _converted(load_keras_file(path, unsafe=unsafe))
    except EyetuneError as error:
        values = {"is_usage": isinstance(error, UsageError), "message": error.message}
        text = json.dumps({**values, **error.details()})
        (folder / _ERROR).write_text(text, encoding="utf-8")
        return
    (folder / _NAMED).write_bytes(named)
    (folder / _COMPACT).write_bytes(compacted)


def _error(values: Mapping[str, Any]) -> EyetuneError:
    """Return the error that the child has written."""
    kind = UsageError if values["is_usage"] else BoardError
    details = {name: values.get(name) for name in ("expected", "received", "fix")}
    return kind(values["message"], **details)


def _not_converted(reason: str) -> BoardError:
    return BoardError(
        "Cannot convert the network to int8.",
        received=reason,
        fix="eyetune fit-check names the layers that are the reason.",
    )
