"""The registry of techniques, and the decorator that adds one.

A technique of one's own is a function in a Python file:

    from eyetune.techniques import technique

    @technique("wide-start", values=(64, 128), why="The first layer sees the most detail.",
    hurts="It costs time.") def wide_start(recipe, value):
        return recipe.with_({"model.blocks.0.filters": value})
"""

from __future__ import annotations

import html
import importlib.util
import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from eyetune.errors import EyetuneError, RecipeError, UsageError, nearest
from eyetune.recipe import Recipe

Value = int | float | str | bool
Edit = Callable[[Recipe, Any], Recipe]


@dataclass(frozen=True)
class Technique:
    """A named edit of a recipe.

    Attributes:
        name: Words joined by hyphens.
        group: The kind of technique, to list it under.
        values: The values worth trying, in order.
        why: Why it can help, in a paragraph for someone who has never trained a network.
        hurts: When it does harm or nothing.
        link: The paper or Keras page.
        edit: Makes the edited recipe from a recipe and a value.
        needs: What must be there that a bare machine lacks, in words; empty: nothing.
    """

    name: str
    group: str
    values: tuple[Value, ...]
    why: str
    hurts: str
    link: str
    edit: Edit = field(repr=False, compare=False)
    needs: str = ""

    @property
    def file(self) -> str:
        """The file of one of a user's own; "" for those that come with eyetune."""
        return (
            ""
            if self.edit.__module__.startswith("eyetune.")
            else inspect.getsourcefile(self.edit) or ""
        )

    def apply(self, recipe: Recipe, value: Value) -> Recipe:
        """Return the recipe with the technique applied; any value that the recipe takes will do.

        Raises:
            RecipeError: The value is of the wrong type or out of range.
        """
        try:
            edited = self.edit(recipe, self.typed(value))
        except EyetuneError:
            raise
        except Exception as error:  # a technique can be anybody's code
            raise RecipeError(
                f"The technique {self.name} cannot use this value.",
                expected=f"one like {', '.join(map(str, self.values))}",
                received=f"{value!r} ({type(error).__name__}: {error})",
            ) from error
        if not isinstance(edited, Recipe):
            raise RecipeError(
                f"The technique {self.name} returned no recipe.",
                expected="the edited recipe, for example `return recipe.with_({...})`",
                received=type(edited).__name__,
            )
        return edited

    def _repr_html_(self) -> str:
        values = ", ".join(map(str, self.values))
        rows = {"why": self.why, "when it hurts": self.hurts, "values worth trying": values}
        rows |= {"needs": self.needs} if self.needs else {}
        cells = "".join(
            f"<tr><th style='text-align:left'>{name}</th><td style='text-align:left'>{html.escape(text)}</td></tr>"
            for name, text in rows.items()
        )
        more = (
            f"<p><a href='{html.escape(self.link)}'>{html.escape(self.link)}</a></p>"
            if self.link
            else ""
        )
        return f"<p><b>{html.escape(self.name)}</b></p><table>{cells}</table>{more}"

    def typed(self, value: Value) -> Value:
        """Turn a word from the command line into the type of the technique's own values.

        Raises:
            ValueError: The word is of another type.
        """
        if not isinstance(value, str) or isinstance(self.values[0], str):
            return value
        if isinstance(self.values[0], bool):
            if value.lower() not in ("true", "false"):
                raise ValueError("neither true nor false")
            return value.lower() == "true"
        return int(value) if all(isinstance(one, int) for one in self.values) else float(value)


_known: dict[str, Technique] = {}


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

    Raises:
        UsageError: The name is taken by another function or cannot be one, or the values are none
            or no plain values.
    """
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise UsageError(
            "A technique cannot be named so.",
            expected="small letters, digits and hyphens",
            received=name,
        )
    values = tuple(values)
    if not values:
        raise UsageError(
            f"The technique {name} has no values to try.",
            fix="Give values=(...) with at least one.",
        )
    wrong = [one for one in values if not isinstance(one, int | float | str | bool)]
    if wrong:
        raise UsageError(
            f"The technique {name} has a value that cannot be one.",
            expected="numbers, words, True or False",
            received=repr(wrong[0]),
        )

    def register(edit: Edit) -> Edit:
        taken = _known.get(name)
        if taken is not None and inspect.getsourcefile(taken.edit) != inspect.getsourcefile(edit):
            raise UsageError(
                f"There is a technique {name} already.", fix="Give yours another name."
            )
        words = " ".join(why.split()), " ".join(hurts.split())
        _known[name] = Technique(name, group, values, *words, link, edit, needs)
        return edit

    return register


def techniques() -> tuple[Technique, ...]:
    """Return all techniques, in the order in which they teach best; those of one's own come last."""
    _load_ladder()
    return tuple(_known.values())


def find(name: str) -> Technique:
    """Return a technique by its name.

    Raises:
        UsageError: There is none of this name.

    Example:
        >>> find("learning-rate").apply(Recipe(), 1e-4).optimizer.learning_rate
        0.0001
    """
    _load_ladder()
    if name not in _known:
        raise UsageError(f"There is no technique {name}.", received=name, fix=nearest(name, _known))
    return _known[name]


def load_file(path: str | Path) -> tuple[str, ...]:
    """Run a Python file of one's own, whose techniques are then known, and return their names.

    Raises:
        UsageError: The file is missing or fails.
    """
    _load_ladder()
    try:
        spec = importlib.util.spec_from_file_location(f"eyetune_techniques_{Path(path).stem}", path)
        if spec is None or spec.loader is None:
            raise ImportError("not a Python file")
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    except UsageError:
        raise
    except Exception as error:  # the user's own code can raise anything
        raise UsageError(
            f"The techniques in {path} cannot be loaded.",
            received=f"{type(error).__name__}: {error}",
            fix="It must be a Python file that runs by itself: try it with `python FILE`.",
        ) from error
    source = Path(path).resolve()
    return tuple(
        one.name for one in _known.values() if one.file and Path(one.file).resolve() == source
    )


@cache
def _load_ladder() -> None:
    from eyetune.techniques import catalog, pretrained_catalog  # noqa: F401  importing them registers their techniques
