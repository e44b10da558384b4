"""Recipes explained to people: comments behind their values, and errors about invalid ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, get_args

import pydantic
from pydantic import BaseModel

from eyetune.errors import RecipeConflictError, RecipeError, nearest
from eyetune.recipe.edits import join
from eyetune.recipe.known_networks import NETWORKS

MAX_VALUE_CHARACTERS = 100
MAX_MORE_PATHS = 5

# Pydantic's wording of an expectation, and how to say it without Python's terms.
_PLAIN_EXPECTATIONS = {
    r"a valid integer.*": "a whole number",
    r"a valid number.*": "a number",
    r"a valid tuple": "a list",
    r"a valid dictionary or instance of \w+": "a table of values",
    r"Tuple should have (at least|at most) (\d+) items? after validation.*": r"\1 \2 in the list",
}


def with_comments(text: str, root: type[BaseModel]) -> str:
    """Return a recipe's TOML with a comment on each value: its meaning and the allowed names.

    Args:
        text: TOML from `tomli_w`, one value a line.
        root: Class of the recipe.
    """
    section = root
    lines = []
    for line in text.rstrip("\n").split("\n"):  # not splitlines: names may hold other line ends
        comment = ""
        if line.startswith("["):
            section = _section_at(root, line.strip("[]").split("."))
            is_top_level = "." not in line
            if is_top_level:
                comment = " ".join((section.__doc__ or "").split()).partition(".")[0]
        elif re.match(r"\w+ = (?!\[$)", line):
            comment = _meaning(section, line.partition(" ")[0])
        lines.append(f"{line}  # {comment}" if comment else line)
    return "\n".join(lines) + "\n"


def _meaning(section: type[BaseModel], name: str) -> str:
    if name not in section.model_fields:
        return ""
    field = section.model_fields[name]
    allowed = " | ".join(allowed_names(field.annotation))
    return "; ".join(part for part in (field.description, allowed) if part)


def explain(error: pydantic.ValidationError, origin: str, root: type[BaseModel]) -> RecipeError:
    """Return pydantic's first complaint as one error with path, range, received value and fix.

    Args:
        error: From the validation of the recipe.
        origin: What was validated, for example "the recipe" or a file's path.
        root: Class of the recipe.
    """
    complaints = _independent(error.errors(include_url=False))
    first = complaints[0]
    location = first["loc"]
    path = _cut(join(*location))
    at_path = f" at {path}" if path else ""
    more = _more([join(*complaint["loc"]) for complaint in complaints[1:]])
    subject = origin[0].upper() + origin[1:] if origin.startswith("the ") else origin
    if first["type"] == "extra_forbidden":
        return RecipeError(
            f"{subject} has an unknown name, {path}{more}.",
            received=_cut(str(location[-1])),
            fix=nearest(str(location[-1]), _section_at(root, location[:-1]).model_fields),
        )
    if first["type"] == "value_error":
        conflict = first["msg"].removeprefix("Value error, ")
        return RecipeConflictError(
            f"{subject} has values that exclude each other{at_path}{more}: {conflict}.",
            fix="Change one of them.",
        )
    fix = None
    if first["type"] == "unknown_network":
        fix = nearest(str(first["input"]), NETWORKS)
    if first["type"] == "literal_error":
        field = _section_at(root, location[:-1]).model_fields[str(location[-1])]
        fix = nearest(str(first["input"]), allowed_names(field.annotation))
    return RecipeError(
        f"{subject} has an invalid value{at_path}{more}.",
        expected=_expectation(first["msg"]),
        received=_short(first["input"]),
        fix=fix,
    )


def _independent(complaints: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the complaints without those that only follow from another one.

    An invalid value invalidates what depends on it, too: a default derived from it, or the length
    of the list that contains it.
    """
    containing = {
        complaint["loc"][:length]
        for complaint in complaints
        for length in range(len(complaint["loc"]))
    }
    return [
        complaint
        for complaint in complaints
        if complaint["type"] != "default_factory_not_called" and complaint["loc"] not in containing
    ]


def _more(paths: Sequence[str]) -> str:
    return f" (also invalid: {', '.join(map(_cut, paths[:MAX_MORE_PATHS]))})" if paths else ""


def _expectation(message: str) -> str:
    text = message.removeprefix("Input should be ")
    for pattern, plain in _PLAIN_EXPECTATIONS.items():
        text = re.sub(pattern, plain, text)
    return text[0].lower() + text[1:]


def _short(value: Any) -> str:
    return _cut(repr(value))


def _cut(text: str) -> str:
    if len(text) <= MAX_VALUE_CHARACTERS:
        return text
    return text[: MAX_VALUE_CHARACTERS - 3] + "..."


def _section_at(root: type[BaseModel], location: Iterable[str | int]) -> type[BaseModel]:
    """Return the class of the innermost section on the way to a location."""
    section = root
    for name in location:
        if isinstance(name, int) or name not in section.model_fields:
            continue  # an index of a list, or a key of a table with free names
        for part in _flatten(section.model_fields[name].annotation):
            if isinstance(part, type) and issubclass(part, BaseModel):
                section = part
                break
    return section


def allowed_names(annotation: Any) -> list[str]:
    """Return the strings of a Literal annotation; empty for other annotations."""
    return [part for part in _flatten(annotation) if isinstance(part, str)]


def _flatten(annotation: Any) -> Iterator[Any]:
    arguments = get_args(annotation)
    if not arguments:
        yield annotation
    for argument in arguments:
        yield from _flatten(argument)
