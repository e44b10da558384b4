"""Ids of runs, labs and studies, which name folders: what they may be made of."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

_PATTERN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. -]{0,99}")


def checked_id(text: str) -> str:
    """Return an id that can name a folder of a workspace.

    Raises:
        ValueError: It is empty, too long, or holds characters that could lead to another folder.

    Example:
        >>> checked_id("3f2a77b0")
        '3f2a77b0'
        >>> checked_id("../../home")
        Traceback (most recent call last):
            ...
        ValueError: an id has 1 to 100 letters, digits, _, -, . and spaces, and no . at its start
    """
    if not isinstance(text, str) or _PATTERN.fullmatch(text) is None:
        raise ValueError(
            "an id has 1 to 100 letters, digits, _, -, . and spaces, and no . at its start"
        )
    return text


RecordId = Annotated[str, AfterValidator(checked_id)]
