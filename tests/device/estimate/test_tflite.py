"""Reading .tflite files: what is in them, and what is said of those that are none or cannot be
used.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keras import layers

from eyetune.device.boards.profiles import board
from eyetune.device.estimate.footprint import footprint
from eyetune.device.estimate.tflite import footprint_of, read
from eyetune.errors import UsageError

SHAPE = (12, 12, 3)


def network(activation: str = "relu") -> keras.Model:
    keras.utils.clear_session()
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


def convert(
    model: keras.Model, change: Callable[[Any], None] = lambda _: None, *, batch: int | None = 1
) -> bytes:
    """Convert a model with TensorFlow, to int8 where `change` says nothing else."""
    import tensorflow as tf

    numbers = np.random.default_rng(0)
    model.set_weights(
        [weight + numbers.uniform(0.001, 0.01, weight.shape) for weight in model.get_weights()]
    )
    images = keras.Input(batch_shape=(batch, *model.input_shape[1:]))
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(images, model(images)))
    change(converter)
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


def refused(content: bytes) -> str:
    with pytest.raises(UsageError) as caught:
        read(content)
    return str(caught.value)


def test_what_is_in_a_file(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.tflite").write_bytes(content)
    model = read(tmp_path / "a.tflite")
    assert model == read(content)
    assert model.size_bytes == len(content)
    assert model.operators == (
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "RESHAPE",
        "FULLY_CONNECTED",
        "SOFTMAX",
    )
    assert (model.input.shape, model.input.dtype, model.input.zero_point) == (SHAPE, "int8", -128)
    assert model.input.scale == pytest.approx(1 / 255, rel=0.05)
    assert (model.output.shape, model.output.dtype) == ((5,), "int8")
    assert (model.output.scale, model.output.zero_point) == (1 / 256, -128)


def test_it_needs_what_was_predicted_of_the_network(content: bytes) -> None:
    predicted, found = footprint(network()), footprint_of(read(content))
    assert found.flash_bytes == len(content)
    assert (found.head_bytes, found.macs) == (
        predicted.head_bytes,
        predicted.macs,
    )
    assert found.macs_by_kind == predicted.macs_by_kind
    assert found.parameters == predicted.parameters == network().count_params()
    assert found.arena_bytes == pytest.approx(predicted.arena_bytes, rel=0.03)
    assert found.unsupported == found.unknown == ()
    eye = board("esp-eye")
    assert found.fits(eye) == ()
    names = [cost.name for cost in found.layer_costs(eye)]  # TensorFlow numbers the layers anew
    assert names == ["first_1", "depthwise_conv2d_1", "flatten_1", "last_1", "softmax_4"]


def test_operators_that_a_board_lacks_are_named_by_layer() -> None:
    model = read(convert(network("gelu"), int8))
    needs = footprint_of(model)
    assert needs.unsupported
    assert all("first" in one for one in needs.unsupported)
    assert any("first" in reason for reason in needs.fits(board("esp-eye")))


def test_tensorflow_is_not_imported_to_read_one(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.tflite").write_bytes(content)
    words = (
        "import sys; from pathlib import Path; from eyetune.device.estimate.tflite import footprint_of, read; "
        f"print(footprint_of(read(Path({str(tmp_path / 'a.tflite')!r}))).flash_bytes); "
        "assert 'keras' not in sys.modules and 'tensorflow' not in sys.modules, 'loaded'"
    )
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert int(done.stdout) == len(content)


def test_a_float_model_is_refused() -> None:
    words = refused(convert(network()))
    assert "float .tflite: the board wants int8" in words
    assert "eyetune export" in words
    assert "float" in refused(convert(network(), half_floats))


def test_a_dynamic_range_model_is_refused() -> None:
    model = network()
    model.add(layers.Dense(2048))  # the converter leaves small weights in float
    assert "Only the weights" in refused(convert(model, dynamic_range))


def test_a_model_for_any_number_of_images_is_read_where_its_shapes_are_fixed() -> None:
    images = layers.Input(SHAPE)
    free = convert(keras.Model(images, layers.Conv2D(4, 3)(images)), int8, batch=None)
    assert read(free).input.shape == SHAPE


def test_shapes_that_are_not_known_are_refused(content: bytes) -> None:
    def open_height(model: Any, _: Any) -> None:
        one = model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]]
        one.shapeSignature = np.array([-1, -1, 12, 3], np.int32)

    def two_images(model: Any, _: Any) -> None:
        model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]].shape = np.array(
            [2, 12, 12, 3], np.int32
        )

    for change in (open_height, two_images):
        assert "not fixed to one image" in refused(rewritten(content, change))


def test_several_subgraphs_are_refused(content: bytes) -> None:
    def twice(model: Any, _: Any) -> None:
        model.subgraphs = [*model.subgraphs, *model.subgraphs]

    assert "not one graph" in refused(rewritten(content, twice))
    assert "0 subgraphs" in refused(
        rewritten(content, lambda model, _: setattr(model, "subgraphs", []))
    )


def test_a_custom_operator_is_named_without_control_characters(content: bytes) -> None:
    def custom(model: Any, schema: Any) -> None:
        code = model.operatorCodes[0]
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
        code.customCode = "Own\x1b[31mOperator"

    words = refused(rewritten(content, custom))
    assert "custom operator" in words
    assert "Own?[31mOperator" in words


def test_a_uint8_model_is_refused(content: bytes) -> None:
    def old(model: Any, schema: Any) -> None:
        for tensor in model.subgraphs[0].tensors:
            tensor.type = (
                schema.TensorType.UINT8 if tensor.type == schema.TensorType.INT8 else tensor.type
            )

    assert "uint8" in refused(rewritten(content, old))


def test_names_in_a_file_are_shown_without_control_characters(content: bytes) -> None:
    def renamed(model: Any, _: Any) -> None:
        for tensor in model.subgraphs[0].tensors:
            tensor.name = "a/\x1b]0;bad\x07/c" + "x" * 5000

    costs = footprint_of(read(rewritten(content, renamed))).layer_costs(board("esp-eye"))
    assert all(cost.name.isprintable() and len(cost.name) <= 80 for cost in costs)


def test_a_convolution_of_what_is_no_picture_is_refused(content: bytes) -> None:
    def flattened(model: Any, _: Any) -> None:
        one = model.subgraphs[0].tensors[model.subgraphs[0].operators[0].outputs[0]]
        one.shape, one.shapeSignature = np.array([1, 800], np.int32), None

    def without_channels(model: Any, _: Any) -> None:
        one = model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]]
        one.shape, one.shapeSignature = np.array([1, 12, 12, 0], np.int32), None

    assert "damaged" in refused(rewritten(content, flattened))
    assert "not fixed" in refused(rewritten(content, without_channels))


@pytest.mark.parametrize(
    ("given_bytes", "words"),
    [
        (b"", "an empty file"),
        (b"PK\x03\x04 a zip file", "no .tflite file"),
        (b"\x1c\x00\x00\x00TFL3", "damaged"),
        (b"\xff" * 4 + b"TFL3" + b"\xff" * 64, "damaged"),
        (b"\x00" * 4 + b"TFL3" + b"\x00" * 64, "not one graph"),
    ],
)
def test_what_is_no_model_is_refused(given_bytes: bytes, words: str) -> None:
    assert words in refused(given_bytes)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.tflite", tmp_path, Path("a\0b.tflite")):
        with pytest.raises(UsageError, match="cannot be read"):
            read(path)


def test_a_huge_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eyetune.device.estimate.tflite.MAX_FILE_BYTES", 1000)
    (tmp_path / "huge.tflite").write_bytes(b"\0" * 1001)
    with pytest.raises(UsageError, match="too large"):
        read(tmp_path / "huge.tflite")


def outcome(content: bytes) -> None:
    """Read what may be damaged: it is a model whose needs can be told, or an error; and it takes no
    time.
    """
    start = time.perf_counter()
    try:
        model = read(content)
        needs = footprint_of(model)
        needs.fits(board("esp-eye"))
        for one in (board("esp-eye"), board("esp32-s3-eye")):
            needs.bottleneck(one)
            needs.advice(one)
            needs.latency(one)
    except UsageError:
        pass
    assert time.perf_counter() - start < 5


FUZZED = settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(data=st.data())
@FUZZED
def test_a_file_that_is_cut_off_anywhere_is_no_surprise(
    content: bytes, data: st.DataObject
) -> None:
    outcome(content[: data.draw(st.integers(0, len(content) - 1))])


@given(data=st.data())
@FUZZED
def test_a_file_with_changed_bytes_is_no_surprise(content: bytes, data: st.DataObject) -> None:
    changed = bytearray(content)
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, len(content) - 1))
        size = data.draw(st.sampled_from([1, 2, 4]))
        extreme = st.sampled_from([b"\xff" * size, b"\x00" * size, b"\x7f" * size])
        changed[place : place + size] = data.draw(st.binary(min_size=size, max_size=size) | extreme)
    outcome(bytes(changed[: len(content)]))


@given(st.binary(max_size=400))
@FUZZED
def test_any_bytes_behind_the_identifier_are_no_surprise(rest: bytes) -> None:
    outcome(rest[:4].ljust(4, b"\0") + b"TFL3" + rest[4:])
