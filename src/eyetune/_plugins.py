"""Plug-ins: what other installed packages add, by entry points of their metadata.

A package names them in its pyproject.toml:

    [project.entry-points."eyetune.techniques"]
    lamps = "lamps.techniques"

    [project.entry-points."eyetune.boards"]
    lamps = "lamps.boards"

What is installed is trusted: loading a plug-in runs its code.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points

from eyetune.errors import EyetuneError, EyetuneWarning

TECHNIQUES = "eyetune.techniques"  # modules that register techniques when they are imported
BOARDS = "eyetune.boards"  # packages whose folders contain board profiles (.toml)


def use_each(group: str, use: Callable[[EntryPoint], None]) -> None:
    """Use the plug-ins of a group in the order of their names.

    One that fails is left out, with a warning: it must not disable eyetune.

    Args:
        group: TECHNIQUES or BOARDS.
        use: Called with each; it loads what the plug-in refers to.
    """
    for entry in sorted(entry_points(group=group), key=lambda entry: entry.name):
        try:
            use(entry)
        except Exception as error:  # a plug-in can be anyone's code
            warnings.warn(_explained(entry, error), EyetuneWarning, stacklevel=2)


def _explained(entry: EntryPoint, error: Exception) -> str:
    package = entry.dist.name if entry.dist is not None else entry.value
    reason = error.message if isinstance(error, EyetuneError) else str(error)
    return (
        f"The plug-in {entry.name} ({entry.group}) of {package} cannot be used and is left out: "
        f"{type(error).__name__}: {reason}"
    )
