"""What the declaration of an option of a study says, beside its name, type and unset value."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class OptionGroup(Enum):
    """A group of options; the value is its heading."""

    INPUT = "Input"
    SEARCH = "Search"
    BUDGET = "Budget: whichever comes first"
    LIMITS = "Limits and failures of trials"
    STUDY = "Study"


class FlagSyntax(Enum):
    """The syntax of an option on the command line."""

    VALUE = "value"  # as its type implies
    DURATION = "duration"  # seconds, written as 90s, 30m or 2h
    GIGABYTES = "gigabytes"  # bytes, given in gigabytes
    TURNS_OFF = "turns off"  # a flag without a value that sets False
    NONE = "none"  # not on the command line


@dataclass(frozen=True)
class Option:
    """The declaration of an option, besides its name, type and unset value.

    Attributes:
        summary: One sentence.
        group: Its group.
        default: Text about the value that applies by default; "" for none.
        recorded: Path of its value in `StudySettings`; "" if it is not recorded directly.
        is_fixed: Whether a resumed study must keep its value.
        flag: Name on the command line, if it differs from the keyword.
        syntax: Its syntax on the command line.
        flag_summary: One sentence about the flag, if it differs from the keyword.
        former_names: Names from earlier versions, which are accepted but not shown.
    """

    summary: str
    group: OptionGroup
    default: str = ""
    recorded: str = ""
    is_fixed: bool = False
    flag: str = ""
    syntax: FlagSyntax = FlagSyntax.VALUE
    flag_summary: str = ""
    former_names: tuple[str, ...] = ()
