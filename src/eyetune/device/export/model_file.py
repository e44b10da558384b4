"""A network in a .keras or .tflite file from anywhere, as a function of images.

How a network expects its pixels is not stored in a file. It is inferred: from the scale of a
quantized input, or from a layer that divides by 255; `pixels` replaces the guess.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eyetune.device.estimate.keras_file import check_keras_file, load_keras_file
from eyetune.device.estimate.tflite import Port, read
from eyetune.device.estimate.tflite_schema import IDENTIFIER
from eyetune.device.export.int8_ports import with_int8_ports
from eyetune.device.export.int8_values import Images, OnImage, no_progress, pixels_of_port
from eyetune.device.export.litert import version
from eyetune.device.sandbox import client
from eyetune.errors import UsageError
from eyetune.inputs.limits import WEIGHTS_BYTES, fix_for
from eyetune.inputs.regular_file import open_file, read_bytes
from eyetune.values.pixels import PixelRange, Pixels, scaled_pixels
from eyetune.values.versions import library_versions

Floats = NDArray[np.float32]
SUFFIXES = (".keras", ".tflite")

_BATCH_SIZE = 128
_MAX_DIVISOR_SCALE = 0.1  # of a Rescaling layer that takes 0 to 255: 1/255 or 1/127.5
_MAX_SUM_ERROR = 0.06  # of probabilities
_ROUNDING = 1 / 256  # of each probability in int8


@dataclass(frozen=True)
class ModelFile:
    """A network from a file.

    Attributes:
        path: The file.
        input_shape: Height and width in pixels, and channels.
        num_classes: Number of classes.
        pixels: The range of pixels that the network is given: "0-1", "0-255" or "-1-1".
        dtype: Type of its input, for example "float32" or "int8".
        interpreter: Name and version of what computes it.
        outputs: Returns its outputs as real numbers, shape (N, outputs), for images: uint8 of shape
            (N, height, width, channels), and a function that gets the number of images so far.
        keras_model: The Keras model; None for a .tflite file.
        output_dtype: Type of its output.
        content: The content of a .tflite file as firmware holds it, with int8 ports if it is an
            int8 network; None for a Keras model.
    """

    path: Path
    input_shape: tuple[int, int, int]
    num_classes: int
    pixels: PixelRange
    dtype: str
    interpreter: str
    outputs: Callable[[Images, OnImage], Floats]
    keras_model: Any = None
    output_dtype: str = "float32"
    content: bytes | None = None

    def probabilities(self, images: Images, on_image: OnImage = no_progress) -> Floats:
        """Return the class probabilities of images, float32 of shape (N, number of classes).

        Outputs that are not probabilities count as logits. A single output is the probability of
        the second of two classes.

        Args:
            images: Pixels, uint8 of shape (N, height, width, channels), 0 to 255.
            on_image: Called with the number of images so far.
        """
        rounding = _ROUNDING if self.keras_model is None else 0.0
        return as_probabilities(self.outputs(images, on_image), rounding)


def as_probabilities(outputs: Floats, rounding: float = 0.0) -> Floats:
    """Return the outputs of a network as probabilities.

    Args:
        outputs: Shape (N, outputs).
        rounding: The largest error of each probability.

    Example:
        >>> as_probabilities(np.array([[0.2, 0.8]], np.float32)).tolist() == [[
        ...     float(np.float32(0.2)), float(np.float32(0.8))]]
        True
        >>> as_probabilities(np.array([[0.0, 0.0], [5.0, 5.0]], np.float32)).tolist()
        [[0.5, 0.5], [0.5, 0.5]]
        >>> as_probabilities(np.array([[0.25]], np.float32)).tolist()
        [[0.75, 0.25]]
    """
    if outputs.shape[1] == 1:
        second = outputs if are_probabilities(outputs, rounding) else 1 / (1 + np.exp(-outputs))
        return np.asarray(np.concatenate([1 - second, second], axis=1), np.float32)
    if are_probabilities(outputs, rounding):
        sums = outputs.sum(axis=1, keepdims=True)
        equal = np.full(outputs.shape, 1 / outputs.shape[1], np.float32)  # if all round to 0
        return np.asarray(np.divide(outputs, sums, out=equal, where=sums > 0), np.float32)
    powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def are_probabilities(outputs: Floats, rounding: float = 0.0) -> bool:
    """Return whether outputs of a network can be probabilities; otherwise they are logits.

    Args:
        outputs: Shape (N, outputs). A single output can be the probability of one of two classes.
        rounding: The largest error of each probability. Those of many classes can all round to 0.

    Example:
        >>> are_probabilities(np.array([[0.2, 0.8]])), are_probabilities(np.array([[0.2, 0.7]]))
        (True, False)
    """
    if outputs.min() < 0:
        return False
    if outputs.shape[1] == 1 or (rounding and outputs.max() > 1):
        return bool(outputs.max() <= 1)
    max_error = max(_MAX_SUM_ERROR, rounding * outputs.shape[1])
    return bool(np.abs(outputs.sum(axis=1) - 1).max() <= max_error)


def with_probabilities(model: Any, outputs: Floats) -> Any:
    """Return a Keras model that ends with a probability for each class, as firmware reads them.

    A softmax is added to logits. A single output, the probability of the second of two classes,
    becomes two outputs.

    Args:
        model: The model.
        outputs: Some of its outputs, shape (N, outputs).
    """
    import keras

    has_one, is_complete = outputs.shape[1] == 1, are_probabilities(outputs)
    if is_complete and not has_one:
        return model
    image = keras.Input(tuple(model.input_shape[1:]), name="image")
    values = model(image)
    if not is_complete:
        values = keras.layers.Activation("sigmoid" if has_one else "softmax")(values)
    if has_one:
        both = keras.layers.Dense(2, name="both_classes")
        values = both(values)
        both.set_weights([np.array([[-1.0, 1.0]]), np.array([1.0, 0.0])])
    return keras.Model(image, values, name="with_probabilities")


def is_model_file(name: str) -> bool:
    """Return whether an argument names a .keras or .tflite file."""
    return name.lower().endswith(SUFFIXES)


def check_model_file(path: Path) -> None:
    """Check that a file can be a network, without loading Keras.

    Raises:
        UsageError: It is missing, or of another type.
    """
    if path.suffix.lower() == ".keras":
        check_keras_file(path)
        return
    try:
        with open_file(path) as stream:
            start = stream.read(8)
    except OSError as error:
        raise UsageError(
            f"Cannot read {path}.",
            expected="a .keras or .tflite file",
            received=error.strerror or error,
        ) from None
    if start[4:8] != IDENTIFIER:
        raise UsageError(
            "This is not a .tflite file.",
            expected="a TensorFlow Lite model, with TFL3 at bytes 4 to 7",
            received=path,
            fix="Make one with eyetune export.",
        )


def open_model_file(path: Path, *, pixels: Pixels = "auto", unsafe: bool = False) -> ModelFile:
    """Return the network in a .keras or .tflite file.

    Args:
        path: The file.
        pixels: The range of pixels that it takes: "0-1", "0-255" or "-1-1". Default: inferred.
        unsafe: Whether code inside a .keras file may run. It can do anything that you can.

    Raises:
        UsageError: The file cannot be loaded, or is no classifier of images.
    """
    check_model_file(path)
    if path.suffix.lower() == ".keras":
        return _keras_model(path, pixels, unsafe=unsafe)
    return _tflite_model(path, pixels)


def _keras_model(path: Path, pixels: Pixels, *, unsafe: bool) -> ModelFile:
    model = load_keras_file(path, unsafe=unsafe)
    input_shape, num_outputs = _checked_shapes(path, model.input_shape, model.output_shape)
    taken = _pixels_of_layers(model) if pixels == "auto" else pixels
    return ModelFile(
        path=path,
        input_shape=input_shape,
        num_classes=max(num_outputs, 2),
        pixels=taken,
        dtype="float32",
        interpreter=f"Keras {library_versions('keras')['keras']}",
        outputs=lambda images, on_image: _keras_outputs(model, images, taken, on_image),
        keras_model=model,
    )


def _keras_outputs(model: Any, images: Images, pixels: PixelRange, on_image: OnImage) -> Floats:
    """Return the outputs of a Keras model for images, in batches."""
    rows = []
    for start in range(0, len(images), _BATCH_SIZE):
        batch = images[start : start + _BATCH_SIZE]
        rows.append(np.asarray(model(scaled_pixels(batch, pixels), training=False), np.float32))
        on_image(start + len(batch))
    return np.concatenate(rows)


def _pixels_of_layers(model: Any) -> PixelRange:
    """Return the range of pixels that a Keras model takes: its first Rescaling layer decides."""
    for layer in _all_layers(model):
        if type(layer).__name__ == "Rescaling":
            return "0-255" if np.max(layer.scale) < _MAX_DIVISOR_SCALE else "0-1"
    return "0-1"


def _all_layers(model: Any) -> Iterator[Any]:
    """Yield the layers of a model, with those of the models in it."""
    for layer in model.layers:
        yield layer
        if hasattr(layer, "layers"):
            yield from _all_layers(layer)


def _tflite_model(path: Path, pixels: Pixels) -> ModelFile:
    content = _content(path)
    described = client.ports(content)
    inputs, outputs = described["inputs"], described["outputs"]
    shapes = [[tuple(port["shape"]) for port in ports] for ports in (inputs, outputs)]
    is_simple = len(inputs) == len(outputs) == 1
    given, returned = (shapes[0][0], shapes[1][0]) if is_simple else (shapes[0], shapes[1])
    input_shape, num_outputs = _checked_shapes(path, given, returned)
    dtype = inputs[0]["dtype"]
    in_firmware = with_int8_ports(content)
    if pixels == "auto":
        scale, zero_point = inputs[0]["scale"], inputs[0]["zero_point"]
        port = Port((), dtype, scale, zero_point)
        if in_firmware is not content:
            port = read(in_firmware).input
        pixels = pixels_of_port(port.scale, port.zero_point, port.dtype)
    if not inputs[0]["scale"] and np.issubdtype(dtype, np.integer) and pixels != "0-255":
        raise UsageError(
            f"What the numbers of the input of {path.name} mean is not known.",
            expected="numbers up to 255, or numbers with a scale",
            received=f"{dtype} without a scale, and --pixels {pixels}",
            fix="Leave --pixels out, or convert the network with a quantized input.",
        )
    taken = pixels
    return ModelFile(
        path=path,
        input_shape=input_shape,
        num_classes=max(num_outputs, 2),
        pixels=taken,
        dtype=dtype,
        interpreter=version(),
        outputs=lambda images, on_image: client.outputs(content, images, taken, on_image),
        output_dtype=outputs[0]["dtype"],
        content=in_firmware,
    )


def _content(path: Path) -> bytes:
    try:
        return read_bytes(path, WEIGHTS_BYTES)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"Cannot read {path}.",
            expected="a .tflite file",
            received=getattr(error, "strerror", None) or error,
            fix=fix_for(error),
        ) from None


def _checked_shapes(path: Path, given: Any, returned: Any) -> tuple[tuple[int, int, int], int]:
    """Return the shape of an image and the number of outputs.

    Raises:
        UsageError: The network has several inputs or outputs, or is no classifier of images.
    """
    is_image = isinstance(given, tuple) and len(given) == 4 and None not in given[1:]
    is_vector = isinstance(returned, tuple) and len(returned) == 2 and returned[1]
    if not is_image or not is_vector:
        raise UsageError(
            f"The network in {path.name} is no classifier of images.",
            expected="one input of shape (batch, height, width, channels) and one output of shape "
            "(batch, classes)",
            received=f"{given} and {returned}",
            fix="Save the part that classifies one image.",
        )
    height, width, channels = given[1:]
    return (int(height), int(width), int(channels)), int(returned[1])
