from __future__ import annotations

import re

import numpy as np

from eyetune.analysis.comparison import Candidate, compare
from eyetune.analysis.comparison_table import Column, comparison_table
from eyetune.analysis.learning_rates import judge, rising_rates
from eyetune.api.shown import ShownComparison, ShownRangeTest
from eyetune.report.comparison_cells import row_texts
from eyetune.values.history import Epoch

HISTORY = (Epoch(1, 1, 0.5, 1, 0.5, 0.001, 12.0, 100),)


def candidate(label: str, *shares: float) -> Candidate:
    right = np.stack([np.arange(1000) < 1000 * share for share in shares])
    return Candidate(label, right, (HISTORY,) * len(shares), 1234, 56_789)


def comparison() -> ShownComparison:
    baseline = candidate("<first> $x$", 0.5)
    others = [candidate("worse", 0.4), candidate("better", 0.59, 0.61), candidate("same", 0.5)]
    return ShownComparison(baseline, tuple(compare(baseline, others)))


def rows_of(page: str) -> list[list[str]]:
    rows = re.findall(r"<tr>(.*?)</tr>", page)
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]


def test_a_comparison_shows_its_rows_notes_and_picture() -> None:
    page = comparison()._repr_html_()
    head, first, *others = rows_of(page)
    assert head == list(Column)
    table = comparison_table(comparison())
    assert first[0] == "&lt;first&gt; $x$ (baseline)"
    assert [row[0] for row in others] == [row.label for row in table.rows[1:]]
    for row, cells in zip(table.rows[1:], others, strict=True):
        assert cells == list(row_texts(row).values())
    for note in table.notes:
        assert note in page
    assert "src='data:image/png;base64,iVBOR" in page


def test_a_comparison_is_a_few_lines_in_a_terminal() -> None:
    first, *others = repr(comparison()).splitlines()
    assert "<first> $x$" in first
    for line, difference in zip(others, comparison().differences, strict=True):
        assert difference.label in line
        assert difference.finding in line
        assert f"{100 * difference.difference:+.1f}" in line


def test_a_comparison_draws_each_candidate() -> None:
    (axes,) = comparison().plot().axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["worse", "same", "better"]
    assert r"\$x\$" in axes.get_xlabel()  # literally, not as a formula


def range_test(*losses: float) -> ShownRangeTest:
    test = judge(rising_rates(1e-6, 1.0, 100), losses, 100)
    return ShownRangeTest(**vars(test), title="Range test of <sgd>")


def test_a_range_test_shows_its_suggestion_and_its_reason() -> None:
    test = range_test(*np.linspace(2.3, 1.0, 60), *np.linspace(1.0, 9.0, 30))
    rows = dict(rows_of(test._repr_html_()))
    assert test.suggestion is not None
    assert rows["suggested rate"] == f"{test.suggestion:g}"
    assert rows["why"] == test.reason
    assert repr(test) == f"<Range test of <sgd>: suggested rate {test.suggestion:g}>"
    assert rows["steps"].startswith("90 of 100 up to a rate of")
    assert "diverged" in rows["steps"]
    assert "src='data:image/png;base64,iVBOR" in test._repr_html_()


def test_a_range_test_without_a_suggestion_is_shown() -> None:
    for test in (range_test(*[2.3] * 100), range_test()):
        rows = dict(rows_of(test._repr_html_()))
        assert rows["suggested rate"] == "nothing"
        assert "usable range" not in rows
