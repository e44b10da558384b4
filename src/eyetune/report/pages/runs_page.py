"""The page of one or several runs: summary, curves, comparison, and of each run its verdict and
pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eyetune.analysis.comparison import Candidate, Difference
from eyetune.analysis.verdict import Verdict
from eyetune.recipe import Recipe
from eyetune.recipe.changes import changes_from_default
from eyetune.records import RunRecord
from eyetune.report.figures.lab_figures import quantity
from eyetune.report.figures.run_figures import curves, forest
from eyetune.report.pages.page import (
    Cell,
    Drawing,
    Row,
    drawing,
    duration,
    finding,
    interval_words,
    marked_lines,
    probability,
    render,
    signed,
    with_spread,
)
from eyetune.values.history import History

SUMMARY = (
    "run", "state", "data", "differs from the lab's recipe in", "epochs", "validation accuracy", "test accuracy",
    "time", "parameters", "multiply-adds", "seed",
)  # fmt: skip
COMPARISON = (
    "run", "accuracy", "points", "95% interval", "p", "finding", "at equal epochs", "at equal seconds", "seconds",
    "parameters", "multiply-adds",
)  # fmt: skip


@dataclass(frozen=True)
class RunPart:
    """What a page shows of a run.

    Attributes:
        record: The run.
        history: Its epochs.
        verdict: What to think of it (None: it is not complete).
        drawings: Confusion, mistakes and network, those that there are.
        notes: Why something is not shown.
    """

    record: RunRecord
    history: History
    verdict: Verdict | None
    drawings: tuple[Drawing, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ComparisonPart:
    """A comparison of runs with the first one, or in words why there is none."""

    baseline: Candidate | None = None
    differences: Sequence[Difference] = ()
    words: str = ""


def runs_page(parts: Sequence[RunPart], comparison: ComparisonPart | None = None) -> str:
    """Return the report of runs as one HTML page that needs nothing else.

    Args:
        parts: The runs, at least one.
        comparison: Of the runs, where there are several.
    """
    histories = {part.record.label: part.history for part in parts if part.history}
    several = len(parts) > 1
    context: dict[str, Any] = {
        "title": f"{len(parts)} runs" if several else f"Run {parts[0].record.label}",
        "subtitle": ", ".join(dict.fromkeys(part.record.data.name for part in parts)),
        "contents": _contents(parts, histories, comparison),
        "summary_headings": SUMMARY,
        "summary_rows": [_summary(part) for part in parts],
        "curves": None,
        "runs": [_run(part) for part in parts],
        **_comparison(comparison),
    }
    if histories:
        caption = "Accuracy and loss by epoch, training dashed and validation solid."
        context["curves"] = drawing(curves(histories), "curves", caption)
    return render("runs", context)


def _contents(
    parts: Sequence[RunPart], histories: object, comparison: ComparisonPart | None
) -> list[tuple[str, str]]:
    runs = [
        (f"run-{place}", f"Run {part.record.label}") for place, part in enumerate(parts, start=1)
    ]
    drawn = [("curves", "Curves")] if histories else []
    compared = [("comparison", "Comparison")] if comparison else []
    return [("summary", "Summary"), *drawn, *compared, *runs]


def _summary(part: RunPart) -> Row:
    record, results = part.record, part.record.results
    changes = [change.text for change in changes_from_default(record.recipe)]
    words = ", ".join(changes) or "nothing"
    validation = results.validation_accuracy if results else None
    test = results.test_accuracy if results else None
    return Row(
        (
            Cell(record.label, record.label.lower()),
            Cell(str(record.state), str(record.state)),
            Cell(record.data.name, record.data.name),
            Cell(words, words),
            Cell(
                f"{record.num_epochs_done} of {record.recipe.fit.total_epochs}",
                record.num_epochs_done,
            ),
            _accuracy(validation),
            _accuracy(test),
            Cell(duration(record.duration_seconds), record.duration_seconds),
            Cell(quantity(record.network.parameters), record.network.parameters),
            Cell(quantity(record.network.macs), record.network.macs),
            Cell(str(record.seed), record.seed),
        )
    )


def _accuracy(share: float | None) -> Cell:
    return Cell("", "") if share is None else Cell(f"{share:.2%}", share)


def _comparison(comparison: ComparisonPart | None) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "comparison_words": comparison.words if comparison else "",
        "forest": None,
        "comparison_headings": COMPARISON,
        "comparison_rows": [],
    }
    if comparison is None or comparison.baseline is None:
        return shown
    base = comparison.baseline
    shown["comparison_words"] = (
        f"Differences from {base.label} ({with_spread(base.accuracy, base.seed_deviation)}) in points of validation "
        "accuracy, with 95% intervals from a paired bootstrap over the same images; p is corrected for all comparisons "
        "(Holm). Runs of one recipe with different seeds are taken together."
    )
    rows = [
        (one.label, one.difference, one.interval, one.certain) for one in comparison.differences
    ]
    shown["forest"] = drawing(
        forest(rows, baseline=base.label), "forest", f"Difference from {base.label}."
    )
    ordered = sorted(comparison.differences, key=lambda one: -one.difference)
    shown["comparison_rows"] = [_difference(one) for one in ordered]
    return shown


def _difference(one: Difference) -> Row:
    return Row(
        (
            Cell(one.label, one.label.lower()),
            Cell(with_spread(one.accuracy, one.seed_deviation), one.accuracy),
            signed(one.difference),
            Cell(interval_words(one.interval), one.interval[0]),
            probability(one.p_value),
            finding(one.words if one.certain else None),
            signed(one.at_equal_epochs),
            signed(one.at_equal_seconds),
            Cell(f"{one.seconds:,.0f}", one.seconds),
            Cell(quantity(one.parameters), one.parameters),
            Cell(quantity(one.macs), one.macs),
        )
    )


def _run(part: RunPart) -> dict[str, Any]:
    record = part.record
    standing = f"The run is {record.state} after {record.num_epochs_done} of {record.recipe.fit.total_epochs} epochs"
    return {
        "id": record.id,
        "title": f"Run {record.label}",
        "verdict": part.verdict,
        "standing": f"{standing}{f': {record.error}' if record.error else ''}.",
        "drawings": part.drawings,
        "notes": [*record.data.notes, *part.notes],
        "toml": marked_lines(record.recipe.to_toml(), _lab_recipe(record).to_toml()),
        "commands": [
            f"eyetune train {record.id} --seed {record.seed}",
            f"eyetune report {record.id}",
        ],
        "versions": list(record.versions.items()),
    }


def _lab_recipe(record: RunRecord) -> Recipe:
    return Recipe().with_({"data.source": record.recipe.data.source})
