"""The tensor arena: the memory that TensorFlow Lite Micro needs to run a graph.

The head of the arena holds the tensors, which share memory when they are not alive at the same
time. The tail holds what the interpreter keeps about each operator and tensor. The planner is
TensorFlow Lite Micro's greedy memory planner, which takes the offsets of tensors from the file if
it holds them ("offline planned"), see
https://github.com/tensorflow/tflite-micro/blob/main/tensorflow/lite/micro/docs/memory_management.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from eyetune.device.estimate.graph import Graph

ALIGNMENT = 16  # bytes

# Sizes in the tail, in bytes, on a 64-bit host. They were fitted to tflite-micro 0.dev20261023 on
# 52 networks. An ESP32 with its 32-bit pointers needs less. A quantized channel takes a multiplier
# and a shift of 4 bytes each.
_TAIL = 682
_TAIL_PER_OPERATOR = 74
_TAIL_PER_TENSOR = 59
_TAIL_PER_CHANNEL = 8


@dataclass(frozen=True)
class Buffer:
    """Memory that is needed during a range of steps.

    Attributes:
        bytes: Its size in bytes.
        first: The first step that needs it.
        last: The last step that needs it.
        offset: Its offset in bytes, if that is given; None if the planner chooses it.
    """

    bytes: int
    first: int
    last: int
    offset: int | None = None


@dataclass(frozen=True)
class MemoryPlan:
    """The position of each buffer in memory.

    Attributes:
        offsets: Offset of each buffer in bytes, in the order in which the buffers were given.
        bytes: Size of the memory that holds all of them, in bytes.
    """

    offsets: tuple[int, ...]
    bytes: int


def aligned(size: int) -> int:
    """Return a size rounded up to the next multiple of the alignment, in bytes.

    Example:
        >>> aligned(1), aligned(16)
        (16, 16)
    """
    return -(-size // ALIGNMENT) * ALIGNMENT


def plan_memory(buffers: Sequence[Buffer]) -> MemoryPlan:
    """Place buffers as TensorFlow Lite Micro does: those needed at the same time do not overlap.

    After those with a given offset, the largest buffer is placed first, and each one goes to the
    first gap that is large enough. Of two buffers of the same size, the later one is placed first.

    Example:
        >>> plan_memory([Buffer(30, 0, 0), Buffer(100, 0, 1), Buffer(20, 1, 2)])
        MemoryPlan(offsets=(112, 0, 112), bytes=144)
    """
    later_first = reversed(range(len(buffers)))
    return _plan(buffers, sorted(later_first, key=lambda index: -aligned(buffers[index].bytes)))


def planned(graph: Graph) -> Graph:
    """Return a graph with offsets of its tensors, if they save memory.

    TensorFlow Lite Micro's planner leaves gaps where tensors of one size follow each other, as in
    residual blocks. The offsets are the best of several orders in which the tensors can be placed.

    Args:
        graph: A graph. Scratch memory does not count: it depends on the board.

    Returns:
        The graph with `offsets`; without them if the planner of TensorFlow Lite Micro needs no more
        memory.
    """
    tensors = buffers_of(replace(graph, offsets=()))[: len(graph.activations)]
    plans = [_plan(tensors, _sorted_indices(tensors, key)) for key in _ORDERS]
    plan = min(plans, key=lambda plan: plan.bytes)
    if plan.bytes >= plan_memory(tensors).bytes:
        return replace(graph, offsets=())
    offsets = dict(zip(graph.activations, plan.offsets, strict=True))
    return replace(graph, offsets=tuple(offsets.get(index) for index in range(len(graph.tensors))))


_Key = Callable[[Buffer], tuple[int, int]]
# Orders in which tensors can be placed: the largest first, and the earlier one of equals; by the
# time of their first use; those that are needed longest first.
_ORDERS: tuple[_Key, ...] = (
    lambda tensor: (-aligned(tensor.bytes), tensor.first),
    lambda tensor: (tensor.first, -aligned(tensor.bytes)),
    lambda tensor: (tensor.first - tensor.last, -aligned(tensor.bytes)),
)


def _sorted_indices(buffers: Sequence[Buffer], key: _Key) -> list[int]:
    return sorted(range(len(buffers)), key=lambda index: key(buffers[index]))


def _plan(buffers: Sequence[Buffer], order: Iterable[int]) -> MemoryPlan:
    """Place buffers in an order of their indices, each in the first gap, after fixed ones."""
    offsets = {
        index: buffer.offset for index, buffer in enumerate(buffers) if buffer.offset is not None
    }
    for index in (index for index in order if buffers[index].offset is None):
        overlapping = [
            placed for placed in offsets if _needed_together(buffers[index], buffers[placed])
        ]
        spans = sorted((offsets[placed], aligned(buffers[placed].bytes)) for placed in overlapping)
        offsets[index] = _first_gap(spans, aligned(buffers[index].bytes))
    ends = [offset + aligned(buffers[index].bytes) for index, offset in offsets.items()]
    ordered_offsets = tuple(offsets[index] for index in range(len(buffers)))
    return MemoryPlan(ordered_offsets, max(ends, default=0))


def _needed_together(first: Buffer, second: Buffer) -> bool:
    return first.first <= second.last and second.first <= first.last


def _first_gap(spans: Sequence[tuple[int, int]], size: int) -> int:
    """Return the first offset with `size` free bytes between sorted spans of (offset, size)."""
    end = 0
    for offset, span_size in spans:
        if offset - end >= size:
            break
        end = max(end, offset + span_size)
    return end


def buffers_of(graph: Graph) -> tuple[Buffer, ...]:
    """Return the memory that a graph needs.

    The tensors come first, in the order of `graph.activations`, then the scratch memory of
    operators. Inputs are needed from the first step on, and outputs up to the last one.
    """
    last_step = max(len(graph.operators) - 1, 0)
    first_use = dict.fromkeys(graph.inputs, 0)
    for step, operator in enumerate(graph.operators):
        first_use |= dict.fromkeys(operator.outputs, step)
    last_use = dict(first_use)
    for step, operator in enumerate(graph.operators):
        last_use |= dict.fromkeys(operator.inputs, step)
    last_use |= dict.fromkeys(graph.outputs, last_step)
    offsets = graph.offsets or (None,) * len(graph.tensors)
    tensors = [
        Buffer(graph.tensors[index].bytes, first_use[index], last_use[index], offsets[index])
        for index in graph.activations
    ]
    scratch = [
        Buffer(operator.scratch_bytes, step, step)
        for step, operator in enumerate(graph.operators)
        if operator.scratch_bytes
    ]
    return (*tensors, *scratch)


def alive_bytes(graph: Graph) -> tuple[int, ...]:
    """Return, for each operator, the bytes that are needed while it runs.

    These are its inputs and outputs, tensors that later operators read, and its scratch memory.

    Example:
        >>> from eyetune.device.estimate.graph import Operator, Tensor
        >>> steps = (Operator("RELU", ("a",), (0,), 1), Operator("RELU", ("b",), (1,), 2))
        >>> alive_bytes(Graph((Tensor((160,)), Tensor((320,)), Tensor((16,))), steps, (0,), (2,)))
        (480, 336)
    """
    # One pass over the buffers: add up by how much each step changes the total.
    changes = [0] * (len(graph.operators) + 1)
    for buffer in buffers_of(graph):
        changes[buffer.first] += aligned(buffer.bytes)
        changes[min(buffer.last + 1, len(graph.operators))] -= aligned(buffer.bytes)
    return tuple(accumulate(changes[:-1]))


def head_bytes(graph: Graph) -> int:
    """Return the size of the arena's head: the tensors and the scratch memory, in bytes."""
    return plan_memory(buffers_of(graph)).bytes


def tail_bytes(graph: Graph) -> int:
    """Return the size of the arena's tail in bytes, by a formula fitted to measurements."""
    constants = [constant for operator in graph.operators for constant in operator.constants]
    common = {constant for constant in constants if constant.is_common}
    num_constants = sum(not constant.is_common for constant in constants) + len(common)
    num_tensors = len(graph.activations) + num_constants
    num_channels = sum(operator.channels for operator in graph.operators)
    return aligned(
        _TAIL
        + _TAIL_PER_OPERATOR * len(graph.operators)
        + _TAIL_PER_TENSOR * num_tensors
        + _TAIL_PER_CHANNEL * num_channels
    )
