"""The lab's answer: two sentences that agree with its figures."""

from __future__ import annotations

from typing import Any

import pytest

from eyetune.records.lab import Effect, LabRecord
from eyetune.techniques.lab.answer import answer
from eyetune.testing.labs import fabricated_lab


@pytest.fixture
def record() -> LabRecord:
    return fabricated_lab(12)


def best_effect(record: LabRecord) -> Effect:
    return max(record.techniques, key=lambda effect: effect.difference)


def changed(record: LabRecord, **changes: Any) -> str:
    return answer(record.model_copy(update=changes))


def test_answer_names_the_best_technique_and_combination(record: LabRecord) -> None:
    best = best_effect(record)
    text = answer(record)
    assert text == record.answer
    assert best.label in text
    assert f"{best.validation_accuracy:.1%}" in text
    for step in record.steps:
        if step.kept:
            assert step.effect.change in text
    assert f"{record.final.test_accuracy:.1%}" in text
    assert f"{record.final_baseline.test_accuracy:.1%}" in text


def test_answer_differs_by_why_there_is_no_combination(record: LabRecord) -> None:
    nothing = {"combination": None, "final": record.final_baseline}
    dropped = tuple(step.model_copy(update={"kept": False}) for step in record.steps)
    texts = {
        changed(record, **nothing, steps=()),
        changed(record, **nothing, steps=(), complete=False),
        changed(record, **nothing, steps=dropped),
    }
    assert len(texts) == 3
    assert all(f"{record.final_baseline.test_accuracy:.1%}" in text for text in texts)


def test_answer_names_no_technique_where_none_helped() -> None:
    record = fabricated_lab(3, combine=False)
    assert not any(effect.label in record.answer for effect in record.techniques)


@pytest.mark.parametrize("interval", [(-0.02, 0.01), (-0.03, -0.01)], ids=["chance", "worse"])
def test_answer_qualifies_an_uncertain_test_result(
    record: LabRecord, interval: tuple[float, float]
) -> None:
    certain = changed(record, test_interval=(0.01, 0.03)).rpartition("(")[2]
    qualified = changed(record, test_interval=interval).rpartition("(")[2]
    assert len(qualified.split()) > len(certain.split())


def test_answer_says_where_chance_may_explain_a_gain(record: LabRecord) -> None:
    best = best_effect(record)
    uncertain = tuple(
        effect.model_copy(update={"p_value": 0.2}) if effect is best else effect
        for effect in record.techniques
    )
    assert "may be chance" in changed(record, techniques=uncertain).partition(". ")[0]
    assert "may be chance" not in answer(record).partition(". ")[0]


def test_answer_mentions_other_epochs_than_the_baseline(record: LabRecord) -> None:
    best = best_effect(record)
    epochs = record.epochs * 4
    longer = best.model_copy(update={"recipe": best.recipe.with_(fit__epochs=epochs)})
    techniques = tuple(longer if effect is best else effect for effect in record.techniques)
    assert f"{epochs} epochs" in changed(record, techniques=techniques)


def test_answer_counts_one_change_in_the_singular() -> None:
    assert "1 change (1 technique)" in fabricated_lab(1).answer
