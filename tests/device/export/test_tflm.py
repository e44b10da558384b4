"""TensorFlow Lite Micro's interpreter: the arena that it uses, and errors."""

from __future__ import annotations

from importlib import metadata

import keras
import numpy as np
import pytest
from keras import layers

from eyetune.device.export import tflm
from eyetune.device.export.quantize import quantize
from eyetune.device.export.tflm import Arena, MicroInterpreter, read_allocations
from eyetune.errors import BoardError
from eyetune.models.build import build
from eyetune.recipe import Recipe

IMAGES = np.random.default_rng(0).integers(0, 256, (10, 32, 32, 3), np.uint8)

needs_tflm = pytest.mark.skipif(
    not tflm.is_available(), reason="tflite-micro has wheels for Linux on x86-64 only"
)


@needs_tflm
def test_tflite_micro_has_the_interface_that_tflm_uses() -> None:
    """tflite-micro 0.dev20261023182759; see `tflm`."""
    assert metadata.version("tflite-micro") == "0.dev20261023182759"
    assert tflm.version() == "tflite-micro 0.dev20261023182759"
    from tflite_micro import runtime

    names = ("from_bytes", "set_input", "invoke", "get_output", "print_allocations")
    assert all(callable(getattr(runtime.Interpreter, name)) for name in names)


@needs_tflm
def test_micro_interpreter_uses_the_predicted_arena() -> None:
    keras.utils.set_random_seed(0)
    interpreter = MicroInterpreter(quantize(build(Recipe().model, (32, 32, 3), 10), IMAGES))
    numbers: list[int] = []
    scores = interpreter.scores(IMAGES[:3], numbers.append)
    assert scores.shape == (3, 10)
    assert scores.dtype == np.int8
    assert numbers == [1, 2, 3]
    assert interpreter.arena().head_bytes == 36_000  # measured on the converted network
    assert interpreter.arena().bytes == pytest.approx(39_696, rel=0.01)


@needs_tflm
def test_micro_interpreter_names_unsupported_operators() -> None:
    dense = layers.Dense(4, activation="gelu")
    model = keras.Sequential([layers.Input((8, 8, 3)), layers.Flatten(), dense])
    with pytest.raises(BoardError) as caught:
        MicroInterpreter(quantize(model, IMAGES[:2, :8, :8]))
    assert "GELU" in (caught.value.received or "")


def test_read_allocations_ignores_other_lines() -> None:
    text = (
        "[RecordingMicroAllocator] Arena allocation total 39744 bytes\n"
        "[RecordingMicroAllocator] Arena allocation head 36000 bytes\n"
        "[RecordingMicroAllocator] Arena allocation tail 3744 bytes\n"
        "[RecordingMicroAllocator] 'TfLiteEvalTensor data' used 192 bytes\n"
    )
    assert read_allocations(text) == Arena(36_000, 3_744)
    assert read_allocations(text).bytes == 39_744
