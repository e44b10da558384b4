"""Networks as ONNX files: they compute what Keras does, for batches of any size."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from eyetune.device.export.onnx_file import write_onnx
from eyetune.errors import BoardError
from eyetune.models.build import build
from eyetune.recipe import Recipe

IMAGES = np.random.default_rng(0).random((3, 16, 16, 3), np.float32)


@pytest.mark.parametrize("name", ["resnet8", "mobilenet2"])
def test_onnx_file_computes_what_keras_does(name: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    recipe = Recipe.model_validate({"model": name}).with_({"model.width": 0.25})
    model = build(recipe.model, (16, 16, 3), 10)
    write_onnx(model, tmp_path / "network.onnx")
    network = onnx.load(tmp_path / "network.onnx")
    onnx.checker.check_model(network)
    evaluator = ReferenceEvaluator(network)
    for images in (IMAGES, IMAGES[:1]):
        (outputs,) = evaluator.run(None, {"image": images})
        assert np.allclose(outputs, np.asarray(model(images, training=False)), atol=1e-4)


def test_onnx_file_refuses_a_layer_that_cannot_be_converted(tmp_path: Path) -> None:
    class Odd(keras.layers.Layer):  # type: ignore[misc]
        def call(self, inputs: object) -> object:
            import tensorflow as tf

            return tf.numpy_function(lambda values: values, [inputs], tf.float32)

        def compute_output_shape(self, shape: object) -> object:
            return shape

    layers = [Odd(), keras.layers.Flatten(), keras.layers.Dense(2)]
    with pytest.raises(BoardError, match="ONNX"):
        write_onnx(keras.Sequential([keras.Input((4, 4, 3)), *layers]), tmp_path / "odd.onnx")
    assert not (tmp_path / "odd.onnx").exists()
