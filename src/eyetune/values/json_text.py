"""JSON: from a file or a database that may be damaged, and as a text of any value."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json

MAX_NUMBER = 2**63  # larger whole numbers are damage: SQLite and NumPy cannot hold them
_MAY_BE_LARGE = re.compile(r"\d{19}")


def json_value(text: Any) -> Any:
    """Return the value of a JSON text; None for None, the NULL of a database.

    Raises:
        ValueError: It is not JSON, is nested too deeply, or holds a whole number of more than 64
            bits.

    Example:
        >>> json_value('{"epochs": [1, 2]}')
        {'epochs': [1, 2]}
        >>> json_value("[9223372036854775808]")
        Traceback (most recent call last):
            ...
        ValueError: a whole number has more than 64 bits
    """
    if text is None:
        return None
    if not isinstance(text, str):
        raise ValueError(f"a JSON text was expected, not {type(text).__name__}")
    value = from_json(text)
    if _MAY_BE_LARGE.search(text):
        _check_numbers(value)
    return value


def _check_numbers(value: Any) -> None:
    if isinstance(value, int) and abs(value) >= MAX_NUMBER:
        raise ValueError("a whole number has more than 64 bits")
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in items:
        _check_numbers(item)


def json_text(value: Any) -> str:
    """Return a value as JSON; a number that JSON does not have, such as NaN, becomes null.

    Example:
        >>> json_text({"loss": float("nan"), "epochs": (1, 2)})
        '{"loss": null, "epochs": [1, 2]}'
    """
    try:
        return json.dumps(value, allow_nan=False, default=str)
    except ValueError:
        return json.dumps(_finite(value), allow_nan=False, default=str)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
