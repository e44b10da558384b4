"""The size of a model's compact .tflite file, predicted from its graph.

The sizes of descriptions were fitted to 43 networks, converted by TensorFlow 2.21.
"""

from __future__ import annotations

from collections.abc import Iterator

from eyetune.device.estimate.arena import aligned
from eyetune.device.estimate.graph import WITH_WEIGHTS, Constant, Graph

# Sizes in bytes.
_FILE = 683
_OPERATOR = 78  # with its options and the tensor that it writes
_CONSTANT = 68
_SCALE = 4
_ZERO_POINT = 8  # equal lists of zero points are in a file once
_MEMORY_PLAN = 96
_OFFSET = 4  # of each tensor in the memory plan


def flash_bytes(graph: Graph) -> int:
    """Return the size of a .tflite file in bytes: its constants, and the description of the rest.

    Args:
        graph: The int8 model.

    Example:
        >>> from eyetune.device.estimate.graph import Operator, Tensor
        >>> tanh = Operator("TANH", ("tanh",), (0,), 1)
        >>> flash_bytes(Graph((Tensor((4,)), Tensor((4,))), (tanh,), (0,), (1,)))
        768
    """
    constants = list(_stored_constants(graph))
    total = _FILE + _OPERATOR * len(graph.operators)
    total += sum(aligned(constant.bytes) + _CONSTANT for constant in constants)
    total += sum(_SCALE * constant.scales for constant in constants)
    total += sum(_ZERO_POINT * scales for scales in {constant.scales for constant in constants})
    if graph.offsets:
        total += _MEMORY_PLAN + _OFFSET * (len(graph.activations) + len(constants))
    return aligned(total)


def _stored_constants(graph: Graph) -> Iterator[Constant]:
    """Yield the constants in a file: those that several operators use are in it once."""
    seen: set[object] = set()
    for operator in graph.operators:
        for position, constant in enumerate(operator.constants):
            key: object = (operator.output, position)
            if constant.is_common:
                key = constant
            elif operator.kind in WITH_WEIGHTS and position == 0:
                key = (operator.kind, operator.layers[0])  # a layer may be used several times
            if key not in seen:
                seen.add(key)
                yield constant
