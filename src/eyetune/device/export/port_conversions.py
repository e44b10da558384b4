"""Leaves out the operators of a .tflite file that convert its input to int8, or its output from it.

It trusts the file: only the process for models of others calls it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from eyetune.device.estimate import tflite_schema
from eyetune.device.export.edited_file import edited_file, indices

_TO_INT8, _FROM_INT8 = ("QUANTIZE",), ("DEQUANTIZE", "QUANTIZE")  # the last one: to uint8


def without_conversions(content: bytes) -> bytes:
    """Return a .tflite file without the operators between its ports and int8 tensors.

    Args:
        content: The content of a .tflite file with one subgraph.
    """
    model = tflite_schema.unpack(content)
    (graph,) = model.subgraphs
    kinds = tflite_schema.operator_kinds(model)
    given, returned = indices(graph.inputs), indices(graph.outputs)
    if len(given) == len(returned) == 1:
        graph.inputs = _inner(graph, kinds, given[0], is_input=True)
        graph.outputs = _inner(graph, kinds, returned[0], is_input=False)
    return edited_file(model)


def _inner(graph: Any, kinds: list[str], port: int, *, is_input: bool) -> Any:
    """Leave out the operator between a port and an int8 tensor, which is the port then."""
    readers = [operator for operator in graph.operators if port in indices(operator.inputs)]
    writers = [operator for operator in graph.operators if port in indices(operator.outputs)]
    around, others = (readers, writers) if is_input else (writers, readers)
    if len(around) == 1 and not others and not _is_int8(graph, port):
        (operator,) = around
        (inner,) = indices(operator.outputs if is_input else operator.inputs)
        conversions = _TO_INT8 if is_input else _FROM_INT8
        if kinds[operator.opcodeIndex] in conversions and _is_int8(graph, inner):
            graph.operators.remove(operator)
            port = inner
    return np.array([port], np.int32)


def _is_int8(graph: Any, number: int) -> bool:
    return tflite_schema.type_names()[graph.tensors[number].type] == "INT8"
