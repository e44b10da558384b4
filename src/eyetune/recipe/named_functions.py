"""The model functions that the user of this process has named, in Python or on the command line.

A recipe may come from a file or a workspace of someone else, so its `model.function` says nothing
about who chose it. What the user's own code passes to `Recipe.with_`, or types as an option, is
noted here; such a function may run (see `eyetune.models.model_function.trust`).
"""

from __future__ import annotations

import sys

_OWN_PACKAGE = "eyetune"
_named: set[str] = set()


def note_named(function: str) -> None:
    """Note that the user has named a function.

    Args:
        function: `model.function` of a recipe; "" has no effect.
    """
    if function:
        _named.add(function)


def is_named(function: str) -> bool:
    """Return whether the user has named a function in this process.

    Example:
        >>> note_named("networks.py:build_model")
        >>> is_named("networks.py:build_model"), is_named("others.py:build_model")
        (True, False)
    """
    return function in _named


def is_called_by_user() -> bool:
    """Return whether the caller of the function that asks is outside of this package.

    eyetune itself edits recipes with values from files and records, which the user has not named.
    """
    caller = sys._getframe(2).f_globals.get("__name__", "")
    return str(caller).partition(".")[0] != _OWN_PACKAGE
