"""Comparisons as rows of plain values, for terminal tables, HTML pages and notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from eyetune.analysis.comparison import Candidate, Comparison, Difference
from eyetune.analysis.correction import correction_mark, correction_note
from eyetune.records.lab import Effect, LabRecord, Trained

POINTS_NOTE = "Points are points of validation accuracy, compared with the baseline."
P_NOTE = "p is corrected for all comparisons (Holm)."
SPREAD_NOTE = "± is the standard deviation over seeds."
EQUAL_NOTE = (
    "At equal epochs and at equal seconds, both trainings are cut off where the shorter one ended."
)
BALANCED_NOTE = (
    "The classes differ much in number, so accuracies and differences are those of balanced "
    "accuracy, the mean over classes; only at equal epochs and at equal seconds, they are not."
)
MACS_NOTE = "MACs are multiply-accumulates for one image or sample."


class Column(StrEnum):
    """A column of a comparison; its value is the heading."""

    LABEL = "run"
    ACCURACY = "accuracy"
    POINTS = "points"
    INTERVAL = "95% interval"
    P_VALUE = "p"
    FINDING = "finding"
    AT_EQUAL_EPOCHS = "at equal epochs"
    AT_EQUAL_SECONDS = "at equal seconds"
    SECONDS = "seconds"
    PARAMETERS = "parameters"
    MACS = "MACs"


class Finding(StrEnum):
    """What a comparison found."""

    BETTER = "better"
    WORSE = "worse"
    NOT_SURE = "not sure"


@dataclass(frozen=True)
class Estimates:
    """How a row compares with the baseline. Differences are shares: 0.01 is one point.

    Attributes:
        difference: Its accuracy less the baseline's.
        interval: 95% interval of the difference.
        p_value: Corrected for all comparisons.
        finding: Whether it is better or worse.
        mark: "*" if a note of the table explains the finding, else "".
        at_equal_epochs: The difference after as many epochs as the shorter training has.
        at_equal_seconds: The difference after as many seconds as the shorter training took.
    """

    difference: float
    interval: tuple[float, float]
    p_value: float
    finding: Finding
    mark: str
    at_equal_epochs: float
    at_equal_seconds: float


@dataclass(frozen=True)
class ComparisonRow:
    """A row of a comparison.

    Attributes:
        label: Name of the candidate.
        kind: "baseline", "winner" (of a lab) or "".
        accuracy: Validation accuracy, 0 to 1.
        seed_deviation: Standard deviation of the accuracy over seeds (None with one seed).
        estimates: How it compares with the baseline (None: it is the baseline).
        seconds: Mean training time.
        parameters: Number of weights.
        macs: Multiply-accumulates (MACs) for one image.
    """

    label: str
    kind: Literal["baseline", "winner", ""]
    accuracy: float
    seed_deviation: float | None
    estimates: Estimates | None
    seconds: float
    parameters: int
    macs: int


@dataclass(frozen=True)
class ComparisonTable:
    """A comparison as rows of plain values, with what a reader must know about them.

    Attributes:
        rows: The rows, the best first; a baseline of runs comes before them.
        notes: Sentences to show below the table.
    """

    rows: tuple[ComparisonRow, ...]
    notes: tuple[str, ...]


def comparison_table(comparison: Comparison) -> ComparisonTable:
    """Return the table of a comparison of runs: the baseline, then the others, the best first.

    Args:
        comparison: The runs, compared.
    """
    best_first = sorted(comparison.differences, key=lambda row: -row.difference)
    baseline = _row(comparison.baseline, f"{comparison.baseline.label} (baseline)", "baseline")
    rows = (baseline, *(_row(difference, difference.label) for difference in best_first))
    return ComparisonTable(rows, _notes(rows, correction_note(comparison.differences)))


def leaderboard_table(record: LabRecord) -> ComparisonTable:
    """Return the leaderboard of a lab, the best first, the baseline among them.

    Args:
        record: The lab.
    """
    rows = []
    for trained in record.leaderboard:
        kind: Literal["baseline", "winner", ""] = ""
        if trained is record.baseline:
            kind = "baseline"
        elif trained is record.winner:
            kind = "winner"
        rows.append(_row(trained, trained.label, kind))
    notes = _notes(rows, correction_note(record.techniques))
    if record.metric != "accuracy":
        notes = (BALANCED_NOTE, *notes)
    return ComparisonTable(tuple(rows), notes)


def _row(
    source: Candidate | Difference | Trained,
    label: str,
    kind: Literal["baseline", "winner", ""] = "",
) -> ComparisonRow:
    return ComparisonRow(
        label=label,
        kind=kind,
        accuracy=_accuracy(source),
        seed_deviation=source.seed_deviation,
        estimates=_estimates(source) if isinstance(source, Difference | Effect) else None,
        seconds=source.seconds,
        parameters=source.parameters,
        macs=source.macs,
    )


def _accuracy(source: Candidate | Difference | Trained) -> float:
    return source.validation_accuracy if isinstance(source, Trained) else source.accuracy


def _estimates(source: Difference | Effect) -> Estimates:
    finding = Finding.NOT_SURE
    if source.certain:
        finding = Finding.BETTER if source.difference > 0 else Finding.WORSE
    return Estimates(
        difference=source.difference,
        interval=source.interval,
        p_value=source.p_value,
        finding=finding,
        mark=correction_mark(source),
        at_equal_epochs=source.at_equal_epochs,
        at_equal_seconds=source.at_equal_seconds,
    )


def _notes(rows: Sequence[ComparisonRow], correction: str) -> tuple[str, ...]:
    notes = [POINTS_NOTE, P_NOTE]
    if any(row.seed_deviation is not None for row in rows):
        notes.append(SPREAD_NOTE)
    notes += [EQUAL_NOTE, MACS_NOTE]
    if any(row.estimates and row.estimates.mark for row in rows):
        notes.append(correction)
    return tuple(notes)
