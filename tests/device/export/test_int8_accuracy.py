"""The accuracy of an int8 network right after its training."""

from __future__ import annotations

import keras
import pytest

from eyetune.device.export import tflm
from eyetune.device.export.int8_accuracy import Int8Task, measure_int8_accuracy
from eyetune.testing.datasets import tiny_dataset


def test_int8_accuracy_without_tflite_micro_is_that_of_litert(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dataset = tiny_dataset()
    layers = [keras.layers.Flatten(), keras.layers.Dense(3, "softmax")]
    model = keras.Sequential([keras.Input(dataset.image_shape), *layers])
    weights = model.layers[1].get_weights()
    usual = measure_int8_accuracy(model, dataset, Int8Task(100))
    assert usual.num_images == len(dataset.validation)  # all that there are
    assert usual.interpreter.startswith("tflite-micro") == tflm.is_available()
    monkeypatch.setattr(tflm, "is_available", lambda: False)
    without = measure_int8_accuracy(model, dataset, Int8Task(100))
    assert without.interpreter.startswith("LiteRT")
    assert abs(usual.accuracy - without.accuracy) <= 0.05
    for before, after in zip(weights, model.layers[1].get_weights(), strict=True):
        assert (before == after).all()
