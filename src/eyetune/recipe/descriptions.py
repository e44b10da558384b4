"""What a recipe says to a person: comments behind its values, and errors about wrong ones."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, get_args

import pydantic
from pydantic import BaseModel

from eyetune.errors import RecipeError, nearest
from eyetune.recipe.edits import join
from eyetune.recipe.sections import NETWORKS


def with_comments(text: str, root: type[BaseModel]) -> str:
    """Put behind each value of a recipe's TOML what it means and which names it takes."""
    section = root
    lines = []
    for line in text.rstrip("\n").split("\n"):  # other line ends may stand within a name
        words = ""
        if line.startswith("["):
            section = _section_at(root, line.strip("[]").split("."))
            first_sentence = " ".join((section.__doc__ or "").split()).partition(".")[0]
            words = first_sentence if line.count(".") == 0 else ""
        elif re.match(r"\w+ = (?!\[$)", line):
            words = _meaning(section, line.partition(" ")[0])
        lines.append(f"{line}  # {words}" if words else line)
    return "\n".join(lines) + "\n"


def _meaning(section: type[BaseModel], name: str) -> str:
    if name not in section.model_fields:
        return ""
    field = section.model_fields[name]
    names = [str(one) for one in _flatten(field.annotation) if isinstance(one, str)]
    return "; ".join(part for part in (field.description, " | ".join(names)) if part)


def explain(error: pydantic.ValidationError, origin: str, root: type[BaseModel]) -> RecipeError:
    """Turn pydantic's first complaint into one error with the path, the range, the value and a way
    out.
    """
    # What hangs on a wrong value fails with it (a default that follows it, a list's length without
    # it): an echo.
    raised = error.errors()
    complaints = [
        one
        for one in raised
        if one["type"] != "default_factory_not_called"
        and not any(
            other["loc"] != one["loc"] == other["loc"][: len(one["loc"])] for other in raised
        )
    ]
    first, more = complaints[0], len(complaints) - 1
    location = first["loc"]
    path = join(*location)
    suffix = (
        f" (also wrong: {', '.join(join(*one['loc']) for one in complaints[1:6])})" if more else ""
    )
    origin = origin[0].upper() + origin[1:] if origin.startswith("the ") else origin
    if first["type"] == "extra_forbidden":
        known = list(_section_at(root, location[:-1]).model_fields)
        return RecipeError(
            f"{origin} has an unknown name, {path}{suffix}.",
            received=location[-1],
            fix=nearest(str(location[-1]), known),
        )
    if first["type"] == "value_error":
        message = first["msg"].removeprefix("Value error, ")
        where = f" at {path}" if path else ""
        return RecipeError(
            f"{origin} contradicts itself{where}{suffix}: {message}.", fix="Change one of the two."
        )
    fix = None
    if first["type"] == "unknown_network":
        fix = nearest(str(first["input"]), NETWORKS)
    if first["type"] == "literal_error":
        fix = nearest(str(first["input"]), _literal_names(root, location))
    return RecipeError(
        f"{origin} has a value that cannot be used{f' at {path}' if path else ''}{suffix}.",
        expected=_expectation(first["msg"]),
        received=_short(first["input"]),
        fix=fix,
    )


def _expectation(message: str) -> str:
    text = message.removeprefix("Input should be ")
    for jargon, words in _IN_WORDS.items():
        text = re.sub(jargon, words, text)
    return text[0].lower() + text[1:]


_IN_WORDS = {
    r"a valid integer.*": "a whole number",
    r"a valid number.*": "a number",
    r"a valid tuple": "a list",
    r"a valid dictionary or instance of \w+": "a table of values",
    r"Tuple should have (at least|at most) (\d+) items? after validation.*": r"\1 \2 in the list",
}


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else text[:97] + "..."


def _section_at(root: type[BaseModel], location: Iterable[str | int]) -> type[BaseModel]:
    section = root
    for name in location:
        if (
            isinstance(name, int) or name not in section.model_fields
        ):  # in a list, or in a table of free names
            continue
        annotation = section.model_fields[name].annotation
        kinds = [
            kind
            for kind in _flatten(annotation)
            if isinstance(kind, type) and issubclass(kind, BaseModel)
        ]
        section = kinds[0] if kinds else section
    return section


def _literal_names(root: type[BaseModel], location: tuple[str | int, ...]) -> list[str]:
    annotation = _section_at(root, location[:-1]).model_fields[str(location[-1])].annotation
    return [str(name) for name in _flatten(annotation) if isinstance(name, str)]


def _flatten(annotation: Any) -> Iterable[Any]:
    arguments = get_args(annotation)
    if not arguments:
        yield annotation
    for argument in arguments:
        yield from _flatten(argument)
