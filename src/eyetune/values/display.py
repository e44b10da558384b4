"""Text of users as people see it: what would act on a terminal or a page becomes visible.

Names, notes and errors may come from data sets and workspaces of others. JSON keeps them exactly;
everything that is shown goes through here.
"""

from __future__ import annotations

_JOINERS = "\u200c\u200d"  # join letters of Persian and parts of emoji


def one_line(text: str) -> str:
    """Return a text in one line, without characters that control a terminal or reverse text.

    Control characters, line breaks, formatting characters such as bidirectional overrides, and
    undecodable bytes are shown as Python escapes.

    Example:
        >>> one_line("cat\\n\\x1b[31mdog")
        'cat\\\\n\\\\x1b[31mdog'
    """
    return text if text.isprintable() else "".join(map(_visible, text))


def lines(text: str) -> str:
    """Return a text of several lines, as `one_line`; tabs and line breaks stay.

    Example:
        >>> lines("one\\ntwo\\x07")
        'one\\ntwo\\\\x07'
    """
    if text.isprintable():
        return text
    return "".join(
        character if character in "\n\t" else _visible(character)
        for character in text.replace("\r\n", "\n")
    )


def _visible(character: str) -> str:
    if character.isprintable() or character in _JOINERS:
        return character
    if character.isspace() and character.isascii() is False and character not in "\x85\u2028\u2029":
        return " "  # spaces of other widths
    return character.encode("unicode_escape").decode("ascii")
