"""How results look in a notebook: a run, a comparison of runs, a learning-rate range test."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eyetune.analysis.comparison import Candidate, Comparison, Difference
from eyetune.analysis.learning_rates import RangeTest

if TYPE_CHECKING:
    from eyetune.api.run import Run
    from eyetune.report.figures.picture import Picture

_COLUMNS = (
    "",
    "accuracy",
    "points",
    "95% interval",
    "p",
    "finding",
    "seconds",
    "parameters",
    "multiply-adds",
)


@dataclass(frozen=True)
class ShownComparison(Comparison):
    """How runs compare with a baseline. A notebook shows it as a table and a forest plot."""

    def plot(self) -> Picture:
        """Draw the differences with their 95% intervals (a forest plot)."""
        from eyetune.report.figures.run_figures import forest

        rows = [(one.label, one.difference, one.interval, one.certain) for one in self.differences]
        return forest(rows, baseline=self.baseline.label)

    def _repr_html_(self) -> str:
        best_first = sorted(self.differences, key=lambda one: -one.difference)
        rows = [_baseline_row(self.baseline), *(_difference_row(one) for one in best_first)]
        table = _table(_COLUMNS, rows)
        notes = "Points of validation accuracy. p: corrected for all comparisons (Holm). Multiply-adds: for one image."
        return f"{table}<p>{notes}</p>{self.plot().as_html('differences with their 95% intervals')}"


def _baseline_row(baseline: Candidate) -> list[str]:
    return [
        f"{baseline.label} (baseline)",
        _accuracy(baseline.accuracy, baseline.seed_deviation),
        *("",) * 4,
        *_costs(baseline),
    ]


def _difference_row(one: Difference) -> list[str]:
    low, high = one.interval
    return [
        one.label,
        _accuracy(one.accuracy, one.seed_deviation),
        f"{100 * one.difference:+.2f}",
        f"{100 * low:+.1f} to {100 * high:+.1f}",
        f"{one.p_value:.4f}",
        one.words,
        *_costs(one),
    ]


def _accuracy(accuracy: float, seed_deviation: float | None) -> str:
    return f"{accuracy:.2%}" if seed_deviation is None else f"{accuracy:.2%} ± {seed_deviation:.2%}"


def _costs(one: Candidate | Difference) -> tuple[str, str, str]:
    return f"{one.seconds:,.0f}", f"{one.parameters:,}", f"{one.macs:,}"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table as HTML; its first column holds words, the others figures."""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
    body = "".join(f"<tr>{''.join(_cells(row))}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cells(row: Sequence[str]) -> Iterable[str]:
    for number, value in enumerate(row):
        tag, side = ("td", "right") if number else ("th", "left")
        yield f"<{tag} style='text-align:{side}'>{html.escape(value)}</{tag}>"


@dataclass(frozen=True, eq=False)
class ShownRangeTest(RangeTest):
    """What a learning-rate range test found. A notebook shows it as a table and a curve.

    Attributes:
        title: What was tested.
    """

    title: str = ""

    def plot(self) -> Picture:
        """Draw loss against learning rate, the suggestion and the usable range marked."""
        from eyetune.report.figures.run_figures import range_test

        return range_test(self, title=self.title)

    def rows(self) -> dict[str, str]:
        """Return what was found in words, by what it is."""
        ended = ", where the loss diverged" if self.diverged else ""
        last = f" up to a rate of {self.rates[-1]:.2g}" if len(self.rates) else ""
        found = "nothing" if self.suggestion is None else f"{self.suggestion:g}"
        usable = (
            {}
            if self.usable is None
            else {"usable range": f"{self.usable[0]:g} to {self.usable[1]:g}"}
        )
        steps = f"{len(self.rates):,} of {self.num_steps:,}{last}{ended}"
        return {"suggested rate": found, **usable, "why": self.reason, "steps": steps}

    def _repr_html_(self) -> str:
        return f"{_fact_table(self.rows())}{self.plot().as_html('loss by learning rate')}"


def run_html(run: Run) -> str:
    """Return a run as a table of its facts and its curves, in HTML."""
    record = run.record
    rows = {
        "run": record.label,
        "state": str(record.state),
        "data": f"{record.data.name} ({record.data.num_train:,} training images)",
        "epochs": f"{record.num_epochs_done} of {record.recipe.fit.total_epochs}",
        "parameters": f"{record.network.parameters:,}",
        "time": f"{record.duration_seconds:.0f} s ({record.images_per_second:,.0f} images/s)",
    }
    if record.results:
        rows["validation accuracy"] = f"{record.results.validation_accuracy:.2%}"
        if record.results.test_accuracy is not None:
            rows["test accuracy"] = f"{record.results.test_accuracy:.2%}"
        rows["verdict"] = run.verdict.text
    curves = run.plot().as_html("accuracy and loss by epoch") if run.history else ""
    return f"{_fact_table(rows)}{curves}"


def _fact_table(rows: Mapping[str, str]) -> str:
    """Return facts as an HTML table of two columns."""
    lines = [
        f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
        f"<td style='text-align:left'>{html.escape(value)}</td></tr>"
        for name, value in rows.items()
    ]
    return f"<table>{''.join(lines)}</table>"
