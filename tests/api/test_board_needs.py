"""What a network needs of a board: each resource, and which of them limit it."""

from __future__ import annotations

import dataclasses
from functools import cache

import pytest

from eyetune.api.board_needs import Need, board_needs
from eyetune.api.fit_check import FitCheck, fit_check
from eyetune.device.boards.profiles import load_board
from eyetune.values.int8_accuracy import Int8Accuracy


@cache
def resnet8() -> FitCheck:
    return fit_check("resnet8", progress=False)


def needs_of(check: FitCheck) -> dict[str, Need]:
    return {need.name: need for need in board_needs(check)}


def share_of(need: Need) -> float:
    assert need.share is not None
    return need.share


def with_ram(check: FitCheck, arena_bytes: int, psram_bytes: int) -> FitCheck:
    sizes = {"arena_bytes": arena_bytes, "psram_bytes": psram_bytes}
    return dataclasses.replace(check, board=check.board.model_copy(update=sizes))


def test_needs_beside_what_the_board_has() -> None:
    needs, board = needs_of(resnet8()), load_board("esp-eye")
    footprint = resnet8().footprint
    assert needs["flash"].share == pytest.approx(footprint.flash_bytes / board.max_model_bytes)
    assert needs["internal RAM"].share == pytest.approx(footprint.arena_bytes / board.arena_bytes)
    assert needs["parameters"] == Need("parameters", "78,714")
    assert not any(need.may_exceed for need in needs.values())
    assert "external RAM" not in needs
    assert "RAM" in needs_of(fit_check("resnet8", "nucleo-l4r5zi", progress=False))


def test_an_arena_in_external_ram_may_exceed_internal_ram() -> None:
    needs = needs_of(with_ram(resnet8(), 50_000, 4_194_304))
    assert needs["internal RAM"].may_exceed
    assert share_of(needs["internal RAM"]) > 1
    assert share_of(needs["external RAM"]) < 1
    assert needs["time per image"].text.endswith("slower with the arena in external RAM")


def test_an_arena_larger_than_all_ram_does_not_fit() -> None:
    check = with_ram(resnet8(), 50_000, 0)
    assert check.verdict == "does not fit"
    assert share_of(needs_of(check)["RAM"]) > 1


def test_needs_that_are_not_known_are_lower_bounds() -> None:
    check = dataclasses.replace(resnet8(), uncertainty="Layer loop cannot be computed.")
    needs = needs_of(check)
    assert {"flash, at least", "internal RAM, at least"} <= set(needs)
    assert needs["time per image"].text == "unknown"
    assert "frames per second" not in needs
    assert check.verdict == "cannot tell"


def test_needs_include_a_measured_int8_accuracy() -> None:
    int8 = Int8Accuracy(50, 100, "tflite-micro 1")
    text = needs_of(dataclasses.replace(resnet8(), int8=int8))["int8 accuracy"].text
    assert "100 validation images, tflite-micro 1" in text
