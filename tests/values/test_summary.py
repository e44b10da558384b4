"""How results show themselves: in one line, and in a notebook, also with hostile names."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from eyetune.values.summary import Summarized, Summary


@dataclass(frozen=True, repr=False)
class Named(Summarized):
    """A result of which everything shown is one text."""

    text: str

    @property
    def summary(self) -> Summary:
        return Summary(self.text, {self.text: self.text}, [self.text])


def test_a_result_is_a_line_and_a_table() -> None:
    assert repr(Named("93 kB")) == "<Named: 93 kB>"
    page = Named("93 kB")._repr_html_()
    assert page.count("93 kB") == 4
    assert page.count("<tr>") == 1


@given(text=st.text())
def test_no_text_breaks_the_line_or_the_table(text: str) -> None:
    assert repr(Named(text)).isprintable()
    page = Named(text)._repr_html_()
    assert re.findall(r"<(\w+)", page) == re.findall(r"<(\w+)", Named("a")._repr_html_())
    assert "\x1b" not in page
