"""What each layer of a network costs on a board, and which one is the bottleneck."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from eyetune.device.estimate.arena import alive_bytes
from eyetune.device.estimate.graph import Graph
from eyetune.device.estimate.latency import Latency

Limit = Literal["flash", "arena", "time"]


@dataclass(frozen=True)
class LayerCost:
    """What one layer needs.

    Attributes:
        name: Name of the Keras layer, or of the operator in a .tflite file.
        flash_bytes: Size of its weights and other constants, in bytes.
        arena_bytes: Largest number of bytes in use in the tensor arena while it runs.
        macs: Multiply-accumulates for one image.
        milliseconds: Time for one image; None if the board has no cost model.
    """

    name: str
    flash_bytes: int
    arena_bytes: int
    macs: int
    milliseconds: float | None = None


@dataclass(frozen=True)
class Bottleneck:
    """The layer with the largest share of what the board has too little of.

    Attributes:
        layer: Name of the layer.
        limit: "flash" or "arena" if the board has too little of it, otherwise "time".
        share: The layer's share of the total, 0 to 1.
        text: The same as a sentence.
    """

    layer: str
    limit: Limit
    share: float
    text: str


def layer_costs(graph: Graph, time: Latency | None) -> tuple[LayerCost, ...]:
    """Return what each layer needs, in the order in which the layers run.

    A layer that is fused with the one before it, such as a batch normalization, counts as part of
    that one.

    Args:
        graph: The int8 model, with the scratch memory that the board's kernels need.
        time: The predicted time on the board; None if the board has no cost model.
    """
    times: Sequence[float | None] = time.operators if time else [None] * len(graph.operators)
    costs: dict[str, LayerCost] = {}
    for operator, alive, milliseconds in zip(
        graph.operators, alive_bytes(graph), times, strict=True
    ):
        name = operator.layers[0]
        cost = costs.get(name, LayerCost(name, 0, 0, 0, None if milliseconds is None else 0.0))
        costs[name] = LayerCost(
            name,
            cost.flash_bytes + operator.constant_bytes,
            max(cost.arena_bytes, alive),
            cost.macs + operator.macs,
            None if milliseconds is None else (cost.milliseconds or 0.0) + milliseconds,
        )
    return tuple(costs.values())


def bottleneck(costs: Sequence[LayerCost], limit: Limit, total_bytes: int) -> Bottleneck:
    """Return the layer that takes the largest share of the flash, of the arena or of the time.

    Args:
        costs: The costs of all layers.
        limit: Which of the costs to compare.
        total_bytes: Size of the whole flash or arena that the network takes, in bytes; ignored for
            the time.
    """
    if not costs:
        return Bottleneck("", limit, 0.0, "The network has no layers.")
    if limit == "flash":
        largest = max(costs, key=lambda cost: cost.flash_bytes)
        share = largest.flash_bytes / total_bytes
        text = f"holds {largest.flash_bytes:,} bytes of weights: {share:.0%} of the flash"
    elif limit == "arena":
        largest = max(costs, key=lambda cost: cost.arena_bytes)
        share = largest.arena_bytes / total_bytes
        text = f"needs {largest.arena_bytes:,} bytes of tensors: {share:.0%} of the arena"
    else:
        largest = max(costs, key=lambda cost: (cost.milliseconds or 0.0, cost.macs))
        share, text = _time_share(largest, costs)
    return Bottleneck(largest.name, limit, share, f"Layer {largest.name} {text}.")


def _time_share(largest: LayerCost, costs: Sequence[LayerCost]) -> tuple[float, str]:
    """Return a layer's share of the time, or of the MACs where no time is known, and a text."""
    if largest.milliseconds is None:
        total_macs = sum(cost.macs for cost in costs)
        share = largest.macs / total_macs if total_macs else 0.0
        return share, f"takes {largest.macs:,} MACs: {share:.0%} of the multiply-accumulates"
    total_time = sum(cost.milliseconds or 0.0 for cost in costs)
    share = largest.milliseconds / total_time if total_time else 0.0
    milliseconds = f"{largest.milliseconds:,.1f} ms"
    return share, f"takes about {milliseconds} for {largest.macs:,} MACs: {share:.0%} of the time"
