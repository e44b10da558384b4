"""Which functions of recipes their user has named."""

from __future__ import annotations

from typing import Any

import pytest

from eyetune.recipe import Recipe
from eyetune.recipe.named_functions import is_named

BY_EYETUNE = {"__name__": "eyetune.space.presets"}


@pytest.mark.parametrize(
    "edits",
    [
        {"model": "{}.py:build"},
        {"model": {"function": "{}.py:build"}},
        {"model.function": "{}.py:build", "model.blocks": []},
        {"model": {"function": "{}.py:build"}, "model.hyperparameters": {"units": 3}},
    ],
    ids=["text", "table", "path", "parts"],
)
def test_with_names_a_function(edits: dict[str, Any], request: pytest.FixtureRequest) -> None:
    own, other = f"own-{request.node.name}", f"other-{request.node.name}"

    def edits_for(name: str) -> Any:
        text = repr(edits).replace("{}", name)
        return eval(text)

    recipe = eval(
        "recipe.with_(edits)", BY_EYETUNE, {"recipe": Recipe(), "edits": edits_for(other)}
    )
    assert recipe.model.function == f"{other}.py:build"
    assert not is_named(recipe.model.function)
    recipe = Recipe().with_(edits_for(own))
    assert recipe.model.function == f"{own}.py:build"
    assert is_named(recipe.model.function)


def test_values_of_a_file_name_nothing() -> None:
    theirs = Recipe.from_toml("model.function = 'from a file.py:build'")
    for recipe in (theirs, theirs.with_(fit__epochs=2), Recipe().with_(model=theirs.model)):
        assert recipe.model.has_function
        assert not is_named(recipe.model.function)
