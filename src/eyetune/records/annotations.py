"""What users write on runs: a note, and tags to find them by."""

from __future__ import annotations

import re
from collections.abc import Iterable

from eyetune.errors import UsageError

MAX_NOTE_LENGTH = 10_000
MAX_TAGS = 50
_TAG = re.compile(r"[\w.:/+-]{1,40}")


def checked_note(text: str) -> str:
    """Return a note without blanks around it.

    Raises:
        UsageError: It is too long.
    """
    text = text.strip()
    if len(text) > MAX_NOTE_LENGTH:
        raise UsageError(
            "The note is too long.",
            expected=f"at most {MAX_NOTE_LENGTH:,} characters",
            received=f"{len(text):,} characters",
        )
    return text


def checked_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Return tags in the order of the alphabet, each once.

    Raises:
        UsageError: A tag has other characters, or there are too many.

    Example:
        >>> checked_tags(["lamp", "best", "lamp"])
        ('best', 'lamp')
    """
    found = tuple(sorted(set(tags)))
    for tag in found:
        if not _TAG.fullmatch(tag):
            raise UsageError(
                "This is not a tag.",
                expected="1 to 40 letters, digits or characters of . _ : / + -, without blanks",
                received=ascii(tag)[:80],
            )
    if len(found) > MAX_TAGS:
        raise UsageError(
            "A run has more tags than it can have.",
            expected=f"at most {MAX_TAGS}",
            received=str(len(found)),
        )
    return found
