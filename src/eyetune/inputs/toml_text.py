"""Parses TOML within limits on its size, its depth and the number of its values."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from eyetune.inputs.limits import TEXT_BYTES, TEXT_DEPTH, TEXT_VALUES

# Each alternative takes its token to the end, also where a quotation mark is missing, so that the
# time is proportional to the length of the text.
_TOKEN = re.compile(
    r"""
    (?P<skipped> \# [^\n]*+ | [ \t]++ )
  | (?P<text> \"{3} (?: [^"\\] | \\. | "(?!"") )*+ (?: \"{3} )?
            | '{3} (?: [^'] | '(?!'') )*+ (?: '{3} )? )
  | (?P<part> " (?: [^"\\\n] | \\. )*+ "? | ' [^'\n]*+ '? | [\w-]++ )
  | (?P<dot> \. )
  | (?P<opening> [\[{] )
  | (?P<closing> [\]}] )
  | (?P<other> . )
    """,
    re.VERBOSE | re.DOTALL,
)
_MAX_BITS = 1000  # of an integer: more do not fit a floating-point number


def parse(text: str) -> dict[str, Any]:
    """Return the values of a TOML text.

    Args:
        text: The text. Integers must have at most 1,000 bits.

    Raises:
        LimitExceededError: The text is too large, or has too many values or levels.
        ValueError: It is not TOML.

    Example:
        >>> parse("fit.epochs = 3")
        {'fit': {'epochs': 3}}
    """
    TEXT_BYTES.check(len(text), "a text")
    _check_depth_of(text)
    try:
        values = tomllib.loads(text)
    except RecursionError:
        raise ValueError("tables or lists inside of each other, too deep to be read") from None
    _check(values)
    return values


def _check_depth_of(text: str) -> None:
    """Check the depth before parsing: it takes a time that grows with the square of the depth."""
    limit = TEXT_DEPTH.value
    num_parts, num_open, after_dot = 0, 0, False
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        if kind == "skipped":
            continue
        if kind == "part":
            num_parts = num_parts + 1 if after_dot else 1
            if num_parts > limit:
                TEXT_DEPTH.check(num_parts, "a name")
        elif kind == "opening":
            num_open += 1
            if num_open > limit:
                TEXT_DEPTH.check(num_open, "a list")
        elif kind == "closing":
            num_open = max(0, num_open - 1)
        after_dot = kind == "dot"


def _check(values: dict[str, Any]) -> None:
    """Check the number of values, their depth, and the size of integers."""
    max_values, max_depth = TEXT_VALUES.value, TEXT_DEPTH.value
    num_values = 0
    remaining: list[tuple[Any, int]] = [(values, 0)]
    while remaining:
        value, depth = remaining.pop()
        if depth > max_depth:
            TEXT_DEPTH.check(depth, "a table")
        if isinstance(value, dict | list):
            num_values += len(value)
            if num_values > max_values:
                TEXT_VALUES.check(num_values, "a text")
            children = value.values() if isinstance(value, dict) else value
            remaining += [(child, depth + 1) for child in children]
        elif isinstance(value, int) and value.bit_length() > _MAX_BITS:
            raise ValueError(f"an integer of more than {_MAX_BITS:,} bits")
