"""The flags of `eyetune tune`, made from the declared options of a study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, make_dataclass
from typing import Annotated, Any, get_args

from cyclopts import Group, Parameter

from eyetune.cli.common import read_seconds
from eyetune.errors import UsageError
from eyetune.tuning.declared_options import DeclaredOption, declared_options
from eyetune.tuning.option_declaration import FlagSyntax, OptionGroup

GROUPS: Mapping[OptionGroup, Group] = {
    group: Group(group.value, sort_key=place)
    for place, group in enumerate(
        (OptionGroup.STUDY, OptionGroup.SEARCH, OptionGroup.BUDGET, OptionGroup.LIMITS), start=1
    )
}
BYTES_PER_GIGABYTE = 10**9


def make_flags_class() -> type[Any]:
    """Return a frozen dataclass with a field for each flag of `eyetune tune`, for cyclopts.

    Former names are fields of their own, which the help does not show.
    """
    flags: list[tuple[str, Any, Any]] = []
    for option in declared_options():
        if option.declaration.syntax is FlagSyntax.NONE:
            continue
        kind, default = _type_and_default(option)
        flags.append((option.name, Annotated[kind, _parameter(option)], field(default=default)))
        for former in option.declaration.former_names:
            hidden = Parameter(name=f"--{former.replace('_', '-')}", show=False)
            flags.append((former, Annotated[kind, hidden], field(default=default)))
    flags_class = make_dataclass(
        "TuneFlags", flags, frozen=True, namespace={"__module__": __name__}
    )
    return Parameter(name="*")(flags_class)


def keyword_arguments(flags: Any) -> dict[str, Any]:
    """Return the flags that were given as keyword arguments of `eyetune.tune`.

    Args:
        flags: An instance of the class that `make_flags_class` makes.

    Raises:
        UsageError: A value cannot be read, or an option is given under two names.
    """
    arguments: dict[str, Any] = {}
    for option in declared_options():
        if option.declaration.syntax is FlagSyntax.NONE:
            continue
        _, default = _type_and_default(option)
        for name in (option.name, *option.declaration.former_names):
            value = getattr(flags, name)
            if value == default:
                continue
            if option.name in arguments:
                raise UsageError(
                    f"{option.flag} is given twice.",
                    received=f"{option.flag} and --{name.replace('_', '-')}",
                )
            arguments[option.name] = _value(option, value)
    return arguments


def _type_and_default(option: DeclaredOption) -> tuple[Any, Any]:
    """Return what cyclopts reads for an option, and the value that means "not given"."""
    match option.declaration.syntax:
        case FlagSyntax.DURATION:
            return str | None, None
        case FlagSyntax.GIGABYTES:
            return float | None, None
        case FlagSyntax.TURNS_OFF:
            return bool, False
    if option.is_repeatable:
        return tuple[str, ...], ()
    kinds = get_args(option.type) or (option.type,)
    kind = next(kind for kind in (str, bool, int, float) if kind in kinds)
    if option.unset is None:
        return kind | None, None
    return kind, option.unset


def _parameter(option: DeclaredOption) -> Parameter:
    declaration = option.declaration
    summary = declaration.flag_summary or declaration.summary
    if option.is_repeatable:
        summary = f"{summary} May be repeated."
    if declaration.syntax is FlagSyntax.DURATION:
        summary = f"{summary} For example 90s, 30m or 2h."
    if declaration.syntax is FlagSyntax.GIGABYTES:
        summary = f"{summary} In gigabytes."
    if option.choices:
        summary = f"{summary} One of {', '.join(option.choices)}."
    metavar = {FlagSyntax.DURATION: "TIME", FlagSyntax.GIGABYTES: "GB"}.get(declaration.syntax)
    if option.choices:
        metavar = "NAME"
    kind, default = _type_and_default(option)
    shows_default = kind is not bool and not default and bool(declaration.default)

    def default_text(_: Any) -> str:
        return declaration.default.replace("`", "")

    return Parameter(
        name=option.flag,
        group=GROUPS[declaration.group],
        help=summary.replace("`", ""),
        negative="",
        metavar=metavar,
        show_default=default_text if shows_default else False,
    )


def _value(option: DeclaredOption, value: Any) -> Any:
    """Return the value of a flag as the keyword takes it."""
    match option.declaration.syntax:
        case FlagSyntax.DURATION:
            return read_seconds(value)
        case FlagSyntax.GIGABYTES:
            return int(value * BYTES_PER_GIGABYTE)
        case FlagSyntax.TURNS_OFF:
            return False
    return value
