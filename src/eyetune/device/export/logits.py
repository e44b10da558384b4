"""Removes the softmax at the end of an int8 network, so that it returns logits.

A softmax in int8 has 256 steps. A network that is right almost always gives most pictures its
highest one, 255/256, so that their confidences are equal, and a temperature cannot change that.
"""

from __future__ import annotations

from eyetune.device.estimate import tflite_schema
from eyetune.device.export.edited_file import edited_file, indices


def without_softmax(content: bytes) -> bytes | None:
    """Return an int8 network that ends with the logits of its softmax; None if it has no softmax.

    Args:
        content: The content of a .tflite file.
    """
    model = tflite_schema.unpack(content)
    (graph,) = model.subgraphs
    last = graph.operators[-1]
    kind = tflite_schema.operator_kinds(model)[last.opcodeIndex]
    if kind != "SOFTMAX" or indices(last.outputs) != indices(graph.outputs):
        return None
    graph.operators.pop()
    graph.outputs = last.inputs
    return edited_file(model)
