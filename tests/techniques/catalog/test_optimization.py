"""Techniques of optimization: what they replace, and what does not go with the replacement."""

from __future__ import annotations

import pytest

from eyetune.recipe import Recipe
from eyetune.techniques import find
from eyetune.training.range_test import constant

CYCLES = Recipe().with_(
    {"optimizer.schedule": "cosine", "optimizer.cycle_epochs": 2, "optimizer.restarts": (4,)}
)
NESTEROV = Recipe().with_(
    {"optimizer.name": "sgd", "optimizer.momentum": 0.9, "optimizer.nesterov": True}
)


@pytest.mark.parametrize("value", find("schedule").values)
def test_schedule_replaces_one_that_starts_again(value: str) -> None:
    assert find("schedule").apply(CYCLES, value).optimizer.schedule == value


def test_constant_schedule_does_not_start_again() -> None:
    section = constant(CYCLES).optimizer
    assert (section.schedule, section.cycle_epochs, section.restarts) == ("constant", 0, ())


@pytest.mark.parametrize("value", find("optimizer").values)
def test_optimizer_replaces_sgd_with_nesterov_momentum(value: str) -> None:
    section = find("optimizer").apply(NESTEROV, value).optimizer
    assert section.name == value
    assert section.nesterov == (value == "sgd")
