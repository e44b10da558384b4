"""LiteRT, the interpreter inside TensorFlow, as a reference for TensorFlow Lite Micro.

The two do not agree bit for bit; see `verify`.
"""

from __future__ import annotations

import warnings

import numpy as np

from eyetune._stderr import silenced
from eyetune.device.export.int8_values import Images, OnImage, Scores, as_int8, no_progress
from eyetune.values.versions import library_versions


def version() -> str:
    """Return the name and version of the interpreter, for a report."""
    versions = library_versions("tensorflow-cpu", "tensorflow")
    return f"LiteRT of TensorFlow {next(iter(versions.values()))}"


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
            Lite Micro except for rounding. The fast kernels differ more often. Default: True.
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
        kernel = kernels.BUILTIN_REF if reference else kernels.AUTO
        with silenced(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a notice that LiteRT will move to its own package
            self._interpreter = tf.lite.Interpreter(
                model_content=content, experimental_op_resolver_type=kernel
            )
            self._interpreter.allocate_tensors()

    def scores(self, images: Images, on_image: OnImage = no_progress) -> Scores:
        """Return the int8 scores of each image, shape (N, classes).

        Args:
            images: Pixels, uint8 of shape (N, height, width, channels).
            on_image: Called after each image with the number of images that are done.
        """
        (model_input,) = self._interpreter.get_input_details()
        (model_output,) = self._interpreter.get_output_details()
        rows = []
        for number, image in enumerate(as_int8(images), start=1):
            self._interpreter.set_tensor(model_input["index"], image[np.newaxis])
            self._interpreter.invoke()
            rows.append(self._interpreter.get_tensor(model_output["index"])[0])
            on_image(number)
        return np.array(rows, np.int8)
