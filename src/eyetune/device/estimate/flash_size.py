"""The size of a model's .tflite file, predicted from its graph.

The constants were fitted to TensorFlow 2.21's converter on 59 networks.
"""

from __future__ import annotations

from eyetune.device.estimate.arena import aligned
from eyetune.device.estimate.graph import WITH_WEIGHTS, Constant, Graph, Operator
from eyetune.device.estimate.layer_names import renumbered_names, split_counter

# Sizes in bytes.
_FILE = 500
_CONSTANT = 99
_TENSOR = 135
_SCALE = 12  # a float32 scale and an int64 zero point
_NAME = 32  # of an operation in a tensor's name, in addition to the names of its layer and model
# A name without a layer: of tensors converted from or to float32, and of common constants.
_PLAIN_NAME = 14


def flash_bytes(graph: Graph, name: str) -> int:
    """Return the size of a .tflite file in bytes: its constants and the description of each tensor.

    Args:
        graph: The int8 model.
        name: The model's name, which is part of the name of every tensor.
    """
    total = _FILE + len(graph.inputs) * (_TENSOR + _SCALE + _NAME)
    prefix = len(split_counter(name)[0])
    names = renumbered_names(graph)
    seen: set[tuple[str, str]] = set()  # a layer that is used again stores its weights once
    for operator in graph.operators:
        key = operator.kind, operator.layers[0]
        layers = sum(len(names[layer]) for layer in operator.layers) // len(operator.layers)
        total += _operator_bytes(operator, _NAME + prefix + layers, is_reused=key in seen)
        seen.add(key)
    constants = [constant for operator in graph.operators for constant in operator.constants]
    common = {constant for constant in constants if constant.is_common}
    total += sum(_constant_bytes(constant) + _PLAIN_NAME for constant in common)
    return aligned(total)


def _operator_bytes(operator: Operator, name_bytes: int, *, is_reused: bool) -> int:
    """Return the bytes of an operator, its output and its constants in a file.

    Args:
        operator: The operator.
        name_bytes: Length of one name.
        is_reused: Whether its layer was used before, so that the weights are in the file already.
    """
    if operator.kind in ("QUANTIZE", "DEQUANTIZE"):
        return _TENSOR + _SCALE + _PLAIN_NAME
    total = _TENSOR + _SCALE + name_bytes * operator.names
    if operator.kind not in WITH_WEIGHTS:
        own = [constant for constant in operator.constants if not constant.is_common]
        return total + sum(_constant_bytes(constant) + name_bytes for constant in own)
    weights, *others = operator.constants
    for constant in others:
        num_names = operator.names if constant.scales else 1
        total += _constant_bytes(constant) + name_bytes * num_names
    if is_reused:
        return total
    return total + _constant_bytes(weights) + name_bytes * _num_weight_names(operator)


def _num_weight_names(operator: Operator) -> int:
    """Return how many names the weights have: batch normalization adds to those by channel."""
    by_channel = operator.kind in ("DEPTHWISE_CONV_2D", "TRANSPOSE_CONV")
    return 3 if by_channel and operator.names >= 5 else 1


def _constant_bytes(constant: Constant) -> int:
    return aligned(constant.bytes) + _SCALE * constant.scales + _CONSTANT
