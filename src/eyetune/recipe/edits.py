"""Edits of nested plain values by path, as `with_` and `--set` take them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from typing import Any

from eyetune.errors import RecipeError, nearest

# Besides its own error, a ValueError, tomllib lets through Python's for a number of too many digits
# or deep nesting.
NOT_TOML = (ValueError, RecursionError)


def parse_edits(words: Iterable[str]) -> dict[str, Any]:
    """Read edits as the command line gives them: `path=value`, the value in TOML, or else plain
    text.

    Raises:
        RecipeError: There is no equals sign or no path.

    Example:
        >>> parse_edits(["fit.epochs=20", "model.activation=tanh", "model.blocks=[16, 32]"])
        {'fit.epochs': 20, 'model.activation': 'tanh', 'model.blocks': [16, 32]}
    """
    edits = {}
    for word in words:
        path, equals, text = word.partition("=")
        if not equals or not path.strip():
            raise RecipeError(
                "An edit is not of the form path=value.",
                received=word,
                fix="Write, for example, optimizer.learning_rate=1e-4.",
            )
        edits[path.strip()] = _toml_value(text.strip())
    return edits


def _toml_value(text: str) -> Any:
    try:
        values = tomllib.loads(f"value = {text}")
    except NOT_TOML:
        return text
    return values["value"] if len(values) == 1 else text


def put(values: dict[str, Any], full: Any, path: str, value: Any) -> None:
    """Set one value by path in nested plain values, filling the way down from the full recipe."""
    node: Any = values
    names = path.split(".")
    for depth, name in enumerate(names):
        key = _key(full, name, path, ".".join(names[:depth]))
        if depth == len(names) - 1:
            node[key] = value
            return
        full = full[key]
        if isinstance(node, dict) and key not in node:
            # A list is edited as a whole; a section only where it is named.
            node[key] = list(full) if isinstance(full, list | tuple) else {}
        elif isinstance(node[key], tuple):
            node[key] = list(node[key])
        node = node[key]


def _key(node: Any, name: str, path: str, parent: str) -> str | int:
    if isinstance(node, dict) and name in node:
        return name
    if isinstance(node, list | tuple) and name in map(str, range(len(node))):
        return int(name)
    if isinstance(node, dict):
        raise RecipeError(f"A recipe has no {path}.", received=name, fix=nearest(name, node))
    if not isinstance(node, list | tuple):
        raise RecipeError(
            f"A recipe has no {path}.", expected=f"nothing below {parent}", received=name
        )
    raise RecipeError(
        f"A recipe has no {path}.",
        expected=f"{parent}: a place from 0 to {len(node) - 1}"
        if node
        else f"nothing in {parent}, which is empty",
        received=name,
        fix=f"To make the list longer, give all of it, for example --set {parent}=[16, 32, 64].",
    )


def join(*names: object) -> str:
    """Return the path of some names, the empty ones left out."""
    return ".".join(str(name) for name in names if name != "")


def leaves(value: Any, path: str = "") -> Iterable[tuple[str, Any]]:
    """Yield every plain value in nested values with its path."""
    if isinstance(value, dict):
        for key, child in value.items():
            yield from leaves(child, join(path, key))
    elif isinstance(value, list | tuple):
        for index, child in enumerate(value):
            yield from leaves(child, join(path, index))
    else:
        yield path, value
