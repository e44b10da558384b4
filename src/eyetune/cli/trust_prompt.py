"""The option --trust: shows a model function from elsewhere, asks, and trusts it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eyetune.models.model_function.trust import Review

TRUST = "--trust"
_SHOWN_AS_THEY_ARE = ("\n", "\t")


@contextmanager
def trust_option(arguments: Sequence[str]) -> Iterator[None]:
    """Let the user decide about functions that are not trusted, if the arguments say --trust."""
    if TRUST not in arguments:
        yield
        return
    from eyetune.models.model_function.trust import reviewing

    with reviewing(_is_accepted):
        yield


def printable(text: str) -> str:
    """Return text with an escape for every character that a terminal does not show as itself.

    Escape sequences, carriage returns and marks of the writing direction could hide source text.

    Example:
        >>> print(printable("safe = True" + chr(13) + chr(27) + "[2K"))
        safe = True\\r\\x1b[2K
    """
    return "".join(
        letter
        if letter.isprintable() or letter in _SHOWN_AS_THEY_ARE
        else letter.encode("unicode_escape").decode()
        for letter in text
    )


def _is_accepted(review: Review) -> bool:
    """Show a function on standard error, and ask if this is a terminal."""
    for path, text in review.texts.items():
        _print(f"----- {path}")
        _print(text)
    _print("-----")
    _print(f"SHA-256: {review.digest}")
    if not (sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()):
        _print("--trust: this model function is trusted from now on.")
        return True
    print("Its code can do anything that you can. Trust it? [y/N] ", end="", file=sys.stderr)
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _print(text: str) -> None:
    print(printable(text), file=sys.stderr)
