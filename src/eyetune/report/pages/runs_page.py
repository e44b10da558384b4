"""The page of one or several runs: summary, curves, comparison, then each run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eyetune.analysis.class_metrics import Share
from eyetune.analysis.comparison import Comparison
from eyetune.analysis.comparison_table import Column, comparison_table
from eyetune.analysis.metrics import Evaluation
from eyetune.analysis.verdict import Verdict
from eyetune.recipe import Recipe
from eyetune.records import RunRecord
from eyetune.report.figures.run_figures import curves, forest
from eyetune.report.pages.class_table import INTERVAL_NOTE, class_headings, class_rows
from eyetune.report.pages.page import Drawing, drawing, render
from eyetune.report.pages.tables import (
    Cell,
    Row,
    comparison_cells,
    marked_lines,
)
from eyetune.values.history import History
from eyetune.values.numbers import accuracy_text, duration, quantity

SUMMARY = (
    "run",
    "state",
    "data",
    "differs from the default recipe in",
    "epochs",
    "validation accuracy",
    "test accuracy",
    "time",
    "parameters",
    "MACs",
    "seed",
)


@dataclass(frozen=True)
class RunPart:
    """The part of a page about one run.

    Attributes:
        record: The run.
        history: Its epochs.
        verdict: What to think of it; None if it is not complete.
        split: The split of the evaluation.
        evaluation: Its metrics; None if it is not complete.
        drawings: Its confusion matrix, mistakes and network, as far as they exist.
        notes: Why something is not shown.
    """

    record: RunRecord
    history: History
    verdict: Verdict | None
    split: str = ""
    evaluation: Evaluation | None = None
    drawings: tuple[Drawing, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ComparisonPart:
    """The part of a page that compares the runs with the first one, or says why it cannot."""

    comparison: Comparison | None = None
    problem: str = ""


def runs_page(parts: Sequence[RunPart], comparison: ComparisonPart | None = None) -> str:
    """Return the report of runs as one HTML page that needs no other file.

    Args:
        parts: The runs, at least one.
        comparison: Their comparison, if there are several.
    """
    histories = {part.record.label: part.history for part in parts if part.history}
    title = f"{len(parts)} runs" if len(parts) > 1 else f"Run {parts[0].record.label}"
    context: dict[str, Any] = {
        "title": title,
        "subtitle": ", ".join(dict.fromkeys(part.record.data.name for part in parts)),
        "contents": _contents(parts, histories, comparison),
        "summary_headings": SUMMARY,
        "summary_rows": [_summary(part) for part in parts],
        "curves": None,
        "runs": [_run(part) for part in parts],
        **_comparison(comparison),
    }
    if histories:
        caption = "Metrics by epoch: training dashed, validation solid."
        context["curves"] = drawing(curves(histories), "curves", caption)
    return render("runs", context)


def _contents(
    parts: Sequence[RunPart], histories: object, comparison: ComparisonPart | None
) -> list[tuple[str, str]]:
    contents = [("summary", "Summary")]
    if histories:
        contents.append(("curves", "Curves"))
    if comparison:
        contents.append(("comparison", "Comparison"))
    for number, part in enumerate(parts, start=1):
        contents.append((f"run-{number}", f"Run {part.record.label}"))
    return contents


def _summary(part: RunPart) -> Row:
    record, results = part.record, part.record.results
    changes = record.differences or "nothing"
    num_epochs = record.num_epochs_done
    cells = (
        Cell(record.label, record.label.lower()),
        Cell(str(record.state), str(record.state)),
        Cell(record.data.name, record.data.name),
        Cell(changes, changes),
        Cell(f"{num_epochs} of {record.num_epochs_planned}", num_epochs),
        _accuracy_cell(results.validation_accuracy if results else None),
        _accuracy_cell(results.test_accuracy if results else None),
        Cell(duration(record.duration_seconds), record.duration_seconds),
        Cell(quantity(record.network.parameters), record.network.parameters),
        Cell(quantity(record.network.macs), record.network.macs),
        Cell(str(record.seed), record.seed) if record.own_recipe else Cell(""),
    )
    return Row(cells)


def _accuracy_cell(accuracy: float | None) -> Cell:
    return Cell("") if accuracy is None else Cell(accuracy_text(accuracy), accuracy)


def _comparison(part: ComparisonPart | None) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "comparison_text": part.problem if part else "",
        "comparison_notes": (),
        "forest": None,
        "comparison_headings": tuple(Column),
        "comparison_rows": [],
    }
    if part is None or part.comparison is None:
        return shown
    baseline, differences = part.comparison.baseline, part.comparison.differences
    table = comparison_table(part.comparison)
    shown["comparison_text"] = (
        f"Differences from {baseline.label}, with 95% intervals from a paired bootstrap over the"
        " same validation data. Runs of one recipe with different seeds are taken together."
    )
    shown["comparison_notes"] = table.notes
    bars = [
        (difference.label, difference.difference, difference.interval, difference.certain)
        for difference in differences
    ]
    caption = f"Difference from {baseline.label} with its 95% interval."
    shown["forest"] = drawing(forest(bars, baseline=baseline.label), "forest", caption)
    shown["comparison_rows"] = [
        Row(comparison_cells(row, tuple(Column)), row.kind) for row in table.rows
    ]
    return shown


def _run(part: RunPart) -> dict[str, Any]:
    record = part.record
    epochs = f"{record.num_epochs_done} of {record.num_epochs_planned} epochs"
    error = f": {record.error}" if record.error else ""
    return {
        "id": record.id,
        "title": f"Run {record.label}",
        "verdict": part.verdict,
        "state": f"The run is {record.state} after {epochs}{error}.",
        "metrics_text": _metrics_text(part),
        "class_headings": class_headings(record.data.noun),
        "class_rows": class_rows(record.data.class_names, part.evaluation.by_class)
        if part.evaluation
        else [],
        "interval_note": INTERVAL_NOTE,
        "drawings": part.drawings,
        "notes": [*record.data.notes, *part.notes],
        "toml": _toml_lines(record.own_recipe) if record.own_recipe else [],
        "commands": [
            *([f"eyetune train {record.id} --seed {record.seed}"] if record.own_recipe else []),
            f"eyetune report {record.id}",
        ],
        "versions": list(record.versions.items()),
    }


def _toml_lines(recipe: Recipe) -> Any:
    """Return the lines of a recipe as TOML, with marks where it differs from the default recipe."""
    default = Recipe().with_({"data.source": recipe.data.source})
    return marked_lines(recipe.to_toml(), default.to_toml())


def _metrics_text(part: RunPart) -> str:
    """Return accuracy and balanced accuracy with their intervals; "" if there are none."""
    evaluation = part.evaluation
    if evaluation is None:
        return ""
    accuracy = Share(evaluation.accuracy, *evaluation.accuracy_interval)
    return (
        f"On {evaluation.num_images:,} {part.split} {part.record.data.noun}s: accuracy "
        f"{accuracy.text(digits=2)}, balanced accuracy "
        f"{evaluation.balanced_accuracy.text(digits=2)}."
    )
