"""Spaces of recipes: what each hyperparameter changes in a recipe, and the built-in spaces.

The name of a hyperparameter is the path of a recipe value, such as `optimizer.learning_rate`. There
are three more kinds of names: `model` sets the whole network by its name, `model.blocks.count` and
`model.dense.count` set the number of blocks and layers (the last one is repeated), and
`model.blocks.*.filters` sets a value of all blocks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eyetune.errors import RecipeError, SpaceError, nearest
from eyetune.recipe import Recipe
from eyetune.space.hyperparameters import Choice, Condition, Range, Value, Values
from eyetune.space.portfolio import ImageShape, choose
from eyetune.space.space import Space

NETWORK = "model"
MAX_LAYERS = 100  # more than the lists of a recipe may hold
COUNTS = ("model.blocks.count", "model.dense.count")
# Hyperparameters that change the number or the shapes of the blocks' weights
_SHAPES_WEIGHTS = re.compile(
    r"model(\.(width|batch_norm|blocks\.(count|.+\.(filters|convolutions|kernel_size|residual|depthwise|expansion))))?"
)
_LENGTH = ("epochs", "keep_best", "monitor", "early_stopping")


def apply(recipe: Recipe, values: Values) -> Recipe:
    """Return a recipe with the values of a trial.

    Raises:
        RecipeError: A name is not a path of a recipe, or the values contradict each other.

    Example:
        >>> values = {"model.blocks.count": 3, "model.blocks.2.filters": 16, "fit.batch_size": 64}
        >>> changed = apply(Recipe(), values)
        >>> [block.filters for block in changed.model.blocks], changed.fit.batch_size
        ([32, 64, 16], 64)
    """
    if NETWORK in values:
        recipe = recipe.with_({NETWORK: values[NETWORK]})
    counts = {
        name.rpartition(".")[0]: _count(name, values[name]) for name in COUNTS if name in values
    }
    if counts:
        recipe = recipe.with_(
            {path: _resized(recipe, path, count) for path, count in counts.items()}
        )
    edits: dict[str, Value] = {}
    for name, value in values.items():
        if name not in (NETWORK, *COUNTS):
            edits |= dict.fromkeys(_paths(recipe, name), value)
    return recipe.with_(edits) if edits else recipe


def _count(name: str, value: Value) -> int:
    """Return a number of layers; one that is too high for any recipe stays too high.

    Raises:
        RecipeError: It is no number.
    """
    if isinstance(value, str | bool):
        raise RecipeError(f"{name} is no number.", expected="a whole number", received=value)
    return min(int(value), MAX_LAYERS)


def _resized(recipe: Recipe, path: str, count: int) -> list[Any]:
    """Return `count` blocks or dense layers, with the last one repeated as needed."""
    section = recipe.model.model_dump(exclude_unset=False)[path.rpartition(".")[2]]
    if not section and count:
        section = [{"units": 64} if path.endswith("dense") else {}]
    return [section[min(index, len(section) - 1)] for index in range(count)]


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
    return [f"{head}.{index}.{tail}" for index in range(len(whole))]


@dataclass(frozen=True)
class StartingSpace:
    """What a study of recipes starts from.

    Attributes:
        recipe: The recipe that trials start from.
        space: The values that they may set.
        starts: Values of the first trials, the most promising first.
        portfolio: Name of the portfolio that they are from, or "".
    """

    recipe: Recipe
    space: Space
    starts: tuple[dict[str, Value], ...] = ()
    portfolio: str = ""


def recipe_space(
    name: str,
    recipe: Recipe,
    *,
    num_images: int | None = None,
    image_shape: ImageShape | None = None,
    pretrained: bool = True,
    seconds: float | None = None,
) -> StartingSpace:
    """Return the recipe that trials start from, the space that they may set, and their starts.

    Args:
        name: A built-in space (`portfolio`, `lab`, `small`, `fine`) or the path of a TOML file.
        recipe: The recipe that the user has chosen.
        num_images: Number of training images, by which `portfolio` chooses.
        image_shape: Height and width in pixels, and number of channels, by which it chooses too.
        pretrained: Whether `portfolio` may start from weights in the package. Default: true.
        seconds: Time for one training, by which `portfolio` orders its starts. Default: the
            recipe's number of epochs decides.

    Raises:
        SpaceError: The name is unknown, or a value cannot be used with this recipe.

    Example:
        >>> recipe_space("lab", Recipe()).space.size()
        1008
        >>> start = recipe_space("portfolio", Recipe(), num_images=40_000, image_shape=(32, 32, 3))
        >>> start.starts[0]["optimizer.learning_rate"]
        0.15
    """
    if recipe.model.has_function:
        raise SpaceError(
            "A model function defines its own space.", received=name, fix="Leave the space out."
        )
    if name == PORTFOLIO:
        start = _from_portfolio(recipe, num_images, image_shape, pretrained, seconds)
    elif name in _FROM_RECIPE:
        start = StartingSpace(*_FROM_RECIPE[name](recipe))
    elif Path(name).is_file():
        start = StartingSpace(recipe, Space.load(name))
    else:
        raise SpaceError(
            f"{name} is not a known space.",
            received=name,
            fix=f"{nearest(name, BUILT_IN)} Or name a TOML file.",
        )
    check_space(start.recipe, start.space)
    _check_initial_weights_fit(start.recipe, start.space)
    return start


def _from_portfolio(
    recipe: Recipe,
    num_images: int | None,
    image_shape: ImageShape | None,
    pretrained: bool,
    seconds: float | None,
) -> StartingSpace:
    """Return the portfolio for some images, in the order of what its recipes promise."""
    if num_images is None or image_shape is None:
        raise SpaceError(
            "The portfolio depends on the images.",
            expected="their number and shape",
            received="none",
            fix="Pass num_images and image_shape, or use another space, for example `small`.",
        )
    for name in ("model", "optimizer", "loss"):
        if getattr(recipe, name) != getattr(Recipe(), name):
            changed = Recipe().with_({name: getattr(recipe, name)})
            raise SpaceError(
                f"The portfolio has its own {name}, but the recipe sets one too.",
                expected="a recipe with the default model, optimizer and loss",
                received=", ".join(Recipe().difference(changed)),
                fix="Leave these values out, or search near the recipe with --space fine.",
            )
    portfolio = choose(num_images, image_shape, pretrained=pretrained)
    if seconds is None:
        entries = portfolio.ordered_after(recipe.fit.epochs)
    else:
        entries = portfolio.ordered(num_images, image_shape, seconds)
    starts = tuple(portfolio.space.complete(entry.values) for entry in entries)
    return StartingSpace(portfolio.starting_recipe(recipe), portfolio.space, starts, portfolio.name)


def _check_initial_weights_fit(recipe: Recipe, space: Space) -> None:
    """Refuse a space whose blocks the recipe's initial weights would not fit."""
    if not recipe.model.initial_weights:
        return
    varied = [part.name for part in space.distributions if _SHAPES_WEIGHTS.fullmatch(part.name)]
    if varied:
        raise SpaceError(
            "The space changes the blocks, which the recipe's initial weights would not fit.",
            expected="a space without the blocks and their width, for example `fine`",
            received=f"{varied[0]}, with model.initial_weights={recipe.model.initial_weights}",
            fix="Use --space fine, or random weights: --set model.initial_weights=",
        )


def check_space(recipe: Recipe, space: Space) -> None:
    """Refuse a space with names or values that a recipe cannot take, before any training.

    Raises:
        SpaceError: It has such a name or value, or it is empty.
    """
    if not len(space):
        raise SpaceError("The space is empty.", expected="at least one hyperparameter")
    for distribution in space.distributions:
        parents = parent_values(space, distribution)
        for value in (
            distribution.values
            if isinstance(distribution, Choice)
            else (distribution.low, distribution.high)
        ):
            try:
                apply(recipe, space.complete({**parents, distribution.name: value}))
            except RecipeError as error:
                raise SpaceError(
                    f"The recipe cannot take a value of the space: {distribution.name} = {value}.",
                    received=error.message,
                    expected=error.expected,
                    fix=error.fix,
                ) from None


def parent_values(space: Space, distribution: Choice | Range) -> dict[str, Value]:
    """Return values with which a hyperparameter is active."""
    met: dict[str, Value] = {}
    needed = {distribution.name}
    for other in reversed(space.distributions):  # parents come first
        if other.name in needed:
            for condition in other.conditions:
                met.setdefault(condition.parent, condition.values[0])
                needed.add(condition.parent)
    return met


def values_in(other: Recipe, recipe: Recipe, space: Space) -> dict[str, Value] | None:
    """Return the values with which a space turns a recipe into another; None where it cannot.

    The number of epochs of each is ignored.

    Example:
        >>> start = recipe_space("lab", Recipe())
        >>> slower = Recipe().with_(optimizer__learning_rate=1e-4)
        >>> values_in(slower, start.recipe, start.space)["optimizer.learning_rate"]
        0.0001
    """
    other_values = other.values() | {NETWORK: _network_of(other, space)}
    values: dict[str, Value] = {}
    for distribution in space.distributions:
        if all(condition.holds(values) for condition in distribution.conditions):
            value = _value_at(other, other_values, distribution.name)
            if value is None or not distribution.contains(value):
                return None
            values[distribution.name] = value
    length = {f"fit.{name}": getattr(other.fit, name) for name in _LENGTH}
    try:
        same = apply(recipe, values).with_(length) == other
    except RecipeError:
        return None
    return values if same else None


def _network_of(recipe: Recipe, space: Space) -> Value | None:
    """Return the network of a space with the same blocks or backbone as a recipe's."""
    choice = space[NETWORK] if NETWORK in space.names else None
    for name in choice.values if isinstance(choice, Choice) else ():
        model = Recipe().with_({NETWORK: name}).model
        if (model.blocks, model.base) == (recipe.model.blocks, recipe.model.base):
            return name
    return None


def _value_at(recipe: Recipe, values: Mapping[str, Any], name: str) -> Value | None:
    if name in COUNTS:
        return len(recipe.model.blocks if "blocks" in name else recipe.model.dense)
    distinct = {values.get(path) for path in _paths(recipe, name)}
    return distinct.pop() if len(distinct) == 1 else None


def _lab(recipe: Recipe) -> tuple[Recipe, Space]:
    """Return the lab's own search: one to three convolutions, a dense layer, three rates."""
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
    """Return small networks for a board: batch-normalized blocks and light augmentation."""
    blocks = [{"filters": filters} for filters in (16, 32, 64, 128)]
    start = {
        "model.blocks": blocks,
        "model.padding": "same",
        "model.batch_norm": True,
        "model.global_pooling": True,
    }
    recipe = recipe.with_(
        start | {"model.dense": [], "optimizer.warmup_epochs": min(1.0, recipe.fit.epochs / 4)}
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
    """Return the neighborhood of the recipe: rate, batch, widths and regularization."""
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
    # Initial weights fit blocks of this width only.
    for index, block in enumerate(() if recipe.model.initial_weights else recipe.model.blocks):
        near.append(_around(f"model.blocks.{index}.filters", block.filters, _widths(block.filters)))
    for index, layer in enumerate(recipe.model.dense):
        near.append(_around(f"model.dense.{index}.units", layer.units, _widths(layer.units)))
    if not recipe.augment.mixup and not recipe.augment.cutmix:
        shift = recipe.augment.shift
        near.append(_around("augment.shift", shift, [max(0, shift - 2), shift, shift + 2]))
        near.append(_around("augment.flip", recipe.augment.flip, [False, True]))
    return recipe, Space.make(near)


def _widths(width: int) -> list[int]:
    return [max(1, round(width * share)) for share in (0.5, 0.75, 1.0, 1.25, 1.5)]


def _around(name: str, value: Value, others: list[Any]) -> Choice:
    """Return a choice between a recipe's own value, which is the default, and others."""
    values = list(dict.fromkeys([value, *others]))
    ordered = all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in values
    )
    return Choice(
        name=name,
        values=tuple(sorted(values) if ordered else values),
        ordered=ordered,
        default=value,
    )


_FROM_RECIPE = {"lab": _lab, "small": _small, "fine": _fine}
PORTFOLIO = "portfolio"
BUILT_IN = (PORTFOLIO, *_FROM_RECIPE)
