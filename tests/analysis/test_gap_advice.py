"""What closes a gap: recipe values for each cause, and nothing that the recipe has already."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from eyetune.analysis.gap import Cause, Points
from eyetune.analysis.gap_advice import advice_on, train_command
from eyetune.recipe import Recipe, parse_edits

LOOK = {"data.camera": "ov2640", "data.camera_share": 0.5}
SURE, UNSURE = Points(0.1, 0.05, 0.15), Points(0.02, -0.01, 0.05)


@pytest.mark.parametrize(
    ("name", "setting", "edits"),
    [
        ("color cast", {}, LOOK),
        ("exposure", {}, LOOK),
        ("sharpness", {"blur_pixels": 1.0}, LOOK),
        ("sharpness", {"blur_pixels": 1.0, "camera_is_sharper": True}, {}),
        ("noise", {"noise": 0.05}, LOOK),
        ("framing", {"zoom": 1.25}, {"augment.zoom": 0.25}),
        ("framing", {"zoom": 2.0}, {"augment.zoom": 0.5}),
        ("orientation", {"orientation": "turned by 180 degrees"}, {"augment.upside_down": True}),
        ("orientation", {"orientation": "upside down or upright"}, {"augment.upside_down": True}),
        ("orientation", {"orientation": "mirrored"}, {"augment.flip": True}),
        ("orientation", {"orientation": "turned left by 90 degrees"}, {}),
    ],
)
def test_each_cause_has_a_remedy(name: str, setting: dict[str, Any], edits: dict[str, Any]) -> None:
    found, sentences = advice_on(SURE, [Cause(name, "", SURE, setting)], Recipe())
    assert found == edits
    assert found or sentences
    Recipe().with_(found)


def test_uncertain_causes_have_no_remedy() -> None:
    edits, sentences = advice_on(SURE, [Cause("noise", "", UNSURE, {"noise": 0.1})], Recipe())
    assert not edits
    assert sentences
    assert advice_on(UNSURE, [], Recipe()) == ({}, [])


def test_values_that_the_recipe_has_are_not_repeated() -> None:
    recipe = Recipe().with_({"data.camera": "ov2640", "augment.color": 0.3})
    edits, _ = advice_on(SURE, [Cause("color cast", "", SURE, {})], recipe)
    assert edits == {"data.camera_share": 0.5}
    recipe = recipe.with_(edits)
    edits, sentences = advice_on(SURE, [Cause("color cast", "", SURE, {})], recipe)
    assert edits == {}
    assert sentences
    edits, _ = advice_on(SURE, [Cause("noise", "", SURE, {})], recipe)
    assert edits == {"augment.noise": 0.05}


def test_command_sets_the_values() -> None:
    edits = {"data.camera": "ov2640", "augment.flip": True, "augment.zoom": 0.25}
    arguments = shlex.split(train_command("3f2a", edits))
    assert arguments[:3] == ["eyetune", "train", "3f2a"]
    assert parse_edits(arguments[4::2]) == edits
    assert train_command("3f2a", {}) == ""
