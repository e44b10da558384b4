"""How results look in a notebook: a run, a comparison of runs, a learning-rate range test."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eyetune.analysis.comparison import Comparison
from eyetune.analysis.comparison_table import Column, ComparisonTable, comparison_table
from eyetune.analysis.learning_rates import RangeTest
from eyetune.values.display import lines, one_line
from eyetune.values.summary import fact_table

if TYPE_CHECKING:
    from eyetune.api.run import Run
    from eyetune.report.figures.picture import Picture


@dataclass(frozen=True, repr=False)
class ShownComparison(Comparison):
    """A comparison of runs with a baseline. A notebook shows it as a table and a forest plot."""

    def __repr__(self) -> str:
        lines = [f"<Comparison with {self.baseline.label}, on validation:"]
        for other in self.differences:
            low, high = (100 * bound for bound in other.interval)
            lines.append(
                f"  {other.label}: {100 * other.difference:+.1f} points "
                f"(95% interval {low:+.1f} to {high:+.1f}), {other.finding}"
            )
        return "\n".join(lines) + ">"

    def plot(self) -> Picture:
        """Draw the differences with their 95% intervals (a forest plot)."""
        from eyetune.report.figures.run_figures import forest

        bars = [
            (difference.label, difference.difference, difference.interval, difference.certain)
            for difference in self.differences
        ]
        return forest(bars, baseline=self.baseline.label)

    def _repr_html_(self) -> str:
        picture = self.plot().as_html("differences with their 95% intervals")
        return f"{_comparison_html(comparison_table(self))}{picture}"


@dataclass(frozen=True, eq=False, repr=False)
class ShownRangeTest(RangeTest):
    """The result of a learning-rate range test. A notebook shows it as a table and a curve.

    Attributes:
        title: Which optimizer was tested on which data.
    """

    title: str = ""

    def __repr__(self) -> str:
        title = one_line(self.title) or "Range test"
        return f"<{title}: suggested rate {self.rows()['suggested rate']}>"

    def plot(self) -> Picture:
        """Draw loss by learning rate, with the suggestion and the usable range."""
        from eyetune.report.figures.run_figures import range_test

        return range_test(self, title=self.title)

    def rows(self) -> dict[str, str]:
        """Return the result as text, by name."""
        rows = {"suggested rate": "nothing"}
        if self.suggestion is not None:
            rows["suggested rate"] = f"{self.suggestion:g}"
        if self.usable is not None:
            smallest, largest = self.usable
            rows["usable range"] = f"{smallest:g} to {largest:g}"
        rows["why"] = self.reason
        steps = f"{len(self.rates):,} of {self.num_steps:,}"
        if len(self.rates):
            steps += f" up to a rate of {self.rates[-1]:.2g}"
        if self.diverged:
            steps += ", where the loss diverged"
        return {**rows, "steps": steps}

    def _repr_html_(self) -> str:
        return f"{fact_table(self.rows())}{self.plot().as_html('loss by learning rate')}"


def run_html(run: Run) -> str:
    """Return a run as a table of its facts and its curves, in HTML."""
    rows = dict(run.record.summary.rows)
    if run.record.results and run.has_verdict:
        rows["verdict"] = run.verdict.text
    curves = run.plot().as_html("accuracy and loss by epoch") if run.history else ""
    return f"{fact_table(rows)}{curves}"


def _comparison_html(table: ComparisonTable) -> str:
    """Return a comparison as an HTML table with its notes; the first column is text."""
    from eyetune.report.comparison_cells import row_texts

    head = "".join(f"<th>{html.escape(column)}</th>" for column in Column)
    rows = [f"<tr>{head}</tr>"]
    for row in table.rows:
        label, *texts = (html.escape(lines(text)) for text in row_texts(row).values())
        cells = [f"<th style='text-align:left'>{label}</th>"]
        cells += [f"<td style='text-align:right'>{text}</td>" for text in texts]
        rows.append(f"<tr>{''.join(cells)}</tr>")
    notes = "<br>".join(html.escape(lines(note)) for note in table.notes)
    return f"<table>{''.join(rows)}</table><p>{notes}</p>"
