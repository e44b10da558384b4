"""An extension of Griffe, which reads docstrings for the site.

Griffe knows the heading "Examples:" alone, and reads what follows "Example:" as plain Markdown.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

_HEADING = re.compile(r"^(\s*)Example:[ \t]*$", re.M)


class ExampleHeadings(griffe.Extension):
    """Gives the examples of docstrings the heading that Griffe knows."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of an object that was read."""
        if obj.docstring is not None:
            obj.docstring.value = _HEADING.sub(r"\1Examples:", obj.docstring.value)
