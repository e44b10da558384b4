"""The errors of estimates, on networks that were not used to find them.

`benchmarks/footprint_errors.py` converted and measured these networks. The bounds here are those
that docs/board.md and the docstring of `footprint` state.
"""

from __future__ import annotations

import json
from pathlib import Path

import keras
import pytest
from keras import layers

from eyetune.device.estimate.footprint import Footprint, footprint
from eyetune.device.export import tflm
from eyetune.device.export.measured_footprint import measured_footprint
from eyetune.testing.networks import random_network

FILE = Path(__file__).parent / "measured_footprints.json"
MEASURED = {
    network["number"]: network for network in json.loads(FILE.read_text("utf-8"))["networks"]
}
LARGE, FEW = 20_000, 400  # bytes of flash


@pytest.fixture(scope="module")
def estimates() -> dict[int, Footprint]:
    return {number: footprint(random_network(number)) for number in MEASURED}


def test_estimates_hold_their_bounds_on_new_networks(estimates: dict[int, Footprint]) -> None:
    judged = {number: needs for number, needs in estimates.items() if not needs.unknown}
    assert len(judged) >= 30
    for number, needs in judged.items():
        measured = MEASURED[number]
        arena_bytes = measured["head_bytes"] + measured["tail_bytes"]
        flash_bytes = measured["flash_bytes"]
        bound = 0.02 * flash_bytes if flash_bytes >= LARGE else max(0.05 * flash_bytes, FEW)
        assert needs.head_bytes == measured["head_bytes"], number
        assert abs(needs.arena_bytes / arena_bytes - 1) <= 0.03, number
        assert abs(needs.flash_bytes - flash_bytes) <= bound, number


def test_the_bound_holds_for_the_smallest_files() -> None:
    """Here a difference of some bytes, such as names and alignment, is more than 5%."""
    stack = [layers.Input((8, 8, 1)), layers.Flatten(), layers.Dense(2)]
    model = keras.Sequential(stack)
    assert abs(footprint(model).flash_bytes - measured_footprint(model).flash_bytes) <= FEW


def test_networks_of_no_use_are_not_judged(estimates: dict[int, Footprint]) -> None:
    useless = [number for number, network in MEASURED.items() if network["flash_bytes"] is None]
    assert useless
    assert all(estimates[number].unknown for number in useless)


@pytest.mark.skipif(not tflm.is_available(), reason="tflite-micro has no wheel for this platform")
@pytest.mark.parametrize("number", [1, 14])
def test_measured_footprints_are_reproduced(number: int) -> None:
    needs = measured_footprint(random_network(number))
    measured = MEASURED[number]
    assert needs.arena_is_measured
    # The weights are random: which zero points are equal, and in the file once, depends on them.
    assert needs.flash_bytes == pytest.approx(measured["flash_bytes"], rel=0.01)
    assert (needs.head_bytes, needs.tail_bytes) == (measured["head_bytes"], measured["tail_bytes"])
