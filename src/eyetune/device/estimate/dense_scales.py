"""Dense layers that the kernels of a board compute incorrectly: ESP-NN's on the ESP32-S3."""

from __future__ import annotations

from eyetune.device.boards.profiles import Board
from eyetune.device.estimate.graph import Graph

DENSE_GROUP = 8  # outputs that the kernel with a scale for each computes together


def incorrect_dense_layer(graph: Graph, board: Board) -> str:
    """Return why the kernels of a board compute a dense layer incorrectly; "" if they do not.

    Args:
        graph: The int8 model as a file holds it. An export for such a board has one scale for each
            dense layer.
        board: The board.
    """
    if board.per_channel_dense:
        return ""
    for operator in graph.operators:
        if operator.kind == "FULLY_CONNECTED" and operator.channels % DENSE_GROUP:
            return (
                f"{board.title} would compute a dense layer incorrectly: it has "
                f"{operator.channels} outputs with a scale each, but ESP-NN takes one scale for "
                f"all, or a number of outputs that is a multiple of {DENSE_GROUP}."
            )
    return ""


def one_scale_advice(board: Board) -> str:
    """Return how a network gets one scale for each dense layer."""
    return f"Export the network from its run or .keras file with --board {board.name}."
