"""The tensors and operators of a .tflite file, with every length and index checked.

A file may come from anywhere and may be damaged. What is wrong with the file itself raises
`DamagedFileError` or one of the errors of reading beyond its end; `tflite.read` reports them.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from eyetune.device.estimate import tflite_schema
from eyetune.errors import UsageError

_MAX_OPERATORS = 4000  # networks for boards have some hundred at most
_MAX_TENSORS = 4 * _MAX_OPERATORS
_MAX_INPUTS = 4 * _MAX_OPERATORS  # of all operators together
_MAX_RANK = 8
_MAX_NAME = 80  # characters
_MAX_STEP = 1 << 16  # pixels: strides and dilations
# Size of an element in bytes, by the name of its type.
_ELEMENT_BYTES = {
    **dict.fromkeys(("INT8", "UINT8", "BOOL", "INT4", "UINT4", "INT2"), 1),
    **dict.fromkeys(("INT16", "UINT16", "FLOAT16", "BFLOAT16"), 2),
    **dict.fromkeys(("INT32", "UINT32", "FLOAT32"), 4),
    **dict.fromkeys(("INT64", "UINT64", "FLOAT64", "COMPLEX64"), 8),
}


class DamagedFileError(ValueError):
    """The contents of a file contradict each other or its size."""


# The errors of reading a damaged file: offsets beyond its end, negative ones, missing lists.
DAMAGE_ERRORS = (
    DamagedFileError,
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
class StoredTensor:
    """A tensor as the file describes it.

    Attributes:
        name: Its name, shortened and without characters that cannot be printed.
        kind: The type of its elements, for example INT8.
        shape: Its shape, with the batch.
        constant_bytes: Size of its contents in bytes; None if it is written at run time.
        num_scales: Number of scales that it is quantized with.
        scale: The first scale; 0 if it is not quantized.
        zero_point: The first zero point.
        has_unknown_size: Whether a size other than the batch is unknown.
        is_variable: Whether it keeps its values from one image to the next.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    constant_bytes: int | None
    num_scales: int
    scale: float
    zero_point: int
    has_unknown_size: bool
    is_variable: bool

    @property
    def element_bytes(self) -> int:
        """Size of an element in bytes."""
        return _ELEMENT_BYTES[self.kind]

    @property
    def is_constant(self) -> bool:
        """Whether its contents are in the file."""
        return self.constant_bytes is not None


@dataclass(frozen=True)
class StoredOperator:
    """An operator as the file describes it.

    Attributes:
        kind: Its name in the schema.
        inputs: Indices of the tensors that it reads; -1 for an optional input that is absent.
        outputs: Indices of the tensors that it writes.
        strides: Vertical and horizontal stride of a convolution in pixels, otherwise (1, 1).
        dilation: Vertical and horizontal dilation of a convolution in pixels, otherwise (1, 1).
    """

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    strides: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)

    @property
    def present_inputs(self) -> tuple[int, ...]:
        """Indices of the tensors that it reads, without absent ones."""
        return tuple(index for index in self.inputs if index >= 0)


@dataclass(frozen=True)
class StoredModel:
    """The graph of a .tflite file as the file describes it.

    Attributes:
        tensors: All tensors.
        operators: The operators in the order in which they run.
        inputs: Indices of the tensors that go into the model.
        outputs: Indices of the tensors that come out of it.
        offsets: Offset of each tensor in memory in bytes, None where the interpreter chooses it;
            empty if the file holds no offsets.
    """

    tensors: tuple[StoredTensor, ...]
    operators: tuple[StoredOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    offsets: tuple[int | None, ...] = ()


def parse(content: bytes, origin: str) -> StoredModel:
    """Return what a .tflite file contains.

    Args:
        content: The content of the file, with the right identifier.
        origin: The file in error messages.

    Raises:
        UsageError: It has several subgraphs, custom operators, or too many tensors or operators.
        DamagedFileError, or another of `DAMAGE_ERRORS`: The file is damaged.
    """
    return _Parser(content, origin).parse()


class _Parser:
    """Parses one file."""

    def __init__(self, content: bytes, origin: str) -> None:
        self._size = len(content)
        self._origin = origin
        self._model = tflite_schema.root(content)

    def parse(self) -> StoredModel:
        subgraph = self._subgraph()
        tensors = tuple(self._tensors(subgraph))
        operators = tuple(self._operators(subgraph, len(tensors)))
        inputs = _ports(subgraph.InputsLength(), subgraph.Inputs, len(tensors))
        outputs = _ports(subgraph.OutputsLength(), subgraph.Outputs, len(tensors))
        return StoredModel(tensors, operators, inputs, outputs, self._offsets(len(tensors)))

    def _subgraph(self) -> Any:
        if self._model.SubgraphsLength() != 1:
            raise UsageError(
                "The .tflite model does not have exactly one subgraph.",
                expected="1 subgraph, as in a network of layers",
                received=f"{self._origin}: {self._model.SubgraphsLength():,} subgraphs",
                fix="Convert a network without loops and conditions.",
            )
        return self._model.Subgraphs(0)

    def _tensors(self, subgraph: Any) -> Iterator[StoredTensor]:
        types = tflite_schema.type_names()
        name_bytes_left = self._size  # every name is copied whole, and names may overlap
        for index in range(self._checked_count(subgraph.TensorsLength(), _MAX_TENSORS, "tensors")):
            tensor = subgraph.Tensors(index)
            rank = _at_most(_MAX_RANK, tensor.ShapeLength())
            signature_rank = _at_most(_MAX_RANK, tensor.ShapeSignatureLength())
            shape = tuple(tensor.Shape(axis) for axis in range(rank))
            signature = tuple(tensor.ShapeSignature(axis) for axis in range(signature_rank))
            name = tensor.Name() or b""
            name_bytes_left -= len(name)
            if name_bytes_left < 0:
                raise DamagedFileError("the names of tensors are longer than the file")
            num_scales, scale, zero_point = self._quantization(tensor)
            yield StoredTensor(
                name=_printable(name) or f"tensor {index}",
                kind=types[tensor.Type()],
                shape=shape,
                constant_bytes=self._constant_bytes(tensor.Buffer()),
                num_scales=num_scales,
                scale=scale,
                zero_point=zero_point,
                has_unknown_size=min(shape, default=1) < 1 or min(signature[1:], default=0) < 0,
                is_variable=bool(tensor.IsVariable()),
            )

    def _quantization(self, tensor: Any) -> tuple[int, float, int]:
        """Return a tensor's number of scales, its first scale and its first zero point."""
        quantization = tensor.Quantization()
        num_scales = quantization.ScaleLength() if quantization else 0
        if not num_scales:
            return 0, 0.0, 0
        scale = float(quantization.Scale(0))
        zero_point = int(quantization.ZeroPoint(0)) if quantization.ZeroPointLength() else 0
        if not math.isfinite(scale) or 4 * num_scales > self._size:
            raise DamagedFileError("a tensor has invalid scales")
        return num_scales, scale, zero_point

    def _constant_bytes(self, index: int) -> int | None:
        """Return the size of a buffer; None if it is empty, that is, written at run time."""
        if not index:
            return None
        if index >= self._model.BuffersLength():
            raise DamagedFileError("a tensor refers to a missing buffer")
        buffer = self._model.Buffers(index)
        length: int = buffer.DataLength() or buffer.Size()
        if length > self._size:
            raise DamagedFileError("a buffer is larger than the file")
        return length or None

    def _offsets(self, num_tensors: int) -> tuple[int | None, ...]:
        """Return the offsets of the tensors in memory; empty if the file holds none.

        TensorFlow Lite Micro compares the beginning of the name only, and takes the last plan.
        """
        num_metadata = self._checked_count(self._model.MetadataLength(), _MAX_TENSORS, "metadata")
        plans = [
            metadata
            for metadata in map(self._model.Metadata, range(num_metadata))
            if (metadata.Name() or b"").startswith(tflite_schema.MEMORY_PLAN)
        ]
        if not plans:
            return ()
        if len(plans) > 1:
            raise DamagedFileError("there is more than one memory plan")
        buffer = plans[0].Buffer()
        num_values = tflite_schema.MEMORY_PLAN_HEADER + num_tensors
        if self._constant_bytes(buffer) != 4 * num_values:
            raise DamagedFileError("the memory plan has another number of tensors")
        data = bytes(map(self._model.Buffers(buffer).Data, range(4 * num_values)))
        _, subgraph, count, *offsets = struct.unpack(f"<{num_values}i", data)
        if (subgraph, count) != (0, num_tensors):
            raise DamagedFileError("the memory plan is not one of the model's tensors")
        at_start = tflite_schema.PLANNED_AT_START
        if min(offsets) < at_start:
            raise DamagedFileError("the memory plan has negative offsets")
        return tuple(None if offset == at_start else offset for offset in offsets)

    def _operators(self, subgraph: Any, num_tensors: int) -> Iterator[StoredOperator]:
        ports_left = _MAX_INPUTS
        num_operators = self._checked_count(subgraph.OperatorsLength(), _MAX_OPERATORS, "operators")
        for index in range(num_operators):
            operator = subgraph.Operators(index)
            num_inputs, num_outputs = operator.InputsLength(), operator.OutputsLength()
            ports_left -= num_inputs + num_outputs
            if ports_left < 0:
                raise DamagedFileError("the operators have too many inputs and outputs")
            if not num_outputs:
                raise DamagedFileError("an operator has no output")
            inputs = tuple(operator.Inputs(position) for position in range(num_inputs))
            outputs = tuple(operator.Outputs(position) for position in range(num_outputs))
            if min(inputs, default=0) < -1 or min(outputs) < 0:  # -1 is an absent input
                raise DamagedFileError("an operator refers to a missing tensor")
            if max(*inputs, *outputs, 0) >= num_tensors:
                raise DamagedFileError("an operator refers to a missing tensor")
            kind = self._kind(operator.OpcodeIndex())
            strides, dilation = _steps(kind, operator)
            yield StoredOperator(kind, inputs, outputs, strides, dilation)

    def _kind(self, index: int) -> str:
        """Return the name of an operator by the index of its code in the file."""
        if index >= self._model.OperatorCodesLength():
            raise DamagedFileError("an operator has no code")
        code = self._model.OperatorCodes(index)
        # Old files have the code only in a field of one byte.
        kind = tflite_schema.operator_names()[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        if kind == "CUSTOM":
            name = _printable(code.CustomCode() or b"") or "one without a name"
            raise UsageError(
                "The .tflite model has a custom operator.",
                expected="builtin operators of TensorFlow Lite",
                received=f"{self._origin}: {name}",
                fix="Replace the layer that it comes from and convert the network again.",
            )
        return kind

    def _checked_count(self, count: int, limit: int, name: str) -> int:
        """Return a count that the file can hold: each item takes at least four bytes."""
        if 4 * count > self._size:
            raise DamagedFileError(f"more {name} than the file can hold")
        if count > limit:
            raise UsageError(
                f"The .tflite model has too many {name}.",
                expected=f"at most {limit:,}; a network for a board has some hundred",
                received=f"{self._origin}: {count:,}",
            )
        return count


def _steps(kind: str, operator: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the strides and the dilation of a convolution; 1 for other operators."""
    options = tflite_schema.convolution_options(kind, operator)
    if options is None:
        return (1, 1), (1, 1)
    strides = options.StrideH(), options.StrideW()
    dilation = options.DilationHFactor(), options.DilationWFactor()
    if not 0 < min(*strides, *dilation) <= max(*strides, *dilation) <= _MAX_STEP:
        raise DamagedFileError("a convolution has an invalid stride or dilation")
    return strides, dilation


def _ports(length: int, index_at: Callable[[int], int], num_tensors: int) -> tuple[int, ...]:
    """Return the indices of the model's inputs or outputs."""
    count = _at_most(num_tensors, length)
    indices = tuple(index_at(position) for position in range(count))
    if not indices or min(indices) < 0 or max(indices) >= num_tensors:
        raise DamagedFileError("the model's inputs or outputs are missing")
    return indices


def _at_most(limit: int, count: int) -> int:
    if count > limit:
        raise DamagedFileError("a list is too long")
    return count


def _printable(name: bytes) -> str:
    """Return a name that can be printed: the file may contain any bytes."""
    text = name[: 4 * _MAX_NAME].decode("utf-8", errors="replace")
    letters = [letter if letter.isprintable() else "?" for letter in text]
    return "".join(letters)[:_MAX_NAME]
