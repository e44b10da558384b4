"""A .tflite file as a graph: what a converted model needs of a board, read off the file alone.

A file may come from anywhere: every length and place in it is checked before it is used. The
format:
https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/schema/schema.fbs.
"""

from __future__ import annotations

import importlib.util
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any

from eyetune.device.estimate.footprint import Footprint, of_graph
from eyetune.device.estimate.graph import (
    CONVOLUTIONS,
    WITH_WEIGHTS,
    Constant,
    Graph,
    Operator,
    Tensor,
)
from eyetune.errors import UsageError

MAX_FILE_BYTES = 1 << 30  # the largest board that is known has flash of 0.01 GB
_MAX_OPERATORS = 4000  # what was made for boards has at most some hundred
_MAX_TENSORS = 4 * _MAX_OPERATORS
_MAX_INPUTS = 4 * _MAX_OPERATORS  # of all operators together
_MAX_RANK = 8
_IDENTIFIER = b"TFL3"
_MAX_NAME = 80  # characters
# Bytes of an element, by the name of its type.
_ELEMENT_BYTES = {
    **dict.fromkeys(("INT8", "UINT8", "BOOL", "INT4", "UINT4", "INT2"), 1),
    **dict.fromkeys(("INT16", "UINT16", "FLOAT16", "BFLOAT16"), 2),
    **dict.fromkeys(("INT32", "UINT32", "FLOAT32"), 4),
    **dict.fromkeys(("INT64", "UINT64", "FLOAT64", "COMPLEX64"), 8),
}
_FLOATS = frozenset({"FLOAT32", "FLOAT16", "BFLOAT16", "FLOAT64"})
# What reading a damaged file raises: places beyond its end, negative ones, lists that are none.
_DAMAGE = (
    struct.error,
    IndexError,
    ValueError,
    TypeError,
    KeyError,
    AssertionError,
    OverflowError,
    AttributeError,
)


@dataclass(frozen=True)
class Port:
    """What goes into a model or comes out of it: number = (value - zero_point) * scale.

    Attributes:
        shape: Without the batch.
        dtype: Of a value, for example "int8".
        scale: What one step of a value is worth (0: it is not quantized).
        zero_point: The value that stands for 0.
    """

    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int


@dataclass(frozen=True)
class TfliteModel:
    """What a .tflite file says of itself.

    Attributes:
        size_bytes: Of the file.
        graph: Its operators and tensors.
        operators: Names of its operators in the schema, each once, in the order of their first use.
        input: What goes in.
        output: What comes out.
        parameters: Number of its weights.
    """

    size_bytes: int
    graph: Graph
    operators: tuple[str, ...]
    input: Port
    output: Port
    parameters: int

    @property
    def macs(self) -> int:
        """Multiplications with addition to classify one image."""
        return self.graph.macs


def read(source: Path | bytes) -> TfliteModel:
    """Read a .tflite file of an int8 model.

    Args:
        source: The file, or what is in one.

    Raises:
        UsageError: It is not there, is no .tflite file, is damaged, or is a model that a board
            cannot use: in float, with weights alone in int8, with shapes that are not known, with
            several subgraphs or custom operators.

    Example:
        >>> read(b"nothing of the kind")
        Traceback (most recent call last):
        ...
        eyetune.errors.UsageError: The file is no .tflite file.
          expected: a TensorFlow Lite model, which has TFL3 at its bytes 4 to 7
          received: 19 bytes of something else
          fix:      Make one with eyetune export.
    """
    content, origin = (
        (source, f"{len(source):,} bytes") if isinstance(source, bytes) else _content(Path(source))
    )
    if content[4:8] != _IDENTIFIER:
        raise UsageError(
            "The file is no .tflite file.",
            expected="a TensorFlow Lite model, which has TFL3 at its bytes 4 to 7",
            received=f"{origin} of something else" if content else f"{origin}: an empty file",
            fix="Make one with eyetune export.",
        )
    try:
        return _Reader(content, origin).model()
    except _DAMAGE as error:
        raise UsageError(
            "The .tflite file is damaged.",
            expected="a whole TensorFlow Lite model",
            received=f"{origin}: {type(error).__name__} while it was read",
            fix="Copy or convert it again.",
        ) from None


def footprint_of(model: TfliteModel) -> Footprint:
    """Return what a model needs of a board: the size of its file is known, its arena is planned."""
    return of_graph(model.graph, model.size_bytes, model.parameters)


def _content(path: Path) -> tuple[bytes, str]:
    try:
        with path.expanduser().open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:  # a path with a NUL is a ValueError
        raise UsageError(
            "The .tflite file cannot be read.",
            received=f"{path}: {getattr(error, 'strerror', None) or error}",
            fix="Name a file that is there and that you may read.",
        ) from None
    if len(content) > MAX_FILE_BYTES:
        raise UsageError(
            "The .tflite file is too large.",
            expected=f"at most {MAX_FILE_BYTES:,} bytes; a board has flash of some millions",
            received=path,
            fix="Convert a smaller network.",
        )
    return content, str(path)


@cache
def _schema() -> Any:
    """Return the reader of the format that comes with TensorFlow, loaded on its own: TensorFlow
    takes seconds.
    """
    package = importlib.util.find_spec("tensorflow")
    for folder in (package.submodule_search_locations or []) if package else []:
        file = Path(folder) / "lite" / "python" / "schema_py_generated.py"
        spec = importlib.util.spec_from_file_location("eyetune_tflite_schema", file)
        if file.is_file() and spec and spec.loader:
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module
    from tensorflow.lite.python import schema_py_generated

    return schema_py_generated


@dataclass(frozen=True)
class _Stored:
    """A tensor as the file has it."""

    name: str
    kind: str
    shape: tuple[int, ...]
    constant_bytes: int | None  # None: it is no constant
    scales: int
    scale: float
    zero_point: int
    is_open: bool  # whether a size beside the batch is not known
    is_variable: bool  # whether it keeps its values from one image to the next

    @property
    def element_bytes(self) -> int:
        return _ELEMENT_BYTES[self.kind]

    @property
    def is_constant(self) -> bool:
        return self.constant_bytes is not None


class _Reader:
    """Reads one file."""

    def __init__(self, content: bytes, origin: str) -> None:
        schema = _schema()
        self._names = {
            code: name for name, code in vars(schema.BuiltinOperator).items() if name.isupper()
        }
        self._types = {
            code: name for name, code in vars(schema.TensorType).items() if name.isupper()
        }
        self._size = len(content)
        self._origin = origin
        self._model = schema.Model.GetRootAs(content, 0)

    def model(self) -> TfliteModel:
        """Read it all.

        Raises:
            UsageError: It is not what a board can use.
        """
        subgraph = self._subgraph()
        stored = tuple(self._tensors(subgraph))
        steps = tuple(self._steps(subgraph, stored))
        inputs = self._ports(stored, subgraph.InputsLength(), subgraph.Inputs)
        outputs = self._ports(stored, subgraph.OutputsLength(), subgraph.Outputs)
        self._check(stored, steps, inputs, outputs)
        tensors = tuple(Tensor(_without_batch(one.shape), one.element_bytes) for one in stored)
        names = _layer_names(steps, stored)
        operators = tuple(
            _operator(step, stored, name) for step, name in zip(steps, names, strict=True)
        )
        graph = Graph(tensors, operators, inputs, outputs)
        weights = dict.fromkeys(place for step in steps for place in step.inputs if place >= 0)
        return TfliteModel(
            size_bytes=self._size,
            graph=graph,
            operators=tuple(dict.fromkeys(step.kind for step in steps)),
            input=_port(stored[inputs[0]]),
            output=_port(stored[outputs[0]]),
            parameters=sum(
                math.prod(stored[place].shape) for place in weights if _is_weight(stored[place])
            ),
        )

    def _subgraph(self) -> Any:
        if self._model.SubgraphsLength() != 1:
            raise UsageError(
                "The .tflite model is not one graph.",
                expected="1 subgraph, as a network of layers has",
                received=f"{self._origin}: {self._model.SubgraphsLength():,} subgraphs",
                fix="Convert a network without loops and conditions.",
            )
        return self._model.Subgraphs(0)

    def _tensors(self, subgraph: Any) -> Iterator[_Stored]:
        room = self._size  # for names, each of which is copied whole
        for place in range(self._bounded(subgraph.TensorsLength(), _MAX_TENSORS, "tensors")):
            tensor = subgraph.Tensors(place)
            rank, known_rank = (_at_most(_MAX_RANK, count) for count in self._ranks(tensor))
            shape = tuple(tensor.Shape(axis) for axis in range(rank))
            signature = tuple(tensor.ShapeSignature(axis) for axis in range(known_rank))
            name = tensor.Name() or b""
            room -= len(name)
            if room < 0:
                raise ValueError("names that are longer than the file")
            scales, scale, zero_point = self._quantization(tensor)
            yield _Stored(
                name=_printable(name),
                kind=self._types[tensor.Type()],
                shape=shape,
                constant_bytes=self._constant_bytes(tensor.Buffer()),
                scales=scales,
                scale=scale,
                zero_point=zero_point,
                is_open=any(size < 1 for size in shape) or any(size < 0 for size in signature[1:]),
                is_variable=bool(tensor.IsVariable()),
            )

    def _ranks(self, tensor: Any) -> tuple[int, int]:
        return tensor.ShapeLength(), tensor.ShapeSignatureLength()

    def _quantization(self, tensor: Any) -> tuple[int, float, int]:
        """Return how many scales a tensor has, the first, and the first zero point."""
        quantization = tensor.Quantization()
        scales = quantization.ScaleLength() if quantization else 0
        if not quantization or not scales:
            return 0, 0.0, 0
        scale = float(quantization.Scale(0))
        zero_point = int(quantization.ZeroPoint(0)) if quantization.ZeroPointLength() else 0
        if not math.isfinite(scale) or not 0 < 4 * scales <= self._size:
            raise ValueError("a scale that is no number")
        return scales, scale, zero_point

    def _constant_bytes(self, place: int) -> int | None:
        """Return how many bytes a buffer has; None where it is empty, which says that it is written
        at run time.
        """
        if not place:
            return None
        if place >= self._model.BuffersLength():
            raise IndexError("a buffer that is not there")
        buffer = self._model.Buffers(place)
        length = buffer.DataLength() or buffer.Size()
        if length > self._size:
            raise ValueError("a buffer that is larger than the file")
        return length or None

    def _steps(self, subgraph: Any, stored: tuple[_Stored, ...]) -> Iterator[_Step]:
        room = _MAX_INPUTS
        for place in range(self._bounded(subgraph.OperatorsLength(), _MAX_OPERATORS, "operators")):
            operator = subgraph.Operators(place)
            num_inputs, num_outputs = operator.InputsLength(), operator.OutputsLength()
            room = room - num_inputs - num_outputs
            if room < 0 or not num_outputs:
                raise ValueError("operators with no outputs, or more inputs than a model has")
            inputs = tuple(operator.Inputs(index) for index in range(num_inputs))
            outputs = tuple(operator.Outputs(index) for index in range(num_outputs))
            if not all(-1 <= one < len(stored) for one in inputs) or not all(
                0 <= one < len(stored) for one in outputs
            ):
                raise IndexError("a tensor that is not there")
            yield _Step(self._kind(operator.OpcodeIndex()), inputs, outputs)

    def _kind(self, place: int) -> str:
        if place >= self._model.OperatorCodesLength():
            raise IndexError("an operator that is not there")
        code = self._model.OperatorCodes(place)
        # Old files have the code in a field of one byte alone.
        kind: str = self._names[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        if kind == "CUSTOM":
            raise UsageError(
                "The .tflite model has a custom operator.",
                expected="operators of TensorFlow Lite, which TensorFlow Lite Micro has too",
                received=f"{self._origin}: {_printable(code.CustomCode() or b'') or 'one without a name'}",
                fix="Replace the layer that it comes from and convert again.",
            )
        return kind

    def _ports(self, stored: tuple[_Stored, ...], length: int, place_of: Any) -> tuple[int, ...]:
        places = tuple(place_of(index) for index in range(_at_most(len(stored), length)))
        if not places or not all(0 <= place < len(stored) for place in places):
            raise IndexError("inputs or outputs that are not there")
        return places

    def _bounded(self, count: int, most: int, what: str) -> int:
        """Return a count that the file can hold, for each takes four bytes at least."""
        if 4 * count > self._size:
            raise ValueError(f"more {what} than the file has room for")
        if count > most:
            raise UsageError(
                f"The .tflite model has too many {what}.",
                expected=f"at most {most:,}; a network for a board has some hundred",
                received=f"{self._origin}: {count:,}",
            )
        return count

    def _check(
        self,
        stored: tuple[_Stored, ...],
        steps: tuple[_Step, ...],
        inputs: tuple[int, ...],
        outputs: tuple[int, ...],
    ) -> None:
        """Refuse what is no int8 model for one image at a time."""
        flowing = {*inputs, *outputs, *(place for step in steps for place in step.outputs)}
        shapes = [stored[place] for place in flowing]
        if any(one.is_open for one in shapes) or any(
            stored[place].shape[:1] not in ((1,), ()) for place in inputs
        ):
            worst = next((one for one in shapes if one.is_open), stored[inputs[0]])
            raise UsageError(
                "The shapes in the .tflite model are not fixed to one image.",
                expected="a batch of 1 and sizes that are known; the memory of a board is planned by them",
                received=f"{self._origin}: {worst.name} has the shape {list(worst.shape)}",
                fix="Convert the network with a batch of 1 (eyetune export does).",
            )
        written = set(inputs)
        for step in steps:
            unknown = (
                stored[place] for place in step.inputs if place >= 0 and place not in written
            )
            if not all(one.is_constant or one.is_variable for one in unknown):
                raise ValueError("a tensor that is read before it is written")
            if written & set(step.outputs):
                raise ValueError("a tensor that is written twice")
            written |= set(step.outputs)
        if not set(outputs) <= written:
            raise ValueError("an output that is never written")
        for step in (one for one in steps if one.kind in CONVOLUTIONS):
            read = [stored[place] for place in step.inputs if place >= 0]
            tensors = (*_weights_first(step.kind, read), stored[step.outputs[0]])
            if any(len(one.shape) != 4 or min(one.shape) < 1 for one in tensors):
                raise ValueError("a convolution of what is no picture")
        self._check_is_int8(stored, steps, inputs)

    def _check_is_int8(
        self, stored: tuple[_Stored, ...], steps: tuple[_Step, ...], inputs: tuple[int, ...]
    ) -> None:
        read = [
            (step.kind, [stored[place] for place in step.inputs if place >= 0]) for step in steps
        ]
        pairs = [
            _weights_first(kind, given)
            for kind, given in read
            if kind in WITH_WEIGHTS and len(given) > 1
        ]
        mixed = next(
            (
                values
                for weights, values in pairs
                if values.kind in _FLOATS and weights.kind == "INT8"
            ),
            None,
        )
        if mixed is not None:
            raise UsageError(
                "Only the weights of the .tflite model are in int8, which TensorFlow Lite Micro cannot run.",
                expected="a full-integer model: weights and what flows between layers in int8",
                received=f"{self._origin}: {mixed.name} is {mixed.kind.lower()} (a dynamic-range model)",
                fix="Convert it with a representative dataset; eyetune export does.",
            )
        flowing = [stored[inputs[0]], *(stored[place] for step in steps for place in step.outputs)]
        worst = next((values for _, values in pairs if values.kind not in ("INT8", "INT16")), None)
        if (worst is not None and worst.kind in _FLOATS) or {
            one.kind for one in flowing
        } <= _FLOATS:
            one = worst or flowing[0]
            raise UsageError(
                "This is a float .tflite: the board wants int8.",
                expected="a full-integer int8 model",
                received=f"{self._origin}: {one.name} is {one.kind.lower()}",
                fix="Export the run with eyetune export, or fit-check the .keras file that it comes from.",
            )
        if worst is not None:
            raise UsageError(
                "The .tflite model computes in a type that TensorFlow Lite Micro does not.",
                expected="int8, or int16 with weights in int8",
                received=f"{self._origin}: {worst.name} is {worst.kind.lower()}",
                fix="Convert the network anew; eyetune export does.",
            )


@dataclass(frozen=True)
class _Step:
    """An operator as the file has it; -1 is an input that it goes without."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def _weights_first(kind: str, read: list[_Stored]) -> tuple[_Stored, _Stored]:
    """Return the weights and what they are applied to: a transposed convolution has its shape
    first.
    """
    return (read[1], read[2]) if kind == "TRANSPOSE_CONV" and len(read) > 2 else (read[1], read[0])


def _operator(step: _Step, stored: tuple[_Stored, ...], layer: str) -> Operator:
    given = [index for index in step.inputs if index >= 0]
    flowing = tuple(index for index in given if not stored[index].is_constant)
    constants = tuple(
        Constant(stored[index].constant_bytes or 0, stored[index].scales)
        for index in given
        if stored[index].is_constant
    )
    output = stored[step.outputs[0]]
    weights = (
        _weights_first(step.kind, [stored[index] for index in given])[0] if len(given) > 1 else None
    )
    return Operator(
        kind=step.kind,
        layers=(layer,),
        inputs=flowing,
        output=step.outputs[0],
        constants=constants,
        channels=_channels(step.kind, output, weights),
        macs=_macs(step.kind, output, weights, [stored[index] for index in flowing]),
        scratch_bytes=4 * math.prod(output.shape)
        if step.kind == "TRANSPOSE_CONV"
        else 0,  # sums in int32
        more_outputs=step.outputs[1:],
    )


def _channels(kind: str, output: _Stored, weights: _Stored | None) -> int:
    """Return how many channels have a multiplier each: of a dense layer only where it has a scale
    for each.
    """
    if weights is None or kind not in WITH_WEIGHTS or not output.shape:
        return 0
    return output.shape[-1] if kind in CONVOLUTIONS or weights.scales > 1 else 0


def _macs(kind: str, output: _Stored, weights: _Stored | None, flowing: list[_Stored]) -> int:
    """Count by kernel: each weight is used once at each position of the output."""
    if weights is None or kind not in WITH_WEIGHTS or not flowing:
        return 0
    positions = flowing[0].shape if kind == "TRANSPOSE_CONV" else output.shape
    return math.prod(positions[:-1]) * math.prod(weights.shape)


def _is_weight(one: _Stored) -> bool:
    return one.is_constant and one.scales > 0


def _port(one: _Stored) -> Port:
    return Port(_without_batch(one.shape), one.kind.lower(), one.scale, one.zero_point)


def _without_batch(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[1:] if shape[:1] == (1,) else shape


def _layer_names(steps: tuple[_Step, ...], stored: tuple[_Stored, ...]) -> Iterator[str]:
    """Yield the layer that each operator is from, by the names of its tensors:
    model/layer/operation;and so on.

    What all names begin with is left out. An operator whose output has another kind of name is
    called by its kind.
    """
    paths = [
        stored[step.outputs[0]].name.split(";", maxsplit=1)[0].split("/")[:-1] for step in steps
    ]
    named = [path[:-1] for path in paths if path]
    shared = len(tuple(takewhile(lambda parts: len(set(parts)) == 1, zip(*named, strict=False))))
    for place, (step, path) in enumerate(zip(steps, paths, strict=True)):
        yield "/".join(path[shared:]) or f"{step.kind.lower()}_{place}"


def _printable(name: bytes) -> str:
    """Return a name as it can be shown: the file may hold anything."""
    text = name[: 4 * _MAX_NAME].decode("utf-8", errors="replace")
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:_MAX_NAME]


def _at_most(most: int, count: int) -> int:
    if count > most:
        raise ValueError("a list that is too long")
    return count
