from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from eyetune.cli.lab_tables import lab_tables
from eyetune.records.lab import LabRecord
from eyetune.testing.labs import fabricated_lab

LARGE = fabricated_lab(100)


def printed(record: LabRecord, width: int = 80) -> str:
    console = Console(width=width, record=True, file=io.StringIO(), highlight=False)
    for one in lab_tables(record, [Path("/labs/report.html")]):
        console.print(one)
    return console.export_text()


@pytest.mark.parametrize("width", [80, 120])
def test_the_best_fifteen_the_steps_test_and_the_answer_are_shown(width: int) -> None:
    text = printed(LARGE, width)
    assert max(map(len, text.splitlines())) <= width
    for one in LARGE.leaderboard[:15]:
        assert f"{one.validation_accuracy:.2%} ± 0.40" in text
        assert one.label in text
    assert LARGE.leaderboard[15].label not in text.partition("combination, step")[0]
    assert "... and 87 more" in text
    assert text.count("dropped") == sum(not step.kept for step in LARGE.steps)
    assert f"{100 * LARGE.test_difference:+.2f} points" in text
    assert " ".join(text.split()).endswith(f"{LARGE.answer} /labs/report.html")


def test_figures_are_never_cut_by_long_names() -> None:
    effect = LARGE.techniques[0].model_copy(
        update={"label": "a-long-name-" * 9 + "[b]", "validation_accuracy": 0.9}
    )
    text = printed(LARGE.model_copy(update={"techniques": (effect, *LARGE.techniques[1:])}))
    assert "90.00% ± 0.40" in text
    assert "a-long-name-" * 9 + "[b]" in "".join(line[:25].strip() for line in text.splitlines())


def test_only_sure_interactions_are_named() -> None:
    text = printed(LARGE)
    for one in LARGE.interactions:
        sure = one.interval[0] > 0 or one.interval[1] < 0
        assert (f"{one.first} and {one.second}: {100 * one.difference:+.2f}" in text) == sure


def test_a_lab_in_which_nothing_helped() -> None:
    record = fabricated_lab(3, combine=False)
    text = printed(record.model_copy(update={"final": record.final_baseline, "complete": False}))
    for words in (
        "No technique was worth adding",
        "Time ran out",
        "learning-rate=0.001: It is the baseline",
    ):
        assert words in text
    assert "difference:" not in text
