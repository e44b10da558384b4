from __future__ import annotations

import contextlib
import copy
import os
import re
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pydantic
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from pydantic.fields import FieldInfo

from eyetune.errors import RecipeConflictError, RecipeError
from eyetune.inputs.limits import TEXT_VALUES
from eyetune.recipe import (
    LAST_STRETCH,
    MONITORS,
    PRETRAINED,
    BackboneName,
    Block,
    DenseLayer,
    HyperparameterValue,
    OptimizerSection,
    Recipe,
    parse_edits,
)
from eyetune.recipe.changes import recipe_changes
from eyetune.recipe.image_sections import CAMERA_SHARE
from eyetune.recipe.sections import WITH_MOMENTUM
from eyetune.testing.labs import fabricated_history

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
    plain: dict[Any, st.SearchStrategy[Any]] = {
        dict[str, HyperparameterValue]: st.dictionaries(
            st.text(min_size=1), st.integers() | st.booleans() | st.text(), max_size=3
        ),
        Literal["auto"] | float: st.just("auto") | st.floats(0, 1, exclude_max=True),
        bool: st.booleans(),
        str: st.text(min_size=1),
        int: st.integers(low, high - ("lt" in limits)),
        float: st.floats(low, high, exclude_min="gt" in limits, exclude_max="lt" in limits),
    }
    if kind in plain:
        return plain[kind]
    if kind == OptimizerSection.model_fields["restarts"].annotation:
        return st.lists(st.integers(1, 9), unique=True, max_size=3).map(sorted)
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
    """Return the recipe of some values, or the edited base; skip values that exclude each other."""
    try:
        return Recipe.make(values) if base is None else base.with_(values)
    except RecipeConflictError:
        reject()


def settle_camera(data: dict[str, Any], augment: dict[str, Any]) -> None:
    is_changed = any(value for name, value in augment.items() if name != "copies")
    if data["camera"] == "none":
        data["camera_share"] = CAMERA_SHARE
        augment["copies"] *= is_changed


def without_conflicts(values: dict[str, Any]) -> Recipe:
    """Resolve the most frequent conflicts, so that few examples are skipped."""
    optimizer = values["optimizer"]
    settle_camera(values["data"], values["augment"])
    if optimizer["name"] not in WITH_MOMENTUM:
        optimizer["momentum"] = 0
    if optimizer["name"] != "sgd" or not optimizer["momentum"]:
        optimizer["nesterov"] = False
    settle_base(values["model"])
    fit = values["fit"]
    fit["monitor"] = MONITORS[len(fit["monitor"]) % len(MONITORS)]
    if fit["early_stopping"] or not values["model"]["trainable_from"]:
        fit["fine_tune_epochs"] = 0
    if values["loss"]["teacher"] or fit["sampling"] != "all":
        fit["class_weight"] = "none"
    if fit["seconds"]:
        fit["fine_tune_epochs"] = optimizer["cycle_epochs"] = 0
    if fit["seconds"] or fit["early_stopping"] or values["model"]["base"] != "none":
        fit["quantize"] = "none"
    if optimizer["schedule"] in ("constant", "plateau"):
        optimizer["cycle_epochs"] = 0
    if optimizer["schedule"] in ("constant", "plateau") or fit["seconds"]:
        optimizer["restarts"] = []
    fit["epochs"] = max([fit["epochs"], *(count + 1 for count in optimizer["restarts"])])
    optimizer["warmup_epochs"] = (
        0 if optimizer["schedule"] == "plateau" else min(optimizer["warmup_epochs"], 0.5)
    )
    return made(values)


def settle_base(model: dict[str, Any]) -> None:
    """Keep either blocks or a backbone, with their values; model functions are tested elsewhere."""
    model |= {"function": "", "hyperparameters": {}}
    for block in model["blocks"]:
        if block["depthwise"]:
            block["expansion"] = 0
        elif block["expansion"]:
            block["convolutions"] = 1
    if model["base"] == "none":
        model |= {
            "weights": "imagenet",
            "trainable_from": "",
            "blocks": model["blocks"] or [{"filters": 8}],
        }
    else:
        model |= {
            "blocks": [],
            "initial_weights": "",
            "width": 1.0,
            "padding": "valid",
            "batch_norm": False,
            "batch_norm_momentum": "auto",
        }


def of_one_shape(values: dict[str, Any]) -> dict[str, Any]:
    """Leave out a backbone, and restarts, which some schedules do not have."""
    model, optimizer = values["model"], values["optimizer"]
    return {
        **values,
        "model": {**model, "base": "none"},
        "optimizer": {**optimizer, "restarts": []},
    }


toml_like = st.text(st.sampled_from("[]{}=.,\"'#\n\\ +-_:eTZ0129fitpochs"))
recipes = section_values(Recipe).map(without_conflicts)
recipes_of_one_shape = section_values(Recipe, 2).map(of_one_shape).map(without_conflicts)
NOT_FREE = ("model.kind", "model.function", "fit.monitor")
free_paths = st.sampled_from([path for path in Recipe().values() if path not in NOT_FREE])


def error_of(values: dict[str, Any]) -> RecipeError:
    with pytest.raises(RecipeError) as caught:
        Recipe.make(values)
    return caught.value


@given(recipes)
def test_recipe_survives_toml(recipe: Recipe) -> None:
    assert Recipe.from_toml(recipe.to_toml()) == recipe


@given(recipes_of_one_shape, recipes_of_one_shape, free_paths)
def test_edit_changes_only_its_value(recipe: Recipe, other: Recipe, path: str) -> None:
    value = other.values()[path]
    assert made({path: value}, recipe).values() == {**recipe.values(), path: value}


@given(recipes_of_one_shape, recipes_of_one_shape)
def test_difference_as_edits_makes_the_other_recipe(recipe: Recipe, other: Recipe) -> None:
    difference = recipe.difference(other)
    assert made({path: theirs for path, (_, theirs) in difference.items()}, recipe) == other
    assert other.difference(recipe) == {
        path: (theirs, mine) for path, (mine, theirs) in difference.items()
    }


@given(recipes, recipes)
def test_fingerprint_is_equal_for_equal_recipes_only(recipe: Recipe, other: Recipe) -> None:
    assert (recipe.fingerprint == other.fingerprint) == (recipe == other)
    assert Recipe.from_toml(recipe.to_toml()).fingerprint == recipe.fingerprint


@given(st.text() | toml_like)
@settings(max_examples=300)
def test_from_toml_of_any_text_raises_only_recipe_errors(text: str) -> None:
    with contextlib.suppress(RecipeError):
        Recipe.from_toml(text)


@given(st.text() | toml_like, st.sampled_from(list(Recipe().values())), st.booleans())
@settings(max_examples=300)
def test_parse_edits_of_any_text_raises_only_recipe_errors(
    text: str, path: str, known: bool
) -> None:
    with contextlib.suppress(RecipeError):
        Recipe().with_(parse_edits([f"{path}={text}" if known else text]))


def test_default_recipe_is_the_labs() -> None:
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


def test_fingerprint_has_sixteen_hexadecimal_digits() -> None:
    assert re.fullmatch("[0-9a-f]{16}", Recipe().fingerprint)
    assert Recipe().fingerprint == Recipe.from_toml("").fingerprint


def test_recipe_is_immutable() -> None:
    recipe = Recipe()
    with pytest.raises(pydantic.ValidationError):
        recipe.fit.epochs = 3  # type: ignore[misc]
    assert hash(recipe) == hash(Recipe())


@pytest.mark.parametrize(
    ("values", "path", "name", "suggestion"),
    [
        ({"modle": {}}, "modle", "modle", "model"),
        ({"fit": {"epoch": 3}}, "fit.epoch", "epoch", "epochs"),
        (
            {"optimizer": {"lerning_rate": 1}},
            "optimizer.lerning_rate",
            "lerning_rate",
            "learning_rate",
        ),
        ({"model": {"block": []}}, "model.block", "block", "blocks"),
        (
            {"model": {"blocks": [{"filter": 3}]}},
            "model.blocks.0.filter",
            "filter",
            "filters",
        ),
        ({"model": {"dense": [{"unit": 3}]}}, "model.dense.0.unit", "unit", "units"),
        (
            {"loss": {"zzz": 1}},
            "loss.zzz",
            "zzz",
            "label_smoothing",
        ),
    ],
)
def test_unknown_name_suggests_the_nearest_at_each_level(
    values: dict[str, Any], path: str, name: str, suggestion: str
) -> None:
    error = error_of(values)
    assert path in error.message
    assert error.received == name
    assert suggestion in str(error.fix)


@pytest.mark.parametrize(
    ("values", "path", "expected", "received", "suggestion"),
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
            "adam",
        ),
        (
            {"model": {"blocks": [{"activation": "rellu"}]}},
            "model.blocks.0.activation",
            "'relu'",
            "'rellu'",
            "relu",
        ),
    ],
)
def test_invalid_value_reports_path_range_and_value(
    values: dict[str, Any], path: str, expected: str, received: str, suggestion: str | None
) -> None:
    error = error_of(values)
    assert path in error.message
    assert expected in str(error.expected)
    assert error.received == received
    assert (error.fix is None) == (suggestion is None)
    assert (suggestion or "") in str(error.fix)


def test_several_invalid_values_are_all_named() -> None:
    error = error_of({"fit": {"epochs": 0, "batch_size": 0}, "model": {"dropout": 2}})
    for path in ("model.dropout", "fit.epochs", "fit.batch_size"):
        assert path in error.message
    assert error.received == "2"


def test_long_invalid_value_is_shortened() -> None:
    error = error_of({"fit": {"epochs": "x" * 1000}})
    assert error.received is not None
    assert len(error.received) == 100
    assert error.received.endswith("...")


@pytest.mark.parametrize(
    ("optimizer", "names"),
    [
        ({"momentum": 0.9}, ("momentum", "sgd", "rmsprop", "adam")),
        (
            {"name": "sgd", "nesterov": True},
            ("nesterov", "momentum"),
        ),
        (
            {"name": "rmsprop", "momentum": 0.9, "nesterov": True},
            ("nesterov", "sgd"),
        ),
        ({"schedule": "plateau", "warmup_epochs": 1}, ("plateau",)),
    ],
)
def test_optimizer_rejects_values_it_does_not_support(
    optimizer: dict[str, Any], names: tuple[str, ...]
) -> None:
    error = error_of({"optimizer": optimizer})
    assert isinstance(error, RecipeConflictError)
    for name in ("optimizer", *names):
        assert name in error.message


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ({"augment": {"copies": 2}}, ("augment", "copies")),
        ({"data": {"camera_share": 0.5}}, ("camera_share", "data.camera")),
        (
            {"fit": {"epochs": 3}, "optimizer": {"warmup_epochs": 3}},
            ("optimizer.warmup_epochs", "fit.epochs"),
        ),
        ({"model": {"base": "vgg16", "blocks": [8]}}, ("base vgg16", "blocks")),
        ({"model": {"base": "vgg16", "batch_norm": True}}, ("batch_norm", "base vgg16")),
        (
            {"model": {"base": "vgg16", "initial_weights": "cifar10"}},
            ("initial_weights", "base vgg16"),
        ),
        ({"model": {"function": "m.py:f", "initial_weights": "a.npz"}}, ("function", "initial_")),
        ({"model": {"weights": "random"}}, ("weights", "base")),
        ({"model": {"trainable_from": "conv1"}}, ("trainable_from", "base")),
        ({"fit": {"fine_tune_epochs": 3}}, ("fit.fine_tune_epochs", "model.base")),
        (
            {"model": "vgg16", "fit": {"fine_tune_epochs": 3}},
            ("fit.fine_tune_epochs", "model.trainable_from"),
        ),
        (
            {"fit": {"fine_tune_epochs": 3, "early_stopping": 2}},
            ("fine_tune_epochs", "early_stopping"),
        ),
        ({"fit": {"quantize": "int8", "early_stopping": 2}}, ("quantize_epochs", "early_stopping")),
        ({"fit": {"quantize": "int8", "seconds": 9}}, ("fit.quantize_epochs", "fit.seconds")),
        ({"model": "vgg16", "fit": {"quantize": "int8"}}, ("fit.quantize", "model.base")),
        ({"model": "a.py:f", "fit": {"quantize": "int8"}}, ("fit.quantize", "model.function")),
        (
            {"loss": {"teacher": "a"}, "fit": {"class_weight": "balanced"}},
            ("loss.teacher", "fit.class_weight"),
        ),
        (
            {"fit": {"sampling": "balanced", "class_weight": "balanced"}},
            ("sampling", "class_weight"),
        ),
        ({"model": "a.py:f", "fit": {"sampling": "balanced"}}, ("fit.sampling", "model.function")),
    ],
)
def test_conflict_names_both_values(values: dict[str, Any], names: tuple[str, str]) -> None:
    error = error_of(values)
    assert isinstance(error, RecipeConflictError)
    for name in names:
        assert name in error.message


def test_backbone_replaces_blocks_until_it_is_removed() -> None:
    transfer = Recipe().with_(model="vgg16")
    assert (transfer.model.base, transfer.model.blocks) == ("vgg16", ())
    assert transfer.model.dense == (DenseLayer(units=64),)  # as in the lab
    assert not transfer.model.global_pooling
    assert Recipe().with_({"model.base": "resnet50"}).model.blocks == ()
    assert Recipe().with_({"model.base": "resnet50"}).with_({"model.base": "none"}) == Recipe()
    with pytest.raises(RecipeError) as caught:
        transfer.with_({"model.blocks.0.filters": 8})
    assert "model.blocks" in str(caught.value.expected)


def test_mobilenet_is_not_pretrained_and_mobilenet_v1_is() -> None:
    assert not Recipe().with_(model="mobilenet").model.has_backbone
    assert Recipe().with_(model="mobilenet_v1").model.base == "mobilenet_v1"
    with pytest.raises(RecipeError) as caught:
        Recipe().with_({"model.base": "mobilenet"})
    assert "mobilenet_v" in str(caught.value.fix)


def test_every_backbone_has_a_name_and_a_last_stretch() -> None:
    bases = set(get_args(BackboneName)) - {"none"}
    assert set(PRETRAINED) == set(LAST_STRETCH) == bases
    assert all(PRETRAINED[name]["base"] == name for name in bases)


def test_total_epochs_include_the_quantized_stage() -> None:
    recipe = Recipe().with_({"fit.quantize": "int8", "fit.quantize_epochs": 4})
    assert (recipe.fit.float_epochs, recipe.fit.total_epochs) == (10, 14)
    assert Recipe().with_(fit__quantize_epochs=4).fit.total_epochs == 10
    # The best epoch is one of the last stage, once that has begun.
    history = fabricated_history(11, 0.5)
    assert recipe.fit.counted(history[:10]) == history[:10]
    assert recipe.fit.counted(history) == history[10:]


def test_total_epochs_include_fine_tuning() -> None:
    edits = {"model": "vgg16", "model.trainable_from": "block5_conv1", "fit.fine_tune_epochs": 5}
    assert Recipe().with_(edits).fit.total_epochs == 15


def test_learning_rate_defaults_to_that_of_the_optimizer() -> None:
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
def test_edits_replace_lists_and_sections_or_their_parts(
    edits: dict[str, Any], path: str, value: object
) -> None:
    assert Recipe().with_(edits).values()[path] == value


def test_edit_of_one_block_keeps_its_other_values() -> None:
    recipe = Recipe.make({"model": {"blocks": [{"filters": 8, "pool_size": 1}, 16]}})
    edited = recipe.with_({"model.blocks.0.kernel_size": 5})
    assert edited.model.blocks == (Block(filters=8, pool_size=1, kernel_size=5), Block(filters=16))
    assert recipe.model.blocks[0].kernel_size == 3


def test_edit_can_remove_all_dense_layers() -> None:
    recipe = Recipe().with_({"model.dense": []})
    assert recipe.model.dense == ()
    assert Recipe().difference(recipe) == {"model.dense.0.units": (64, None)}


def test_edits_remove_blocks_and_layers_as_a_comparison_shows_them() -> None:
    start = Recipe().with_({"model.blocks": [8, 16, 32]})
    smaller = start.with_({"model.blocks": [8, 24], "model.dense": []})
    texts = [change.text for change in recipe_changes(start, smaller)]
    assert {"model.blocks.2=none", "model.dense.0=none"} < set(texts)
    assert start.with_(parse_edits(texts)) == smaller
    last_two = parse_edits(["model.blocks.1=none", "model.blocks.2=none", "model.dense=none"])
    assert start.with_(last_two) == start.with_({"model.blocks": [8], "model.dense": []})
    with pytest.raises(RecipeError, match="no model"):
        start.with_(parse_edits(["model.blocks.3=none"]))
    for edits in ({"model.blocks.1": None}, {"model.blocks": [8, None]}):
        with pytest.raises(RecipeError):
            start.with_(edits)
    with pytest.raises(RecipeConflictError, match=r"is removed"):
        start.with_({"model.blocks.1": "none", "model.blocks.1.filters": 5})


def test_an_edit_returns_a_block_or_layer_to_the_activation_of_the_network() -> None:
    start = Recipe().with_({"model.blocks.0.activation": "elu", "model.dense.0.activation": "tanh"})
    texts = [change.text for change in recipe_changes(start, Recipe())]
    assert texts == ["model.blocks.0.activation=none", "model.dense.0.activation=none"]
    assert start.with_(parse_edits(texts)) == Recipe()
    with pytest.raises(RecipeError, match="relu6"):
        start.with_({"model.activation": "none"})


def test_with_does_not_change_the_given_edits() -> None:
    edits = {"model": {"padding": "same"}, "model.activation": "tanh"}
    before = copy.deepcopy(edits)
    edited = Recipe().with_(edits)
    assert (edited.model.padding, edited.model.activation) == ("same", "tanh")
    assert edits == before


def test_edits_are_validated_together() -> None:
    recipe = Recipe().with_({"optimizer.momentum": 0.9, "optimizer.name": "sgd"})
    assert recipe.optimizer.momentum == 0.9


@pytest.mark.parametrize(
    ("path", "received", "expected", "suggestion"),
    [
        ("optimizer.nme", "nme", None, "name"),
        ("optimizr.name", "optimizr", None, "optimizer"),
        ("epochs", "epochs", None, "fit"),
        ("", "", None, "fit"),
        ("model.blocks.2.filters", "2", "from 0 to 1", "--set model.blocks="),
        ("model.blocks.-1.filters", "-1", "from 0 to 1", "--set model.blocks="),
        ("model.blocks.².filters", "²", "from 0 to 1", "--set model.blocks="),
        ("fit.epochs.x", "x", "fit.epochs", None),
    ],
)
def test_edit_of_an_unknown_path_suggests_existing_ones(
    path: str, received: str, expected: str | None, suggestion: str | None
) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe().with_({path: 1})
    error = caught.value
    assert path in error.message
    assert error.received == received
    assert (expected or "None") in str(error.expected)
    assert (suggestion or "None") in str(error.fix)


def test_edit_out_of_range_names_its_path() -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe().with_({"fit.epochs": -1})
    assert "fit.epochs" in caught.value.message
    assert caught.value.received == "-1"


def test_difference_includes_paths_of_one_recipe_only() -> None:
    smaller = Recipe().with_({"model.blocks": [32]})
    difference = Recipe().difference(smaller)
    assert difference["model.blocks.1.filters"] == (64, None)
    assert smaller.difference(Recipe())["model.blocks.1.filters"] == (None, 64)
    assert Recipe().difference(Recipe()) == {}


@pytest.mark.parametrize(
    ("text", "path", "value"),
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
def test_parse_edits_reads_toml_values_or_plain_text(text: str, path: str, value: object) -> None:
    assert parse_edits([text]) == {path: value}


def test_parse_edits_keeps_the_last_edit_of_a_path() -> None:
    assert parse_edits(["fit.epochs=1", "fit.epochs=2"]) == {"fit.epochs": 2}


@pytest.mark.parametrize("text", ["fit.epochs", "=3", " = 3", ""])
def test_parse_edits_rejects_text_without_a_path_or_sign(text: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_edits([text])
    assert caught.value.received == text
    assert "optimizer.learning_rate=1e-4" in str(caught.value.fix)


def test_load_fills_missing_values_with_defaults(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text('[optimizer]\nname = "sgd"\nmomentum = 0.9\n', encoding="utf-8")
    assert Recipe.load(path) == Recipe().with_(optimizer__name="sgd", optimizer__momentum=0.9)
    assert Recipe.load(str(path)).optimizer.learning_rate == 0.01


@pytest.mark.parametrize(
    ("content", "received"),
    [
        (b"[fit\nepochs = 3", "line 1"),
        (b"[fit]\nepochs = " + b"9" * 5000, "5000 digits"),
        (b"x = " + b"[" * 5000, "levels"),
        (b"[fit]\nepochs = 0x" + b"f" * 5000, "bits"),
        (b"#" * 1_000_001, "1,000,001 bytes"),
        (b"[data]\nsource = 'caf\xe9'", "0xe9"),
        (b"[fit]\nepochs = 0", "0"),
    ],
)
def test_load_names_an_invalid_file_and_the_reason(
    tmp_path: Path, content: bytes, received: str
) -> None:
    path = tmp_path / "recipe.toml"
    path.write_bytes(content)
    with pytest.raises(RecipeError) as caught:
        Recipe.load(path)
    assert str(path) in caught.value.message
    assert received in (caught.value.received or "")


@pytest.mark.parametrize(("name", "reason"), [("nowhere.toml", "No such file"), (".", "a folder")])
def test_load_of_a_missing_file_says_how_to_create_one(
    tmp_path: Path, name: str, reason: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe.load(tmp_path / name)
    assert str(tmp_path / name) in caught.value.message
    assert reason in (caught.value.received or "")
    assert "eyetune recipe" in (caught.value.fix or "")
    assert caught.value.exit_status == 2


@pytest.mark.timeout(20)
def test_load_refuses_a_named_pipe_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "recipe.toml")
    with pytest.raises(RecipeError) as caught:
        Recipe.load(tmp_path / "recipe.toml")
    assert "a named pipe" in (caught.value.received or "")


@pytest.mark.timeout(20)
def test_many_unknown_names_are_refused_at_once() -> None:
    text = "\n".join(f"a{number} = 1" for number in range(20_000))
    with pytest.raises(RecipeError, match="a0") as caught:
        Recipe.from_toml(text)
    assert len(str(caught.value)) < 1000
    with pytest.raises(RecipeError) as caught:
        Recipe.from_toml(f"{text}\nlast = 1")
    assert TEXT_VALUES.variable in str(caught.value.fix)


@pytest.mark.timeout(20)
def test_long_unknown_name_is_refused_at_once() -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe.from_toml(f"{'ab' * 400_000} = 1")
    assert len(str(caught.value)) < 1000


@given(st.dictionaries(st.text(min_size=1), st.integers() | st.booleans() | st.text(), max_size=4))
def test_recipe_with_model_function_survives_toml(
    values: dict[str, Any],
) -> None:
    recipe = Recipe().with_({"model": "model.py:build_model", "model.hyperparameters": values})
    assert recipe.model.has_function
    assert Recipe.from_toml(recipe.to_toml(comments=True)) == recipe
    assert hash(recipe) == hash(Recipe.from_toml(recipe.to_toml()))


@pytest.mark.parametrize(
    ("edits", "name"),
    [
        ({"model": "m.py:build", "model.dropout": 0.3}, "dropout"),
        ({"model": "m.py:build", "optimizer.learning_rate": 0.1}, "optimizer"),
        ({"model.hyperparameters": {"units": 8}}, "function"),
        ({"fit.monitor": "val_acc"}, "val_accuracy"),
    ],
)
def test_model_function_excludes_what_it_does_itself(edits: dict[str, Any], name: str) -> None:
    with pytest.raises(RecipeConflictError) as caught:
        Recipe().with_(edits)
    assert name in caught.value.message


@pytest.mark.parametrize("momentum", ["car", True, False, -0.1, 1.0, None])
def test_recipe_rejects_an_invalid_batch_norm_momentum(momentum: Any) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe().with_(model__batch_norm_momentum=momentum)
    assert "model.batch_norm_momentum" in caught.value.message
