"""Int8 networks as converters write them: with an input and an output of another type."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from eyetune.device.export.int8_values import Images


def with_ports(model: Any, images: Images, of_input: Any, of_output: Any = None) -> bytes:
    """Return the content of a .tflite file of an int8 network.

    Args:
        model: A Keras model that takes pixels from 0 to 1.
        images: Images for its ranges.
        of_input: TensorFlow's type of its input.
        of_output: The type of its output. Default: that of the input.
    """
    image = tf.keras.Input(batch_shape=(1, *model.input_shape[1:]))
    fixed = tf.keras.Model(image, model(image))
    first = np.array(images[:1])
    first.flat[0], first.flat[-1] = 0, 255  # the range of a camera
    converter = tf.lite.TFLiteConverter.from_keras_model(fixed)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: (
        [image[np.newaxis].astype(np.float32) / 255] for image in (*first, *images)
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = of_input
    converter.inference_output_type = of_output or of_input
    return bytes(converter.convert())
