"""Words that a user wrote, inside C sources and Markdown: they never end the string, comment or
line they stand in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_BYTES_A_LINE = 16
_MAX_COMMENT = 200  # letters
_MARKDOWN = re.compile(r"([\\`*_\[\]<>&#|~])")


def one_line(text: str) -> str:
    """Return text without anything that ends a line or cannot be seen.

    Example:
        >>> one_line("cat\\nor\\tdog")
        'cat or dog'
    """
    return "".join(letter if letter.isprintable() else " " for letter in text)


def c_string(text: str) -> str:
    r"""Return text as a C string literal in UTF-8: control characters are spaces, all but plain
    ASCII is in octal.

    Backslashes, quotes and question marks are in octal too, so that nothing in it is an escape or a
    trigraph.

    Example:
        >>> print(c_string('a "cat"?'))
        "a \042cat\042\077"
    """
    return (
        '"'
        + "".join(_c_letter(byte) for byte in without_controls(text).encode("utf-8", "replace"))
        + '"'
    )


def without_controls(text: str) -> str:
    """Return text with a space for each control character, among them those that end a line.

    Example:
        >>> without_controls("a\\x00b\\r\\n")
        'a b  '
    """
    return "".join(
        " " if ord(letter) < 32 or 127 <= ord(letter) < 160 else letter for letter in text
    )


def _c_letter(byte: int) -> str:
    plain = 32 <= byte < 127 and chr(byte) not in '\\"?'
    return chr(byte) if plain else f"\\{byte:03o}"


def comment(text: str) -> str:
    """Return text for the inside of a C comment between /* and */: one line that does not end the
    comment.

    Example:
        >>> comment("*/ int x; /*")
        '* / int x; / *'
    """
    return one_line(text)[:_MAX_COMMENT].replace("*/", "* /").replace("/*", "/ *")


def markdown(text: str) -> str:
    """Return text for a line of Markdown, in which nothing is markup.

    Example:
        >>> markdown("50_50 <b>")
        '50\\\\_50 \\\\<b\\\\>'
    """
    return _MARKDOWN.sub(r"\\\1", one_line(text))


def float_literal(value: float) -> str:
    """Return a number as a C literal of the type float.

    Example:
        >>> float_literal(1 / 256), float_literal(1.0)
        ('0.00390625f', '1.0f')
    """
    return f"{float(value)!r}f"


def byte_lines(content: bytes) -> Iterator[str]:
    """Return the lines of a C array that holds these bytes.

    Example:
        >>> list(byte_lines(b"TFL"))
        ['0x54, 0x46, 0x4c,']
    """
    for start in range(0, len(content), _BYTES_A_LINE):
        yield " ".join(f"0x{byte:02x}," for byte in content[start : start + _BYTES_A_LINE])


FILTERS = {
    one.__name__: one
    for one in (one_line, c_string, without_controls, comment, markdown, float_literal, byte_lines)
}
