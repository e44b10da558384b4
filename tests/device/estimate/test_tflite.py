"""Reading .tflite files: what is in them, and errors for files that cannot be used."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keras import layers

from eyetune.device.boards.profiles import ESP_NN_VERSIONS, load_board
from eyetune.device.estimate.footprint import footprint
from eyetune.device.estimate.tflite import footprint_of, read
from eyetune.errors import UsageError

SHAPE = (12, 12, 3)
EYE = load_board("esp-eye")


def network(activation: str = "relu") -> keras.Model:
    keras.utils.clear_session(free_memory=False)
    return keras.Sequential(
        [
            layers.Input(SHAPE),
            layers.Conv2D(8, 3, activation=activation, name="first"),
            layers.DepthwiseConv2D(3, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dense(5, activation="softmax", name="last"),
        ],
        name="small",
    )


def unchanged(_: Any) -> None:
    """Leave the converter as it is: it makes a float model."""


def convert(
    model: keras.Model, prepare: Callable[[Any], None] = unchanged, *, batch: int | None = 1
) -> bytes:
    """Convert a model with TensorFlow, after `prepare` has set up the converter."""
    import tensorflow as tf

    random = np.random.default_rng(0)
    weights = [weight + random.uniform(0.001, 0.01, weight.shape) for weight in model.get_weights()]
    model.set_weights(weights)
    images = keras.Input(batch_shape=(batch, *model.input_shape[1:]))
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(images, model(images)))
    prepare(converter)
    return bytes(converter.convert())


def int8(converter: Any) -> None:
    import tensorflow as tf

    def representative() -> Iterator[list[Any]]:
        for _ in range(2):
            yield [np.random.default_rng(0).random((1, *SHAPE), np.float32)]

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8


def dynamic_range(converter: Any) -> None:
    import tensorflow as tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]


def half_floats(converter: Any) -> None:
    import tensorflow as tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]


@pytest.fixture(scope="module")
def content() -> bytes:
    return convert(network(), int8)


def rewritten(content: bytes, change: Callable[[Any, Any], None]) -> bytes:
    """Unpack a file with TensorFlow's schema, change it and pack it again."""
    import flatbuffers
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    change(model, schema)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def refusal(content: bytes) -> UsageError:
    """Return the error that reading a file causes."""
    with pytest.raises(UsageError) as caught:
        read(content)
    return caught.value


def received(content: bytes) -> str:
    return refusal(content).received or ""


def test_read_returns_operators_input_and_output(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.tflite").write_bytes(content)
    model = read(tmp_path / "a.tflite")
    assert model == read(content)
    assert model.size_bytes == len(content)
    kinds = ("CONV_2D", "DEPTHWISE_CONV_2D", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX")
    assert model.operators == kinds
    assert (model.input.shape, model.input.dtype, model.input.zero_point) == (SHAPE, "int8", -128)
    assert model.input.scale == pytest.approx(1 / 255, rel=0.05)
    assert (model.output.shape, model.output.dtype) == ((5,), "int8")
    assert (model.output.scale, model.output.zero_point) == (1 / 256, -128)


def test_footprint_of_a_file_is_that_of_its_network(content: bytes) -> None:
    predicted, from_file = footprint(network()), footprint_of(read(content))
    assert from_file.flash_bytes == len(content)
    assert from_file.head_bytes == predicted.head_bytes
    assert from_file.macs_by_kind == predicted.macs_by_kind
    assert from_file.parameters == predicted.parameters == network().count_params()
    assert from_file.arena_bytes == pytest.approx(predicted.arena_bytes, rel=0.03)
    for version in ESP_NN_VERSIONS:  # strides, windows and padding are those of the layers, too
        s3 = load_board("esp32-s3-eye").model_copy(update={"esp_nn": (version,)})
        assert from_file.arena_on(s3).scratch_bytes == predicted.arena_on(s3).scratch_bytes > 0
    assert from_file.file_is_exact
    assert from_file.unsupported == from_file.unknown == ()
    assert from_file.violations(EYE) == ()
    names = [cost.name for cost in from_file.layer_costs(EYE)]
    # TensorFlow appends its own counters to the names of layers.
    assert names == ["first_1", "depthwise_conv2d_1", "flatten_1", "last_1", "softmax_4"]


def test_footprint_of_a_file_names_unsupported_layers() -> None:
    needs = footprint_of(read(convert(network("gelu"), int8)))
    assert needs.unsupported
    assert all("first" in name for name in needs.unsupported)
    assert {violation.limit for violation in needs.violations(EYE)} == {"operator"}


def test_read_accepts_a_free_batch_with_fixed_shapes() -> None:
    images = layers.Input(SHAPE)
    free = convert(keras.Model(images, layers.Conv2D(4, 3)(images)), int8, batch=None)
    assert read(free).input.shape == SHAPE


def test_read_refuses_float_models() -> None:
    assert "float32" in received(convert(network()))
    assert "float" in received(convert(network(), half_floats))


def test_read_refuses_a_dynamic_range_model() -> None:
    model = network()
    model.add(layers.Dense(2048))  # the converter leaves small weights in float
    assert "dynamic-range" in received(convert(model, dynamic_range))


def test_read_refuses_uint8(content: bytes) -> None:
    def old(model: Any, schema: Any) -> None:
        for tensor in model.subgraphs[0].tensors:
            if tensor.type == schema.TensorType.INT8:
                tensor.type = schema.TensorType.UINT8

    assert "uint8" in received(rewritten(content, old))


def test_read_refuses_unknown_shapes(content: bytes) -> None:
    def without_height(model: Any, _: Any) -> None:
        tensor = model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]]
        tensor.shapeSignature = np.array([-1, -1, 12, 3], np.int32)

    def two_images(model: Any, _: Any) -> None:
        tensor = model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]]
        tensor.shape = np.array([2, 12, 12, 3], np.int32)

    def without_channels(model: Any, _: Any) -> None:
        tensor = model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]]
        tensor.shape, tensor.shapeSignature = np.array([1, 12, 12, 0], np.int32), None

    assert "[1, 12, 12, 3]" in received(rewritten(content, without_height))
    assert "[2, 12, 12, 3]" in received(rewritten(content, two_images))
    assert "[1, 12, 12, 0]" in received(rewritten(content, without_channels))


def test_read_refuses_several_subgraphs_or_none(content: bytes) -> None:
    def twice(model: Any, _: Any) -> None:
        model.subgraphs = [*model.subgraphs, *model.subgraphs]

    def none(model: Any, _: Any) -> None:
        model.subgraphs = []

    assert "2 subgraphs" in received(rewritten(content, twice))
    assert "0 subgraphs" in received(rewritten(content, none))


def test_read_names_a_custom_operator_in_plain_characters(content: bytes) -> None:
    def custom(model: Any, schema: Any) -> None:
        code = model.operatorCodes[0]
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
        code.customCode = "Own\x1b[31mOperator"

    assert received(rewritten(content, custom)).endswith(": Own?[31mOperator")


def with_plan(content: bytes, values: list[int]) -> bytes:
    """Return a file with a memory plan for TensorFlow Lite Micro."""

    def change(model: Any, schema: Any) -> None:
        plan = schema.MetadataT()
        plan.name = "OfflineMemoryAllocation"
        plan.buffer = len(model.buffers)
        model.metadata = [*(model.metadata or []), plan]
        buffer = schema.BufferT()
        buffer.data = np.array(values, "<i4").view(np.uint8)
        model.buffers.append(buffer)

    return rewritten(content, change)


def test_read_takes_offsets_from_the_memory_plan_of_a_file(content: bytes) -> None:
    graph = read(content).graph
    offsets: list[int] = []
    for index in range(len(graph.tensors)):
        position = graph.activations.index(index) if index in graph.activations else None
        offsets.append(-1 if position is None else 16 * position)
    planned = read(with_plan(content, [1, 0, len(offsets), *offsets])).graph
    assert planned.offsets == tuple(None if offset == -1 else offset for offset in offsets)
    assert replace(planned, offsets=()) == graph


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        (lambda tensors: [1, 0, tensors], "number of tensors"),
        (lambda tensors: [1, 1, tensors, *[-1] * tensors], "not one of the model"),
        (lambda tensors: [1, 0, tensors - 1, *[-1] * tensors], "not one of the model"),
        (lambda tensors: [1, 0, tensors, *[-2] * tensors], "negative"),
        (lambda tensors: [1, 0, tensors, *[2**30] * tensors], "where none can be"),
        (lambda tensors: [1, 0, tensors, 8, *[-1] * (tensors - 1)], "where none can be"),
    ],
)
def test_read_refuses_a_memory_plan_that_an_interpreter_must_not_trust(
    content: bytes, plan: Callable[[int], list[int]], reason: str
) -> None:
    assert reason in received(with_plan(content, plan(len(read(content).graph.tensors))))


def test_read_refuses_two_memory_plans(content: bytes) -> None:
    tensors = len(read(content).graph.tensors)
    plan = [1, 0, tensors, *[-1] * tensors]
    assert "more than one" in received(with_plan(with_plan(content, plan), plan))


def test_layer_names_are_short_and_printable(content: bytes) -> None:
    def renamed(model: Any, _: Any) -> None:
        for tensor in model.subgraphs[0].tensors:
            tensor.name = "a/\x1b]0;bad\x07/c" + "x" * 5000

    costs = footprint_of(read(rewritten(content, renamed))).layer_costs(EYE)
    assert all(cost.name.isprintable() and len(cost.name) <= 80 for cost in costs)


def test_read_reports_a_contradiction_in_a_file(content: bytes) -> None:
    def flattened(model: Any, _: Any) -> None:
        tensor = model.subgraphs[0].tensors[model.subgraphs[0].operators[0].outputs[0]]
        tensor.shape, tensor.shapeSignature = np.array([1, 800], np.int32), None

    assert "convolution" in received(rewritten(content, flattened))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "an empty file"),
        (b"PK\x03\x04 a zip file", "15 bytes"),
        (b"\x1c\x00\x00\x00TFL3", "8 bytes: "),
        (b"\xff" * 4 + b"TFL3" + b"\xff" * 64, "72 bytes: "),
        (b"\x00" * 4 + b"TFL3" + b"\x00" * 64, "0 subgraphs"),
    ],
)
def test_read_refuses_other_content(content: bytes, expected: str) -> None:
    assert expected in received(content)


def test_read_reports_unreadable_files(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.tflite", tmp_path, Path("a\0b.tflite")):
        with pytest.raises(UsageError) as caught:
            read(path)
        assert str(path) in (caught.value.received or "")


def test_read_refuses_a_huge_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eyetune.device.estimate.tflite.MAX_FILE_BYTES", 1000)
    (tmp_path / "huge.tflite").write_bytes(b"\0" * 1001)
    with pytest.raises(UsageError) as caught:
        read(tmp_path / "huge.tflite")
    assert "1,000 bytes" in (caught.value.expected or "")


def read_and_estimate(content: bytes) -> None:
    """Read a file that may be damaged: it has a footprint, or it is a usage error."""
    try:
        needs = footprint_of(read(content))
    except UsageError:
        return
    for board in (EYE, load_board("esp32-s3-eye")):
        needs.violations(board)
        needs.bottleneck(board)
        needs.advice(board)
        needs.latency(board)


FUZZED = settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(data=st.data())
@FUZZED
def test_read_survives_files_that_are_cut_off(content: bytes, data: st.DataObject) -> None:
    read_and_estimate(content[: data.draw(st.integers(0, len(content) - 1))])


@given(data=st.data())
@FUZZED
def test_read_survives_changed_bytes(content: bytes, data: st.DataObject) -> None:
    changed = bytearray(content)
    for _ in range(data.draw(st.integers(1, 8))):
        position = data.draw(st.integers(0, len(content) - 1))
        size = data.draw(st.sampled_from([1, 2, 4]))
        extreme = st.sampled_from([b"\xff" * size, b"\x00" * size, b"\x7f" * size])
        any_bytes = st.binary(min_size=size, max_size=size)
        changed[position : position + size] = data.draw(any_bytes | extreme)
    read_and_estimate(bytes(changed[: len(content)]))


@given(st.binary(max_size=400))
@FUZZED
def test_read_survives_any_bytes_after_the_identifier(rest: bytes) -> None:
    read_and_estimate(rest[:4].ljust(4, b"\0") + b"TFL3" + rest[4:])
