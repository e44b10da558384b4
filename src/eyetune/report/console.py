"""The terminal: where everything for people is printed, and text of users cannot act on it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rich import markup
from rich.console import Console
from rich.errors import MarkupError
from rich.segment import Segment
from rich.text import Text

from eyetune.values.display import lines, one_line

if TYPE_CHECKING:
    from rich.console import ConsoleOptions, RenderableType


def escape(text: str) -> str:
    """Return a text of users for a string with rich markup: one line that markup cannot change.

    Example:
        >>> escape("a[/]b")
        'a\\\\[/]b'
    """
    return markup.escape(one_line(text))


def escape_lines(text: str) -> str:
    """Return a text of several lines for a string with rich markup, as `escape`."""
    return markup.escape(lines(text))


class SafeConsole(Console):
    """A console that prints no control character but its own, whatever it is given.

    Texts of users are escaped where they are put into a string with markup. This is the second
    line of defense: a text that was forgotten is shown as it is instead of raising an error.
    """

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a string with markup as text; if its markup is wrong, the string itself."""
        options["emoji"] = False  # ":cat:" in a name is no picture
        try:
            return super().render_str(text, **options)
        except MarkupError:
            return super().render_str(text, **{**options, "markup": False})

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Yield the parts of what is printed, without control characters in their text."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable() or segment.text == "\n":
                yield segment
            else:
                yield Segment(lines(segment.text), segment.style)
