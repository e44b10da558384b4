"""Int8 networks whose files convert from and to int8: without that, they compute the same."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings

from eyetune.device.estimate import tflite_schema
from eyetune.device.estimate.tflite import footprint_of, read
from eyetune.device.export import tflm
from eyetune.device.export.int8_ports import conversions_text, read_as_firmware, with_int8_ports
from eyetune.device.export.int8_values import as_int8, check_ports, pixels_of_port
from eyetune.device.export.quantize import quantize
from eyetune.device.export.tflm import MicroInterpreter
from eyetune.recipe import ModelSection
from tests.device.export.ports import with_ports
from tests.models.int8.networks import SECTIONS, random_images, with_random_weights

IMAGES = random_images(12)


def answers(content: bytes, inputs: np.ndarray) -> np.ndarray:
    """Return the outputs of a file for inputs of its own type, by LiteRT's reference kernels."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a notice that LiteRT will move
        interpreter = tf.lite.Interpreter(
            model_content=content,
            experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF,
        )
    interpreter.allocate_tensors()
    (given_port,), (returned,) = interpreter.get_input_details(), interpreter.get_output_details()
    rows = []
    for each in inputs:
        interpreter.set_tensor(given_port["index"], each[np.newaxis])
        interpreter.invoke()
        rows.append(interpreter.get_tensor(returned["index"])[0])
    return np.stack(rows)


@settings(max_examples=3, derandomize=True, deadline=None)
@given(section=SECTIONS.filter(lambda section: section.activation != "elu"))
def test_networks_compute_the_same_without_the_conversions(section: ModelSection) -> None:
    """LiteRT has no reference kernel of ELU."""
    model = with_random_weights(section)
    content = with_ports(model, IMAGES, tf.float32)
    changed = with_int8_ports(content)
    before, after = read(content), read(changed)
    assert (before.input.dtype, before.output.dtype) == ("float32", "float32")
    check_ports(after)
    assert "DEQUANTIZE" not in after.operators
    assert len(after.graph.operators) == len(before.graph.operators) - 2
    scores = answers(changed, as_int8(IMAGES))
    numbers = (scores.astype(np.float32) - after.output.zero_point) * after.output.scale
    expected = answers(content, IMAGES.astype(np.float32) / 255)
    assert np.allclose(numbers, expected, atol=1e-6)
    assert pixels_of_port(after.input.scale, after.input.zero_point, "int8") == "0-1"
    if tflm.is_available():
        in_micro = MicroInterpreter(changed).scores(IMAGES).astype(int)
        assert np.abs(in_micro - scores).max() <= 2  # its softmax rounds differently
        assert footprint_of(after).arena_bytes <= footprint_of(before).arena_bytes


@pytest.mark.parametrize(
    ("port", "of_output"), [(tf.uint8, tf.uint8), (tf.int8, tf.float32), (tf.uint8, tf.int8)]
)
def test_each_port_may_have_its_own_type(port: Any, of_output: Any) -> None:
    model = with_random_weights(ModelSection.model_validate({"blocks": [4], "dense": []}))
    content = with_ports(model, IMAGES, port, of_output)
    changed = with_int8_ports(content)
    after = read(changed)
    assert (after.input.dtype, after.output.dtype) == ("int8", "int8")
    inputs = IMAGES if port is tf.uint8 else as_int8(IMAGES)
    expected = answers(content, inputs)
    scores = answers(changed, as_int8(IMAGES))
    if of_output is tf.uint8:
        assert np.array_equal(scores, as_int8(expected))
    elif of_output is tf.int8:
        assert np.array_equal(scores, expected)
    else:
        numbers = (scores.astype(np.float32) - after.output.zero_point) * after.output.scale
        assert np.allclose(numbers, expected, atol=1e-6)


def test_other_files_stay_as_they_are() -> None:
    model = with_random_weights(ModelSection.model_validate({"blocks": [4], "dense": []}))
    int8 = quantize(model, IMAGES)
    assert with_int8_ports(int8) is int8
    image = tf.keras.Input(batch_shape=(1, *model.input_shape[1:]))
    fixed = tf.keras.Model(image, model(image))
    floats = bytes(tf.lite.TFLiteConverter.from_keras_model(fixed).convert())
    for content in (floats, b"no network", b""):
        assert with_int8_ports(content) is content


def test_a_file_that_ends_in_float_is_read_as_firmware_holds_it(tmp_path: Path) -> None:
    model = with_random_weights(ModelSection.model_validate({"blocks": [4], "dense": []}))
    path = tmp_path / "a.tflite"
    path.write_bytes(with_ports(model, IMAGES, tf.float32))
    file, content = read_as_firmware(path)
    assert file == read(content)
    assert file.input.dtype == "int8"
    path.write_bytes(content)
    assert read_as_firmware(path) == (file, content)


def changed(content: bytes, change: Callable[[Any], object]) -> bytes:
    """Return a file after a change of its subgraph."""
    model = tflite_schema.unpack(content)
    change(model.subgraphs[0])
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), tflite_schema.IDENTIFIER)
    return bytes(builder.Output())


def give_the_input_another_shape(graph: Any) -> None:
    graph.tensors[int(graph.inputs[0])].shape = np.array([1, 6, 24, 3], np.int32)


def give_an_operator_no_inputs(graph: Any) -> None:
    graph.operators[0].inputs = None


@pytest.mark.parametrize("change", [give_the_input_another_shape, give_an_operator_no_inputs])
def test_files_that_are_made_to_do_harm_stay_as_they_are(change: Callable[[Any], object]) -> None:
    model = with_random_weights(ModelSection.model_validate({"blocks": [4], "dense": []}))
    content = changed(with_ports(model, IMAGES, tf.float32), change)
    assert with_int8_ports(content) is content


def test_conversions_are_named() -> None:
    assert conversions_text("a.tflite", "int8", "int8") == ""
    text = conversions_text("a.tflite", "int8", "float32")
    assert text.startswith("a.tflite takes int8 and returns float32.")
