"""Flags, ranges, records and a table, derived from the declared options of a study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import annotated_types
import pydantic
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from eyetune.errors import ArgumentTypeError, UsageError, nearest
from eyetune.records.study import Budget, Limits, StudySettings
from eyetune.tuning.option_declaration import FlagSyntax, Option
from eyetune.tuning.options import TuneOptions

Section = TypeVar("Section", bound=BaseModel)


@dataclass(frozen=True)
class DeclaredOption:
    """An option with its name and type.

    Attributes:
        name: The keyword.
        type: What it accepts.
        unset: The value that means "not given".
        declaration: The rest.
    """

    name: str
    type: Any
    unset: Any
    declaration: Option

    @property
    def flag(self) -> str:
        """The name on the command line, with its dashes; "" where there is none."""
        if self.declaration.syntax is FlagSyntax.NONE:
            return ""
        return f"--{self.declaration.flag or self.name.replace('_', '-')}"

    @property
    def is_repeatable(self) -> bool:
        """Whether it takes several values."""
        return any(get_origin(kind) is Sequence for kind in get_args(self.type))

    @property
    def choices(self) -> tuple[str, ...]:
        """The allowed values where they are few names, else none."""
        field = _recorded_field(self.declaration.recorded)
        if field is None or get_origin(field.annotation) is not Literal:
            return ()
        return get_args(field.annotation)

    @property
    def values(self) -> str:
        """The allowed values, such as "1 or more"; "" where everything of its type is allowed."""
        if self.choices:
            return ", ".join(self.choices)
        field = _recorded_field(self.declaration.recorded)
        for limit in field.metadata if field else ():
            if isinstance(limit, annotated_types.Ge):
                return f"{limit.ge} or more"
            if isinstance(limit, annotated_types.Gt):
                return f"above {limit.gt}"
        return ""


@cache
def declared_options() -> tuple[DeclaredOption, ...]:
    """Return all options in the order of their declaration."""
    hints = get_type_hints(TuneOptions, include_extras=True)
    declared = []
    for field in fields(TuneOptions):
        kind, declaration = get_args(hints[field.name])[:2]
        declared.append(DeclaredOption(field.name, kind, field.default, declaration))
    return tuple(declared)


def recorded_section(options: TuneOptions, section: str, kind: type[Section]) -> Section:
    """Return a section of the recorded settings, as far as options give its values.

    Args:
        options: What is asked for.
        section: Its name in `StudySettings`: budget, limits or schedule.
        kind: Its class.

    Raises:
        UsageError: A value is out of its range.
    """
    given: dict[str, Any] = {}
    options_by_path: dict[str, DeclaredOption] = {}
    for option in declared_options():
        head, _, name = option.declaration.recorded.rpartition(".")
        value = getattr(options, option.name)
        if head == section and value is not None:
            given[name] = value
            options_by_path[name] = option
    try:
        return kind(**given)
    except pydantic.ValidationError as error:
        option = options_by_path[str(error.errors()[0]["loc"][0])]
        name = option.name
        if option.flag not in ("", f"--{name.replace('_', '-')}"):
            name = f"{name} ({option.flag})"
        raise UsageError(
            f"{name} is out of its range.",
            expected=option.values or str(option.type),
            received=repr(getattr(options, option.name)),
        ) from None


def check_choices(options: TuneOptions) -> None:
    """Refuse names that are not one of the choices of their option.

    Raises:
        UsageError: There is one.
    """
    for option in declared_options():
        value = getattr(options, option.name)
        if value is not None and option.choices and value not in option.choices:
            raise UsageError(
                f"{value} is not a known {option.name}.",
                received=value,
                fix=nearest(str(value), option.choices),
            )


def budget_of(options: TuneOptions) -> Budget:
    """Return the budget that options give; what is not given is not limited."""
    return recorded_section(options, "budget", Budget)


def limits_of(options: TuneOptions) -> Limits:
    """Return the limits of one trial that options give; what is not given is not limited."""
    return recorded_section(options, "limits", Limits)


def texts_of(name: str, value: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return the texts of a repeatable option; none where it is not given.

    Raises:
        UsageError: It is empty, or not made of texts.
    """
    if value is None:
        return ()
    texts: tuple[Any, ...] = (value,)
    if not isinstance(value, str) and isinstance(value, Sequence):
        texts = tuple(value)
    if not texts or not all(isinstance(text, str) for text in texts):
        raise ArgumentTypeError(
            f"{name} must be a string or a sequence of strings.", received=repr(value)
        )
    return texts


def options_table() -> str:
    """Return the table of all options for docs/tuning.md, in Markdown."""
    lines = ["| keyword | flag | what it means | values | default |", "|---|---|---|---|---|"]
    for option in declared_options():
        flag = f"`{option.flag}`" if option.flag else ""
        cells = (
            f"`{option.name}`",
            flag,
            option.declaration.summary,
            option.values,
            option.declaration.default,
        )
        lines.append("| " + " | ".join(cells).replace("|  |", "| |") + " |")
    return "\n".join(lines) + "\n"


def _recorded_field(path: str) -> FieldInfo | None:
    """Return the field of `StudySettings` at a path; None for an option that is not recorded."""
    if not path:
        return None
    model: Any = StudySettings
    *sections, name = path.split(".")
    for section in sections:
        model = model.model_fields[section].annotation
    field: FieldInfo = model.model_fields[name]
    return field
