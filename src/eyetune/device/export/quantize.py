"""From a trained Keras model to a full-integer int8 .tflite file for TensorFlow Lite Micro.

See
https://ai.google.dev/edge/litert/conversion/tensorflow/quantization/post_training_integer_quant.
The ranges of values are measured on training images. Test images are for the report only and are
never used here.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eyetune._stderr import silenced
from eyetune.device.export.compact_file import compact
from eyetune.device.export.int8_values import Images, OnImage, no_progress
from eyetune.errors import BoardError, UsageError
from eyetune.values.pixels import PixelRange, scaled_pixels

if TYPE_CHECKING:
    import keras

    from eyetune.models.int8.folding import FoldedNetwork
    from eyetune.models.int8.ranges import Ranges

_NUM_TOKEN_IMAGES = 5  # where they have no influence
_MAX_SHOWN = 300  # characters of the converter's message in an error


def quantize(
    model: keras.Model,
    images: Images,
    *,
    per_channel_dense: bool = True,
    pixels: PixelRange = "0-1",
    with_names: bool = False,
    on_image: OnImage = no_progress,
) -> bytes:
    """Return the int8 version of a trained model as the content of a compact .tflite file.

    The model takes one image at a time, with int8 input and output. An input value is the byte of
    the camera less 128: the range of pixels that the network takes decides the scale of the input.

    Args:
        model: A trained model from float images of shape (batch, height, width, channels) to
            probabilities.
        images: Training images to measure ranges on, uint8 of shape (N, height, width, channels),
            at least one.
        per_channel_dense: Whether each output of a dense layer has its own scale; some boards
            compute that incorrectly. Default: True.
        pixels: The range of pixels that the network takes. Default: "0-1".
        with_names: Whether the file is as the converter writes it, with names of layers and with
            all else that `compact` leaves out. Default: False.
        on_image: Called for each image that the converter takes, with the number so far.

    Raises:
        UsageError: There are no images, they do not match the model, or Keras does not run on
            TensorFlow.
        BoardError: TensorFlow cannot convert the model to int8.
    """
    _check(model, images)
    import keras
    import tensorflow as tf

    # A free batch would add operators to the model; the fixed name makes conversions reproducible.
    image = keras.Input(batch_shape=(1, *model.input_shape[1:]), name="image")
    wrapped = keras.Model(image, model(image), name="network")
    with silenced(), redirect_stdout(io.StringIO()):  # Keras prints what it saves for the converter
        converter = tf.lite.TFLiteConverter.from_keras_model(wrapped)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: _samples(images, pixels, on_image)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.int8
        # Private in TensorFlow 2.21, without a public counterpart; a test compares the sizes.
        converter._experimental_disable_per_channel_quantization_for_dense_layers = (
            not per_channel_dense
        )
        try:
            content = converter.convert()
        except Exception as error:  # its C++ raises many types for layers that it does not support
            message = " ".join(str(error).split())[:_MAX_SHOWN]
            raise BoardError(
                "Cannot convert the network to int8.",
                received=f"{type(error).__name__}: {message or 'no message'}",
                fix="eyetune fit-check names the layers that a board cannot run, and replacements.",
            ) from None
    return bytes(content) if with_names else compact(bytes(content))


def quantize_with_ranges(
    network: FoldedNetwork, ranges: Ranges, images: Images, *, per_channel_dense: bool = True
) -> bytes:
    """Return the int8 version of a folded network, with given ranges.

    Args:
        network: The folded network, in float.
        ranges: The range of each int8 tensor.
        images: Training images, as for `quantize`. The converter asks for a few in any case.
        per_channel_dense: Whether each output of a dense layer has its own scale. Default: True.

    Raises:
        UsageError: From `quantize`.
        BoardError: TensorFlow cannot convert the network to int8.
    """
    from eyetune.models.int8.layers import folded_model

    model = folded_model(network, ranges)
    return quantize(
        model,
        images[:_NUM_TOKEN_IMAGES],
        per_channel_dense=per_channel_dense,
        pixels=network.pixels,
    )


def _check(model: Any, images: Images) -> None:
    import keras

    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise UsageError(
            "The conversion to int8 needs Keras on TensorFlow.",
            expected="KERAS_BACKEND=tensorflow",
            received=f"KERAS_BACKEND={backend}",
            fix="Run it again with KERAS_BACKEND=tensorflow: all backends load the same networks.",
        )
    shape = tuple(model.input_shape[1:])
    if not len(images) or images.shape[1:] != shape:
        raise UsageError(
            "The calibration images do not match the network.",
            expected=f"one or more of shape {shape}",
            received=f"{len(images)} of shape {images.shape[1:]}",
        )


def _samples(
    images: Images, pixels: PixelRange, on_image: OnImage
) -> Iterator[list[NDArray[np.float32]]]:
    """Yield the images as the network takes them.

    Two corners of the first image are set to 0 and 255, so that the range of the input is that of
    a camera.
    """
    first = np.array(images[0])
    first.flat[0], first.flat[-1] = 0, 255
    for number, image in enumerate((first, *images[1:]), start=1):
        yield [scaled_pixels(image[np.newaxis], pixels)]
        on_image(number)
