"""Longer versions of a recipe: what happens to its schedule, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from eyetune.errors import ArgumentTypeError, RecipeError, UsageError
from eyetune.recipe import Recipe
from eyetune.recipe.longer import longer
from eyetune.training.lr_schedules import rates

TUNED = {
    "model": "vgg16",
    "model.trainable_from": "block5_conv1",
    "fit.fine_tune_epochs": 5,
    "optimizer.schedule": "cosine",
}


@pytest.mark.parametrize(
    ("edits", "changes"),
    [
        ({}, {"fit.epochs": (10, 16)}),
        ({"optimizer.schedule": "plateau"}, {"fit.epochs": (10, 16)}),
        (
            {"optimizer.schedule": "one_cycle"},
            {"fit.epochs": (10, 16), "optimizer.restarts.0": (None, 10)},
        ),
        (
            {"optimizer.schedule": "cosine", "optimizer.restarts": [4]},
            {"fit.epochs": (10, 16), "optimizer.restarts.1": (None, 10)},
        ),
        (TUNED, {"fit.fine_tune_epochs": (5, 6)}),
    ],
)
def test_longer_changes_epochs_and_restarts(edits: dict[str, Any], changes: dict[str, Any]) -> None:
    recipe = Recipe().with_(edits)
    assert recipe.difference(longer(recipe, 16)) == changes


@pytest.mark.parametrize("schedule", ["constant", "cosine", "one_cycle", "step", "exponential"])
@pytest.mark.parametrize("edits", [{}, {"optimizer.warmup_epochs": 2}])
def test_longer_begins_with_the_same_rates(schedule: str, edits: dict[str, Any]) -> None:
    recipe = Recipe().with_({"optimizer.schedule": schedule, **edits})
    twice = longer(longer(recipe, 16), 20)
    before = rates(recipe.optimizer, 3, 10)
    after = rates(twice.optimizer, 3, 20)
    assert after[:30].tolist() == before.tolist()
    assert after[48] >= after[47]


@pytest.mark.parametrize(
    "edits",
    [
        {"fit.epochs": 16},
        {"fit.epochs": 20},
        {"fit.seconds": 60.0, "optimizer.schedule": "cosine"},
        {"fit.quantize": "int8"},
    ],
)
def test_longer_refuses_what_cannot_be_continued(edits: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        longer(Recipe().with_(edits), 16)


@pytest.mark.parametrize(
    "edits",
    [
        {"optimizer.restarts": [4]},
        {"optimizer.restarts": [4], "optimizer.schedule": "plateau"},
        {"optimizer.restarts": [10], "optimizer.schedule": "cosine"},
        {"optimizer.restarts": [4, 4], "optimizer.schedule": "cosine"},
        {"optimizer.restarts": [4], "optimizer.schedule": "cosine", "fit.seconds": 60.0},
    ],
)
def test_restarts_outside_a_schedule_are_rejected(edits: dict[str, Any]) -> None:
    with pytest.raises(RecipeError):
        Recipe().with_(edits)


@pytest.mark.parametrize("epochs", ["62", 62.0, True])
def test_longer_refuses_what_is_no_whole_number(epochs: Any) -> None:
    with pytest.raises(ArgumentTypeError):
        longer(Recipe(), epochs)
