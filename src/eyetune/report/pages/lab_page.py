"""The page of a lab: the answer first, then all the evidence for it, then how to repeat it."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from eyetune.analysis.comparison_table import Column, leaderboard_table
from eyetune.analysis.correction import correction_mark, correction_note
from eyetune.recipe.changes import value_text
from eyetune.records.lab import Explanation, Final, LabRecord, Trained
from eyetune.report.figures import lab_figures
from eyetune.report.figures.forest_plot import effects_forest
from eyetune.report.pages.page import Drawing, drawing, render
from eyetune.report.pages.tables import (
    Cell,
    Row,
    change_rows,
    comparison_cells,
    interval_cell,
    marked_lines,
    points_cell,
    probability_cell,
    web_link,
)
from eyetune.values.history import History
from eyetune.values.numbers import (
    accuracy_text,
    count_text,
    duration,
    interval_text,
    points_text,
    quantity,
)

QUESTION = "Which technique, which combination of techniques, gives the best result?"
HEADINGS = {
    "test": "Result on the test images",
    "leaderboard": "Leaderboard",
    "effects": "What each technique gained",
    "curves": "Learning curves",
    "combination": "How the combination was stacked",
    "interactions": "How the parts work together",
    "cost": "Accuracy and cost",
    "skipped": "What was skipped, and why",
    "techniques": "The techniques explained",
    "recipes": "The recipes",
    "method": "How it was measured",
    "again": "How to repeat it",
}
COST_HEADINGS = ("seconds", "parameters", "MACs")
LEADERBOARD = ("rank", "change", *(column for column in Column if column is not Column.LABEL))
NUM_ROWS_IN_SUMMARY = 15


def lab_page(
    record: LabRecord, histories: Mapping[str, History], explanations: Sequence[Explanation] = ()
) -> str:
    """Return a lab's report as one HTML page that needs no other file.

    Args:
        record: The lab.
        histories: Epochs by run id; runs that are missing are not drawn.
        explanations: Explanations of techniques; those in the record take precedence.
    """
    shown_explanations = _explanations(record, explanations)
    is_shown = {
        "effects": record.techniques,
        "interactions": record.interactions,
        "skipped": record.skipped,
        "techniques": shown_explanations,
    }
    context: dict[str, Any] = {
        "title": f"Lab {record.id}: {record.data}",
        "subtitle": f"{record.created_at:%d %B %Y, %H:%M} UTC, {duration(record.seconds)} with "
        f"{count_text(record.workers, 'process', 'processes')}",
        "contents": [
            (name, heading) for name, heading in HEADINGS.items() if is_shown.get(name, True)
        ],
        "question": QUESTION,
        "answer": record.answer,
        "complete": record.complete,
        "facts": _facts(record),
        "explanations": shown_explanations,
        **_test(record),
        **_leaderboard(record),
        **_drawings(record, histories),
        **_combination(record),
        **_interactions(record),
        **_recipes(record),
        "skipped_rows": [
            Row((Cell(f"{skip.name}={value_text(skip.value)}"), Cell(skip.reason)))
            for skip in record.skipped
        ],
        "method": method(record),
        "commands": commands(record),
        "versions": list(record.versions.items()),
    }
    return render("lab", context)


def lab_summary(record: LabRecord, *, limit: int = NUM_ROWS_IN_SUMMARY) -> str:
    """Return a lab as HTML for a notebook: the answer, the leaderboard's first rows, the effects.

    Args:
        record: The lab.
        limit: How many rows of the leaderboard are shown.
    """
    rows = leaderboard_rows(record)
    picture = effects_forest(record)._repr_png_() if record.techniques else b""
    context = {
        "answer": record.answer,
        "complete": record.complete,
        "headings": LEADERBOARD,
        "rows": rows[:limit],
        "notes": leaderboard_table(record).notes,
        "num_others": len(rows) - limit,
        "picture": base64.b64encode(picture).decode(),
    }
    return render("lab_summary", context)


def leaderboard_rows(record: LabRecord) -> list[Row]:
    """Return the leaderboard, the best first, with the columns of LEADERBOARD."""
    rows = []
    for rank, row in enumerate(leaderboard_table(record).rows, start=1):
        kind = "combination" if row.kind == "winner" else row.kind
        rows.append(Row([Cell(str(rank), rank), *comparison_cells(row, tuple(Column))], kind))
    return rows


def method(record: LabRecord) -> list[str]:
    """Return how a lab's figures were measured, as short paragraphs."""
    has_seeds = len(record.seeds) > 1
    seeds = ", ".join(map(str, record.seeds))
    if has_seeds:
        spread = f"with the seeds {seeds}; a ± is the standard deviation over them"
        intervals = "Images and seeds are resampled."
    else:
        spread = f"with one seed ({seeds})"
        intervals = (
            "Images are resampled. The intervals do not include what another seed would change:"
            " --seeds 3 includes it."
        )
    return [
        f"Data: {record.data}, {record.num_train:,} training, {record.num_validation:,} validation"
        f" and {record.num_test:,} test images.",
        "Each technique changes one thing in the baseline. The baseline was trained for"
        f" {count_text(record.epochs, 'epoch')}, {spread}.",
        "Every choice was made on the validation images. Differences are in points of validation"
        f" {record.metric}. Their 95% intervals come from a paired bootstrap. {intervals}",
        f"The p-values are corrected for all {count_text(len(record.techniques), 'comparison')}"
        " (Holm, 1979). Without the correction, some techniques would look good by chance alone.",
        "At equal epochs and at equal seconds, both trainings are cut off where the shorter one"
        " ended. A technique that only trains for longer does not gain there.",
        "The combination was stacked greedily: the best techniques one after the other, each kept"
        " only if it was likely to improve what was kept before.",
        "The test images were used once, at the end: the baseline and the winner were trained again"
        " on training and validation images together, with"
        f" {count_text(len(record.final.test_accuracies), 'seed')} each. The interval on the test"
        " images is the one to report.",
    ]


def commands(record: LabRecord) -> list[str]:
    """Return the commands that repeat the lab, show its report, and train its winner."""
    lines = [f"eyetune report {record.id}"]
    if record.command:
        lines.insert(0, record.command)
    if record.final.runs:
        lines.append(f"eyetune train {record.final.runs[0]} --seed 0")
    return lines


def _facts(record: LabRecord) -> list[tuple[str, str]]:
    num_better = sum(effect.certain and effect.difference > 0 for effect in record.techniques)
    final = record.final
    changes = count_text(len(record.techniques), "change")
    return [
        (
            f"{_on_test(record)} of {final.label}",
            accuracy_text(final.test_accuracy, final.test_deviation),
        ),
        (
            "points over the baseline on test "
            f"(95% interval {interval_text(record.test_interval)})",
            points_text(record.test_difference),
        ),
        (f"of {changes} certainly better than the baseline", str(num_better)),
        (f"parameters of {final.label}", quantity(final.parameters)),
    ]


def _on_test(record: LabRecord) -> str:
    """Return what is measured on test images."""
    return "test accuracy" if record.metric == "accuracy" else f"{record.metric} on test"


def _test(record: LabRecord) -> dict[str, Any]:
    finals = [record.final_baseline]
    if record.final.runs == record.final_baseline.runs:
        text = "No change was kept, so only the baseline was tested."
    else:
        finals.append(record.final)
        text = (
            f"The winner is {record.final.label}. On {record.num_test:,} images that were not used"
            f" for any choice, {_test_conclusion(record.test_interval)}:"
            f" {points_text(record.test_difference)} points compared with the baseline (95%"
            f" interval {interval_text(record.test_interval)})."
        )
    rows = []
    for final in finals:
        seeds = ", ".join(f"{accuracy:.2%}" for accuracy in final.test_accuracies)
        accuracy = accuracy_text(final.test_accuracy, final.test_deviation)
        cells = (Cell(final.label), Cell(accuracy), Cell(seeds), *_cost_cells(final))
        rows.append(Row(cells, "combination" if final is finals[-1] else ""))
    return {
        "test_text": text,
        "test_headings": ("", _on_test(record), "each seed", *COST_HEADINGS),
        "test_rows": rows,
    }


def _test_conclusion(interval: tuple[float, float]) -> str:
    low, high = interval
    if low > 0:
        return "it is certainly better"
    if high < 0:
        return "it is certainly worse"
    return "the difference may be chance"


def _leaderboard(record: LabRecord) -> dict[str, Any]:
    return {
        "leaderboard_text": "The best first. Click a heading to sort.",
        "leaderboard_notes": leaderboard_table(record).notes,
        "leaderboard_headings": LEADERBOARD,
        "leaderboard_rows": leaderboard_rows(record),
    }


def _cost_cells(trained: Trained | Final) -> list[Cell]:
    return [
        Cell(f"{trained.seconds:,.0f}", trained.seconds),
        Cell(quantity(trained.parameters), trained.parameters),
        Cell(quantity(trained.macs), trained.macs),
    ]


def _drawings(record: LabRecord, histories: Mapping[str, History]) -> dict[str, Any]:
    drawn: dict[str, Drawing | None] = {"steps": None, "forest": None, "interactions": None}
    drawn["curves"] = drawing(
        lab_figures.lab_curves(record, histories),
        "curves",
        "Validation accuracy by epoch and by time: the baseline (dashed), the winner and the best"
        " techniques; all others in gray.",
    )
    if record.techniques:
        drawn["forest"] = drawing(
            effects_forest(record),
            "forest",
            "Difference from the baseline with its 95% interval. Green is certainly better, red"
            " certainly worse; gray may be chance. An arrow points to an effect beyond the scale.",
        )
    if record.steps:
        drawn["steps"] = drawing(
            lab_figures.steps_staircase(record),
            "steps",
            "From top to bottom: what was added, and the accuracy with it.",
        )
    if record.interactions:
        drawn["interactions"] = drawing(
            lab_figures.interaction_matrix(record),
            "interactions",
            "Points beyond the sum of both techniques by themselves. Bold: certainly not zero.",
        )
    costs = [
        drawing(
            lab_figures.cost_picture(record, by=name),
            f"cost-{name}",
            f"Validation accuracy by {label}.",
        )
        for name, label in lab_figures.COSTS.items()
    ]
    return {**drawn, "costs": costs}


def _combination(record: LabRecord) -> dict[str, Any]:
    rows = []
    for number, step in enumerate(record.steps, start=1):
        effect = step.effect
        cells = (
            Cell(str(number)),
            Cell(effect.change),
            Cell("kept" if step.kept else "dropped", kind="better" if step.kept else ""),
            Cell(accuracy_text(effect.validation_accuracy, effect.seed_deviation)),
            points_cell(effect.difference),
            interval_cell(effect.interval),
            probability_cell(effect.p_value),
            *_cost_cells(effect),
        )
        rows.append(Row(cells, "" if step.kept else "dropped"))
    num_steps, num_kept = len(record.steps), sum(step.kept for step in record.steps)
    tried = f"{count_text(num_steps, 'technique')} {'was' if num_steps == 1 else 'were'} tried"
    kept = f"{num_kept} {'was' if num_kept == 1 else 'were'} kept"
    headings = ("step", "added", "", "accuracy", "points", "95% interval", "p", *COST_HEADINGS)
    return {
        "steps_text": f"{tried} on top of what was kept before; {kept}. Points are gained over what"
        " was kept before.",
        "step_headings": headings,
        "step_rows": rows,
    }


def _interactions(record: LabRecord) -> dict[str, Any]:
    rows = []
    for pair in record.interactions:
        cells = (
            Cell(pair.first),
            Cell(pair.second),
            points_cell(pair.difference),
            interval_cell(pair.interval),
            Cell(f"{pair.finding}{correction_mark(pair)}"),
        )
        rows.append(Row(cells))
    return {
        "interaction_headings": ("first", "second", "points", "95% interval", "finding"),
        "interaction_rows": rows,
        "interaction_note": correction_note(record.interactions),
    }


def _recipes(record: LabRecord) -> dict[str, Any]:
    baseline, winner = record.final_baseline, record.final
    baseline_toml, winner_toml = baseline.recipe.to_toml(), winner.recipe.to_toml()
    return {
        "changes": change_rows(baseline.recipe, winner.recipe),
        "baseline_label": baseline.label,
        "winner_label": winner.label,
        "baseline_toml": marked_lines(baseline_toml, winner_toml),
        "winner_toml": marked_lines(winner_toml, baseline_toml),
    }


def _explanations(record: LabRecord, others: Sequence[Explanation]) -> list[Explanation]:
    """Return the explanations of the techniques of a lab, with links that lead to the web only."""
    by_name = {explanation.name: explanation for explanation in (*others, *record.explanations)}
    names = [effect.name for effect in record.techniques]
    names += [skip.name for skip in record.skipped]
    shown = [by_name[name] for name in dict.fromkeys(names) if name in by_name]
    return [
        explanation.model_copy(update={"link": web_link(explanation.link)}) for explanation in shown
    ]
