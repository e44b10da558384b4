"""From a trained Keras model to a full-integer int8 .tflite file, as TensorFlow Lite Micro runs it.

See
https://ai.google.dev/edge/litert/conversion/tensorflow/quantization/post_training_integer_quant.
Ranges of values are measured on training images; images of the test split are for the report and
never seen here.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eyetune._stderr import silenced
from eyetune.errors import BoardError, UsageError

if TYPE_CHECKING:
    import keras

Images = NDArray[np.uint8]
INPUT_SCALE = 1 / 255  # of an image in [0, 1], so that its int8 value is the camera's byte less 128
INPUT_ZERO_POINT = -128


def quantize(model: keras.Model, images: Images, *, per_channel_dense: bool = True) -> bytes:
    """Return the int8 version of a trained model as the content of a .tflite file.

    Batch 1, int8 in and out. An input value is the byte that the camera gives less 128: the network
    takes images from 0 to 1, and the converter folds the division by 255 into the scale of the
    input.

    Args:
        model: From float images of shape (batch, height, width, channels), 0 to 1, to
            probabilities.
        images: Training images to measure ranges on, uint8 of shape (N, height, width, channels),
            at least one.
        per_channel_dense: Give each output of a dense layer a scale of its own; some boards compute
            that wrong.

    Raises:
        UsageError: There are no images, or they are not the network's, or Keras does not run on
            TensorFlow.
        BoardError: TensorFlow cannot convert the network to int8.
    """
    _check(model, images)
    import keras
    import tensorflow as tf

    image = keras.Input(
        batch_shape=(1, *model.input_shape[1:]), name="image"
    )  # a free batch adds operators
    wrapped = keras.Model(image, model(image), name="network")  # by the same name in every process
    with silenced(), redirect_stdout(io.StringIO()):  # Keras prints what it saves for the converter
        converter = tf.lite.TFLiteConverter.from_keras_model(wrapped)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: _samples(images)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        converter._experimental_disable_per_channel_quantization_for_dense_layers = (
            not per_channel_dense
        )
        try:
            content = converter.convert()
        except (
            Exception
        ) as error:  # the converter raises whatever its C++ makes of a layer that it does not know
            raise BoardError(
                "The network cannot be converted to int8.",
                received=f"{type(error).__name__}: {' '.join(str(error).split())[:300]}",
                fix="eyetune fit-check names the layers that a board cannot run, and what to use instead.",
            ) from None
    return bytes(content)


def _check(model: Any, images: Images) -> None:
    import keras

    if keras.backend.backend() != "tensorflow":
        raise UsageError(
            "The conversion to int8 needs Keras on TensorFlow.",
            received=f"KERAS_BACKEND={keras.backend.backend()}",
            fix="Run it again with KERAS_BACKEND=tensorflow: a saved network is the same on every backend.",
        )
    if not len(images) or images.shape[1:] != tuple(model.input_shape[1:]):
        raise UsageError(
            "The images to measure ranges on are not the network's.",
            expected=f"one or more of shape {tuple(model.input_shape[1:])}",
            received=f"{len(images)} of shape {images.shape[1:]}",
        )


def _samples(images: Images) -> Iterator[list[NDArray[np.float32]]]:
    """Yield the images as the network takes them; two corners span all that a camera can give."""
    spanning = np.array(images[0])
    spanning.flat[0], spanning.flat[-1] = 0, 255
    for image in (spanning, *images[1:]):
        yield [image[np.newaxis].astype(np.float32) / np.float32(255)]


def check_input(scale: float, zero_point: int) -> None:
    """Refuse an int8 model that does not take the camera's bytes less 128.

    Raises:
        BoardError: It takes something else, so that firmware would feed it wrong values.
    """
    if not (math.isclose(scale, INPUT_SCALE, rel_tol=1e-4) and zero_point == INPUT_ZERO_POINT):
        raise BoardError(
            "The int8 model does not take a camera's bytes.",
            expected=f"an input of scale 1/255 and zero point {INPUT_ZERO_POINT}",
            received=f"scale {scale:g} and zero point {zero_point}",
            fix="Export the run anew with eyetune export.",
        )
