"""The labs of a workspace: a folder for each, with its record in `lab.json`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pydantic

from eyetune._files import write_text
from eyetune.errors import LabNotFoundError, WorkspaceError
from eyetune.records.folders import unwritable
from eyetune.records.lab import LabRecord

FILE_NAME = "lab.json"
LATEST = "latest"


class LabStore:
    """The finished labs of a workspace.

    Args:
        root: The folder that holds the folders of the labs.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, lab_id: str) -> Path:
        """Return the folder of a lab's files."""
        return self.root / lab_id

    def save(self, record: LabRecord) -> Path:
        """Write a lab's record, in place of an earlier one with its id, and return the file.

        Raises:
            WorkspaceError: It cannot be written.
        """
        path = self.folder(record.id) / FILE_NAME
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, record.model_dump_json(indent=1) + "\n")
        except OSError as error:
            raise unwritable(path, error) from None
        return path

    def all(self) -> list[LabRecord]:
        """Return the labs, oldest first.

        Raises:
            WorkspaceError: A file is damaged.
        """
        records = [_read(path) for path in self._paths()]
        return sorted(records, key=lambda record: (record.created_at, record.id))

    def find(self, reference: str = LATEST) -> LabRecord:
        """Return the lab that a user means, by id, the beginning of an id, or "latest".

        One that is named is read alone, so that another's damaged file does no harm.

        Raises:
            LabNotFoundError: No lab or several match.
            WorkspaceError: A file is damaged.
        """
        ids = [path.parent.name for path in self._paths()]
        if reference == LATEST and ids:
            return self._newest()
        matching = [lab_id for lab_id in ids if lab_id == reference]
        if reference and not matching:
            matching = [lab_id for lab_id in ids if lab_id.startswith(reference)]
        if len(matching) == 1:
            return _read(self.folder(matching[0]) / FILE_NAME)
        raise self._not_found(reference, ids, matching)

    def _newest(self) -> LabRecord:
        """Return the newest lab that can be read: an older one that is damaged does no harm."""
        records, errors = [], []
        for path in self._paths():
            try:
                records.append(_read(path))
            except WorkspaceError as error:
                errors.append(error)
        if not records:
            raise errors[0]
        return max(records, key=lambda record: (record.created_at, record.id))

    def _not_found(
        self, reference: str, ids: Sequence[str], matching: Sequence[str]
    ) -> LabNotFoundError:
        if matching:
            return LabNotFoundError(
                f"Several labs match {reference}.",
                matches=matching,
                expected="the id of one lab",
                received=", ".join(matching),
                fix="Give more of the id.",
            )
        if not ids:
            return LabNotFoundError(
                f"There is no lab in {self.root.parent} yet.", received=reference, fix="eyetune lab"
            )
        return LabNotFoundError(
            f"No lab matches {reference!r} in {self.root.parent}.",
            expected=f"an id or its beginning, or {LATEST}",
            received=reference,
            fix=f"There are: {', '.join(ids[-5:])}.",
        )

    def _paths(self) -> list[Path]:
        return sorted(self.root.glob(f"*/{FILE_NAME}"))


def _read(path: Path) -> LabRecord:
    """Read a lab's file.

    Raises:
        WorkspaceError: It is damaged, or of another version.
    """
    try:
        return LabRecord.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:  # pydantic's errors are ValueErrors
        raise WorkspaceError(
            f"The lab in {path} cannot be read.",
            expected="a lab that this version of eyetune wrote",
            received=_reason(error),
            fix=f"Restore the file from a copy, or move {path.parent} away: the lab's runs are "
            "kept elsewhere, so the same `eyetune lab` command writes it again without training.",
        ) from None


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, pydantic.ValidationError):
        first = error.errors()[0]
        location = ".".join(map(str, first["loc"]))
        return f"{location}: {first['msg']}" if location else first["msg"]
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error)
