"""The registry of techniques, and the decorator that adds one.

A technique of your own is a function in a Python file:

    from eyetune.techniques import technique

    @technique(
        "wide-start",
        values=(64, 128),
        why="The first layer sees the most detail.",
        hurts="It costs time.",
    )
    def wide_start(recipe, value):
        return recipe.with_({"model.blocks.0.filters": value})
"""

from __future__ import annotations

import html
import importlib.util
import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from eyetune import _plugins
from eyetune.errors import EyetuneError, RecipeError, UsageError, nearest
from eyetune.recipe import Recipe

Value = int | float | str | bool
Edit = Callable[[Recipe, Any], Recipe]
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True)
class Technique:
    """A named edit of a recipe.

    Attributes:
        name: Lowercase words joined by hyphens.
        group: The kind of technique, for lists.
        values: The values worth trying, in order.
        why: Why it can help, in a paragraph for someone who has never trained a network.
        hurts: When it does harm or has no effect.
        link: The paper or the page in Keras's documentation.
        edit: Function that returns the edited recipe, given a recipe and a value.
        needs: What it needs beyond the images, as text. Default: "" (nothing).
        plugin: Name of the plug-in that it is from. Default: "" (none).
    """

    name: str
    group: str
    values: tuple[Value, ...]
    why: str
    hurts: str
    link: str
    edit: Edit = field(repr=False, compare=False)
    needs: str = ""
    plugin: str = ""

    @property
    def file(self) -> str:
        """The Python file of a technique of the user's own; "" for those that are installed."""
        if self.plugin or self.edit.__module__.startswith("eyetune."):
            return ""
        return inspect.getsourcefile(self.edit) or ""

    def apply(self, recipe: Recipe, value: Value) -> Recipe:
        """Return the recipe with the technique applied.

        Args:
            recipe: The recipe to start from.
            value: Any value that the recipe accepts, also beyond `values`.

        Raises:
            RecipeError: The value has the wrong type or is out of range.
        """
        try:
            edited = self.edit(recipe, self.parse_value(value))
        except EyetuneError:
            raise
        except Exception as error:  # a technique can be anyone's code
            raise self.value_error(value, error) from error
        if not isinstance(edited, Recipe):
            raise RecipeError(
                f"The technique {self.name} returned no recipe.",
                expected="the edited recipe, for example `return recipe.with_({...})`",
                received=type(edited).__name__,
            )
        return edited

    def parse_value(self, value: Value) -> Value:
        """Convert text from the command line to the type of the technique's values.

        Raises:
            ValueError: The text has another type.
        """
        if not isinstance(value, str) or isinstance(self.values[0], str):
            return value
        if isinstance(self.values[0], bool):
            if value.lower() not in ("true", "false"):
                raise ValueError("neither true nor false")
            return value.lower() == "true"
        if all(isinstance(listed, int) for listed in self.values):
            return int(value)
        return float(value)

    def value_error(self, value: Value, error: Exception) -> RecipeError:
        """Return the error that says why a value cannot be used."""
        return RecipeError(
            f"The technique {self.name} cannot use this value.",
            expected=f"a value such as {', '.join(map(str, self.values))}",
            received=f"{value!r} ({type(error).__name__}: {error})",
        )

    def _repr_html_(self) -> str:
        rows = {
            "why": self.why,
            "when it hurts": self.hurts,
            "values worth trying": ", ".join(map(str, self.values)),
        }
        if self.needs:
            rows["needs"] = self.needs
        cells = "".join(
            f"<tr><th style='text-align:left'>{name}</th>"
            f"<td style='text-align:left'>{html.escape(text)}</td></tr>"
            for name, text in rows.items()
        )
        shown = f"<p><b>{html.escape(self.name)}</b></p><table>{cells}</table>"
        if self.link:
            link = html.escape(self.link)
            shown += f"<p><a href='{link}'>{link}</a></p>"
        return shown


_registered: dict[str, Technique] = {}


def technique(
    name: str,
    *,
    values: Iterable[Value],
    why: str,
    hurts: str,
    link: str = "",
    group: str = "your own",
    needs: str = "",
) -> Callable[[Edit], Edit]:
    """Register a function `(recipe, value) -> recipe` as a technique.

    Args:
        name: Lowercase words joined by hyphens; not the name of another technique.
        values: The values worth trying, at least one.
        why: Why it can help.
        hurts: When it does harm or has no effect.
        link: A page to read more. Default: "" (none).
        group: The kind of technique, for lists.
        needs: What it needs beyond the images, as text. Techniques that need something are only
            tried when they are named. Default: "" (nothing).

    Returns:
        The decorator; it returns the function unchanged.

    Raises:
        UsageError: The name is taken or not valid, or there are no usable values.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            "This cannot be the name of a technique.",
            expected="lowercase letters, digits and hyphens",
            received=name,
        )
    values = tuple(values)
    if not values:
        raise UsageError(
            f"The technique {name} has no values to try.",
            fix="Pass values=(...) with at least one value.",
        )
    for value in values:
        if not isinstance(value, int | float | str | bool):
            raise UsageError(
                f"The technique {name} has a value that cannot be used.",
                expected="numbers, strings, True or False",
                received=repr(value),
            )

    def register(edit: Edit) -> Edit:
        other = _registered.get(name)
        if other is not None and inspect.getsourcefile(other.edit) != inspect.getsourcefile(edit):
            raise UsageError(
                f"There is already a technique {name}.", fix="Give yours another name."
            )
        _registered[name] = Technique(
            name, group, values, " ".join(why.split()), " ".join(hurts.split()), link, edit, needs
        )
        return edit

    return register


def techniques() -> tuple[Technique, ...]:
    """Return all techniques, in the order in which they are best taught.

    Those of plug-ins and your own are last.
    """
    _load_catalog()
    return tuple(_registered.values())


def find(name: str) -> Technique:
    """Return a technique by its name.

    Raises:
        UsageError: There is no technique of this name.

    Example:
        >>> find("learning-rate").apply(Recipe(), 1e-4).optimizer.learning_rate
        0.0001
    """
    _load_catalog()
    if name not in _registered:
        raise UsageError(
            f"There is no technique {name}.",
            received=name,
            fix=nearest(name, _registered, listed_by="eyetune techniques"),
        )
    return _registered[name]


def load_file(path: str | Path) -> tuple[str, ...]:
    """Run a Python file that registers techniques, and return the names of its techniques.

    Args:
        path: A file of the user's own; it can be loaded more than once.

    Raises:
        UsageError: The file is missing or fails.
    """
    _load_catalog()
    try:
        spec = importlib.util.spec_from_file_location(f"eyetune_techniques_{Path(path).stem}", path)
        if spec is None or spec.loader is None:
            raise ImportError("not a Python file")
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    except UsageError:
        raise
    except Exception as error:  # the user's own code can raise anything
        raise UsageError(
            f"Cannot load the techniques in {path}.",
            received=f"{type(error).__name__}: {error}",
            fix="It must be a Python file that runs by itself: try it with `python FILE`.",
        ) from error
    source = Path(path).resolve()
    return tuple(
        registered.name
        for registered in _registered.values()
        if registered.file and Path(registered.file).resolve() == source
    )


@cache
def _load_catalog() -> None:
    from eyetune.techniques.catalog import register_all

    register_all()
    _plugins.use_each(_plugins.TECHNIQUES, _register_plugin)


def _register_plugin(entry: EntryPoint) -> None:
    """Import a module that registers techniques, and note which plug-in they are from."""
    before = set(_registered)
    entry.load()
    for name in _registered.keys() - before:
        _registered[name] = replace(_registered[name], plugin=entry.name)
