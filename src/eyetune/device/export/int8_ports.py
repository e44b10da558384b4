"""A .tflite file of an int8 network whose input and output are int8, too.

Converters leave them float, or make them uint8, unless they are told otherwise: an operator at each
end then converts from and to int8. Firmware gives bytes less 128 and takes int8 scores, so that
these operators would only cost time and memory.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np

from eyetune.device.estimate import tflite_schema
from eyetune.device.estimate.tflite import Port, TfliteModel, read
from eyetune.device.estimate.tflite_schema import IDENTIFIER
from eyetune.device.export.compact_file import compact
from eyetune.device.export.int8_values import pixels_of_port
from eyetune.device.sandbox import client
from eyetune.errors import UsageError
from eyetune.inputs.limits import WEIGHTS_BYTES
from eyetune.inputs.regular_file import read_bytes
from eyetune.values.pixels import PixelRange

_ABSENT = -1  # the number of an optional input that is not there
_SHIFT = 128  # from uint8 to int8


def with_int8_ports(content: bytes) -> bytes:
    """Return a .tflite file that computes the same from int8 to int8.

    The content is returned as it is if its ports are int8, if more than a conversion lies between
    them and int8, or if it is no int8 network.

    Args:
        content: The content of a .tflite file.

    Raises:
        BoardError: The file is damaged, or made to do harm.
    """
    try:
        file = read(content)
    except UsageError:  # it is explained where an int8 network is required
        return content
    if file.input.dtype == file.output.dtype == "int8":
        return content
    changed = client.without_conversions(content)
    try:
        return changed if _means_the_same(file, read(changed)) else content
    except UsageError:
        return content


def read_with_int8_ports(path: Path) -> TfliteModel:
    """Read a .tflite file of an int8 model, as it is with int8 ports.

    Args:
        path: The file.

    Raises:
        UsageError: It cannot be read, or is no int8 model for a board.
    """
    content = read_bytes(path, WEIGHTS_BYTES)
    changed = with_int8_ports(content)
    return read(path if changed is content else changed)


def pixels_of(content: bytes) -> PixelRange:
    """Return the range of pixels that the input of an int8 network can represent.

    Args:
        content: The content of a .tflite file with int8 ports.
    """
    port = read(content).input
    return pixels_of_port(port.scale, port.zero_point, port.dtype)


def without_conversions(content: bytes) -> bytes:
    """Return a .tflite file without the operators between its ports and int8 tensors.

    It trusts the file, so files of others belong into a process of their own.

    Args:
        content: The content of a .tflite file with one subgraph.
    """
    model = tflite_schema.unpack(content)
    graph = model.subgraphs[0]
    kinds = _kinds(model)
    if len(graph.inputs) == len(graph.outputs) == 1:
        (given,), (returned,) = map(list, (graph.inputs, graph.outputs))
        graph.inputs = [_without_conversion(graph, kinds, int(given), is_input=True)]
        graph.outputs = [_without_conversion(graph, kinds, int(returned), is_input=False)]
    _drop_unused_tensors(graph)
    # They name tensors by their numbers.
    model.metadata = model.metadataBuffer = model.signatureDefs = None
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return compact(bytes(builder.Output()))


def _kinds(model: Any) -> list[str]:
    """Return the name of each operator code."""
    names = tflite_schema.operator_names()
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    return [names[code] for code in codes]


def _without_conversion(graph: Any, kinds: list[str], port: int, *, is_input: bool) -> int:
    """Leave out the operator between a port and an int8 tensor; return what is the port then."""
    if _is_int8(graph, port):
        return port
    readers = [operator for operator in graph.operators if port in operator.inputs]
    writers = [operator for operator in graph.operators if port in operator.outputs]
    around, others = (readers, writers) if is_input else (writers, readers)
    if len(around) != 1 or others:
        return port
    (operator,) = around
    inner = int((operator.outputs if is_input else operator.inputs)[0])
    is_conversion = kinds[operator.opcodeIndex] in ("QUANTIZE", "DEQUANTIZE")
    if not is_conversion or not _is_int8(graph, inner):
        return port
    graph.operators.remove(operator)
    return inner


def _is_int8(graph: Any, index: int) -> bool:
    return tflite_schema.type_names()[graph.tensors[index].type] == "INT8"


def _drop_unused_tensors(graph: Any) -> None:
    """Drop the tensors that nothing reads or writes, and number the others anew."""
    tables = [graph, *graph.operators]
    lists = [(table, name) for table in tables for name in ("inputs", "outputs", "intermediates")]
    given = {
        (index, name): indices
        for index, (table, name) in enumerate(lists)
        if (indices := getattr(table, name, None)) is not None
    }
    used = sorted({int(each) for indices in given.values() for each in indices} - {_ABSENT})
    numbers = {index: number for number, index in enumerate(used)} | {_ABSENT: _ABSENT}
    for (index, name), indices in given.items():
        renumbered = np.array([numbers[int(each)] for each in indices], np.int32)
        setattr(lists[index][0], name, renumbered)
    graph.tensors = [graph.tensors[index] for index in used]


def _means_the_same(file: TfliteModel, changed: TfliteModel) -> bool:
    """Return whether both ports are int8 now, and stand for the numbers that they stood for."""
    pairs = ((file.input, changed.input), (file.output, changed.output))
    return all(after.dtype == "int8" and _is_shift(before, after) for before, after in pairs)


def _is_shift(before: Port, after: Port) -> bool:
    """Return whether a port was float, or had the same scale."""
    if before.dtype != "uint8":
        return True
    return before.scale == after.scale and before.zero_point - _SHIFT == after.zero_point
