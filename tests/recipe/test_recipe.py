from __future__ import annotations

import contextlib
import copy
import re
from pathlib import Path
from typing import Any, get_args, get_origin

import pydantic
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from pydantic.fields import FieldInfo

from eyetune.errors import RecipeError
from eyetune.recipe import (
    LAST_STRETCH,
    MONITORS,
    PRETRAINED,
    BackboneName,
    Block,
    DenseLayer,
    HyperparameterValue,
    Recipe,
    parse_edits,
)
from eyetune.recipe.sections import WITH_MOMENTUM

SECTIONS = ", ".join(Recipe.model_fields)
LIMITS = ("gt", "ge", "lt", "le", "min_length", "max_length")


def field_values(field: FieldInfo, size: int | None) -> st.SearchStrategy[Any]:
    """Return what a field takes by its type and limits; lists hold `size` tables, or 4 at most."""
    limits = {
        name: getattr(rule, name)
        for rule in field.metadata
        for name in LIMITS
        if hasattr(rule, name)
    }
    low, high = limits.get("ge", limits.get("gt")), limits.get("le", limits.get("lt", 10**9))
    kind = field.annotation
    if kind == dict[str, HyperparameterValue]:
        return st.dictionaries(
            st.text(min_size=1), st.integers() | st.booleans() | st.text(), max_size=3
        )
    plain: dict[Any, st.SearchStrategy[Any]] = {
        bool: st.booleans(),
        str: st.text(min_size=1),
        int: st.integers(low, high - ("lt" in limits)),
        float: st.floats(low, high, exclude_min="gt" in limits, exclude_max="lt" in limits),
    }
    if kind in plain:
        return plain[kind]
    if get_origin(kind) is tuple:
        table = section_values(get_args(get_args(kind)[0])[0], size)
        return st.lists(table, min_size=size or limits.get("min_length", 0), max_size=size or 4)
    if type(None) in get_args(kind):
        return st.none() | st.sampled_from(get_args(get_args(kind)[0]))
    return st.sampled_from(get_args(kind))


def section_values(
    section: type[pydantic.BaseModel], size: int | None = None
) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            name: section_values(field.annotation, size)
            if isinstance(field.annotation, type)
            and issubclass(field.annotation, pydantic.BaseModel)
            else field_values(field, size)
            for name, field in section.model_fields.items()
        }
    )


def made(values: dict[str, Any], base: Recipe | None = None) -> Recipe:
    """Return the recipe of some values, or the edited base; leave out what contradicts itself."""
    try:
        return Recipe.make(values) if base is None else base.with_(values)
    except RecipeError as error:
        if "contradicts itself" in error.what:
            reject()
        raise


def settled(values: dict[str, Any]) -> Recipe:
    """Take back what contradicts the rest most often, so that few are left out."""
    augment, optimizer = values["augment"], values["optimizer"]
    if not any(value for name, value in augment.items() if name != "copies"):
        augment["copies"] = 0
    if optimizer["name"] not in WITH_MOMENTUM:
        optimizer["momentum"] = 0
    if optimizer["name"] != "sgd" or not optimizer["momentum"]:
        optimizer["nesterov"] = False
    settle_base(values["model"])
    fit = values["fit"]
    fit["monitor"] = MONITORS[len(fit["monitor"]) % len(MONITORS)]
    if fit["early_stopping"] or not values["model"]["trainable_from"]:
        fit["fine_tune_epochs"] = 0
    if values["loss"]["teacher"]:
        fit["class_weight"] = "none"
    optimizer["warmup_epochs"] = (
        0 if optimizer["schedule"] == "plateau" else min(optimizer["warmup_epochs"], 0.5)
    )
    return made(values)


def settle_base(model: dict[str, Any]) -> None:
    """Have blocks or a base, and each only with what belongs to it; model functions have tests of
    their own.
    """
    model |= {"function": "", "hyperparameters": {}}
    if model["base"] == "none":
        model |= {
            "weights": "imagenet",
            "trainable_from": "",
            "blocks": model["blocks"] or [{"filters": 8}],
        }
    else:
        model |= {"blocks": [], "width": 1.0, "padding": "valid", "batch_norm": False}


def without_base(values: dict[str, Any]) -> dict[str, Any]:
    return {**values, "model": {**values["model"], "base": "none"}}


toml_like = st.text(st.sampled_from("[]{}=.,\"'#\n\\ +-_:eTZ0129fitpochs"))
recipes = section_values(Recipe).map(settled)
recipes_of_one_shape = section_values(Recipe, 2).map(without_base).map(settled)
NOT_FREE = ("model.kind", "model.function", "fit.monitor")
free_paths = st.sampled_from([path for path in Recipe().values() if path not in NOT_FREE])


def error_of(values: dict[str, Any]) -> RecipeError:
    with pytest.raises(RecipeError) as caught:
        Recipe.make(values)
    return caught.value


@given(recipes)
def test_a_recipe_comes_back_from_toml_as_it_was(recipe: Recipe) -> None:
    assert Recipe.from_toml(recipe.to_toml()) == recipe


@given(recipes_of_one_shape, recipes_of_one_shape, free_paths)
def test_an_edit_changes_its_value_and_nothing_else(
    recipe: Recipe, other: Recipe, path: str
) -> None:
    value = other.values()[path]
    assert made({path: value}, recipe).values() == {**recipe.values(), path: value}


@given(recipes_of_one_shape, recipes_of_one_shape)
def test_the_difference_as_edits_turns_one_recipe_into_the_other(
    recipe: Recipe, other: Recipe
) -> None:
    difference = recipe.difference(other)
    assert made({path: theirs for path, (_, theirs) in difference.items()}, recipe) == other
    assert other.difference(recipe) == {
        path: (theirs, mine) for path, (mine, theirs) in difference.items()
    }


@given(recipes, recipes)
def test_fingerprints_are_the_same_for_equal_recipes_only(recipe: Recipe, other: Recipe) -> None:
    assert (recipe.fingerprint == other.fingerprint) == (recipe == other)
    assert Recipe.from_toml(recipe.to_toml()).fingerprint == recipe.fingerprint


@given(st.text() | toml_like)
@settings(max_examples=300)
def test_any_text_is_a_recipe_or_a_recipe_error(text: str) -> None:
    with contextlib.suppress(RecipeError):
        Recipe.from_toml(text)


@given(st.text() | toml_like, st.sampled_from(list(Recipe().values())), st.booleans())
@settings(max_examples=300)
def test_any_edit_gives_a_recipe_or_a_recipe_error(text: str, path: str, known: bool) -> None:
    with contextlib.suppress(RecipeError):
        Recipe().with_(parse_edits([f"{path}={text}" if known else text]))


def test_the_default_recipe_is_the_labs() -> None:
    recipe = Recipe()
    assert (recipe.data.source, recipe.data.validation, recipe.data.subset) == ("cifar10", 0.2, 0)
    assert recipe.model.blocks == (Block(filters=32), Block(filters=64))
    assert {
        (block.kernel_size, block.convolutions, block.pool_size) for block in recipe.model.blocks
    } == {(3, 1, 2)}
    assert recipe.model.dense == (DenseLayer(units=64),)
    assert (recipe.model.activation, recipe.model.dropout, recipe.model.batch_norm) == (
        "relu",
        0.0,
        False,
    )
    assert (recipe.optimizer.name, recipe.optimizer.learning_rate) == ("adam", 0.001)
    assert (recipe.loss.name, recipe.loss.label_smoothing) == ("categorical_crossentropy", 0.0)
    assert (recipe.fit.epochs, recipe.fit.batch_size, recipe.fit.early_stopping) == (10, 32, 0)


def test_the_fingerprint_is_sixteen_hexadecimal_digits() -> None:
    assert re.fullmatch("[0-9a-f]{16}", Recipe().fingerprint)
    assert Recipe().fingerprint == Recipe.from_toml("").fingerprint


def test_a_recipe_cannot_be_changed_in_place() -> None:
    recipe = Recipe()
    with pytest.raises(pydantic.ValidationError):
        recipe.fit.epochs = 3  # type: ignore[misc]
    assert hash(recipe) == hash(Recipe())


@pytest.mark.parametrize(
    ("values", "path", "name", "hint"),
    [
        ({"modle": {}}, "modle", "modle", f"Did you mean model? Valid names: {SECTIONS}."),
        ({"fit": {"epoch": 3}}, "fit.epoch", "epoch", "Did you mean epochs?"),
        (
            {"optimizer": {"lerning_rate": 1}},
            "optimizer.lerning_rate",
            "lerning_rate",
            "Did you mean learning_rate?",
        ),
        ({"model": {"block": []}}, "model.block", "block", "Did you mean blocks?"),
        (
            {"model": {"blocks": [{"filter": 3}]}},
            "model.blocks.0.filter",
            "filter",
            "Did you mean filters?",
        ),
        ({"model": {"dense": [{"unit": 3}]}}, "model.dense.0.unit", "unit", "Did you mean units?"),
        (
            {"loss": {"zzz": 1}},
            "loss.zzz",
            "zzz",
            "Valid names: name, label_smoothing, teacher, teacher_share, temperature.",
        ),
    ],
)
def test_an_unknown_name_is_refused_at_each_level_with_the_nearest_one(
    values: dict[str, Any], path: str, name: str, hint: str
) -> None:
    error = error_of(values)
    assert error.what == f"The recipe has an unknown name, {path}."
    assert error.received == name
    assert error.fix is not None
    assert error.fix.startswith(hint)


@pytest.mark.parametrize(
    ("values", "path", "expected", "received", "fix"),
    [
        (
            {"optimizer": {"learning_rate": -0.1}},
            "optimizer.learning_rate",
            "greater than 0",
            "-0.1",
            None,
        ),
        (
            {"optimizer": {"learning_rate": float("nan")}},
            "optimizer.learning_rate",
            "a finite number",
            "nan",
            None,
        ),
        (
            {"loss": {"label_smoothing": float("inf")}},
            "loss.label_smoothing",
            "a finite number",
            "inf",
            None,
        ),
        (
            {"optimizer": {"learning_rate": "fast"}},
            "optimizer.learning_rate",
            "a number",
            "'fast'",
            None,
        ),
        ({"fit": {"epochs": 0}}, "fit.epochs", "greater than or equal to 1", "0", None),
        ({"fit": {"epochs": 2.5}}, "fit.epochs", "a whole number", "2.5", None),
        ({"fit": 3}, "fit", "a table of values", "3", None),
        ({"fit": {"epochs": True}}, "fit.epochs", "a number", "True", None),
        ({"augment": {"flip": "yes"}}, "augment.flip", "true or false", "'yes'", None),
        ({"model": {"dropout": 1}}, "model.dropout", "less than 1", "1", None),
        ({"model": {"blocks": []}}, "model.blocks", "at least 1 in the list", "[]", None),
        ({"model": {"blocks": 16}}, "model.blocks", "a list", "16", None),
        ({"model": {"blocks": [True]}}, "model.blocks.0", "a table of values", "True", None),
        (
            {"model": {"blocks": [32, 0]}},
            "model.blocks.1.filters",
            "greater than or equal to 1",
            "0",
            None,
        ),
        ({"data": {"source": ""}}, "data.source", "at least 1 character", "''", None),
        (
            {"optimizer": {"name": "adm"}},
            "optimizer.name",
            "'adam'",
            "'adm'",
            "Did you mean adam?",
        ),
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
) -> None:
    error = error_of(values)
    assert error.what == f"The recipe has a value that cannot be used at {path}."
    assert error.expected is not None
    assert expected in error.expected
    assert error.received == received
    assert (error.fix is None) == (fix is None)
    assert (error.fix or "").startswith(fix or "")


def test_several_wrong_values_are_counted_and_the_first_is_told() -> None:
    error = error_of({"fit": {"epochs": 0, "batch_size": 0}, "model": {"dropout": 2}})
    assert (
        error.what
        == "The recipe has a value that cannot be used at model.dropout (also wrong: fit.epochs, fit.batch_size)."
    )


def test_a_long_wrong_value_is_shown_in_part() -> None:
    error = error_of({"fit": {"epochs": "x" * 1000}})
    assert error.received is not None
    assert len(error.received) == 100
    assert error.received.endswith("...")


@pytest.mark.parametrize(
    ("optimizer", "words"),
    [
        ({"momentum": 0.9}, "momentum is for sgd and rmsprop, but the optimizer is adam"),
        (
            {"name": "sgd", "nesterov": True},
            "nesterov needs the optimizer sgd and a momentum above 0",
        ),
        (
            {"name": "rmsprop", "momentum": 0.9, "nesterov": True},
            "nesterov needs the optimizer sgd",
        ),
        ({"schedule": "plateau", "warmup_epochs": 1}, "it has no warm-up"),
    ],
)
def test_an_optimizer_is_given_no_value_that_it_does_not_have(
    optimizer: dict[str, Any], words: str
) -> None:
    error = error_of({"optimizer": optimizer})
    assert error.what.startswith("The recipe contradicts itself at optimizer: ")
    assert words in error.what


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"augment": {"copies": 2}}, "at augment: copies need something that varies them"),
        (
            {"fit": {"epochs": 3}, "optimizer": {"warmup_epochs": 3}},
            "warmup_epochs (3) must be below fit.epochs (3)",
        ),
        (
            {"model": {"base": "vgg16", "blocks": [8]}},
            "at model: base vgg16 stands in place of the blocks",
        ),
        ({"model": {"base": "vgg16", "batch_norm": True}}, "at model: batch_norm is of blocks"),
        (
            {"model": {"weights": "random"}},
            "at model: weights is of a pre-trained network, but base is none",
        ),
        (
            {"model": {"trainable_from": "conv1"}},
            "at model: trainable_from is of a pre-trained network",
        ),
        (
            {"fit": {"fine_tune_epochs": 3}},
            "fit.fine_tune_epochs train a pre-trained network further",
        ),
        (
            {"model": "vgg16", "fit": {"fine_tune_epochs": 3}},
            "fit.fine_tune_epochs need model.trainable_from",
        ),
        ({"fit": {"fine_tune_epochs": 3, "early_stopping": 2}}, "at fit: early_stopping would end"),
        (
            {"loss": {"teacher": "a"}, "fit": {"class_weight": "balanced"}},
            "so fit.class_weight must be none",
        ),
    ],
)
def test_values_that_contradict_each_other_are_told(values: dict[str, Any], what: str) -> None:
    error = error_of(values)
    assert "contradicts itself" in error.what
    assert what in error.what


def test_a_base_stands_in_place_of_the_blocks_and_blocks_come_back_without_it() -> None:
    transfer = Recipe().with_(model="vgg16")
    assert (transfer.model.base, transfer.model.blocks) == ("vgg16", ())
    assert transfer.model.dense == (DenseLayer(units=64),)  # as in the lab
    assert not transfer.model.global_pooling
    assert Recipe().with_({"model.base": "resnet50"}).model.blocks == ()
    assert Recipe().with_({"model.base": "resnet50"}).with_({"model.base": "none"}) == Recipe()
    with pytest.raises(RecipeError, match=r"model\.blocks\.0\.filters") as caught:
        transfer.with_({"model.blocks.0.filters": 8})
    assert caught.value.expected == "nothing in model.blocks, which is empty"


def test_mobilenet_is_trained_from_nothing_and_mobilenet_v1_is_pre_trained() -> None:
    assert not Recipe().with_(model="mobilenet").model.has_backbone
    assert Recipe().with_(model="mobilenet_v1").model.base == "mobilenet_v1"
    with pytest.raises(RecipeError, match=r"model\.base") as caught:
        Recipe().with_({"model.base": "mobilenet"})
    assert "Did you mean mobilenet_v" in str(caught.value.fix)


def test_every_base_has_a_name_and_a_last_stretch() -> None:
    bases = set(get_args(BackboneName)) - {"none"}
    assert set(PRETRAINED) == set(LAST_STRETCH) == bases
    assert all(PRETRAINED[name]["base"] == name for name in bases)


def test_fine_tuning_adds_its_epochs() -> None:
    edits = {"model": "vgg16", "model.trainable_from": "block5_conv1", "fit.fine_tune_epochs": 5}
    assert Recipe().with_(edits).fit.total_epochs == 15


def test_sgd_has_keras_rate_of_its_own_until_one_is_given() -> None:
    assert Recipe.make({"optimizer": {"name": "sgd"}}).optimizer.learning_rate == 0.01
    assert Recipe().with_(optimizer__name="sgd").optimizer.learning_rate == 0.01
    assert (
        Recipe().with_(optimizer__name="sgd").with_(optimizer__name="adam").optimizer.learning_rate
        == 0.001
    )
    given_rate = Recipe().with_(optimizer__learning_rate=0.5)
    assert given_rate.with_(optimizer__name="sgd").optimizer.learning_rate == 0.5


def test_plain_numbers_stand_for_blocks_and_dense_layers() -> None:
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
        (
            {"model.blocks": [1, 2, 3], "model.blocks.2.activation": "tanh"},
            "model.blocks.2.activation",
            "tanh",
        ),
        (
            {"model.blocks.2.activation": "tanh", "model.blocks": [1, 2, 3]},
            "model.blocks.2.activation",
            "tanh",
        ),
        ({"fit": {"epochs": 3}, "fit.batch_size": 7}, "fit.batch_size", 7),
        ({"fit.batch_size": 7, "fit": {"epochs": 3}}, "fit.epochs", 3),
    ],
)
def test_lists_and_sections_are_edited_whole_or_in_part(
    edits: dict[str, Any], path: str, value: object
) -> None:
    assert Recipe().with_(edits).values()[path] == value


def test_an_edit_of_one_block_leaves_the_others_and_its_own_rest_alone() -> None:
    recipe = Recipe.make({"model": {"blocks": [{"filters": 8, "pool_size": 1}, 16]}})
    edited = recipe.with_({"model.blocks.0.kernel_size": 5})
    assert edited.model.blocks == (Block(filters=8, pool_size=1, kernel_size=5), Block(filters=16))
    assert recipe.model.blocks[0].kernel_size == 3


def test_all_dense_layers_can_be_taken_out() -> None:
    recipe = Recipe().with_({"model.dense": []})
    assert recipe.model.dense == ()
    assert Recipe().difference(recipe) == {"model.dense.0.units": (64, None)}


def test_edits_are_left_as_they_were_given() -> None:
    edits = {"model": {"padding": "same"}, "model.activation": "tanh"}
    before = copy.deepcopy(edits)
    edited = Recipe().with_(edits)
    assert (edited.model.padding, edited.model.activation) == ("same", "tanh")
    assert edits == before


def test_edits_that_contradict_each_other_alone_may_come_together() -> None:
    recipe = Recipe().with_({"optimizer.momentum": 0.9, "optimizer.name": "sgd"})
    assert recipe.optimizer.momentum == 0.9


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        (
            "optimizer.nme",
            {"received": "nme", "fix": "Did you mean name?"},
        ),
        (
            "optimizr.name",
            {"received": "optimizr", "fix": f"Did you mean optimizer? Valid names: {SECTIONS}."},
        ),
        ("epochs", {"received": "epochs", "fix": f"Valid names: {SECTIONS}."}),
        ("", {"received": "", "fix": f"Valid names: {SECTIONS}."}),
        (
            "model.blocks.2.filters",
            {
                "received": "2",
                "expected": "model.blocks: a place from 0 to 1",
                "fix": "To make the list longer",
            },
        ),
        (
            "model.blocks.-1.filters",
            {
                "received": "-1",
                "expected": "model.blocks: a place from 0 to 1",
                "fix": "To make the list longer",
            },
        ),
        (
            "model.blocks.².filters",
            {
                "received": "²",
                "expected": "model.blocks: a place from 0 to 1",
                "fix": "To make the list longer",
            },
        ),
        ("fit.epochs.x", {"received": "x", "expected": "nothing below fit.epochs"}),
    ],
)
def test_an_edit_of_a_place_that_is_not_there_says_what_is(
    path: str, parts: dict[str, str]
) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe().with_({path: 1})
    assert caught.value.what == f"A recipe has no {path}."
    assert caught.value.details().keys() == parts.keys()
    for name, words in parts.items():
        assert caught.value.details()[name].startswith(words)


def test_a_wrong_edit_is_blamed_on_the_edited_recipe() -> None:
    with pytest.raises(
        RecipeError, match=r"The edited recipe has a value that cannot be used at fit\.epochs"
    ):
        Recipe().with_({"fit.epochs": -1})


def test_difference_names_what_only_one_of_two_recipes_has() -> None:
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
        (
            "model.blocks=[16, {filters=32, pool_size=1}]",
            "model.blocks",
            [16, {"filters": 32, "pool_size": 1}],
        ),
        ("data.source=pictures/a=b", "data.source", "pictures/a=b"),
        ("data.source=", "data.source", ""),
        ("data.source=1\nfit = 2", "data.source", "1\nfit = 2"),
        ("fit.epochs=" + "9" * 5000, "fit.epochs", "9" * 5000),
        ("model.blocks=" + "[" * 5000, "model.blocks", "[" * 5000),
    ],
)
def test_words_become_edits_with_toml_values_or_plain_text(
    word: str, path: str, value: object
) -> None:
    assert parse_edits([word]) == {path: value}


def test_the_last_of_two_edits_of_one_place_counts() -> None:
    assert parse_edits(["fit.epochs=1", "fit.epochs=2"]) == {"fit.epochs": 2}


@pytest.mark.parametrize("word", ["fit.epochs", "=3", " = 3", ""])
def test_a_word_that_is_no_edit_is_refused_with_an_example(word: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_edits([word])
    assert caught.value.what == "An edit is not of the form path=value."
    assert caught.value.received == word
    assert caught.value.fix == "Write, for example, optimizer.learning_rate=1e-4."


def test_a_recipe_file_gives_what_it_names_and_defaults_for_the_rest(tmp_path: Path) -> None:
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
) -> None:
    path = tmp_path / "recipe.toml"
    path.write_bytes(content)
    with pytest.raises(RecipeError) as caught:
        Recipe.load(path)
    assert str(path) in caught.value.what
    assert caught.value.what.endswith(what)
    assert received in (caught.value.received or "")


@pytest.mark.parametrize(
    ("name", "reason"), [("nowhere.toml", "No such file"), (".", "Is a directory")]
)
def test_a_recipe_file_that_is_not_there_says_how_to_get_one(
    tmp_path: Path, name: str, reason: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe.load(tmp_path / name)
    assert caught.value.what == f"The recipe {tmp_path / name} cannot be read."
    assert reason in (caught.value.received or "")
    assert "eyetune recipe" in (caught.value.fix or "")
    assert caught.value.exit_status == 2


@given(st.dictionaries(st.text(min_size=1), st.integers() | st.booleans() | st.text(), max_size=4))
def test_a_recipe_with_a_model_function_comes_back_from_toml_as_it_was(
    values: dict[str, Any],
) -> None:
    recipe = Recipe().with_({"model": "model.py:build_model", "model.hyperparameters": values})
    assert recipe.model.has_function
    assert Recipe.from_toml(recipe.to_toml(comments=True)) == recipe
    assert hash(recipe) == hash(Recipe.from_toml(recipe.to_toml()))


@pytest.mark.parametrize(
    ("edits", "words"),
    [
        ({"model": "m.py:build", "model.dropout": 0.3}, "dropout would do nothing"),
        (
            {"model": "m.py:build", "optimizer.learning_rate": 0.1},
            "optimizer and loss would do nothing",
        ),
        ({"model.hyperparameters": {"units": 8}}, "there is none"),
        ({"fit.monitor": "val_acc"}, "Did you mean val_accuracy?"),
    ],
)
def test_what_a_model_function_does_itself_is_not_asked_for_beside_it(
    edits: dict[str, Any], words: str
) -> None:
    with pytest.raises(RecipeError, match="contradicts itself") as caught:
        Recipe().with_(edits)
    assert words in str(caught.value)
