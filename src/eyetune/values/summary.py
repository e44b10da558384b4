"""Results as a prompt and a notebook show them: in one line, and as a table of facts."""

from __future__ import annotations

import html
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eyetune.values.display import lines, one_line


@dataclass(frozen=True)
class Summary:
    """What to show of a result.

    Attributes:
        title: What it is, and the outcome, in one line.
        rows: Texts by what they are about.
        sentences: What to know besides.
    """

    title: str
    rows: Mapping[str, str]
    sentences: Sequence[str] = ()

    def as_html(self) -> str:
        """Return the title, the table and the sentences as HTML."""
        sentences = "".join(f"<p>{html.escape(lines(text))}</p>" for text in self.sentences)
        title = html.escape(one_line(self.title))
        return f"<p><b>{title}</b></p>{fact_table(self.rows)}{sentences}"


class Summarized(ABC):
    """A result that a prompt shows in one line, and a notebook as a table.

    Example:
        >>> class Speed(Summarized):
        ...     @property
        ...     def summary(self) -> Summary:
        ...         return Summary("12 ms", {"images per second": "83"})
        >>> Speed()
        <Speed: 12 ms>
    """

    @property
    @abstractmethod
    def summary(self) -> Summary:
        """What to show of it."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {one_line(self.summary.title)}>"

    def _repr_html_(self) -> str:
        return self.summary.as_html()


def fact_table(rows: Mapping[str, str]) -> str:
    """Return facts as an HTML table of two columns."""
    cells = [
        f"<tr><th style='text-align:left'>{html.escape(one_line(name))}</th>"
        f"<td style='text-align:left'>{html.escape(lines(text))}</td></tr>"
        for name, text in rows.items()
    ]
    return f"<table>{''.join(cells)}</table>"
