"""How many channels a smaller network has: within the limits, at the lowest loss."""

from __future__ import annotations

import math
from dataclasses import replace

import keras
import numpy as np
import pytest

from eyetune.device.boards.profiles import load_board
from eyetune.device.estimate.footprint import Footprint, footprint
from eyetune.errors import UsageError
from eyetune.models.channels import Floats
from eyetune.recipe import Recipe
from eyetune.recipe.channels import channel_groups, with_channels
from eyetune.tuning.objectives import read_constraint, violations
from eyetune.tuning.shrinking import (
    Candidate,
    Shapes,
    num_steps,
    smaller,
    smaller_when_converted,
    step_limits,
)

SHAPES = Shapes((16, 16, 3), 3, load_board("esp-eye"))
RECIPE = Recipe().with_(
    {
        "model.blocks": [
            {"filters": 8, "pool_size": 1},
            {"filters": 8, "pool_size": 1, "residual": True},
            {"filters": 12, "residual": True},
        ],
        "model.batch_norm": True,
        "model.dense": [6],
    }
)


def equal_importance(candidate: Candidate) -> dict[int, Floats]:
    return {
        group: np.linspace(1, 2, size, dtype=np.float32)
        for group, size in candidate.channels.sizes.items()
    }


@pytest.mark.parametrize("share", [0.7, 0.3])
@pytest.mark.parametrize("name", ["macs", "flash_bytes", "arena_bytes", "latency_ms"])
def test_smaller_keeps_each_kind_of_limit(name: str, share: float) -> None:
    start = SHAPES.candidate(RECIPE)
    share = max(share, 0.6) if name in ("flash_bytes", "arena_bytes") else share
    limits = [read_constraint(f"{name} <= {share * start.costs[name]:.0f}")]
    result = smaller(start, equal_importance(start), limits, SHAPES)
    assert not violations(limits, result.costs)
    assert start.channels.has_same_layers(result.channels)
    assert result.costs[name] > 0.6 * limits[0].limit  # no more is removed than necessary


@pytest.mark.parametrize("name", ["esp-eye", "esp32-s3-eye"])
def test_no_group_of_channels_is_smaller_than_the_arena_requires(name: str) -> None:
    """On the ESP32-S3, the arena includes scratch memory that does not fall with each channel."""
    shapes = Shapes((32, 32, 3), 10, load_board(name))
    recipe = Recipe().with_({"model": "resnet8"})
    start = shapes.candidate(recipe)
    limit = read_constraint(f"arena_bytes <= {start.costs['arena_bytes'] / 2:.0f}")
    result = smaller(start, equal_importance(start), [limit], shapes)
    assert not violations([limit], result.costs)
    for before, group in zip(
        channel_groups(recipe.model, 3), channel_groups(result.recipe.model, 3), strict=True
    ):
        if group.count < before.count:
            count = min(before.count, group.count + max(1, before.count // 16))  # a portion more
            wider = with_channels(result.recipe, group, count, 3)
            assert wider is not None
            assert violations([limit], shapes.candidate(wider).costs)


def test_smaller_removes_the_channels_that_count_least() -> None:
    start = SHAPES.candidate(RECIPE)
    importance = equal_importance(start)
    counts = []
    for factor in (1e-3, 1e3):  # of the last block
        weighted = {
            group: values * factor if len(values) == 12 else values
            for group, values in importance.items()
        }
        limits = [read_constraint(f"macs <= {0.8 * start.costs['macs']:.0f}")]
        result = smaller(start, weighted, limits, SHAPES)
        counts.append(result.recipe.model.blocks[2].filters)
    assert counts[0] < counts[1] == 12


def test_smaller_refuses_limits_below_one_channel_each() -> None:
    start = SHAPES.candidate(RECIPE)
    with pytest.raises(UsageError):
        smaller(start, equal_importance(start), [read_constraint("flash_bytes < 100")], SHAPES)


def test_measured_time_is_that_of_the_measured_arena(monkeypatch: pytest.MonkeyPatch) -> None:
    """In external RAM, a network is slower than its computed arena promises."""

    def measured(network: keras.Model) -> Footprint:
        return replace(footprint(network), head_bytes=110_000)

    module = "eyetune.device.export.measured_footprint.measured_footprint"
    monkeypatch.setattr(module, measured)
    start = SHAPES.candidate(RECIPE)
    costs = SHAPES.measured_costs(start, [read_constraint("arena_bytes < 4M")])
    assert costs["arena_bytes"] > 110_000 > start.costs["arena_bytes"]
    assert costs["latency_ms"] > start.costs["latency_ms"]
    assert costs["fps"] < start.costs["fps"]


def test_arena_stays_in_internal_ram_after_the_conversion(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Fewer channels everywhere would be slow in external RAM as well."""

    def measured(network: keras.Model) -> Footprint:
        needed = footprint(network)
        return replace(needed, head_bytes=needed.head_bytes + needed.arena_bytes // 50)

    module = "eyetune.device.export.measured_footprint.measured_footprint"
    monkeypatch.setattr(module, measured)
    start = SHAPES.candidate(RECIPE)
    board = load_board("esp-eye").model_copy(
        update={"arena_bytes": math.ceil(1.001 * start.costs["arena_bytes"])}
    )
    shapes = Shapes(SHAPES.image_shape, SHAPES.num_classes, board)
    limits = [
        read_constraint(f"latency_ms <= {0.97 * start.costs['latency_ms']:.3f}"),
        read_constraint("arena_bytes <= 4M"),
    ]
    computed = smaller(start, equal_importance(start), limits, shapes)
    assert shapes.measured_costs(computed, limits)["arena_bytes"] > board.arena_bytes
    _, costs = smaller_when_converted(start, equal_importance(start), limits, shapes)
    assert not violations(limits, costs)
    assert costs["arena_bytes"] <= board.arena_bytes
    assert costs["latency_ms"] > 0.8 * limits[0].limit


def test_steps_divide_the_costs_by_the_same_factor() -> None:
    start = SHAPES.candidate(RECIPE)
    limits = [read_constraint(f"macs <= {start.costs['macs'] / 4:.0f}"), read_constraint("fps > 1")]
    count = num_steps(start, limits)
    assert count == 4
    first, unchanged = step_limits(start, limits, count)
    assert first.limit == pytest.approx(start.costs["macs"] / 4**0.25, rel=1e-3)
    assert unchanged == limits[1]
    assert step_limits(start, limits, 1) == tuple(limits)
