"""LiteRT, the interpreter inside TensorFlow, as a reference for TensorFlow Lite Micro.

The two do not agree bit for bit; see `verify`.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eyetune._stderr import silenced
from eyetune.device.estimate.tflite_parser import parse
from eyetune.device.export.int8_values import Images, OnImage, Scores, as_int8, no_progress
from eyetune.errors import BoardError, UsageError
from eyetune.values.pixels import PixelRange, scaled_pixels
from eyetune.values.versions import library_versions

_NO_REFERENCE_KERNEL = {"ELU"}  # in TensorFlow 2.21
_OTHER_ACTIVATION = "Train it with another activation: tanh in place of softsign, for example."
_MAX_SHOWN = 200  # characters of LiteRT's message in an error


def load_library() -> None:
    """Load TensorFlow, which takes seconds."""
    with silenced():
        import tensorflow  # noqa: F401


def version() -> str:
    """Return the name and version of the interpreter, for a report."""
    versions = library_versions("tensorflow-cpu", "tensorflow")
    return f"LiteRT of TensorFlow {next(iter(versions.values()))}"


def reference_name(content: bytes) -> str:
    """Return the name of the interpreter and of the kernels that are a network's reference.

    Args:
        content: The content of a .tflite file.
    """
    missing = _without_reference_kernel(content)
    if not missing:
        return f"{version()}, reference kernels"
    return f"{version()}, fast kernels, because {', '.join(missing)} has no reference kernel"


def _without_reference_kernel(content: bytes) -> list[str]:
    return sorted(_operator_kinds(content) & _NO_REFERENCE_KERNEL)


def _operator_kinds(content: bytes) -> set[str]:
    return {operator.kind for operator in parse(content, "the network").operators}


def litert_scores(
    content: bytes,
    images: Images,
    *,
    reference: bool = True,
    on_image: OnImage = no_progress,
) -> Scores:
    """Return LiteRT's int8 scores of each image, shape (N, classes).

    Args:
        content: The content of a .tflite file.
        images: Pixels, uint8 of shape (N, height, width, channels).
        reference: Whether to use the reference kernels, which compute like those of TensorFlow
            Lite Micro except for rounding. The fast kernels differ more often. A network with an
            operator that has no reference kernel uses them in any case. Default: True.
        on_image: Called after each image with the number of images that are done.
    """
    return LiteRTInterpreter(content, reference=reference).scores(images, on_image)


class LiteRTInterpreter:
    """An int8 model in LiteRT. Several of them can classify images at once, one in each thread.

    Args:
        content: The content of a .tflite file.
        reference: Whether to use the reference kernels (see `litert_scores`). Default: True.
    """

    def __init__(self, content: bytes, *, reference: bool = True) -> None:
        import tensorflow as tf

        kernels = tf.lite.experimental.OpResolverType
        kernel = kernels.AUTO
        if reference:
            is_complete = not _without_reference_kernel(content)
            without_delegates = kernels.BUILTIN_WITHOUT_DEFAULT_DELEGATES
            kernel = kernels.BUILTIN_REF if is_complete else without_delegates
        with silenced(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a notice that LiteRT will move to its own package
            self._interpreter = tf.lite.Interpreter(
                model_content=content, experimental_op_resolver_type=kernel
            )
            self._interpreter.allocate_tensors()
        self._content = content

    def scores(self, images: Images, on_image: OnImage = no_progress) -> Scores:
        """Return the int8 scores of each image, shape (N, classes).

        Args:
            images: Pixels, uint8 of shape (N, height, width, channels).
            on_image: Called after each image with the number of images that are done.

        Raises:
            BoardError: A kernel refuses the values. The int8 division that softsign needs, for
                example, refuses every divisor that is stored as the byte 0, whatever it stands for.
        """
        (model_input,) = self._interpreter.get_input_details()
        (model_output,) = self._interpreter.get_output_details()
        rows = []
        for number, image in enumerate(as_int8(images), start=1):
            self._interpreter.set_tensor(model_input["index"], image[np.newaxis])
            try:
                self._interpreter.invoke()
            except RuntimeError as error:
                raise BoardError(
                    "LiteRT cannot run the int8 network, so its accuracy cannot be measured.",
                    received=" ".join(str(error).split())[:_MAX_SHOWN],
                    fix=_OTHER_ACTIVATION if "DIV" in _operator_kinds(self._content) else None,
                ) from None
            rows.append(self._interpreter.get_tensor(model_output["index"])[0])
            on_image(number)
        return np.array(rows, np.int8)


class RealInterpreter:
    """Any .tflite model in LiteRT, float or quantized, as a function of real numbers.

    Args:
        content: The content of a .tflite file.

    Raises:
        UsageError: LiteRT cannot load it.
    """

    def __init__(self, content: bytes) -> None:
        import tensorflow as tf

        try:
            with silenced(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a notice that LiteRT will move
                self._interpreter = tf.lite.Interpreter(model_content=content)
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise UsageError(
                "Cannot load the .tflite file.",
                expected="a model of TensorFlow Lite's own operators",
                received=" ".join(str(error).split())[:_MAX_SHOWN],
                fix="Convert the network again.",
            ) from None

    def ports(self) -> dict[str, list[dict[str, Any]]]:
        """Return `inputs` and `outputs`: shape, dtype, scale and zero_point of each."""
        return {
            "inputs": [_port(port) for port in self._interpreter.get_input_details()],
            "outputs": [_port(port) for port in self._interpreter.get_output_details()],
        }

    def outputs(
        self, images: Images, pixels: PixelRange, on_image: OnImage = no_progress
    ) -> NDArray[np.float32]:
        """Return the outputs for images, one after the other, shape (N, outputs).

        Args:
            images: Pixels, uint8 of shape (N, height, width, channels).
            pixels: The range of pixels that the model takes.
            on_image: Called after each image with the number of images that are done.
        """
        (given,), (returned,) = (
            self._interpreter.get_input_details(),
            self._interpreter.get_output_details(),
        )
        rows = []
        for number, image in enumerate(images, start=1):
            values = _encoded(scaled_pixels(image[np.newaxis], pixels), given)
            self._interpreter.set_tensor(given["index"], values)
            self._interpreter.invoke()
            rows.append(_decoded(self._interpreter.get_tensor(returned["index"])[0], returned))
            on_image(number)
        return np.array(rows, np.float32)


def _port(details: Any) -> dict[str, Any]:
    scale, zero_point = details["quantization"]
    return {
        "shape": details["shape"].tolist(),
        "dtype": np.dtype(details["dtype"]).name,
        "scale": float(scale),
        "zero_point": int(zero_point),
    }


def _encoded(values: NDArray[np.float32], port: Any) -> Any:
    """Return real numbers as the values of an input."""
    scale, zero_point = port["quantization"]
    if not np.issubdtype(port["dtype"], np.integer):
        return values.astype(port["dtype"])
    limits = np.iinfo(port["dtype"])
    numbers = np.round(values / scale) + zero_point if scale else np.round(values)
    return np.clip(numbers, limits.min, limits.max).astype(port["dtype"])


def _decoded(values: Any, port: Any) -> NDArray[np.float32]:
    """Return the values of an output as real numbers."""
    scale, zero_point = port["quantization"]
    numbers: NDArray[np.float32] = values.astype(np.float32)
    return (numbers - np.float32(zero_point)) * np.float32(scale) if scale else numbers
