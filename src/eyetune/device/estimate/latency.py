"""How long a board takes for one image: the cycles of each operator, by the board's cost model.

It is a model and not a measurement. Its error is that of the published times that a board's figures
come from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from eyetune.device.boards.profiles import Board, Cost
from eyetune.device.estimate.graph import Graph, Operator

# What only gives a tensor another shape: nothing is computed, and hardly anything moved.
_FREE = frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS"})
# What goes over its input once and gives less of it.
_POOLS = frozenset(
    {"AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D", "MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"}
)


@dataclass(frozen=True)
class Latency:
    """The time that one image takes, between two bounds.

    Attributes:
        low: Milliseconds that it takes at least.
        high: Milliseconds that it takes at most.
        operators: Milliseconds of each operator, in the order of the graph; their sum is
            `milliseconds`.
    """

    low: float
    high: float
    operators: tuple[float, ...] = ()

    @property
    def milliseconds(self) -> float:
        """What is expected: the middle of the two."""
        return (self.low + self.high) / 2

    @property
    def error_milliseconds(self) -> float:
        """Half the width of what is between the two."""
        return (self.high - self.low) / 2


def latency(graph: Graph, board: Board, *, arena_in_psram: bool) -> Latency | None:
    """Predict how long a board takes for one image.

    Args:
        graph: The int8 model.
        board: The board; its cost model holds cycles and error.
        arena_in_psram: Whether the tensors lie in external RAM, which is slower.

    Returns:
        The time; None where the board has no cost model.

    Example:
        >>> from eyetune.device.boards.profiles import board
        >>> from eyetune.device.estimate.graph import Tensor
        >>> step = Operator("FULLY_CONNECTED", ("dense",), (0,), 1, macs=1_000_000)
        >>> graph = Graph((Tensor((1000,)), Tensor((1000,))), (step,), (0,), (1,))
        >>> time = latency(graph, board("esp-eye"), arena_in_psram=False)
        >>> f"{time.milliseconds:.1f} ± {time.error_milliseconds:.1f} ms"
        '75.0 ± 26.2 ms'
    """
    if board.cost is None:
        return None
    steps = [
        1000 * cycles(graph, operator, board.cost) / board.clock_hz for operator in graph.operators
    ]
    fastest, slowest = board.cost.psram_factors if arena_in_psram else (1.0, 1.0)
    low, high = (
        sum(steps) * fastest * (1 - board.cost.error),
        sum(steps) * slowest * (1 + board.cost.error),
    )
    share = (low + high) / 2 / sum(steps) if sum(steps) else 1.0
    return Latency(low, high, tuple(step * share for step in steps))


def cycles(graph: Graph, operator: Operator, cost: Cost) -> float:
    """Return how many cycles an operator takes with the arena in internal RAM."""
    outputs = sum(math.prod(graph.tensors[place].shape) for place in operator.outputs)
    inputs = sum(math.prod(graph.tensors[place].shape) for place in operator.inputs)
    match operator.kind:
        case "CONV_2D" | "TRANSPOSE_CONV":
            channels = graph.tensors[operator.inputs[0]].shape[-1] if operator.inputs else 1
            return operator.macs * cost.convolution_cycles(channels) + outputs * cost.output
        case "DEPTHWISE_CONV_2D":
            return operator.macs * cost.depthwise + outputs * cost.output
        case "FULLY_CONNECTED" | "BATCH_MATMUL":
            return operator.macs * cost.dense
        case kind if kind in _POOLS:
            return inputs * cost.pool
        case kind if kind in _FREE:
            return 0.0
        case _:
            return outputs * cost.element
