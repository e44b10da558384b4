"""Edits of nested plain values by path, as `with_` and `--set` take them."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from eyetune.errors import RecipeError, nearest

# Besides its own error (a ValueError), tomllib passes on Python's errors for integers of too many
# digits and for deep nesting.
NOT_TOML = (ValueError, RecursionError)
_NONE = "none"  # as `value_text` writes a block or layer that one of two recipes lacks
_REMOVED = object()  # the mark of such an element until all edits are made


def parse_edits(texts: Iterable[str]) -> dict[str, Any]:
    """Parse edits of the form `path=value`; the value is TOML, or else plain text.

    Args:
        texts: Edits as on the command line. Of several edits of a path, the last one counts.

    Returns:
        The new values by path.

    Raises:
        RecipeError: The equals sign or the path is missing.

    Example:
        >>> parse_edits(["fit.epochs=20", "model.activation=tanh", "model.blocks=[16, 32]"])
        {'fit.epochs': 20, 'model.activation': 'tanh', 'model.blocks': [16, 32]}
    """
    edits = {}
    for text in texts:
        path, equals, value = text.partition("=")
        if not equals or not path.strip():
            raise RecipeError(
                "An edit must have the form path=value.",
                received=text,
                fix="Write, for example, optimizer.learning_rate=1e-4.",
            )
        edits[path.strip()] = _toml_value(value.strip())
    return edits


def _toml_value(text: str) -> Any:
    try:
        values = tomllib.loads(f"value = {text}")
    except NOT_TOML:
        return text
    return values["value"] if len(values) == 1 else text


def edit_text(path: str, value: Any) -> str:
    """Return an edit as `parse_edits` reads it.

    Args:
        path: Path of the value.
        value: The value: text, numbers, switches, and lists and tables of them. What is None in a
            table is left out.

    Example:
        >>> edit_text("model.blocks", [{"filters": 16, "activation": None, "residual": True}])
        'model.blocks=[{filters = 16, residual = true}]'
    """
    if isinstance(value, str) and _toml_value(value) == value:
        return f"{path}={value}"
    return f"{path}={_inline(value)}"


def _inline(value: Any) -> str:
    """Return a value as TOML in one line."""
    if isinstance(value, Mapping):
        items = [f"{key} = {_inline(item)}" for key, item in value.items() if item is not None]
        return f"{{{', '.join(items)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_inline, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def put(values: dict[str, Any], full: Any, path: str, value: Any) -> None:
    """Set one value by path in nested plain values.

    Args:
        values: Changed in place; may lack sections.
        full: Every value of the recipe, from which missing lists are taken.
        path: Names and indices, separated by dots.
        value: The new value; "none" empties a list and marks an element of one for
            `without_removed`.

    Raises:
        RecipeError: The full recipe has no such path.
    """
    node: Any = values
    names = path.split(".")
    for depth, name in enumerate(names):
        key = _key(full, name, path, ".".join(names[:depth]))
        if depth == len(names) - 1:
            if is_removal(value):
                if isinstance(full[key], list | tuple):
                    value = []
                elif isinstance(node, list):
                    value = _REMOVED
            node[key] = value
            return
        full = full[key]
        if isinstance(node, dict) and key not in node:
            # A list is edited as a whole; a section only where it is named.
            node[key] = list(full) if isinstance(full, list | tuple) else {}
        elif isinstance(node[key], tuple):
            node[key] = list(node[key])
        node = node[key]


def is_removal(value: Any) -> bool:
    """Return whether an edit's value empties a list, or removes an element of one."""
    return isinstance(value, str) and value == _NONE


def without_removed(value: Any) -> Any:
    """Return nested plain values without the elements of lists that `put` has marked.

    Example:
        >>> values = {"blocks": [16, 32]}
        >>> put(values, {"blocks": [16, 32]}, "blocks.1", "none")
        >>> without_removed(values)
        {'blocks': [16]}
    """
    if isinstance(value, dict):
        return {key: without_removed(child) for key, child in value.items()}
    if isinstance(value, list):
        return [without_removed(child) for child in value if child is not _REMOVED]
    return value


def _key(node: Any, name: str, path: str, parent: str) -> str | int:
    """Return the key or index of a name in a node."""
    message = f"A recipe has no {path}."
    if isinstance(node, dict):
        if name in node:
            return name
        raise RecipeError(message, received=name, fix=nearest(name, node))
    if not isinstance(node, list | tuple):
        raise RecipeError(message, expected=f"nothing below {parent}", received=name)
    indices = [str(index) for index in range(len(node))]
    if name in indices:
        return int(name)
    expected = f"{parent} is empty"
    if node:
        expected = f"an index of {parent} from 0 to {len(node) - 1}"
    raise RecipeError(
        message,
        expected=expected,
        received=name,
        fix=f"To extend the list, set all of it, for example --set {parent}=[16, 32, 64].",
    )


def join(*names: object) -> str:
    """Return the path made of some names; empty names are skipped."""
    return ".".join(str(name) for name in names if name != "")


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every plain value in nested values with its path."""
    if isinstance(value, dict):
        for key, child in value.items():
            yield from leaves(child, join(path, key))
    elif isinstance(value, list | tuple):
        for index, child in enumerate(value):
            yield from leaves(child, join(path, index))
    else:
        yield path, value
