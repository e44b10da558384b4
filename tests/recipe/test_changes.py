from __future__ import annotations

import pytest

from eyetune.recipe import Recipe, parse_edits
from eyetune.recipe.changes import changes_from_default, recipe_changes
from eyetune.recipe.known_networks import SMALL, ZOO


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
        ({"model": "lab"}, []),
        ({"model": "small-98k"}, ["model=small-98k"]),
        ({"model": "vgg16"}, ["model.base=vgg16"]),
    ],
    ids=[
        "none",
        "data",
        "two",
        "block",
        "dense",
        "backbone",
        "head",
        "function",
        "lab",
        "known",
        "pre-trained",
    ],
)
def test_changes_from_default(values: dict[str, object], expected: list[str]) -> None:
    assert texts(Recipe.make(values)) == expected


@pytest.mark.parametrize("name", [*ZOO, *SMALL])
def test_changes_from_default_of_a_known_network_are_edits_that_make_it(name: str) -> None:
    recipe = Recipe().with_({"model": name, "model.width": 2.0, "model.dropout": 0.25})
    assert Recipe().with_(parse_edits(texts(recipe))) == recipe
    assert len(texts(recipe)) <= 3


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
