"""Findings of a check: their order, and what would be moved aside."""

from __future__ import annotations

import random

from eyetune.analysis.data_findings import (
    CERTAIN_ENOUGH,
    MEANINGS,
    Finding,
    FindingKind,
    Found,
    by_importance,
    surplus,
)


def finding(kind: FindingKind, score: float, *names: str) -> Finding:
    pictures = tuple(Found(name, "train", "cat", 0) for name in names)
    return Finding(kind, pictures, score, "", surplus=pictures[1:])


def test_findings_are_sorted_by_kind_and_score() -> None:
    expected = [finding(kind, score) for kind in FindingKind for score in (0.9, 0.5)]
    shuffled = random.Random(0).sample(expected, len(expected))
    assert list(by_importance(shuffled)) == expected


def test_surplus_has_each_picture_once_with_its_first_kind() -> None:
    findings = [
        finding(FindingKind.LABEL, 0.9, "", "a"),
        finding(FindingKind.NEAR_DUPLICATE, 0.9, "b", "a", "c"),
        finding(FindingKind.OUTLIER, 0.9, "", "d"),
    ]
    assert surplus(findings, CERTAIN_ENOUGH) == {
        "a": FindingKind.LABEL,
        "c": FindingKind.NEAR_DUPLICATE,
    }
    assert surplus(findings, [FindingKind.OUTLIER]) == {"d": FindingKind.OUTLIER}


def test_a_copy_stays_if_the_one_that_is_kept_is_a_suspect() -> None:
    suspect = finding(FindingKind.LABEL, 0.9, "", "a")
    copies = finding(FindingKind.NEAR_DUPLICATE, 0.9, "a", "b", "c")
    assert surplus([suspect, copies], CERTAIN_ENOUGH) == {
        "a": FindingKind.LABEL,
        "c": FindingKind.NEAR_DUPLICATE,
    }
    suspects = [finding(FindingKind.LABEL, 0.9, "", name) for name in "abc"]
    assert list(surplus([*suspects, copies], CERTAIN_ENOUGH)) == ["a", "b", "c"]


def test_every_kind_is_explained() -> None:
    assert set(MEANINGS) == set(FindingKind)
