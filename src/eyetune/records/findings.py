"""What a check of a workspace found, as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any


class Problem(StrEnum):
    """What can be wrong with a workspace."""

    DATABASE_MISSING = "database missing"
    DATABASE_DAMAGED = "database damaged"
    ROW_DAMAGED = "row damaged"
    NOT_IN_DATABASE = "not in the database"
    NO_RECORD = "no record"  # a folder that the database does not know and that has no copy
    FOLDER_MISSING = "folder missing"
    COPY_OUTDATED = "copy outdated"
    FILE_DAMAGED = "file damaged"
    LEADS_OUT = "leads out of the workspace"
    LEFTOVER = "left over"
    PERMISSIONS = "permissions"
    ORPHAN = "orphan process"


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with a workspace.

    Attributes:
        problem: What is wrong.
        subject: The file, record or process.
        text: What is wrong, as a sentence.
        repair: What the repair does, to complete "it ..."; "" if a person must do it.
        advice: What to do where there is no repair.
    """

    problem: Problem
    subject: str
    text: str
    repair: str = ""
    advice: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "problem": str(self.problem),
            "subject": self.subject,
            "text": self.text,
            "repair": self.repair or None,
            "advice": self.advice or None,
        }


@dataclass(frozen=True)
class Diagnosis:
    """What a check of a workspace found.

    Attributes:
        folder: The workspace's folder.
        num_runs: Number of runs that can be used.
        num_studies: Number of studies that can be used.
        findings: What is wrong.
        notes: What is good to know and not wrong, as sentences.
    """

    folder: Path
    num_runs: int
    num_studies: int
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
