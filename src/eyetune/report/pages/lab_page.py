"""The page of a lab: the answer first, then all the evidence for it, then how to do it again."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from eyetune.records.lab import Effect, Explanation, Final, LabRecord, Trained, value_word
from eyetune.report.figures import lab_figures
from eyetune.report.figures.forest_plot import effects_forest
from eyetune.report.pages.page import (
    Cell,
    Row,
    change_rows,
    drawing,
    duration,
    finding,
    interval_words,
    marked_lines,
    probability,
    render,
    signed,
    web_link,
    with_spread,
)
from eyetune.values.history import History

QUESTION = "Which technique, which combination of techniques, gives the best result?"
HEADINGS = {
    "test": "The result on the test images",
    "leaderboard": "Leaderboard",
    "effects": "What each technique was worth",
    "curves": "Validation accuracy as they trained",
    "combination": "How the combination was stacked",
    "interactions": "How the parts get on with each other",
    "cost": "What accuracy costs",
    "skipped": "What was skipped, and why",
    "techniques": "The techniques explained",
    "recipes": "The recipes",
    "method": "How it was measured",
    "again": "Doing it again",
}
LEADERBOARD = (
    "rank", "technique", "accuracy", "points", "95% interval", "p", "finding", "at equal epochs", "at equal seconds",
    "seconds", "parameters", "multiply-adds",
)  # fmt: skip


def lab_page(
    record: LabRecord, histories: Mapping[str, History], explanations: Sequence[Explanation] = ()
) -> str:
    """Return a lab's report as one HTML page that needs nothing else.

    Args:
        record: The lab.
        histories: Epochs by the id of their run; runs that are missing are not drawn.
        explanations: Of techniques; those that the lab itself keeps come before these.
    """
    told = _told(record, explanations)
    context: dict[str, Any] = {
        "title": f"Lab {record.id}: {record.data}",
        "subtitle": f"{record.created_at:%d %B %Y, %H:%M} UTC, {duration(record.seconds)} of work "
        f"with {_count(record.workers, 'process', 'processes')}",
        "contents": [
            (name, words) for name, words in HEADINGS.items() if _present(name, record, told)
        ],
        "question": QUESTION,
        "answer": record.answer,
        "complete": record.complete,
        "facts": _facts(record),
        "explanations": told,
        **_test(record),
        **_leaderboard(record),
        **_drawings(record, histories),
        **_combination(record),
        **_recipes(record),
        "skipped_rows": [
            Row((Cell(f"{one.name}={value_word(one.value)}"), Cell(one.reason)))
            for one in record.skipped
        ],
        "method": method(record),
        "commands": commands(record),
        "versions": list(record.versions.items()),
    }
    return render("lab", context)


def lab_summary(record: LabRecord, *, limit: int = 15) -> str:
    """Return a lab as a piece of HTML for a notebook: the answer, the best of the leaderboard, the
    forest plot.
    """
    rows = leaderboard_rows(record)
    context = {
        "answer": record.answer,
        "complete": record.complete,
        "headings": LEADERBOARD,
        "rows": rows[:limit],
        "others": len(rows) - limit,
        "picture": base64.b64encode(effects_forest(record)._repr_png_()).decode()
        if record.techniques
        else "",
    }
    return render("lab_summary", context)


def leaderboard_rows(record: LabRecord) -> list[Row]:
    """Return the leaderboard, the best first, with the columns of LEADERBOARD."""
    return [_ranked(place, one, record) for place, one in enumerate(record.leaderboard, start=1)]


def method(record: LabRecord) -> list[str]:
    """Say how a lab's figures came about, a sentence or two each."""
    seeds = ", ".join(map(str, record.seeds))
    several = len(record.seeds) > 1
    drawn = "images and seeds" if several else "images"
    return [
        f"Data: {record.data}, {record.num_train:,} training, {record.num_validation:,} validation and "
        f"{record.num_test:,} test images.",
        f"Each technique changed one thing of the baseline. The baseline was trained for {record.epochs} epochs, with "
        f"{'seeds' if several else 'seed'} {seeds}; a ± is the standard deviation over seeds"
        f"{'' if several else ', of which one tells nothing'}.",
        "Every choice was made on the validation images. Differences are of validation accuracy in points; their 95% "
        f"intervals come from a paired bootstrap, in which {drawn} are drawn again, the same for both."
        + (
            ""
            if several
            else " What another seed would change is not in them: with --seeds 3 it is."
        ),
        f"The p-values are corrected for all {_count(len(record.techniques), 'comparison', 'comparisons')} (Holm, "
        "1979): with so many, some would look good by chance alone.",
        "At equal epochs and at equal seconds, both trainings are stopped where the shorter one ended: a technique "
        "that only trains for longer shows there.",
        "The combination was stacked greedily: the best techniques one after the other, each kept only where it added "
        "to what was kept before.",
        "Test was touched once, at the end: baseline and winner were trained anew on training and validation images "
        f"together, with {_count(len(record.final.test_accuracies), 'seed', 'seeds')} each. Its interval is the one to "
        "report.",
    ]


def commands(record: LabRecord) -> list[str]:
    """Return the words that make the lab again, show it, and train its winner."""
    first = [record.command] if record.command else []
    winner = [f"eyetune train {record.final.runs[0]} --seed 0"] if record.final.runs else []
    return [*first, f"eyetune report {record.id}", *winner]


def _present(name: str, record: LabRecord, explanations: Sequence[Explanation]) -> bool:
    known = {
        "effects": record.techniques,
        "interactions": record.interactions,
        "skipped": record.skipped,
        "techniques": explanations,
    }
    return bool(known.get(name, True))


def _facts(record: LabRecord) -> list[tuple[str, str]]:
    sure = sum(one.certain and one.difference > 0 for one in record.techniques)
    final = record.final
    return [
        (f"test accuracy of {final.label}", with_spread(final.test_accuracy, final.test_deviation)),
        (
            f"points on test over the baseline ({interval_words(record.test_interval)})",
            signed(record.test_difference).text,
        ),
        (f"of {len(record.techniques)} techniques' values surely better", str(sure)),
        (f"parameters of {final.label}", lab_figures.quantity(final.parameters)),
    ]


def _test(record: LabRecord) -> dict[str, Any]:
    finals = [
        record.final_baseline,
        *([record.final] if record.final.runs != record.final_baseline.runs else []),
    ]
    low, high = record.test_interval
    if len(finals) == 1:
        words = "Nothing was surely better than the baseline on validation, so that the baseline was tried on test."
    else:
        sure = (
            "surely better"
            if low > 0
            else "surely worse"
            if high < 0
            else "neither surely better nor worse"
        )
        words = (
            f"The winner: {record.final.label}. On {record.num_test:,} images that no choice was made on, it is {sure} "
            f"than the baseline: {signed(record.test_difference).text} points, 95% interval "
            f"{interval_words(record.test_interval)}."
        )
    return {
        "test_words": words,
        "test_headings": (
            "",
            "test accuracy",
            "each seed",
            "seconds",
            "parameters",
            "multiply-adds",
        ),
        "test_rows": [
            _final_row(one, "combination" if one is finals[-1] else "") for one in finals
        ],
    }


def _final_row(one: Final, kind: str) -> Row:
    each = ", ".join(f"{accuracy:.2%}" for accuracy in one.test_accuracies)
    spread = with_spread(one.test_accuracy, one.test_deviation)
    return Row((Cell(one.label), Cell(spread), Cell(each), *_cost_cells(one)), kind)


def _leaderboard(record: LabRecord) -> dict[str, Any]:
    spread = ", ± the spread over seeds" if len(record.seeds) > 1 else ""
    words = (
        f"Validation accuracy, the best first{spread}. Points, interval and p are of the difference from the baseline. "
        "A click on a heading sorts."
    )
    rows = leaderboard_rows(record)
    return {
        "leaderboard_words": words,
        "leaderboard_headings": LEADERBOARD,
        "leaderboard_rows": rows,
    }


def _ranked(place: int, one: Trained, record: LabRecord) -> Row:
    spread = with_spread(one.validation_accuracy, one.seed_deviation)
    start = (
        Cell(str(place), place),
        Cell(one.label, one.label.lower()),
        Cell(spread, one.validation_accuracy),
    )
    middle = _effect_cells(one) if isinstance(one, Effect) else [Cell("")] * 6
    kind = (
        "baseline" if one is record.baseline else "combination" if one is record.combination else ""
    )
    return Row((*start, *middle, *_cost_cells(one)), kind)


def _effect_cells(one: Effect) -> list[Cell]:
    return [
        signed(one.difference),
        Cell(interval_words(one.interval), one.interval[0]),
        probability(one.p_value),
        finding(one.finding if one.certain else None),
        signed(one.at_equal_epochs),
        signed(one.at_equal_seconds),
    ]


def _cost_cells(one: Trained | Final) -> list[Cell]:
    return [
        Cell(f"{one.seconds:,.0f}", one.seconds),
        Cell(lab_figures.quantity(one.parameters), one.parameters),
        Cell(lab_figures.quantity(one.macs), one.macs),
    ]


def _drawings(record: LabRecord, histories: Mapping[str, History]) -> dict[str, Any]:
    best = "the baseline (dashed), the combination and the best techniques are drawn over all others (grey)"
    drawn: dict[str, Any] = {
        "steps": None,
        "curves": drawing(
            lab_figures.lab_curves(record, histories), "curves", f"By epoch and by time: {best}."
        ),
        "costs": [
            drawing(
                lab_figures.cost_picture(record, by=by),
                f"cost-{by}",
                f"Validation accuracy by {words}.",
            )
            for by, words in lab_figures.COSTS.items()
        ],
    }
    if record.techniques:
        caption = (
            "Difference from the baseline with its 95% interval: green is surely better, red surely worse, grey may be "
            "chance. An arrow points to an effect beyond the scale."
        )
        drawn["forest"] = drawing(effects_forest(record), "forest", caption)
    if record.steps:
        caption = "From top to bottom: what was added, and the accuracy that it led to."
        drawn["steps"] = drawing(lab_figures.steps_staircase(record), "steps", caption)
    if record.interactions:
        caption = "Points beyond the sum of both by themselves; bold: surely not zero."
        drawn["interactions"] = drawing(
            lab_figures.interaction_matrix(record), "interactions", caption
        )
    return drawn


def _combination(record: LabRecord) -> dict[str, Any]:
    headings = (
        "step",
        "added",
        "",
        "accuracy",
        "points",
        "95% interval",
        "p",
        "seconds",
        "parameters",
        "multiply-adds",
    )
    rows = []
    for place, step in enumerate(record.steps, start=1):
        one = step.effect
        cells = (
            Cell(str(place)),
            Cell(one.change),
            Cell("kept" if step.kept else "dropped", kind="better" if step.kept else ""),
            Cell(with_spread(one.validation_accuracy, one.seed_deviation)),
            signed(one.difference),
            Cell(interval_words(one.interval)),
            probability(one.p_value),
            *_cost_cells(one),
        )
        rows.append(Row(cells, "" if step.kept else "dropped"))
    interactions = [
        Row(
            (
                Cell(one.first),
                Cell(one.second),
                signed(one.difference),
                Cell(interval_words(one.interval)),
                Cell(one.finding),
            )
        )
        for one in record.interactions
    ]
    kept = sum(step.kept for step in record.steps)
    return {
        "steps_words": f"{len(record.steps)} techniques were added one after the other; {kept} were kept. Points are "
        "those gained over what was kept before.",
        "step_headings": headings,
        "step_rows": rows,
        "interaction_headings": ("first", "second", "points", "95% interval", "finding"),
        "interaction_rows": interactions,
    }


def _recipes(record: LabRecord) -> dict[str, Any]:
    baseline, winner = record.final_baseline, record.final
    texts = baseline.recipe.to_toml(), winner.recipe.to_toml()
    return {
        "changes": change_rows(baseline.recipe, winner.recipe),
        "baseline_label": baseline.label,
        "winner_label": winner.label,
        "baseline_toml": marked_lines(*texts),
        "winner_toml": marked_lines(*reversed(texts)),
    }


def _told(record: LabRecord, explanations: Sequence[Explanation]) -> list[Explanation]:
    known = {one.name: one for one in (*explanations, *record.explanations)}
    names = dict.fromkeys(
        [*(one.name for one in record.techniques), *(one.name for one in record.skipped)]
    )
    return [
        known[name].model_copy(update={"link": web_link(known[name].link)})
        for name in names
        if name in known
    ]


def _count(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}"
