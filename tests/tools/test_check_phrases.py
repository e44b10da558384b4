"""Tests of the check for discouraged phrases."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from tests.tools.scripts import load_script


@pytest.fixture(scope="module")
def check_phrases() -> ModuleType:
    """Return the script as a module."""
    return load_script("check_phrases")


@pytest.mark.parametrize(
    "text",
    [
        "It hangs on that.",
        "HANGS ON",
        "It hangs\non that.",
        "# It hangs\n    # on that.",
        'message = (\n    "It hangs "\n    "on that."\n)',
        '    "It hangs\\n",\n    "on that."',
    ],
)
def test_find_phrases_matches_across_line_breaks(check_phrases: ModuleType, text: str) -> None:
    phrase = check_phrases.Phrase("hangs on", "depends on")
    (message,) = check_phrases.find_phrases(text, [phrase], "a.py")
    assert message.startswith("a.py:")
    assert "depends on" in message


@pytest.mark.parametrize("text", ["It changes on that.", "hangs one", "hangs-on", "hangs only"])
def test_find_phrases_matches_whole_words(check_phrases: ModuleType, text: str) -> None:
    phrase = check_phrases.Phrase("hangs on", "depends on")
    assert not list(check_phrases.find_phrases(text, [phrase], "a.py"))


def test_find_phrases_exceptions(check_phrases: ModuleType) -> None:
    phrase = check_phrases.Phrase("FLIPS", "TTA", match_case=True, allowed_in=("old.py",))
    assert not list(check_phrases.find_phrases("FLIPS", [phrase], "old.py"))
    assert not list(check_phrases.find_phrases("flips", [phrase], "new.py"))
    assert list(check_phrases.find_phrases("FLIPS", [phrase], "new.py"))


def test_main_returns_one_for_a_discouraged_phrase(
    check_phrases: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check_phrases, "ROOT", tmp_path)
    pattern = check_phrases.read_phrases()[0].pattern
    document = tmp_path / "README.md"
    document.write_text(f"Read this: {pattern}.", encoding="utf-8")
    assert check_phrases.main([str(document)]) == 1
    document.write_text("Read this.", encoding="utf-8")
    assert check_phrases.main([str(document)]) == 0
