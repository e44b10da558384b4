"""The time that a board takes for one image, predicted from the cycles of each operator.

The prediction comes from the board's cost model, not from a measurement. Its error is that of the
published times that the cost model was derived from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from eyetune.device.boards.profiles import Board, CostModel
from eyetune.device.estimate.graph import Graph, Operator

# Operators that only change the shape of a tensor: they compute and move next to nothing.
_FREE = frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS"})
# Operators whose time depends on the size of their input rather than of their output.
_POOLS = frozenset(
    {"AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D", "MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"}
)


@dataclass(frozen=True)
class Latency:
    """The predicted time for one image, as a range.

    Attributes:
        low: Lower bound in milliseconds.
        high: Upper bound in milliseconds.
        operators: Time of each operator in milliseconds, in the order of the graph; their sum is
            `milliseconds`.
    """

    low: float
    high: float
    operators: tuple[float, ...] = ()

    @property
    def milliseconds(self) -> float:
        """The expected time in milliseconds: the middle of the range."""
        return (self.low + self.high) / 2

    @property
    def error_milliseconds(self) -> float:
        """Half the width of the range in milliseconds."""
        return (self.high - self.low) / 2

    @property
    def fps(self) -> float:
        """The expected frames per second: 1000 / `milliseconds`."""
        return 1000 / self.milliseconds if self.milliseconds else math.inf


def latency(graph: Graph, board: Board, *, arena_in_psram: bool) -> Latency | None:
    """Predict how long a board takes for one image.

    Args:
        graph: The int8 model.
        board: The board, with its clock and cost model.
        arena_in_psram: Whether the tensor arena lies in external RAM, which is slower.

    Returns:
        The time; None if the board has no cost model.

    Example:
        >>> from eyetune.device.boards.profiles import load_board
        >>> from eyetune.device.estimate.graph import Tensor
        >>> step = Operator("FULLY_CONNECTED", ("dense",), (0,), 1, macs=1_000_000)
        >>> graph = Graph((Tensor((1000,)), Tensor((1000,))), (step,), (0,), (1,))
        >>> time = latency(graph, load_board("esp-eye"), arena_in_psram=False)
        >>> f"{time.milliseconds:.1f} ± {time.error_milliseconds:.1f} ms"
        '75.0 ± 26.2 ms'
    """
    if board.cost is None:
        return None
    times = [
        1000 * cycles(graph, operator, board.cost) / board.clock_hz for operator in graph.operators
    ]
    total = sum(times)
    fastest, slowest = board.cost.psram_factors if arena_in_psram else (1.0, 1.0)
    low = total * fastest * (1 - board.cost.error)
    high = total * slowest * (1 + board.cost.error)
    # The middle of the range exceeds the sum where external RAM slows everything down.
    factor = (low + high) / 2 / total if total else 1.0
    return Latency(low, high, tuple(time * factor for time in times))


def cycles(graph: Graph, operator: Operator, cost: CostModel) -> float:
    """Return the clock cycles of an operator, with the arena in internal RAM."""
    outputs = sum(math.prod(graph.tensors[index].shape) for index in operator.outputs)
    inputs = sum(math.prod(graph.tensors[index].shape) for index in operator.inputs)
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
