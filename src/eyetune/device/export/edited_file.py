"""A .tflite file of a network whose operators were edited as objects."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np

from eyetune.device.estimate.tflite_schema import IDENTIFIER
from eyetune.device.export.compact_file import compact

_ABSENT = -1  # the number of an optional input that is not there
_LISTS = ("inputs", "outputs", "intermediates")  # of a subgraph and of operators: tensors


def edited_file(model: Any) -> bytes:
    """Return a compact file of a network without what its operators do not use any more.

    Args:
        model: A network of one subgraph, as `tflite_schema.unpack` returns it; it is changed.
    """
    (graph,) = model.subgraphs
    _drop_unused_tensors(graph)
    _drop_unused_codes(model, graph)
    model.metadata = model.metadataBuffer = model.signatureDefs = None  # they count the tensors
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return compact(bytes(builder.Output()))


def indices(numbers: Any) -> list[int]:
    """Return the tensors that a list of an operator or a subgraph names; a list may be missing."""
    return [] if numbers is None else [int(number) for number in numbers]


def _drop_unused_tensors(graph: Any) -> None:
    """Drop the tensors that nothing reads or writes, and renumber the others."""
    holders = [
        (holder, name)
        for holder in (graph, *graph.operators)
        for name in _LISTS
        if getattr(holder, name, None) is not None
    ]
    given = [indices(getattr(holder, name)) for holder, name in holders]
    used = sorted({number for numbers in given for number in numbers} - {_ABSENT})
    renumbered = {old: new for new, old in enumerate(used)} | {_ABSENT: _ABSENT}
    for (holder, name), numbers in zip(holders, given, strict=True):
        setattr(holder, name, np.array([renumbered[number] for number in numbers], np.int32))
    graph.tensors = [graph.tensors[number] for number in used]


def _drop_unused_codes(model: Any, graph: Any) -> None:
    """Drop the operator codes that no operator has, and renumber the others."""
    used = sorted({operator.opcodeIndex for operator in graph.operators})
    for operator in graph.operators:
        operator.opcodeIndex = used.index(operator.opcodeIndex)
    model.operatorCodes = [model.operatorCodes[number] for number in used]
