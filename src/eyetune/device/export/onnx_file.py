"""Write a network as an ONNX file, through Keras and tf2onnx.

See https://keras.io/api/models/model_saving_apis/export/. tf2onnx is an optional dependency.
"""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING

from eyetune._stderr import silenced
from eyetune.errors import BoardError, UsageError

if TYPE_CHECKING:
    import keras

_PACKAGES = ("tf2onnx", "onnx")
_MAX_SHOWN = 300  # characters of the converter's message in an error


def check_onnx() -> None:
    """Check that the packages that write ONNX files are installed.

    Raises:
        UsageError: One is missing.
    """
    missing = [name for name in _PACKAGES if util.find_spec(name) is None]
    if missing:
        raise UsageError(
            "The packages that write ONNX files are not installed.",
            expected=" and ".join(_PACKAGES),
            received=f"no {' and no '.join(missing)}",
            fix="pip install 'eyetune[onnx]'",
        )


def write_onnx(model: keras.Model, path: Path) -> None:
    """Write a Keras model as an ONNX file, for batches of any size.

    Args:
        model: A trained model from float images, 0 to 1, to probabilities.
        path: The file.

    Raises:
        UsageError: tf2onnx or onnx is not installed.
        BoardError: The network has a layer that cannot be converted.
    """
    check_onnx()
    import keras

    # The fixed names of input and network make the file reproducible.
    image = keras.Input(tuple(model.input_shape[1:]), name="image")
    network = keras.Model(image, model(image), name="network")
    network(keras.ops.zeros((1, *model.input_shape[1:])))  # Keras exports only what was called
    with silenced(), redirect_stdout(io.StringIO()):
        try:
            network.export(str(path), format="onnx", verbose=False)
        except Exception as error:  # tf2onnx raises many types for layers that it does not support
            message = " ".join(str(error).split())[:_MAX_SHOWN]
            raise BoardError(
                "Cannot convert the network to ONNX.",
                received=f"{type(error).__name__}: {message}",
                fix="Export it with --format keras or --format tflite.",
            ) from None
