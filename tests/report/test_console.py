"""The console prints no control character of a text, and never fails for its markup."""

from __future__ import annotations

import io

import pytest
from rich.table import Table
from rich.text import Text

from eyetune.report.console import SafeConsole, escape, escape_lines

HOSTILE = "a[/]b [red]x\x1b[31m\u202ec :cat: \udcff"


def printed(*parts: object, is_terminal: bool = False) -> str:
    stream = io.StringIO()
    console = SafeConsole(file=stream, width=100, force_terminal=is_terminal, highlight=False)
    for part in parts:
        console.print(part)
    return stream.getvalue()


@pytest.mark.parametrize("is_terminal", [False, True])
def test_console_shows_escaped_text_as_it_is(is_terminal: bool) -> None:
    shown = printed(f"[bold]{escape(HOSTILE)}[/bold]", is_terminal=is_terminal)
    assert "a[/]b [red]x\\x1b[31m\\u202ec :cat: \\udcff" in shown
    assert "\u202e" not in shown
    assert ("\x1b[1m" in shown) == is_terminal  # its own control sequences work


@pytest.mark.parametrize("part", [HOSTILE, Text(HOSTILE)])
def test_console_makes_unescaped_text_harmless(part: object) -> None:
    table = Table("name")
    table.add_row(part)  # type: ignore[arg-type]
    shown = printed(part, table)
    assert not set(shown) & set("\x1b\u202e\udcff")
    assert shown.count("a[/]b") == 2


def test_escape_keeps_a_text_in_one_line() -> None:
    assert printed(escape("one\ntwo\r\u2028three")).count("\n") == 1
    assert printed(escape_lines("one\ntwo")).count("\n") == 2


def test_escaped_backslash_does_not_open_markup() -> None:
    assert printed(f"[bold]{escape(chr(92))}[/bold]x") == "\\x\n"
