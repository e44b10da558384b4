"""Texts that would act on a terminal or a page become visible; all others stay."""

from __future__ import annotations

import unicodedata

import pytest

from eyetune.values.display import lines, one_line


@pytest.mark.parametrize(
    "text",
    [
        "cat",
        "Katze 1",
        "\u732b",
        "\u6c34 \U0001f408\u200d\u2b1b",
        "a[/]b",
        "\u0645\u06cc\u200c\u062e",
    ],
)
def test_harmless_text_stays(text: str) -> None:
    assert one_line(text) == lines(text) == text


def test_acting_characters_become_visible() -> None:
    characters = [chr(code) for code in range(0x3000)] + ["\ud800", "\udcff", "\ufeff", "\ue000"]
    acting = [text for text in characters if unicodedata.category(text) in ("Cc", "Cf", "Cs")]
    for text in set(acting) - set("\u200c\u200d"):
        assert one_line(text).isprintable()
        assert one_line(text).startswith("\\")
        assert lines(text).strip("\n\t").isprintable()


def test_line_breaks_stay_in_lines_only() -> None:
    text = "one\r\n\ttwo\u2028three"
    assert lines(text) == "one\n\ttwo\\u2028three"
    assert one_line(text) == "one\\r\\n\\ttwo\\u2028three"
