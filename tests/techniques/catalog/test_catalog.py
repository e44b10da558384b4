"""The catalog of techniques: each value changes the recipe, builds, and is explained."""

from __future__ import annotations

from typing import get_args

import pytest

from eyetune.errors import RecipeError
from eyetune.models.cnn import build
from eyetune.recipe import AugmentSection, OptimizerName, Recipe
from eyetune.techniques import Technique, find, techniques
from eyetune.techniques.registry import Value

EVERY = [(technique, value) for technique in techniques() for value in technique.values]
UNCHANGED = ("learning-rate", 0.001)  # the learning rate that the default recipe has anyway


@pytest.mark.parametrize(
    ("technique", "value"), EVERY, ids=[f"{technique.name}={value}" for technique, value in EVERY]
)
def test_technique_makes_a_recipe_that_builds(technique: Technique, value: Value) -> None:
    edited = technique.apply(Recipe(), value)
    assert Recipe().difference(edited) or (technique.name, value) == UNCHANGED
    assert Recipe.from_toml(edited.to_toml()) == edited
    assert technique.apply(Recipe(), str(value).lower()) == edited  # as the command line passes it
    if technique.group == "network":
        assert build(edited.model, (32, 32, 3), 10).count_params() > 0


def test_technique_explains_itself() -> None:
    for technique in techniques():
        assert len(technique.why) > 60, technique.name
        assert len(technique.hurts) > 25, technique.name
        assert technique.link.startswith("https://"), technique.name
        assert technique.why.endswith("."), technique.name


def test_catalog_covers_every_optimizer_and_augmentation() -> None:
    assert set(find("optimizer").values) | {"adam"} == set(get_args(OptimizerName))
    names = {technique.name.replace("-", "_") for technique in techniques()}
    assert set(AugmentSection.model_fields) - {"copies"} <= names


def test_technique_accepts_values_beyond_the_listed_ones() -> None:
    assert find("learning-rate").apply(Recipe(), "3e-4").optimizer.learning_rate == 3e-4
    assert find("batch-and-epochs").apply(Recipe(), "48x7").fit.epochs == 7


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("learning-rate", "fast"),
        ("learning-rate", -1.0),
        ("epochs", "1.5"),
        ("flip", "maybe"),
        ("batch-and-epochs", "32"),
        ("optimizer", "adamm"),
        ("activation", "rlu"),
    ],
)
def test_technique_refuses_a_value_of_the_wrong_type(name: str, value: Value) -> None:
    with pytest.raises(RecipeError):
        find(name).apply(Recipe(), value)
