"""Spaces of recipes: what each hyperparameter changes in a recipe, and the spaces that come with
eyetune.

The name of a hyperparameter is the path of a recipe value, such as `optimizer.learning_rate`. Two
more kinds of name there are: `model.blocks.count` and `model.dense.count` say how many there are
(the last is repeated), and `model.blocks.*.filters` sets a value of all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eyetune.errors import RecipeError, SpaceError, nearest
from eyetune.recipe import Recipe
from eyetune.space.space import Choice, Condition, Range, Space, Value, Values

COUNTS = ("model.blocks.count", "model.dense.count")
LENGTH = {
    "fit.epochs": 1,
    "fit.keep_best": False,
    "fit.monitor": "val_loss",
    "fit.early_stopping": 0,
}


def apply(recipe: Recipe, values: Values) -> Recipe:
    """Return a recipe with the values of a trial.

    Raises:
        RecipeError: A name is no path of a recipe, or the values contradict each other.

    Example:
        >>> changed = apply(Recipe(), {"model.blocks.count": 3, "model.blocks.2.filters": 16, "fit.batch_size": 64})
        >>> [block.filters for block in changed.model.blocks], changed.fit.batch_size
        ([32, 64, 16], 64)
    """
    counts = {name.rpartition(".")[0]: int(values[name]) for name in COUNTS if name in values}
    if counts:
        recipe = recipe.with_(
            {path: _resized(recipe, path, count) for path, count in counts.items()}
        )
    edits: dict[str, Value] = {}
    for name, value in values.items():
        if name not in COUNTS:
            edits |= dict.fromkeys(_paths(recipe, name), value)
    return recipe.with_(edits) if edits else recipe


def _resized(recipe: Recipe, path: str, count: int) -> list[Any]:
    """Return `count` blocks or dense layers, with the last one repeated as needed."""
    section = recipe.model.model_dump(exclude_unset=False)[path.rpartition(".")[2]]
    if not section and count:
        section = [{"units": 64} if path.endswith("dense") else {}]
    return [section[min(place, len(section) - 1)] for place in range(count)]


def _paths(recipe: Recipe, name: str) -> list[str]:
    head, star, tail = name.partition(".*.")
    if not star:
        return [name]
    if head not in ("model.blocks", "model.dense"):
        raise RecipeError(
            f"A recipe has no list at {head}.",
            expected="model.blocks.*. or model.dense.*.",
            received=name,
        )
    whole = recipe.model.blocks if head == "model.blocks" else recipe.model.dense
    return [f"{head}.{place}.{tail}" for place in range(len(whole))]


def recipe_space(word: str, recipe: Recipe) -> tuple[Recipe, Space]:
    """Return the recipe that trials begin from and the space that they may set.

    Args:
        word: The name of a built-in space (`lab`, `small`, `fine`) or the path of a TOML file.
        recipe: What the user has chosen so far.

    Raises:
        SpaceError: There is none of this name, or a value in it cannot be used with this recipe.

    Example:
        >>> recipe, space = recipe_space("lab", Recipe())
        >>> space.size()
        1008
    """
    if recipe.model.has_function:
        raise SpaceError(
            "A model function has a space of its own.", received=word, fix="Leave --space out."
        )
    if word in BUILT_IN:
        recipe, space = BUILT_IN[word](recipe)
    elif Path(word).is_file():
        space = Space.load(word)
    else:
        raise SpaceError(
            f"There is no space {word}.",
            received=word,
            fix=f"{nearest(word, BUILT_IN)} Or name a TOML file.",
        )
    check_space(recipe, space)
    return recipe, space


def check_space(recipe: Recipe, space: Space) -> None:
    """Refuse a space that names what a recipe has not, or holds values that it cannot take, before
    any training.

    Raises:
        SpaceError: It does, or it is empty.
    """
    if not len(space):
        raise SpaceError("The space is empty.", expected="at least one hyperparameter")
    for one in space.distributions:
        parents = _met(space, one)
        for value in one.values if isinstance(one, Choice) else (one.low, one.high):
            try:
                apply(recipe, space.complete({**parents, one.name: value}))
            except RecipeError as error:
                raise SpaceError(
                    f"The space holds a value that no recipe can take: {one.name} = {value}.",
                    received=error.message,
                    expected=error.expected,
                    fix=error.fix,
                ) from None


def _met(space: Space, one: Choice | Range) -> dict[str, Value]:
    """Return values under which a hyperparameter counts."""
    met: dict[str, Value] = {}
    for condition in one.conditions:
        met |= _met(space, space[condition.parent])
        met[condition.parent] = condition.values[0]
    return met


def values_in(other: Recipe, recipe: Recipe, space: Space) -> dict[str, Value] | None:
    """Return the values at which a space makes another recipe of this one; None where it cannot.

    How long each trains is not looked at.

    Example:
        >>> recipe, space = recipe_space("lab", Recipe())
        >>> values_in(Recipe().with_(optimizer__learning_rate=1e-4), recipe, space)["optimizer.learning_rate"]
        0.0001
    """
    theirs = other.values()
    found: dict[str, Value] = {}
    for one in space.distributions:
        if all(condition.holds(found) for condition in one.conditions):
            value = _value_at(other, theirs, one.name)
            if value is None or not one.contains(value):
                return None
            found[one.name] = value
    try:
        same = apply(recipe, found).with_(LENGTH) == other.with_(LENGTH)
    except RecipeError:
        return None
    return found if same else None


def _value_at(recipe: Recipe, values: Mapping[str, Any], name: str) -> Value | None:
    if name in COUNTS:
        return len(recipe.model.blocks if "blocks" in name else recipe.model.dense)
    distinct = {values.get(path) for path in _paths(recipe, name)}
    return distinct.pop() if len(distinct) == 1 else None


def _lab(recipe: Recipe) -> tuple[Recipe, Space]:
    """One to three convolutions of 32 to 128 filters, 32 to 128 units, three rates: the lab's own
    search.
    """
    filters = {"low": 32, "high": 128, "step": 32, "whole": True}
    count = "model.blocks.count"
    return recipe, Space.make(
        [
            Range(name=count, low=1, high=3, whole=True),
            Range(name="model.blocks.0.filters", **filters),
            Range(
                name="model.blocks.1.filters",
                **filters,
                conditions=(Condition(parent=count, values=(2, 3)),),
            ),
            Range(
                name="model.blocks.2.filters",
                **filters,
                conditions=(Condition(parent=count, values=(3,)),),
            ),
            Range(name="model.dense.0.units", **filters),
            Choice(name="optimizer.learning_rate", values=(1e-2, 1e-3, 1e-4), ordered=True),
        ]
    )


def _small(recipe: Recipe) -> tuple[Recipe, Space]:
    """Small networks for a board: batch-normalised blocks, plain, depthwise or residual, with light
    augmentation.
    """
    blocks = [{"filters": filters} for filters in (16, 32, 64, 128)]
    begin = {
        "model.blocks": blocks,
        "model.padding": "same",
        "model.batch_norm": True,
        "model.global_pooling": True,
    }
    recipe = recipe.with_(
        begin | {"model.dense": [], "optimizer.warmup_epochs": min(1.0, recipe.fit.epochs / 4)}
    )
    return recipe, Space.make(
        [
            Range(name="model.blocks.count", low=2, high=4, whole=True, default=3),
            Choice(
                name="model.width", values=(0.5, 0.75, 1.0, 1.5, 2.0), ordered=True, default=1.0
            ),
            Range(name="model.blocks.*.convolutions", low=1, high=2, whole=True),
            Choice(name="model.blocks.*.depthwise", values=(False, True)),
            Choice(name="model.blocks.*.residual", values=(False, True)),
            Choice(name="model.activation", values=("relu", "relu6", "hard_swish")),
            Range(
                name="optimizer.learning_rate",
                low=5e-4,
                high=2e-2,
                sampling="log",
                whole=False,
                default=3e-3,
            ),
            Choice(name="optimizer.schedule", values=("cosine", "constant")),
            Choice(name="fit.batch_size", values=(32, 64, 128), ordered=True, default=64),
            Choice(name="augment.flip", values=(False, True)),
            Choice(name="augment.shift", values=(0, 2, 4), ordered=True),
            Choice(name="optimizer.weight_decay", values=(0.0, 1e-4, 1e-3), ordered=True),
        ]
    )


def _fine(recipe: Recipe) -> tuple[Recipe, Space]:
    """Near the recipe: rate, batch and widths up and down, a little regularisation more or less."""
    rate, batch = recipe.optimizer.learning_rate, recipe.fit.batch_size
    near: list[Choice | Range] = [
        Range(
            name="optimizer.learning_rate",
            low=rate / 4,
            high=rate * 4,
            sampling="log",
            whole=False,
            default=rate,
        ),
        _around("fit.batch_size", batch, [max(1, batch // 2), batch, batch * 2]),
        _around("model.dropout", recipe.model.dropout, [0.0, 0.1, 0.2, 0.3, 0.5]),
        _around("optimizer.weight_decay", recipe.optimizer.weight_decay, [0.0, 1e-4, 1e-3]),
        _around("loss.label_smoothing", recipe.loss.label_smoothing, [0.0, 0.1]),
    ]
    if recipe.optimizer.schedule in ("constant", "cosine"):
        near.append(
            _around("optimizer.schedule", recipe.optimizer.schedule, ["constant", "cosine"])
        )
    for place, block in enumerate(recipe.model.blocks):
        near.append(_around(f"model.blocks.{place}.filters", block.filters, _widths(block.filters)))
    for place, layer in enumerate(recipe.model.dense):
        near.append(_around(f"model.dense.{place}.units", layer.units, _widths(layer.units)))
    if not recipe.augment.mixup and not recipe.augment.cutmix:
        shift = recipe.augment.shift
        near.append(_around("augment.shift", shift, [max(0, shift - 2), shift, shift + 2]))
        near.append(_around("augment.flip", recipe.augment.flip, [False, True]))
    return recipe, Space.make(near)


def _widths(width: int) -> list[int]:
    return [max(1, round(width * share)) for share in (0.5, 0.75, 1.0, 1.25, 1.5)]


def _around(name: str, value: Value, others: list[Any]) -> Choice:
    """Return a choice of a recipe's own value, which is the default, and others."""
    values = list(dict.fromkeys([value, *others]))
    ordered = all(isinstance(one, int | float) and not isinstance(one, bool) for one in values)
    return Choice(
        name=name,
        values=tuple(sorted(values) if ordered else values),
        ordered=ordered,
        default=value,
    )


BUILT_IN = {"lab": _lab, "small": _small, "fine": _fine}
