"""A .tflite file with only what interpreters need, so that a board's flash holds more network.

TensorFlow's converter also writes names and descriptions, and it writes equal parts again and
again. In a file of many small layers they take more bytes than the weights.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import flatbuffers
import numpy as np

from eyetune.device.estimate import tflite_schema
from eyetune.device.estimate.arena import planned
from eyetune.device.estimate.graph import CONVOLUTIONS
from eyetune.device.estimate.tflite import read
from eyetune.device.estimate.tflite_schema import IDENTIFIER
from eyetune.errors import UsageError

_DATA_ALIGNMENT = 16  # bytes: what the schema promises for weights, and fast kernels rely on


def compact(content: bytes) -> bytes:
    """Return a .tflite file that computes the same in fewer bytes.

    Left out are the names of tensors, descriptions, metadata and signatures; what TensorFlow Lite
    assumes without being told; and the scales of biases that interpreters compute from those of
    inputs and weights. Equal parts are written once. The same content always gives the same file.

    Added are the offsets of tensors in a board's memory, if they save some of it (`planned`).

    Args:
        content: The content of a .tflite file, as TensorFlow's converter writes it.
    """
    model = tflite_schema.unpack(content)
    offsets = _offsets(content)
    model.description = model.metadata = model.metadataBuffer = model.signatureDefs = None
    kinds = tflite_schema.operator_kinds(model)
    for subgraph in model.subgraphs:
        subgraph.name = None
        _drop_bias_scales(subgraph, kinds)
        for tensor in subgraph.tensors:
            _drop_descriptions(tensor)
    _drop_unused_buffers(model)
    _share_tables(model)
    if offsets:
        plan, buffer = tflite_schema.memory_plan(offsets, len(model.buffers))
        model.metadata = [plan]
        model.buffers.append(buffer)
    builder = _SharingBuilder()
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


def _offsets(content: bytes) -> tuple[int | None, ...]:
    """Return better offsets of tensors in memory than an interpreter chooses; empty if none are."""
    try:
        graph = read(content).graph
    except UsageError:
        return ()  # no board can use the file
    return planned(graph).offsets


def _drop_bias_scales(subgraph: Any, kinds: list[str]) -> None:
    """Drop the scales of biases which no interpreter reads.

    Args:
        subgraph: The subgraph, which is changed.
        kinds: The name of each operator code.
    """
    unread: set[int] = set()
    read: set[int] = set()
    for operator in subgraph.operators:
        kind = kinds[operator.opcodeIndex]
        bias = 3 if kind == "TRANSPOSE_CONV" else 2  # its position among the inputs
        is_unread = _computes_bias_scales(kind, operator, subgraph.tensors)
        for position, index in enumerate(operator.inputs.tolist()):
            (unread if is_unread and position == bias else read).add(index)
    for index in unread - read - {-1}:  # -1 is an absent input
        subgraph.tensors[index].quantization = None


def _computes_bias_scales(kind: str, operator: Any, tensors: list[Any]) -> bool:
    """Return whether interpreters compute the scales of an operator's bias.

    Of a dense layer with a single scale they compare it with the product of input and weights.
    """
    if kind != "FULLY_CONNECTED":
        return kind in CONVOLUTIONS
    quantization = tensors[operator.inputs[1]].quantization
    return quantization is not None and np.size(quantization.scale) > 1


def _drop_descriptions(tensor: Any) -> None:
    """Drop what describes a tensor to people, or says nothing."""
    tensor.name = None
    tensor.hasRank = tensor.hasRank and not len(tensor.shape)  # a shape implies it
    quantization = tensor.quantization
    if quantization is not None and quantization.scale is None and not quantization.detailsType:
        tensor.quantization = None


def _drop_unused_buffers(model: Any) -> None:
    """Keep the buffers with constants, after the first one, which is empty by definition."""
    buffers = model.buffers[:1]
    for subgraph in model.subgraphs:
        for tensor in subgraph.tensors:
            buffer = model.buffers[tensor.buffer]
            tensor.buffer = 0
            if buffer.data is not None:
                tensor.buffer = len(buffers)
                buffers.append(buffer)
    model.buffers = buffers


def _share_tables(model: Any) -> None:
    """Replace equal tables by the same one."""
    tables: dict[Hashable, _Table] = {}

    def shared(table: Any) -> _Table | None:
        if table is None:
            return None
        return tables.setdefault(_contents(table), _Table(table))

    for subgraph in model.subgraphs:
        for tensor in subgraph.tensors:
            tensor.quantization = shared(tensor.quantization)
        for operator in subgraph.operators:
            operator.builtinOptions = shared(operator.builtinOptions)
        subgraph.tensors = [shared(tensor) for tensor in subgraph.tensors]
    model.buffers = [shared(buffer) for buffer in model.buffers]


def _contents(table: Any) -> Hashable:
    """Return a value that is equal for equal tables; those with lists of tables are all unequal."""
    return type(table), *(_hashable(value) for value in vars(table).values())


def _hashable(value: Any) -> Hashable:
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.tobytes()
    return value if isinstance(value, Hashable) else id(value)


class _Table:
    """A table that is written once, and referred to from then on."""

    def __init__(self, table: Any) -> None:
        self._table = table
        self._offset: int | None = None

    def Pack(self, builder: flatbuffers.Builder) -> int:  # noqa: N802 (called by TensorFlow)
        if self._offset is None:
            self._offset = self._table.Pack(builder)
        return self._offset


class _SharingBuilder(flatbuffers.Builder):  # type: ignore[misc]
    """Writes equal vectors of numbers once, and the contents of buffers at their alignment."""

    def __init__(self) -> None:
        super().__init__()
        self._vectors: dict[tuple[str, bytes], int] = {}

    def CreateNumpyVector(self, x: Any) -> int:  # noqa: N802 (overrides)
        key = x.dtype.str, x.tobytes()
        if key not in self._vectors:
            if x.dtype == np.uint8:
                self.Prep(_DATA_ALIGNMENT, x.nbytes)
            self._vectors[key] = super().CreateNumpyVector(x)
        return self._vectors[key]
