from __future__ import annotations

import numpy as np
import pytest

from eyetune.analysis.comparison import Candidate, Comparison, Difference, compare
from eyetune.analysis.comparison_table import Finding, comparison_table, leaderboard_table
from eyetune.testing.labs import fabricated_lab
from eyetune.values.history import Epoch

HISTORY = (Epoch(1, 1, 0.5, 1, 0.5, 0.001, 12.0, 100),)


def candidate(label: str, *shares: float) -> Candidate:
    correct = np.stack([np.arange(1000) < 1000 * share for share in shares])
    return Candidate(label, correct, (HISTORY,) * len(shares), 1234, 56_789)


def comparison() -> Comparison:
    baseline = candidate("first", 0.5)
    others = [candidate("worse", 0.4), candidate("better", 0.59, 0.61), candidate("same", 0.5)]
    return Comparison(baseline, tuple(compare(baseline, others)))


def test_comparison_table_has_the_baseline_then_the_best_first() -> None:
    first, *others = comparison_table(comparison()).rows
    assert (first.kind, first.estimates, first.accuracy) == ("baseline", None, 0.5)
    assert [row.label for row in others] == ["better", "same", "worse"]
    findings = [row.estimates.finding for row in others if row.estimates]
    assert findings == [Finding.BETTER, Finding.NOT_SURE, Finding.WORSE]


def uncertain(interval: tuple[float, float]) -> Comparison:
    """A comparison that is not sure after the correction for many."""
    base = comparison()
    same = next(one for one in base.differences if one.label == "same")
    changed: Difference = Difference(**{**vars(same), "interval": interval, "p_value": 0.2})
    return Comparison(base.baseline, (changed, *base.differences[:2]))


@pytest.mark.parametrize(
    ("interval", "is_explained"),
    [((0.01, 0.02), True), ((-0.02, -0.01), True), ((-0.01, 0.01), False)],
)
def test_an_interval_without_zero_beside_not_sure_is_explained(
    interval: tuple[float, float], is_explained: bool
) -> None:
    table = comparison_table(uncertain(interval))
    marks = [row.estimates.mark for row in table.rows if row.estimates]
    assert any(marks) == is_explained
    assert any(note.startswith("*") for note in table.notes) == is_explained


def test_leaderboard_table_agrees_with_the_record() -> None:
    record = fabricated_lab(20)
    table = leaderboard_table(record)
    assert [row.label for row in table.rows] == [one.label for one in record.leaderboard]
    kinds = {row.kind: row.label for row in table.rows if row.kind}
    assert kinds == {"baseline": record.baseline.label, "winner": record.winner.label}
