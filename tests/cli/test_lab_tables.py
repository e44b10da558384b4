"""How a lab looks in a terminal."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from eyetune.analysis.comparison_table import EQUAL_NOTE, MACS_NOTE, P_NOTE, POINTS_NOTE
from eyetune.cli.lab_tables import MAX_LEADERS, lab_tables
from eyetune.records.lab import LabRecord
from eyetune.testing.labs import fabricated_lab


def printed(record: LabRecord, width: int = 80) -> str:
    console = Console(width=width, record=True, file=io.StringIO(), highlight=False)
    for renderable in lab_tables(record, [Path("/labs/report.html")]):
        console.print(renderable)
    return console.export_text()


@pytest.fixture(scope="module")
def record() -> LabRecord:
    return fabricated_lab(24)


@pytest.mark.parametrize("width", [80, 120])
def test_tables_show_the_best_and_the_answer(record: LabRecord, width: int) -> None:
    text = printed(record, width)
    assert max(map(len, text.splitlines())) <= width
    for trained in record.leaderboard[:MAX_LEADERS]:
        assert f"{trained.validation_accuracy:.2%} ±" in text
        assert trained.label in text or " + " in trained.label
    assert f"... and {len(record.leaderboard) - MAX_LEADERS} more" in text
    assert text.count("dropped") == sum(not step.kept for step in record.steps)
    assert f"{100 * record.test_difference:+.2f} points" in text
    assert " ".join(text.split()).endswith(f"{record.answer} /labs/report.html")


def test_notes_explain_only_columns_that_are_shown(record: LabRecord) -> None:
    text = " ".join(printed(record).split())
    assert POINTS_NOTE in text
    assert not any(note in text for note in (P_NOTE, EQUAL_NOTE, MACS_NOTE))


def test_single_technique_combination_is_printed_once() -> None:
    record = fabricated_lab(3)
    assert record.combination is not None
    leaderboard = printed(record).partition("The combination")[0]
    assert leaderboard.count(record.combination.label) == 1


def test_uncertain_interval_without_zero_is_explained_in_print() -> None:
    record = fabricated_lab(12)
    text = printed(record)
    assert "not sure*" in text
    assert "* The interval" in text
    certain = tuple(effect for effect in record.techniques if effect.certain)
    assert "* The interval" not in printed(record.model_copy(update={"techniques": certain}))


def test_long_names_do_not_cut_numbers(record: LabRecord) -> None:
    name = "a-long-name-" * 9 + "[b]"
    effect = record.techniques[0].model_copy(update={"label": name, "validation_accuracy": 0.9})
    text = printed(record.model_copy(update={"techniques": (effect, *record.techniques[1:])}))
    assert "90.00% ±" in text
    assert name in "".join(line.strip().partition("  ")[0] for line in text.splitlines())


@pytest.mark.parametrize("p_value", [0.001, 0.5])
def test_only_certain_interactions_are_printed(record: LabRecord, p_value: float) -> None:
    pair = record.interactions[0].model_copy(update={"p_value": p_value})
    text = printed(record.model_copy(update={"interactions": (pair,)}), width=120)
    assert (f"{pair.first} and {pair.second}" in text) == (p_value < 0.05)


def test_lab_in_which_nothing_helped_has_no_difference() -> None:
    record = fabricated_lab(3, combine=False).model_copy(update={"complete": False})
    text = printed(record)
    assert "Time ran out" in text
    assert f"{record.final_baseline.test_accuracy:.2%}" in text
    assert "difference:" not in text
