"""The formats of model files that `eyetune export` writes without a board."""

from __future__ import annotations

from typing import Literal

ModelFormat = Literal["tflite", "keras", "onnx"]

# The file of a format is named model.FORMAT.
MODEL_FORMATS: dict[ModelFormat, str] = {
    "tflite": "the int8 network for TensorFlow Lite",
    "keras": "the float network for Keras",
    "onnx": "the float network for ONNX Runtime and others",
}
