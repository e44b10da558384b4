"""What `shrink` can make smaller, and the limits that a smaller network keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from eyetune.analysis.trial_results import TIMES
from eyetune.errors import UsageError
from eyetune.records import RunRecord
from eyetune.records.shrink import ShrinkRecord
from eyetune.records.study import Constraint
from eyetune.tuning.objectives import check_board, constraints_of, violations
from eyetune.tuning.options import TuneOptions
from eyetune.tuning.shrinking import Candidate, Shapes

_ON_A_BOARD = ("flash_bytes", "arena_bytes", "latency_ms", "fps")
_SIGNS = {"<=": "at most", "<": "less than", ">=": "at least", ">": "more than"}
_NAMES = {
    "macs": "multiply-accumulates",
    "multiply_adds": "multiply-accumulates",
    "parameters": "parameters",
    "trainable_parameters": "trainable parameters",
    "flash_bytes": "flash (bytes)",
    "arena_bytes": "tensor arena (bytes)",
    "latency_ms": "time per image (ms)",
    "fps": "frames per second",
}
_UNITS = {
    "macs": "MACs",
    "multiply_adds": "MACs",
    "parameters": "parameters",
    "trainable_parameters": "trainable parameters",
    "flash_bytes": "bytes of flash",
    "arena_bytes": "bytes of arena",
    "latency_ms": "ms per image",
    "fps": "frames per second",
}


@dataclass(frozen=True)
class CostChange:
    """A cost of the network that was made smaller, as texts.

    Attributes:
        name: What it is, with its unit.
        before: The parent's cost.
        now: The result's cost.
        limit: Its limits; "" if there are none.
    """

    name: str
    before: str
    now: str
    limit: str


def cost_changes(record: ShrinkRecord) -> list[CostChange]:
    """Return what the steps changed, cost by cost."""
    changes = []
    for name, before in record.steps[0].before.items():
        limits = [
            f"{_SIGNS[limit.sign]} {limit.limit:,.10g}"
            for limit in record.limits
            if limit.name == name
        ]
        change = CostChange(
            _NAMES.get(name, name),
            before=cost_number(name, before),
            now=cost_number(name, record.steps[-1].after[name]),
            limit=" and ".join(limits),
        )
        changes.append(change)
    return changes


def check_can_shrink(record: RunRecord) -> None:
    """Refuse a run whose network has no blocks, or none whose channels can simply be removed."""
    model = record.recipe.model
    if model.has_function:
        raise UsageError(
            "The network of a model function cannot be made smaller: only its function knows how.",
            received=f"run {record.label} of {model.function}",
            fix="Search for smaller values: eyetune tune FUNCTION --board BOARD.",
        )
    if model.has_backbone:
        raise UsageError(
            f"The pre-trained backbone {model.base} cannot be made smaller.",
            received=f"run {record.label}",
            fix=f"Train a small network with it as the teacher: "
            f"eyetune train --model resnet8 --set loss.teacher={record.id}",
        )
    if record.recipe.fit.quantize != "none":
        raise UsageError(
            "A network that was trained with the rounding of int8 cannot be made smaller.",
            received=f"run {record.label} with fit.quantize {record.recipe.fit.quantize}",
            fix=f"Train it without (eyetune train {record.id} --set fit.quantize=none), make that "
            "smaller, and train the result with --set fit.quantize=int8.",
        )


def read_limits(
    constraints: str | Sequence[str], fps: float | None, board: str | Path | None
) -> tuple[Constraint, ...]:
    """Return the limits that options name, with those of the board."""
    name = str(board or "")
    limits = constraints_of(TuneOptions(constraints=constraints or None, fps=fps), name)
    check_board((), limits, name)
    for limit in limits:
        if limit.is_upper == (limit.name == "fps"):
            raise UsageError(
                f"A shrink cannot use the limit {limit.text}.",
                expected="an upper limit (for fps a lower one)",
                received=limit.text,
            )
    if not limits:
        raise UsageError(
            "There is no limit.",
            expected="one or more limits, or a board",
            fix="For example: eyetune shrink RUN --to 98k",
        )
    return limits


def check_limits(
    record: RunRecord, first: Candidate, limits: Sequence[Constraint], shapes: Shapes
) -> None:
    """Refuse limits that a network meets already, and a network that no board can run."""
    if first.obstacles and any(limit.name in _ON_A_BOARD for limit in limits):
        raise UsageError(
            "The network cannot run on a board, however small it is.",
            received=first.obstacles[0],
            fix="Train it with another activation, such as relu.",
        )
    if violations(limits, first.costs):
        return
    measured = shapes.measured_costs(first, limits)
    if not violations(limits, measured):
        costs = {limit.name: measured[limit.name] for limit in limits}
        raise UsageError(
            f"Run {record.label} already meets all limits.",
            expected=", ".join(map(str, limits)),
            received=costs_text(costs),
            fix="Name a stricter limit.",
        )


def costs_text(costs: Mapping[str, float]) -> str:
    """Return costs in one line.

    Example:
        >>> costs_text({"macs": 12_501_632, "latency_ms": 166.7})
        '12,501,632 MACs, 167 ms per image'
    """
    return ", ".join(
        f"{cost_number(name, cost)} {_UNITS.get(name, name)}" for name, cost in costs.items()
    )


def cost_number(name: str, cost: float) -> str:
    """Return a cost without its unit.

    Example:
        >>> cost_number("fps", 15.27), cost_number("flash_bytes", 98_496)
        ('15.3', '98,496')
    """
    return f"{cost:.1f}" if name in TIMES and cost < 100 else f"{cost:,.0f}"
