"""The records of shrinking: a file for each, with what was asked for and each step."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import Field

from eyetune.errors import RunNotFoundError, WorkspaceError, nearest
from eyetune.recipe import RecordedRecipe
from eyetune.records.folders import workspace_path
from eyetune.records.json_records import read_each, read_record, write_record
from eyetune.records.resolver import LATEST
from eyetune.records.study import Constraint
from eyetune.values.json_model import JsonModel
from eyetune.values.record_ids import RecordId


class ShrinkStep(JsonModel):
    """A step: a network with fewer channels, trained further.

    Attributes:
        recipe: What is trained. Its initial weights are those of the channels that are kept.
        before: Costs of the network before the step, by name.
        after: Costs of the network after the step, by name.
        run: Id of the run that trained it; "" until it is complete.
        validation_accuracy: Its accuracy on validation images, 0 to 1; None until it is complete.
    """

    recipe: RecordedRecipe
    before: dict[str, float]
    after: dict[str, float]
    run: str = ""
    validation_accuracy: float | None = None


class ShrinkRecord(JsonModel):
    """How a trained network is made smaller.

    Attributes:
        name: Name of the run that results.
        parent: Id of the run whose network is made smaller.
        limits: The limits that the result keeps.
        board: The board that costs are for, or "".
        epochs: Epochs of all trainings together.
        num_steps: Number of steps.
        seed: Random seed of the trainings.
        threads: Threads of the arithmetic; 0: one for each core.
        steps: The steps so far.
        id: Eight hexadecimal digits.
        created_at: When it began, in UTC.
    """

    name: str
    parent: RecordId
    limits: tuple[Constraint, ...]
    board: str
    epochs: int
    num_steps: int
    seed: int
    threads: int = 0
    steps: tuple[ShrinkStep, ...] = ()
    id: RecordId = Field(default_factory=lambda: secrets.token_hex(4))
    created_at: datetime = Field(default_factory=lambda: datetime.now(UTC))

    @property
    def is_over(self) -> bool:
        """Whether all steps are complete."""
        return len(self.steps) == self.num_steps and bool(self.steps[-1].run)

    def with_step(self, step: ShrinkStep, index: int) -> ShrinkRecord:
        """Return the record with a step at an index: a new one, or one in place of another."""
        steps = (*self.steps[:index], step, *self.steps[index + 1 :])
        return self.model_copy(update={"steps": steps})

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON values, without the recipes, which the runs have."""
        return {
            "parent": self.parent,
            "limits": [str(limit) for limit in self.limits],
            "board": self.board,
            "epochs": self.epochs,
            "steps": [step.model_dump(exclude={"recipe"}) for step in self.steps],
        }


class ShrinkStore:
    """The records of shrinking in a workspace.

    Args:
        root: The folder of their files.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def save(self, record: ShrinkRecord) -> None:
        """Write a record, in place of an earlier one with its id.

        Raises:
            WorkspaceError: It cannot be written.
        """
        write_record(self._path(record.id), record, self.root.parent)

    def all(self) -> list[ShrinkRecord]:
        """Return all records, oldest first.

        Raises:
            WorkspaceError: A file is damaged.
        """
        records = [_read(path) for path in self.root.glob("*.json")]
        return sorted(records, key=lambda record: (record.created_at, record.id))

    def damaged(self) -> list[WorkspaceError]:
        """Return an error for each file that is damaged."""
        return read_each(self.root.glob("*.json"), _read)[1]

    def find(self, reference: str = LATEST) -> ShrinkRecord:
        """Return the record that a user means, by its name or "latest".

        Raises:
            RunNotFoundError: There is none of this name.
            WorkspaceError: A file is damaged.
        """
        records = self.all()
        for record in reversed(records):
            if reference in (LATEST, record.name):
                return record
        names = [record.name for record in records]
        raise RunNotFoundError(
            f"No network of the name {reference} was begun with eyetune shrink.",
            received=reference,
            fix=nearest(reference, names) if names else "eyetune shrink RUN --to 98k",
        )

    def _path(self, shrink_id: str) -> Path:
        return workspace_path(self.root.parent, self.root.name, f"{shrink_id}.json")


def _read(path: Path) -> ShrinkRecord:
    fix = f"Move {path} away: the runs are kept elsewhere."
    return read_record(path, ShrinkRecord, what="a record", fix=fix)
