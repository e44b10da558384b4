"""How results show themselves: in one line, and in a notebook, also with hostile names."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyetune.values.display import one_line
from eyetune.values.summary import Summarized, Summary


@dataclass(frozen=True, repr=False)
class Named(Summarized):
    """A result that shows the same text everywhere."""

    text: str
    parts: tuple[Named, ...] = ()

    @property
    def headline(self) -> str:
        return self.text

    @property
    def summary(self) -> Summary:
        return Summary({self.text: self.text}, [self.text], self.parts)


@dataclass(frozen=True, repr=False)
class Broken(Named):
    """A result whose values cannot be read."""

    @property
    def summary(self) -> Summary:
        raise ValueError("no results")


def test_a_result_is_a_line_and_a_table() -> None:
    assert str(Named("93 kB")) == repr(Named("93 kB")) == "<Named: 93 kB>"
    page = Named("93 kB")._repr_html_()
    assert page.count("93 kB") == 4
    assert page.count("<tr>") == 1


def test_a_result_shows_its_parts() -> None:
    whole = Named("whole", (Named("first"), Named("second")))
    assert whole._repr_html_().endswith(
        Named("first")._repr_html_() + Named("second")._repr_html_()
    )


def test_a_result_has_its_line_without_its_values() -> None:
    assert repr(Broken("a")) == "<Broken: a>"
    with pytest.raises(ValueError, match="no results"):
        Broken("a")._repr_html_()


@given(text=st.text())
def test_no_text_breaks_the_line_or_the_table(text: str) -> None:
    line = repr(Named(text))
    assert line == one_line(line)
    page = Named(text)._repr_html_()
    assert re.findall(r"<(\w+)", page) == re.findall(r"<(\w+)", Named("a")._repr_html_())
    assert "\x1b" not in page
