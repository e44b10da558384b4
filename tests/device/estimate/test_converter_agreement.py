"""Estimates against TensorFlow's converter and TensorFlow Lite Micro, on networks of many kinds."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from eyetune.device.estimate.footprint import footprint
from eyetune.device.estimate.tflite import footprint_of, read
from eyetune.device.export import tflm
from eyetune.device.export.compact_file import compact
from eyetune.device.export.tflm import MicroInterpreter
from tests.device.estimate.networks import VARIED, converted


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIED)
def test_footprint_agrees_with_the_converted_model(name: str) -> None:
    # The counters in layer names change the order of operators.
    keras.utils.clear_session(free_memory=False)
    model = VARIED[name]()
    predicted, content = footprint(model), compact(converted(model))
    assert predicted.flash_bytes == pytest.approx(len(content), rel=0.03)
    from_file = footprint_of(read(content))
    assert from_file.head_bytes == predicted.head_bytes
    assert from_file.macs == predicted.macs
    assert from_file.arena_bytes == pytest.approx(predicted.arena_bytes, rel=0.04)
    assert from_file.unsupported == ()
    if tflm.is_available():
        micro = MicroInterpreter(content, 2 * predicted.arena_bytes)
        micro.scores(np.zeros((1, *model.input_shape[1:]), np.uint8))
        used = micro.arena()
        assert predicted.head_bytes == used.head_bytes
        assert predicted.arena_bytes == pytest.approx(used.bytes, rel=0.05)
        assert from_file.arena_bytes == pytest.approx(used.bytes, rel=0.05)
