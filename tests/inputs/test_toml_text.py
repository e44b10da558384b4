from __future__ import annotations

import contextlib
import time
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyetune.inputs.limits import TEXT_DEPTH, TEXT_VALUES, LimitExceededError
from eyetune.inputs.toml_text import parse

MANY = 100_000
NAMES = ".".join("a" * MANY)
REFUSED = {
    "a deep name": f"{NAMES} = 1",
    "a deep name with spaces": f"{NAMES.replace('.', ' . ')} = 1",
    "a deep name in quotes": ".".join(['"a"'] * MANY) + " = 1",
    "a deep table": f"[{NAMES}]",
    "a deep name after a text": f"x = '''it's'''\n{NAMES} = 1",
    "a deep list": f"a = {'[' * MANY}{']' * MANY}",
    "a deep inline table": "a = " + "{a = " * MANY + "1" + "}" * MANY,
    "many names": "\n".join(f"a{number} = 1" for number in range(TEXT_VALUES.default + 1)),
    "many values": f"a = [{'1,' * MANY}]",
    "a large text": f"a = '{'x' * 1_000_000}'",
}


@pytest.mark.timeout(30)  # without a limit, these take minutes
@pytest.mark.parametrize("kind", REFUSED)
def test_parse_refuses_what_exceeds_a_limit(kind: str) -> None:
    with pytest.raises(LimitExceededError):
        parse(REFUSED[kind])


@pytest.mark.timeout(30)
@pytest.mark.parametrize("mark", ['"', "'", '\\"', "#", '"""\\"'])
def test_parse_refuses_quotation_marks_at_once(mark: str) -> None:
    started = time.process_time()
    with contextlib.suppress(ValueError):
        parse(f"a = {mark * MANY}")
    assert time.process_time() - started < 20


@pytest.mark.parametrize("digits", ["0x" + "f" * 10_000, "-1" + "0" * 400, "9" * 5000])
def test_parse_refuses_huge_integers(digits: str) -> None:
    with pytest.raises(ValueError, match="integer"):
        parse(f"a = [{digits}]")


@pytest.mark.parametrize(
    "text",
    [
        "a.b.'c.d'.\"e.f\" = 1\n[x]\ny = [[1.5, 2.5], [3.5]]",
        'a = """\n[[[[ ....\n"""\nb = \'[[[\' # [[[[',
        "a = [" + "1.5, " * 1000 + "]",
        "a = '" + "x." * MANY + "'",
        "# " + "x." * MANY,
        "a = " + "[" * 30 + "]" * 30,
    ],
)
def test_parse_returns_the_values_of_usual_texts(text: str) -> None:
    assert parse(text) == tomllib.loads(text)


def test_parse_allows_a_depth_that_was_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TEXT_DEPTH.variable, "50")
    text = ".".join("a" * 45) + " = 1"
    assert parse(text) == tomllib.loads(text)


@given(st.text(alphabet="ab.='\"[]{},\\\n# 1", max_size=60))
def test_parse_agrees_with_the_standard_library(text: str) -> None:
    try:
        expected = tomllib.loads(text)
    except ValueError:
        with pytest.raises(ValueError, match=r".+"):
            parse(text)
    else:
        assert parse(text) == expected
