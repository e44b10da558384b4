"""The lab's answer in words: always two sentences, and true to its figures."""

from __future__ import annotations

import pytest

from eyetune.records.lab import LabRecord
from eyetune.techniques.lab.answer import answer
from eyetune.testing.labs import fabricated_lab


@pytest.fixture(scope="module")
def record() -> LabRecord:
    return fabricated_lab(12)


def test_it_names_the_best_technique_and_the_combination(record: LabRecord) -> None:
    best = max(record.techniques, key=lambda one: one.difference)
    text = answer(record)
    assert f"{best.label} helped most" in text
    assert f"{best.validation_accuracy:.1%}" in text
    for step in record.steps:
        if step.kept:
            assert f"{step.effect.name}=" in text
    assert f"{record.final.test_accuracy:.1%}" in text
    assert f"{record.final_baseline.test_accuracy:.1%}" in text


def test_where_nothing_helps_it_says_so(record: LabRecord) -> None:
    worse = [
        one.model_copy(update={"difference": -abs(one.difference) - 0.001})
        for one in record.techniques
    ]
    changes = {
        "techniques": tuple(worse),
        "steps": (),
        "combination": None,
        "final": record.final_baseline,
    }
    text = answer(record.model_copy(update=changes))
    assert "none did better" in text
    assert "nothing to combine" in text
    hurried = answer(record.model_copy(update={**changes, "complete": False}))
    assert "Time ran out before anything was combined" in hurried
    dropped = tuple(step.model_copy(update={"kept": False}) for step in record.steps)
    assert "likely enough" in answer(record.model_copy(update={**changes, "steps": dropped}))


@pytest.mark.parametrize(
    ("interval", "words"),
    [
        ((-0.02, 0.01), "no difference that we can be sure of"),
        ((-0.03, -0.01), "worse"),
        ((0.01, 0.03), "points"),
    ],
)
def test_what_test_says_is_said_as_it_is(
    record: LabRecord, interval: tuple[float, float], words: str
) -> None:
    text = answer(record.model_copy(update={"test_interval": interval}))
    assert words in text.partition("on test")[2]


def test_what_chance_may_explain_is_called_so(record: LabRecord) -> None:
    unsure = [
        one.model_copy(update={"finding": "no difference that we can be sure of"})
        for one in record.techniques
    ]
    assert "chance alone may explain" in answer(
        record.model_copy(update={"techniques": tuple(unsure)})
    )


def test_more_epochs_are_called_more_epochs(record: LabRecord) -> None:
    best = max(record.techniques, key=lambda one: one.difference)
    longer = best.model_copy(update={"recipe": best.recipe.with_(fit__epochs=record.epochs * 4)})
    others = tuple(longer if one is best else one for one in record.techniques)
    assert f"in {record.epochs * 4} epochs instead of" in answer(
        record.model_copy(update={"techniques": others})
    )
