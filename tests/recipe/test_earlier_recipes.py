"""Recipes from before `data.resize` existed, when photos were squashed."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter

from eyetune.recipe import Recipe, RecordedData, RecordedRecipe, Resize

# As the version before `data.resize` wrote it, with the fingerprint that it recorded.
WRITTEN = """
[data]
source = "photos"
validation = 0.2
test = 0.2
subset = 0
image_size = 48
seed = 0
skip_unreadable = false
train_on_validation = false

[fit]
epochs = 3
"""
FINGERPRINT = "24d4800de42643d4"
FOLDERS = ("photos", "/data/my.npz/photos", "cifar10/")
OF_ONE_SIZE = ("cifar10", "digits", "a.npz", "/data/cifar-10-python.tar.gz")


def recorded(source: str) -> dict[str, object]:
    values = Recipe().with_(data__source=source).model_dump(mode="json")
    del values["data"]["resize"]
    return values


@pytest.mark.parametrize("source", FOLDERS)
def test_recorded_recipe_of_a_folder_squashes(source: str) -> None:
    recipe = TypeAdapter(RecordedRecipe).validate_python(recorded(source))
    assert recipe.data.resize == "squash"
    data = TypeAdapter(RecordedData).validate_python(recorded(source)["data"])
    assert data == recipe.data


@pytest.mark.parametrize("source", OF_ONE_SIZE)
def test_recorded_recipe_without_photos_equals_a_new_one(source: str) -> None:
    recipe = TypeAdapter(RecordedRecipe).validate_python(recorded(source))
    assert recipe == Recipe().with_(data__source=source)


@pytest.mark.parametrize("resize", ["crop", "pad", "squash"])
@pytest.mark.parametrize("source", ["photos", "cifar10"])
def test_recorded_recipe_keeps_a_resize_that_it_names(source: str, resize: Resize) -> None:
    recipe = Recipe().with_(data__source=source, data__resize=resize)
    adapter = TypeAdapter(RecordedRecipe)
    assert adapter.validate_json(recipe.model_dump_json()) == recipe
    assert adapter.validate_python(recipe) is recipe
    assert Recipe.from_toml(recipe.to_toml()) == recipe


def test_from_toml_squashes_in_files_of_earlier_versions() -> None:
    recipe = Recipe.from_toml(WRITTEN)
    assert recipe.data.resize == "squash"
    assert recipe.fingerprint == FINGERPRINT


def test_from_toml_crops_in_files_that_people_write() -> None:
    recipe = Recipe.from_toml('[data]\nsource = "photos"\nimage_size = 48\n')
    assert recipe.data.resize == "crop"
    assert recipe == Recipe().with_(data__source="photos", data__image_size=48)


def test_fingerprint_tells_ways_to_resize_apart() -> None:
    squashed = Recipe.from_toml(WRITTEN)
    ways = [squashed.with_(data__resize=resize) for resize in ("crop", "pad", "squash")]
    assert len({recipe.fingerprint for recipe in ways}) == 3


def test_fingerprint_of_recipes_without_photos_is_as_before() -> None:
    assert Recipe().fingerprint == "44136fa355b3678a"
