"""The settings that differ between two recipes, as text for people."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from eyetune.recipe.known_networks import SMALL, ZOO
from eyetune.recipe.model_section import Block
from eyetune.recipe.recipe import Recipe

_DEFAULT_NETWORK = "lab"
_ELEMENT = re.compile(r"(.+?\.\d+)\.")  # the path of a list's element, in the path of its value


@dataclass(frozen=True)
class RecipeChange:
    """A setting that differs between two recipes.

    Attributes:
        path: Path of the setting, for example "optimizer.learning_rate".
        before: Its value in the first recipe; None where it has no such setting.
        after: Its value in the second recipe; None where it has no such setting.
    """

    path: str
    before: Any
    after: Any

    @property
    def text(self) -> str:
        """The new value as an edit, for example "fit.epochs=20"."""
        return f"{self.path}={value_text(self.after)}"


def recipe_changes(before: Recipe, after: Recipe) -> list[RecipeChange]:
    """Return the settings that differ between two recipes.

    A block or dense layer that was removed is one change. Blocks that a pre-trained network or a
    model function replaces are not separate changes: the change of `model.base` or
    `model.function` says so already.

    Args:
        before: The recipe to compare with.
        after: The recipe whose changes are of interest.

    Example:
        >>> changes = recipe_changes(Recipe(), Recipe.make({"model": {"dense": []}}))
        >>> [change.text for change in changes]
        ['model.dense.0=none']
    """
    changes = []
    removed: dict[str, dict[str, Any]] = {}
    present = after.values()
    is_replaced = after.model.has_backbone or after.model.has_function
    for path, (old, new) in before.difference(after).items():
        element = _ELEMENT.match(path)
        if new is not None or element is None or path in present:
            changes.append(RecipeChange(path, old, new))
            continue
        if is_replaced and path.startswith("model.blocks."):
            continue
        if element[1] not in removed:
            removed[element[1]] = {}
            changes.append(RecipeChange(element[1], removed[element[1]], None))
        removed[element[1]][path.removeprefix(element[0])] = old
    return changes


def changes_from_default(recipe: Recipe) -> list[RecipeChange]:
    """Return the settings of a recipe that differ from the default recipe on the same data.

    The blocks of a known network are one change, its name. What else differs from that network
    follows.

    Example:
        >>> recipe = Recipe().with_({"model": "resnet14", "model.dropout": 0.2})
        >>> [change.text for change in changes_from_default(recipe)]
        ['model=resnet14', 'model.dropout=0.2']
    """
    default = Recipe().with_({"data.source": recipe.data.source})
    name = _known_network(recipe)
    if name in ("", _DEFAULT_NETWORK):
        return recipe_changes(default, recipe)
    change = RecipeChange("model", _DEFAULT_NETWORK, name)
    return [change, *recipe_changes(default.with_({"model": name}), recipe)]


def _known_network(recipe: Recipe) -> str:
    """Return the name of the known network whose blocks a recipe has; "" if there is none."""
    model = recipe.model
    if model.has_backbone or model.has_function:
        return ""
    return next((name for name, blocks in _known_blocks().items() if blocks == model.blocks), "")


@cache
def _known_blocks() -> dict[str, tuple[Block, ...]]:
    return {name: Recipe.make({"model": name}).model.blocks for name in {**ZOO, **SMALL}}


def value_text(value: Any) -> str:
    """Return a setting's value as a person reads it.

    Example:
        >>> value_text(True), value_text(None), value_text(0.001), value_text({"units": 64})
        ('true', 'none', '0.001', 'units=64')
    """
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        items = [(name, item) for name, item in value.items() if item is not None]
        return ", ".join(f"{name}={value_text(item)}" for name, item in items)
    return str(value)
