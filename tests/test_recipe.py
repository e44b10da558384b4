from __future__ import annotations

import contextlib
import copy
import re
from pathlib import Path
from typing import Any, get_args

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyetune.errors import RecipeError
from eyetune.recipe import WITH_MOMENTUM, ActivationName, Block, DenseLayer, OptimizerName, Recipe, parse_edits

shares = st.floats(0, 1, exclude_min=True, exclude_max=True)
below_one = st.floats(0, 1, exclude_max=True)
activations = st.sampled_from(get_args(ActivationName))
own_activations = st.none() | activations
blocks = st.fixed_dictionaries(
    {
        "filters": st.integers(1, 4096),
        "convolutions": st.integers(1, 16),
        "kernel_size": st.integers(1, 31),
        "activation": own_activations,
        "pool_size": st.integers(1, 16),
    }
)
dense_layers = st.fixed_dictionaries({"units": st.integers(1, 65536), "activation": own_activations})


@st.composite
def optimizers(draw: st.DrawFn) -> dict[str, Any]:
    name = draw(st.sampled_from(get_args(OptimizerName)))
    momentum = draw(below_one) if name in WITH_MOMENTUM else 0.0
    return {
        "name": name,
        "learning_rate": draw(st.floats(0, 100, exclude_min=True)),
        "momentum": momentum,
        "nesterov": draw(st.booleans()) if name == "sgd" and momentum else False,
        "weight_decay": draw(st.floats(0, 1)),
        "clip_norm": draw(st.floats(0, 1e6)),
    }


def recipe_values(num_blocks: int | None = None, num_dense: int | None = None) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "data": st.fixed_dictionaries(
                {
                    "source": st.text(min_size=1),
                    "validation": shares,
                    "test": shares,
                    "subset": st.integers(0, 10**6),
                    "image_size": st.integers(8, 1024),
                    "seed": st.integers(0, 2**32 - 1),
                }
            ),
            "model": st.fixed_dictionaries(
                {
                    "blocks": st.lists(blocks, min_size=num_blocks or 1, max_size=num_blocks or 4),
                    "dense": st.lists(dense_layers, min_size=num_dense or 0, max_size=num_dense or 3),
                    "activation": activations,
                    "padding": st.sampled_from(["valid", "same"]),
                    "batch_norm": st.booleans(),
                    "global_pooling": st.booleans(),
                    "dropout": below_one,
                }
            ),
            "optimizer": optimizers(),
            "loss": st.fixed_dictionaries(
                {
                    "name": st.sampled_from(["categorical_crossentropy", "categorical_focal_crossentropy"]),
                    "label_smoothing": below_one,
                }
            ),
            "fit": st.fixed_dictionaries(
                {
                    "epochs": st.integers(1, 100_000),
                    "batch_size": st.integers(1, 65536),
                    "early_stopping": st.integers(0, 100),
                    "monitor": st.sampled_from(["val_loss", "val_accuracy", "loss", "accuracy"]),
                    "restore_best": st.booleans(),
                    "precision": st.sampled_from(["auto", "float32", "bfloat16"]),
                    "class_weight": st.sampled_from(["none", "balanced"]),
                }
            ),
        }
    )


toml_like = st.text(st.sampled_from("[]{}=.,\"'#\n\\ +-_:eTZ0129fitpochs"))
recipes = recipe_values().map(Recipe.make)
recipes_of_one_shape = recipe_values(2, 1).map(Recipe.make)
free_paths = st.sampled_from(
    [path for path in Recipe().values() if not path.startswith(("optimizer.", "model.kind"))]
)  # the optimizer's values restrict each other


def error_of(values: dict[str, Any]) -> RecipeError:
    with pytest.raises(RecipeError) as caught:
        Recipe.make(values)
    return caught.value


@given(recipes)
def test_a_recipe_comes_back_from_toml_as_it_was(recipe: Recipe):
    assert Recipe.from_toml(recipe.to_toml()) == recipe


@given(recipes_of_one_shape, recipes_of_one_shape, free_paths)
def test_an_edit_changes_its_value_and_nothing_else(recipe: Recipe, other: Recipe, path: str):
    value = other.values()[path]
    assert recipe.with_({path: value}).values() == {**recipe.values(), path: value}


@given(recipes_of_one_shape, recipes_of_one_shape)
def test_the_difference_as_edits_turns_one_recipe_into_the_other(recipe: Recipe, other: Recipe):
    difference = recipe.difference(other)
    assert recipe.with_({path: theirs for path, (_, theirs) in difference.items()}) == other
    assert other.difference(recipe) == {path: (theirs, mine) for path, (mine, theirs) in difference.items()}


@given(recipes, recipes)
def test_fingerprints_are_the_same_for_equal_recipes_only(recipe: Recipe, other: Recipe):
    assert (recipe.fingerprint == other.fingerprint) == (recipe == other)
    assert Recipe.from_toml(recipe.to_toml()).fingerprint == recipe.fingerprint


@given(st.text() | toml_like)
@settings(max_examples=300)
def test_any_text_is_a_recipe_or_a_recipe_error(text: str):
    with contextlib.suppress(RecipeError):
        Recipe.from_toml(text)


@given(st.text() | toml_like, st.sampled_from(list(Recipe().values())), st.booleans())
@settings(max_examples=300)
def test_any_edit_gives_a_recipe_or_a_recipe_error(text: str, path: str, known: bool):
    with contextlib.suppress(RecipeError):
        Recipe().with_(parse_edits([f"{path}={text}" if known else text]))


def test_the_default_recipe_is_the_labs():
    recipe = Recipe()
    assert (recipe.data.source, recipe.data.validation, recipe.data.subset) == ("cifar10", 0.2, 0)
    assert recipe.model.blocks == (Block(filters=32), Block(filters=64))
    assert {(block.kernel_size, block.convolutions, block.pool_size) for block in recipe.model.blocks} == {(3, 1, 2)}
    assert recipe.model.dense == (DenseLayer(units=64),)
    assert (recipe.model.activation, recipe.model.dropout, recipe.model.batch_norm) == ("relu", 0.0, False)
    assert (recipe.optimizer.name, recipe.optimizer.learning_rate) == ("adam", 0.001)
    assert (recipe.loss.name, recipe.loss.label_smoothing) == ("categorical_crossentropy", 0.0)
    assert (recipe.fit.epochs, recipe.fit.batch_size, recipe.fit.early_stopping) == (10, 32, 0)


def test_the_fingerprint_is_sixteen_hexadecimal_digits():
    assert re.fullmatch("[0-9a-f]{16}", Recipe().fingerprint)
    assert Recipe().fingerprint == Recipe.from_toml("").fingerprint


def test_a_recipe_cannot_be_changed_in_place():
    recipe = Recipe()
    with pytest.raises(pydantic.ValidationError):
        recipe.fit.epochs = 3  # type: ignore[misc]
    assert hash(recipe) == hash(Recipe())


@pytest.mark.parametrize(
    ("values", "path", "name", "hint"),
    [
        ({"modle": {}}, "modle", "modle", "Did you mean model? Known: data, model, optimizer, loss, fit."),
        ({"fit": {"epoch": 3}}, "fit.epoch", "epoch", "Did you mean epochs?"),
        ({"optimizer": {"lerning_rate": 1}}, "optimizer.lerning_rate", "lerning_rate", "Did you mean learning_rate?"),
        ({"model": {"block": []}}, "model.block", "block", "Did you mean blocks?"),
        ({"model": {"blocks": [{"filter": 3}]}}, "model.blocks.0.filter", "filter", "Did you mean filters?"),
        ({"model": {"dense": [{"unit": 3}]}}, "model.dense.0.unit", "unit", "Did you mean units?"),
        ({"loss": {"zzz": 1}}, "loss.zzz", "zzz", "Known: name, label_smoothing."),
    ],
)
def test_an_unknown_name_is_refused_at_each_level_with_the_nearest_one(
    values: dict[str, Any], path: str, name: str, hint: str
):
    error = error_of(values)
    assert error.what == f"the recipe has an unknown name, {path}."
    assert error.received == name
    assert error.fix is not None
    assert error.fix.startswith(hint)


@pytest.mark.parametrize(
    ("values", "path", "expected", "received", "fix"),
    [
        ({"optimizer": {"learning_rate": -0.1}}, "optimizer.learning_rate", "greater than 0", "-0.1", None),
        ({"optimizer": {"learning_rate": float("nan")}}, "optimizer.learning_rate", "a finite number", "nan", None),
        ({"loss": {"label_smoothing": float("inf")}}, "loss.label_smoothing", "a finite number", "inf", None),
        ({"optimizer": {"learning_rate": "fast"}}, "optimizer.learning_rate", "a valid number", "'fast'", None),
        ({"fit": {"epochs": 0}}, "fit.epochs", "greater than or equal to 1", "0", None),
        ({"fit": {"epochs": 2.5}}, "fit.epochs", "a valid integer", "2.5", None),
        ({"fit": 3}, "fit", "a valid dictionary", "3", None),
        ({"model": {"dropout": 1}}, "model.dropout", "less than 1", "1", None),
        ({"model": {"blocks": []}}, "model.blocks", "at least 1 item", "[]", None),
        ({"model": {"blocks": 16}}, "model.blocks", "a valid tuple", "16", None),
        ({"model": {"blocks": [True]}}, "model.blocks.0", "a valid dictionary", "True", None),
        ({"model": {"blocks": [32, 0]}}, "model.blocks.1.filters", "greater than or equal to 1", "0", None),
        ({"data": {"source": ""}}, "data.source", "at least 1 character", "''", None),
        ({"optimizer": {"name": "adm"}}, "optimizer.name", "'adam'", "'adm'", "Did you mean adam? Known: adam, sgd,"),
        ({"fit": {"monitor": "val_acc"}}, "fit.monitor", "'val_loss'", "'val_acc'", "Did you mean val_accuracy?"),
        (
            {"model": {"blocks": [{"activation": "rellu"}]}},
            "model.blocks.0.activation",
            "'relu'",
            "'rellu'",
            "Did you mean relu?",
        ),
    ],
)
def test_a_value_out_of_range_is_refused_with_its_path_the_range_and_the_value(
    values: dict[str, Any], path: str, expected: str, received: str, fix: str | None
):
    error = error_of(values)
    assert error.what == f"the recipe has a value that cannot be used at {path}."
    assert error.expected is not None
    assert expected in error.expected
    assert error.received == received
    assert (error.fix is None) == (fix is None)
    assert (error.fix or "").startswith(fix or "")


def test_several_wrong_values_are_counted_and_the_first_is_told():
    error = error_of({"fit": {"epochs": 0, "batch_size": 0}, "model": {"dropout": 2}})
    assert error.what == "the recipe has a value that cannot be used at model.dropout (and 2 more)."


def test_a_long_wrong_value_is_shown_in_part():
    error = error_of({"fit": {"epochs": "x" * 1000}})
    assert error.received is not None
    assert len(error.received) == 100
    assert error.received.endswith("...")


@pytest.mark.parametrize(
    ("optimizer", "words"),
    [
        ({"momentum": 0.9}, "momentum is for sgd and rmsprop, but the optimizer is adam"),
        ({"name": "sgd", "nesterov": True}, "nesterov needs the optimizer sgd and a momentum above 0"),
        ({"name": "rmsprop", "momentum": 0.9, "nesterov": True}, "nesterov needs the optimizer sgd"),
    ],
)
def test_an_optimizer_is_given_no_value_that_it_does_not_have(optimizer: dict[str, Any], words: str):
    error = error_of({"optimizer": optimizer})
    assert error.what.startswith("the recipe contradicts itself at optimizer: ")
    assert words in error.what


def test_sgd_has_keras_rate_of_its_own_until_one_is_given():
    assert Recipe.make({"optimizer": {"name": "sgd"}}).optimizer.learning_rate == 0.01
    assert Recipe().with_(optimizer__name="sgd").optimizer.learning_rate == 0.01
    assert Recipe().with_(optimizer__name="sgd").with_(optimizer__name="adam").optimizer.learning_rate == 0.001
    given_rate = Recipe().with_(optimizer__learning_rate=0.5)
    assert given_rate.with_(optimizer__name="sgd").optimizer.learning_rate == 0.5


def test_plain_numbers_stand_for_blocks_and_dense_layers():
    recipe = Recipe.make({"model": {"blocks": [8, {"filters": 16, "pool_size": 1}], "dense": [5]}})
    assert recipe.model.blocks == (Block(filters=8), Block(filters=16, pool_size=1))
    assert recipe.model.dense == (DenseLayer(units=5),)


@pytest.mark.parametrize(
    ("edits", "path", "value"),
    [
        ({"model.blocks.0.activation": "tanh"}, "model.blocks.0.activation", "tanh"),
        ({"model.blocks.1": {"filters": 5}}, "model.blocks.1.filters", 5),
        ({"model.blocks.1": 7}, "model.blocks.1.filters", 7),
        ({"model.blocks": [1, 2, 3]}, "model.blocks.2.filters", 3),
        ({"model.blocks": [1, 2, 3], "model.blocks.2.activation": "tanh"}, "model.blocks.2.activation", "tanh"),
        ({"model.blocks.2.activation": "tanh", "model.blocks": [1, 2, 3]}, "model.blocks.2.activation", "tanh"),
        ({"fit": {"epochs": 3}, "fit.batch_size": 7}, "fit.batch_size", 7),
        ({"fit.batch_size": 7, "fit": {"epochs": 3}}, "fit.epochs", 3),
    ],
)
def test_lists_and_sections_are_edited_whole_or_in_part(edits: dict[str, Any], path: str, value: object):
    assert Recipe().with_(edits).values()[path] == value


def test_an_edit_of_one_block_leaves_the_others_and_its_own_rest_alone():
    recipe = Recipe.make({"model": {"blocks": [{"filters": 8, "pool_size": 1}, 16]}})
    edited = recipe.with_({"model.blocks.0.kernel_size": 5})
    assert edited.model.blocks == (Block(filters=8, pool_size=1, kernel_size=5), Block(filters=16))
    assert recipe.model.blocks[0].kernel_size == 3


def test_all_dense_layers_can_be_taken_out():
    recipe = Recipe().with_({"model.dense": []})
    assert recipe.model.dense == ()
    assert Recipe().difference(recipe) == {"model.dense.0.units": (64, None)}


def test_edits_are_left_as_they_were_given():
    edits = {"model": {"padding": "same"}, "model.activation": "tanh"}
    before = copy.deepcopy(edits)
    edited = Recipe().with_(edits)
    assert (edited.model.padding, edited.model.activation) == ("same", "tanh")
    assert edits == before


def test_edits_that_contradict_each_other_alone_may_come_together():
    recipe = Recipe().with_({"optimizer.momentum": 0.9, "optimizer.name": "sgd"})
    assert recipe.optimizer.momentum == 0.9


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("optimizer.nme", {"received": "nme", "fix": "Did you mean name? Known: name, learning_rate, momentum, "}),
        ("optimizr.name", {"received": "optimizr", "fix": "Did you mean optimizer? Known: data, model, "}),
        ("epochs", {"received": "epochs", "fix": "Known: data, model, optimizer, loss, fit."}),
        ("", {"received": "", "fix": "Known: data, model, optimizer, loss, fit."}),
        ("model.blocks.2.filters", {"received": "2", "expected": "model.blocks: a place from 0 to 1"}),
        ("model.blocks.-1.filters", {"received": "-1", "expected": "model.blocks: a place from 0 to 1"}),
        ("model.blocks.².filters", {"received": "²", "expected": "model.blocks: a place from 0 to 1"}),
        ("fit.epochs.x", {"received": "x", "expected": "fit.epochs: nothing below it"}),
    ],
)
def test_an_edit_of_a_place_that_is_not_there_says_what_is(path: str, parts: dict[str, str]):
    with pytest.raises(RecipeError) as caught:
        Recipe().with_({path: 1})
    assert caught.value.what == f"A recipe has no {path}."
    assert caught.value.details().keys() == parts.keys()
    for name, words in parts.items():
        assert caught.value.details()[name].startswith(words)


def test_a_wrong_edit_is_blamed_on_the_edited_recipe():
    with pytest.raises(RecipeError, match=r"the edited recipe has a value that cannot be used at fit\.epochs"):
        Recipe().with_({"fit.epochs": -1})


def test_difference_names_what_only_one_of_two_recipes_has():
    smaller = Recipe().with_({"model.blocks": [32]})
    difference = Recipe().difference(smaller)
    assert difference["model.blocks.1.filters"] == (64, None)
    assert smaller.difference(Recipe())["model.blocks.1.filters"] == (None, 64)
    assert Recipe().difference(Recipe()) == {}


@pytest.mark.parametrize(
    ("word", "path", "value"),
    [
        ("fit.epochs=20", "fit.epochs", 20),
        ("optimizer.learning_rate=1e-4", "optimizer.learning_rate", 1e-4),
        ("model.activation=tanh", "model.activation", "tanh"),
        ('model.activation="tanh"', "model.activation", "tanh"),
        (" fit.epochs = 20 ", "fit.epochs", 20),
        ("model.batch_norm=true", "model.batch_norm", True),
        ("model.blocks=[16, {filters=32, pool_size=1}]", "model.blocks", [16, {"filters": 32, "pool_size": 1}]),
        ("data.source=pictures/a=b", "data.source", "pictures/a=b"),
        ("data.source=", "data.source", ""),
        ("data.source=1\nfit = 2", "data.source", "1\nfit = 2"),
        ("fit.epochs=" + "9" * 5000, "fit.epochs", "9" * 5000),
        ("model.blocks=" + "[" * 5000, "model.blocks", "[" * 5000),
    ],
)
def test_words_become_edits_with_toml_values_or_plain_text(word: str, path: str, value: object):
    assert parse_edits([word]) == {path: value}


def test_the_last_of_two_edits_of_one_place_counts():
    assert parse_edits(["fit.epochs=1", "fit.epochs=2"]) == {"fit.epochs": 2}


@pytest.mark.parametrize("word", ["fit.epochs", "=3", " = 3", ""])
def test_a_word_that_is_no_edit_is_refused_with_an_example(word: str):
    with pytest.raises(RecipeError) as caught:
        parse_edits([word])
    assert caught.value.what == "An edit is not of the form path=value."
    assert caught.value.received == word
    assert caught.value.fix == "Write, for example, optimizer.learning_rate=1e-4."


def test_a_recipe_file_gives_what_it_names_and_defaults_for_the_rest(tmp_path: Path):
    path = tmp_path / "recipe.toml"
    path.write_text('[optimizer]\nname = "sgd"\nmomentum = 0.9\n', encoding="utf-8")
    assert Recipe.load(path) == Recipe().with_(optimizer__name="sgd", optimizer__momentum=0.9)
    assert Recipe.load(str(path)).optimizer.learning_rate == 0.01


@pytest.mark.parametrize(
    ("content", "what", "received"),
    [
        (b"[fit\nepochs = 3", "is not valid TOML.", "line 1"),
        (b"[fit]\nepochs = " + b"9" * 5000, "is not valid TOML.", "5000 digits"),
        (b"x = " + b"[" * 5000, "is not valid TOML.", "recursion"),
        (b"[data]\nsource = 'caf\xe9'", "is not a text file.", "0xe9"),
        (b"[fit]\nepochs = 0", "has a value that cannot be used at fit.epochs.", "0"),
    ],
)
def test_a_recipe_file_that_cannot_be_used_is_named_with_the_reason(
    tmp_path: Path, content: bytes, what: str, received: str
):
    path = tmp_path / "recipe.toml"
    path.write_bytes(content)
    with pytest.raises(RecipeError) as caught:
        Recipe.load(path)
    assert str(path) in caught.value.what
    assert caught.value.what.endswith(what)
    assert received in (caught.value.received or "")


@pytest.mark.parametrize(("name", "reason"), [("nowhere.toml", "No such file"), (".", "Is a directory")])
def test_a_recipe_file_that_is_not_there_says_how_to_get_one(tmp_path: Path, name: str, reason: str):
    with pytest.raises(RecipeError) as caught:
        Recipe.load(tmp_path / name)
    assert caught.value.what == f"The recipe {tmp_path / name} cannot be read."
    assert reason in (caught.value.received or "")
    assert "eyetune recipe" in (caught.value.fix or "")
    assert caught.value.exit_status == 2
