"""How much memory TensorFlow Lite Micro needs to run a graph: its tensor arena.

The head holds the tensors, which share memory where they are not alive together; the tail holds
what the interpreter remembers of each operator and tensor. The planner is that of TensorFlow Lite
Micro, the greedy one: see
https://github.com/tensorflow/tflite-micro/blob/main/tensorflow/lite/micro/docs/memory_management.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from eyetune.device.estimate.graph import Graph, Operator

ALIGNMENT = 16  # bytes
_BORDER = 2  # pixels around a padded picture, with a kernel of 5x5

# Of the tail, in bytes on a 64-bit host, fitted to tflite-micro 0.dev20261023 over 52 networks; an
# ESP32 with its 32-bit pointers needs less. A quantized channel costs a multiplier and a shift of 4
# bytes each.
_TAIL = 682
_TAIL_PER_OPERATOR = 74
_TAIL_PER_TENSOR = 59
_TAIL_PER_CHANNEL = 8


@dataclass(frozen=True)
class Buffer:
    """Memory that is needed from one step to another, both included."""

    bytes: int
    first: int
    last: int


@dataclass(frozen=True)
class Plan:
    """Where each buffer lies, in bytes from the start, and how many bytes that takes in all."""

    offsets: tuple[int, ...]
    bytes: int


def aligned(size: int) -> int:
    """Return the size rounded up to what memory is handed out in.

    Example:
        >>> aligned(1), aligned(16)
        (16, 16)
    """
    return -(-size // ALIGNMENT) * ALIGNMENT


def plan(buffers: Sequence[Buffer]) -> Plan:
    """Place buffers so that none that are alive together overlap: the largest first, each at the
    first gap.

    Of two of one size, the later one is placed first.

    Example:
        >>> plan([Buffer(30, 0, 0), Buffer(100, 0, 1), Buffer(20, 1, 2)])
        Plan(offsets=(112, 0, 112), bytes=144)
    """
    offsets: dict[int, int] = {}
    for place in sorted(
        range(len(buffers)), key=lambda place: (-aligned(buffers[place].bytes), -place)
    ):
        beside = [other for other in offsets if _together(buffers[place], buffers[other])]
        spans = sorted((offsets[other], aligned(buffers[other].bytes)) for other in beside)
        offsets[place] = _first_gap(spans, aligned(buffers[place].bytes))
    ends = [offset + aligned(buffers[place].bytes) for place, offset in offsets.items()]
    return Plan(tuple(offsets[place] for place in range(len(buffers))), max(ends, default=0))


def _together(one: Buffer, other: Buffer) -> bool:
    return one.first <= other.last and other.first <= one.last


def _first_gap(spans: Sequence[tuple[int, int]], size: int) -> int:
    """Return where so many bytes fit between (offset, size) spans in the order of their offsets."""
    end = 0
    for offset, taken in spans:
        if offset - end >= size:
            break
        end = max(end, offset + taken)
    return end


def buffers(graph: Graph) -> tuple[Buffer, ...]:
    """Return when each tensor of a graph is alive, in the order of `graph.activations`, then what
    operators need.

    Inputs are there from the first step on; outputs stay to the last.
    """
    last = max(len(graph.operators) - 1, 0)
    written = {
        place: step for step, operator in enumerate(graph.operators) for place in operator.outputs
    }
    born = dict.fromkeys(graph.inputs, 0) | written
    dies = dict(born)
    for step, operator in enumerate(graph.operators):
        dies |= dict.fromkeys(operator.inputs, step)
    dies |= dict.fromkeys(graph.outputs, last)
    tensors = [
        Buffer(graph.tensors[place].bytes, born[place], dies[place]) for place in graph.activations
    ]
    scratch = [
        Buffer(one.scratch_bytes, step, step)
        for step, one in enumerate(graph.operators)
        if one.scratch_bytes
    ]
    return (*tensors, *scratch)


def alive_bytes(graph: Graph) -> tuple[int, ...]:
    """Return what is alive while each operator runs: its inputs and outputs, what later ones read,
    what it needs.

    Example:
        >>> from eyetune.device.estimate.graph import Operator, Tensor
        >>> steps = (Operator("RELU", ("a",), (0,), 1), Operator("RELU", ("b",), (1,), 2))
        >>> alive_bytes(Graph((Tensor((160,)), Tensor((320,)), Tensor((16,))), steps, (0,), (2,)))
        (480, 336)
    """
    # What comes and what goes at each step, so that it is one pass over the buffers.
    change = [0] * (len(graph.operators) + 1)
    for buffer in buffers(graph):
        change[buffer.first] += aligned(buffer.bytes)
        change[min(buffer.last + 1, len(graph.operators))] -= aligned(buffer.bytes)
    return tuple(accumulate(change[:-1]))


def head_bytes(graph: Graph) -> int:
    """Return what the tensors take, and the operators while they run."""
    return plan(buffers(graph)).bytes


def with_copies(graph: Graph) -> Graph:
    """Return a graph as ESP-NN's vector kernels run it: a convolution has room for copies of its
    weights and its input.

    No more than that is what they ask for, with kernels of up to 5x5; see
    esp_nn_get_conv_scratch_size_esp32s3 in
    https://github.com/espressif/esp-nn/blob/master/src/convolution/esp_nn_conv_esp32s3.c.

    Example:
        >>> from eyetune.device.estimate.graph import Constant, Operator, Tensor
        >>> step = Operator("CONV_2D", ("a",), (0,), 1, (Constant(2304),))
        >>> graph = with_copies(Graph((Tensor((8, 8, 16)), Tensor((8, 8, 16))), (step,), (0,), (1,)))
        >>> graph.operators[0].scratch_bytes == 2 * 2304 + 2 * 12 * 12 * 16 + 4 * 16 + 64
        True
    """
    return replace(
        graph, operators=tuple(_with_copies(graph, operator) for operator in graph.operators)
    )


def _with_copies(graph: Graph, operator: Operator) -> Operator:
    if (
        operator.kind not in ("CONV_2D", "DEPTHWISE_CONV_2D")
        or not operator.inputs
        or not operator.constants
    ):
        return operator
    *sides, channels = graph.tensors[operator.inputs[0]].shape or (1,)
    by_sixteens = -(-channels // 16) * 16  # as channels are taken
    weights = -(-operator.constants[0].bytes * by_sixteens // max(channels, 1))
    padded = math.prod(side + 2 * _BORDER for side in sides) * channels
    outputs = graph.tensors[operator.output].shape[-1:]
    scratch = 2 * weights + 2 * padded + 4 * math.prod(outputs) + 4 * ALIGNMENT
    return replace(operator, scratch_bytes=scratch)


def tail_bytes(graph: Graph) -> int:
    """Return what the interpreter remembers, by a formula fitted to measurements."""
    all_constants = [constant for operator in graph.operators for constant in operator.constants]
    common = {constant for constant in all_constants if constant.is_common}
    constants = sum(not constant.is_common for constant in all_constants) + len(common)
    channels = sum(operator.channels for operator in graph.operators)
    tensors = len(graph.activations) + constants
    return aligned(
        _TAIL
        + _TAIL_PER_OPERATOR * len(graph.operators)
        + _TAIL_PER_TENSOR * tensors
        + _TAIL_PER_CHANNEL * channels
    )
