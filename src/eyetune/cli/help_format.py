"""How the help of every command looks: one layout that is readable from 80 columns on.

cyclopts calls a formatter for the usage line, for the description and for each group of entries.
Prose is wrapped to the width of the terminal. Indented lines are examples and are never wrapped,
so that they can be copied.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, final

from cyclopts.help import InlineText

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cyclopts.help import HelpEntry, HelpPanel
    from rich.console import Console, ConsoleOptions

MAX_WIDTH = 100  # columns: longer lines are hard to read
NAME_WIDTH = 24  # columns for names; a longer name has its description below it
MAX_UNBROKEN = 40  # characters of a default or of choices that stay on one line
_INDENT = "  "
_NO_BREAK_SPACE = "\u00a0"


@final
class HelpFormatter:
    """Formats help in plain columns.

    Args:
        is_compact: Show the first sentence of each description only.
    """

    def __init__(self, *, is_compact: bool = False) -> None:
        self._is_compact = is_compact

    def render_usage(
        self,
        console: Console,
        options: ConsoleOptions,  # noqa: ARG002 (part of the protocol)
        usage: Any,
    ) -> None:
        """Print the usage line."""
        if usage:
            _print(console, f"Usage: {str(usage).removeprefix('Usage:').strip()}")

    def render_description(
        self,
        console: Console,
        options: ConsoleOptions,  # noqa: ARG002 (part of the protocol)
        description: Any,
    ) -> None:
        """Print the description of a command: wrapped prose, and examples as they are."""
        text = _plain(description)
        if text:
            _print(console, "")
        for line in _lines(text, _width(console)):
            _print(console, line)

    def __call__(
        self,
        console: Console,
        options: ConsoleOptions,  # noqa: ARG002 (part of the protocol)
        panel: HelpPanel,
    ) -> None:
        """Print a group of commands, arguments or options."""
        if not panel.entries:
            return
        _print(console, "")
        _print(console, _plain(panel.title), style="bold")
        width = _width(console)
        note = _plain(panel.description)
        for line in _wrap(note, width):
            _print(console, line)
        names = [", ".join(entry.display_labels_with_metavar) for entry in panel.entries]
        column = min(max(map(len, names)), NAME_WIDTH) + 2 * len(_INDENT)
        for name, entry in zip(names, panel.entries, strict=True):
            wrapped = _wrap(self._description(entry), max(width - column, 20)) or [""]
            if len(name) > NAME_WIDTH:
                _print(console, f"{_INDENT}{name}")
            else:
                _print(console, f"{_INDENT}{name}".ljust(column) + wrapped.pop(0))
            for line in wrapped:
                _print(console, " " * column + line)

    def _description(self, entry: HelpEntry) -> str:
        """Return what an entry is, with its choices and its default."""
        text = " ".join(_plain(entry.description).split())
        if self._is_compact:
            text = text.partition(". ")[0].rstrip(".")
        parts = [text] if text else []
        if entry.choices:
            parts.append(_bracketed(" | ".join(entry.choices)))
        if entry.env_var:
            parts.append(_bracketed(f"environment: {', '.join(entry.env_var)}"))
        # A flag that is off and an empty text need no mention.
        if entry.default not in (None, "", '""', "False", "()"):
            parts.append(_bracketed(f"default: {entry.default}"))
        if entry.required and not entry.positional_label:
            parts.append("[required]")
        return " ".join(parts)


def _bracketed(text: str) -> str:
    """Return a text in brackets, which is wrapped only if it is long."""
    if len(text) <= MAX_UNBROKEN:
        text = text.replace(" ", _NO_BREAK_SPACE)
    return f"[{text}]"


def _print(console: Console, line: str, *, style: str | None = None) -> None:
    console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)


def _width(console: Console) -> int:
    return min(console.width, MAX_WIDTH)


def _plain(value: Any) -> str:
    """Return the text of what cyclopts passes: a string, rich's text, or its own wrapper of it."""
    if isinstance(value, InlineText):
        value = value.primary_renderable
    text = value if isinstance(value, str) else getattr(value, "plain", "")
    return str(text).strip()


def _lines(text: str, width: int) -> Iterator[str]:
    """Yield the lines of a description: paragraphs wrapped, indented lines unchanged."""
    paragraph: list[str] = []
    for line in text.splitlines():
        is_example = line.startswith(" ")
        if paragraph and (is_example or not line):
            yield from _wrap(" ".join(paragraph), width)
            paragraph = []
        if is_example:
            yield f"{_INDENT}{line.strip()}"
        elif line:
            paragraph.append(line)
        else:
            yield ""
    yield from _wrap(" ".join(paragraph), width)


def _wrap(text: str, width: int) -> list[str]:
    lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    return [line.replace(_NO_BREAK_SPACE, " ") for line in lines]
