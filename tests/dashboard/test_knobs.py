"""Knobs are what the recipe declares, and a recipe is copied as a command, Python and TOML."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import eyetune as et
from eyetune.dashboard.knobs import KNOBS, as_command, as_python, knob
from eyetune.recipe import Recipe, parse_edits
from eyetune.recipe.known_networks import ZOO

PATHS = [path for paths in KNOBS.values() for path in paths]


@pytest.mark.parametrize("path", PATHS)
def test_knob_allows_what_the_recipe_allows(path: str) -> None:
    each = knob(path)
    value = each.value_in(Recipe())
    if each.kind == "choice":
        assert value in each.choices
        return
    if each.kind == "switch":
        assert isinstance(value, bool)
        return
    assert each.minimum is not None
    with pytest.raises(et.errors.RecipeError):
        Recipe().with_({path: each.minimum - 1})
    assert each.minimum <= value


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    """Return recipes that a workbench makes: some knobs turned, and other layers."""
    edits: dict[str, Any] = {
        "data.source": draw(st.sampled_from(["digits", "cifar10", "my photos"]))
    }
    edits["fit.epochs"] = draw(st.integers(1, 99))
    edits["optimizer.learning_rate"] = draw(st.floats(1e-6, 1.0))
    edits["augment.flip"] = draw(st.booleans())
    edits["model.activation"] = draw(st.sampled_from(knob("model.activation").choices))
    filters = st.lists(st.integers(1, 64), min_size=1, max_size=3)
    if draw(st.booleans()):
        edits["model"] = draw(st.sampled_from(list(ZOO)))
    else:
        edits["model.blocks"] = [{"filters": count, "pool_size": 1} for count in draw(filters)]
    edits["model.dense"] = draw(st.lists(st.integers(1, 64), max_size=2))
    return Recipe().with_(edits)


@given(recipe=recipes())
def test_command_trains_the_recipe(recipe: Recipe) -> None:
    program, command, *arguments = shlex.split(as_command(recipe))
    assert (program, command, arguments[0]) == ("eyetune", "train", "--data")
    edits = parse_edits(arguments[3::2])
    assert set(arguments[2::2]) <= {"--set"}
    assert Recipe().with_({"data.source": arguments[1], **edits}) == recipe


@given(recipe=recipes())
def test_python_trains_the_recipe(recipe: Recipe) -> None:
    *lines, last = as_python(recipe).splitlines()
    names: dict[str, Any] = {}
    exec("\n".join(lines), names)
    assert last == f"run = et.train(recipe, {recipe.data.source!r})"
    assert names["recipe"].with_({"data.source": recipe.data.source}) == recipe
