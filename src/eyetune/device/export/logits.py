"""Removes the softmax at the end of an int8 network, so that it returns logits.

A softmax in int8 has 256 steps. A network that is right almost always gives most pictures its
highest one, 255/256, so that their confidences are equal, and a temperature cannot change that.
"""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np

from eyetune.device.estimate import tflite_schema
from eyetune.device.estimate.tflite_schema import IDENTIFIER
from eyetune.device.export.compact_file import compact


def without_softmax(content: bytes) -> bytes | None:
    """Return an int8 network that ends with the logits of its softmax; None if it has no softmax.

    Args:
        content: The content of a .tflite file.
    """
    model = tflite_schema.unpack(content)
    (subgraph,) = model.subgraphs
    last = subgraph.operators[-1]
    code = model.operatorCodes[last.opcodeIndex]
    kind = tflite_schema.operator_names()[max(code.builtinCode, code.deprecatedBuiltinCode)]
    if kind != "SOFTMAX" or last.outputs.tolist() != subgraph.outputs.tolist():
        return None
    (logits,) = last.inputs.tolist()
    (removed,) = last.outputs.tolist()
    subgraph.operators.pop()
    subgraph.outputs = np.array([logits], np.int32)
    del subgraph.tensors[removed]
    _renumber(subgraph, removed)
    if all(operator.opcodeIndex != last.opcodeIndex for operator in subgraph.operators):
        del model.operatorCodes[last.opcodeIndex]
        for operator in subgraph.operators:
            operator.opcodeIndex -= operator.opcodeIndex > last.opcodeIndex
    model.metadata = model.metadataBuffer = model.signatureDefs = None  # they count the tensors
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return compact(bytes(builder.Output()))


def _renumber(subgraph: Any, removed: int) -> None:
    """Lower the numbers of the tensors that follow a removed one."""
    for holder in (subgraph, *subgraph.operators):
        for name in ("inputs", "outputs"):
            numbers = getattr(holder, name)
            setattr(holder, name, numbers - (numbers > removed).astype(np.int32))
