"""Results as a prompt and a notebook show them: in one line, and as a table."""

from __future__ import annotations

import html
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from eyetune.values.display import lines, one_line

_KEEP_LINES = "white-space:pre-line"


@dataclass(frozen=True)
class Summary:
    """What a notebook shows of a result below its headline.

    Attributes:
        rows: Texts by name.
        sentences: Further sentences, such as warnings.
        parts: Results that it consists of.
    """

    rows: Mapping[str, str]
    sentences: Sequence[str] = ()
    parts: Sequence[Summarized] = ()


class Summarized(ABC):
    """A result that a prompt shows as one line, and a notebook as a table.

    Example:
        >>> class Speed(Summarized):
        ...     @property
        ...     def headline(self) -> str:
        ...         return "12 ms"
        ...     @property
        ...     def summary(self) -> Summary:
        ...         return Summary({"images per second": "83"})
        >>> Speed()
        <Speed: 12 ms>
    """

    @property
    @abstractmethod
    def headline(self) -> str:
        """What it is, and the outcome, in one line."""

    @property
    @abstractmethod
    def summary(self) -> Summary:
        """What a notebook shows below the headline."""

    @final
    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {one_line(self.headline)}>"

    @final
    def __str__(self) -> str:
        return repr(self)

    @final
    def _repr_html_(self) -> str:
        summary = self.summary
        return "".join(
            [
                f"<p><b>{html.escape(one_line(self.headline))}</b></p>",
                fact_table(summary.rows),
                *(
                    f"<p style='{_KEEP_LINES}'>{html.escape(lines(text))}</p>"
                    for text in summary.sentences
                ),
                *(part._repr_html_() for part in summary.parts),
            ]
        )


def fact_table(rows: Mapping[str, str]) -> str:
    """Return facts as an HTML table of two columns."""
    cells = [
        f"<tr><th style='text-align:left'>{html.escape(one_line(name))}</th>"
        f"<td style='text-align:left;{_KEEP_LINES}'>{html.escape(lines(text))}</td></tr>"
        for name, text in rows.items()
    ]
    return f"<table>{''.join(cells)}</table>"
