from __future__ import annotations

from pathlib import Path

import pytest

from eyetune.errors import UsageError
from eyetune.inputs.limits import IMAGE_PIXELS, LIMITS, Limit, LimitExceededError, fix_for, table

ROOT = Path(__file__).parents[2]
SMALL = Limit("EYETUNE_MAX_TEST", 10, "things", "Things in a test.")


def test_limit_can_be_raised_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LimitExceededError):
        SMALL.check(11, "a test")
    monkeypatch.setenv(SMALL.variable, "1_000")
    SMALL.check(1000, "a test")
    with pytest.raises(LimitExceededError):
        SMALL.check(1001, "a test")


@pytest.mark.parametrize("text", ["many", "-1", "0", "1.5", "1e6", "9" * 30])
def test_value_rejects_what_is_no_limit(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SMALL.variable, text)
    with pytest.raises(UsageError) as caught:
        _ = SMALL.value
    assert SMALL.variable in caught.value.message


@pytest.mark.parametrize("text", ["", " "])
def test_value_is_the_default_for_an_empty_variable(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SMALL.variable, text)
    assert SMALL.value == SMALL.default


def test_error_names_a_value_that_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    error = LimitExceededError(SMALL, 300, "a test")
    _, _, value = error.fix.rpartition(f"{SMALL.variable}=")
    monkeypatch.setenv(SMALL.variable, value)
    SMALL.check(300, "a test")


def test_fix_for_other_errors_is_what_applies_otherwise() -> None:
    assert fix_for(OSError(), "Copy it.") == "Copy it."
    assert fix_for(OSError()) is None
    assert IMAGE_PIXELS.variable in str(fix_for(LimitExceededError(IMAGE_PIXELS, 1, "x"), "y"))


def test_limits_have_variables_of_their_own() -> None:
    assert len({limit.variable for limit in LIMITS}) == len(LIMITS)


def test_documentation_shows_all_limits() -> None:
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    assert table() in text
