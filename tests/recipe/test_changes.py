from __future__ import annotations

import pytest

from eyetune.recipe import Recipe
from eyetune.recipe.changes import changes_from_default, recipe_changes


def texts(recipe: Recipe) -> list[str]:
    return [change.text for change in changes_from_default(recipe)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, []),
        ({"data": {"source": "digits"}}, []),
        ({"augment": {"flip": True}, "fit": {"epochs": 3}}, ["augment.flip=true", "fit.epochs=3"]),
        ({"model": {"blocks": [32]}}, ["model.blocks.1=none"]),
        ({"model": {"dense": []}}, ["model.dense.0=none"]),
        ({"model": {"base": "vgg16"}}, ["model.base=vgg16"]),
        ({"model": {"base": "vgg16", "dense": []}}, ["model.base=vgg16", "model.dense.0=none"]),
        ({"model": {"function": "model.py:build"}}, ["model.function=model.py:build"]),
    ],
    ids=["none", "data", "two", "block", "dense", "backbone", "head", "function"],
)
def test_changes_from_default(values: dict[str, object], expected: list[str]) -> None:
    assert texts(Recipe.make(values)) == expected


def test_recipe_changes_of_a_removed_block_hold_its_values() -> None:
    (change,) = recipe_changes(Recipe(), Recipe.make({"model": {"blocks": [32]}}))
    assert change.before["filters"] == 64
    assert change.after is None


def test_recipe_changes_include_an_override_that_was_removed() -> None:
    before = Recipe().with_({"model.blocks.0.activation": "tanh"})
    (change,) = recipe_changes(before, Recipe())
    assert (change.path, change.before, change.after) == (
        "model.blocks.0.activation",
        "tanh",
        None,
    )
