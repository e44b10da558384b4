"""Changes of the records, which observers of a workspace are told once they are on disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from eyetune.records.trial import TrialRecord
from eyetune.values.history import History


@dataclass(frozen=True)
class RunChanged:
    """A run was created, or its state was recorded."""

    run_id: str


@dataclass(frozen=True)
class EpochsSaved:
    """Epochs of a run were recorded; some may have been recorded before."""

    run_id: str
    epochs: History


@dataclass(frozen=True)
class StudyChanged:
    """A study was created, or its state was recorded."""

    study_id: str


@dataclass(frozen=True)
class TrialsSaved:
    """Trials of a study were recorded, as they are now."""

    study_id: str
    trials: tuple[TrialRecord, ...]


Change = RunChanged | EpochsSaved | StudyChanged | TrialsSaved
Observer = Callable[[Change], None]
