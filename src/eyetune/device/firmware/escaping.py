"""Text from users inside C sources and Markdown.

Such text cannot end the string, comment or line that it is in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_BYTES_PER_LINE = 16
_NUMBERS_PER_LINE = 8
_MAX_COMMENT = 200  # characters
_MARKDOWN = re.compile(r"([\\`*_\[\]<>&#|~])")


def one_line(text: str) -> str:
    """Return text with spaces in place of line breaks and invisible characters.

    Example:
        >>> one_line("cat\\nor\\tdog")
        'cat or dog'
    """
    return "".join(letter if letter.isprintable() else " " for letter in text)


def without_controls(text: str) -> str:
    """Return text with a space in place of each control character, such as line breaks.

    Example:
        >>> without_controls("a\\x00b\\r\\n")
        'a b  '
    """
    return "".join(" " if _is_control(letter) else letter for letter in text)


def _is_control(letter: str) -> bool:
    return ord(letter) < 32 or 127 <= ord(letter) < 160


def c_string(text: str) -> str:
    r"""Return text as a C string literal in UTF-8.

    Control characters become spaces. All bytes but plain ASCII are in octal, and so are
    backslashes, quotes and question marks: nothing in the text is an escape or a trigraph.

    Example:
        >>> print(c_string('a "cat"?'))
        "a \042cat\042\077"
    """
    content = without_controls(text).encode("utf-8", "replace")
    return '"' + "".join(_c_character(byte) for byte in content) + '"'


def _c_character(byte: int) -> str:
    is_plain = 32 <= byte < 127 and chr(byte) not in '\\"?'
    return chr(byte) if is_plain else f"\\{byte:03o}"


def comment(text: str) -> str:
    """Return text for the inside of a C comment between /* and */.

    Example:
        >>> comment("*/ int x; /*")
        '* / int x; / *'
    """
    return one_line(text)[:_MAX_COMMENT].replace("*/", "* /").replace("/*", "/ *")


def markdown(text: str) -> str:
    """Return text for a line of Markdown, without any markup.

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
    """Yield the lines of a C array with these bytes.

    Example:
        >>> list(byte_lines(b"TFL"))
        ['0x54, 0x46, 0x4c,']
    """
    for start in range(0, len(content), _BYTES_PER_LINE):
        yield " ".join(f"0x{byte:02x}," for byte in content[start : start + _BYTES_PER_LINE])


def number_lines(numbers: Sequence[int]) -> Iterator[str]:
    """Yield the lines of a C array with these numbers, which are not negative.

    Example:
        >>> list(number_lines([16777216, 0]))
        ['16777216u, 0u,']
    """
    for start in range(0, len(numbers), _NUMBERS_PER_LINE):
        yield " ".join(f"{number}u," for number in numbers[start : start + _NUMBERS_PER_LINE])


_FUNCTIONS = (
    *(one_line, c_string, without_controls, comment, markdown),
    *(float_literal, byte_lines, number_lines),
)
FILTERS = {function.__name__: function for function in _FUNCTIONS}
