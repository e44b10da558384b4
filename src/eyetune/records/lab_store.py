"""The labs of a workspace: a folder for each, with its record in `lab.json`."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from eyetune._files import write_text
from eyetune.errors import WorkspaceError
from eyetune.records.folders import record_folder, unwritable
from eyetune.records.json_records import read_each, read_record, write_record
from eyetune.records.lab import LabRecord
from eyetune.records.resolver import LAB, LATEST, Candidate, resolve_reference

FILE_NAME = "lab.json"
_TRASH_MARKER = "deleted"  # a file with the time, in the folder of a lab in the trash


class LabStore:
    """The finished labs of a workspace.

    Args:
        root: The folder that holds the folders of the labs.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, lab_id: str) -> Path:
        """Return the folder of a lab's files.

        Raises:
            WorkspaceError: The id, or a link in the folder, leads out of the workspace.
        """
        return record_folder(self.root.parent, self.root.name, lab_id)

    def save(self, record: LabRecord) -> Path:
        """Write a lab's record, in place of an earlier one with its id, and return the file.

        Raises:
            WorkspaceError: It cannot be written.
        """
        path = self.folder(record.id) / FILE_NAME
        write_record(path, record, self.root.parent)
        self.restore(record.id)
        return path

    def recorded_ids(self) -> frozenset[str]:
        """Return the ids of all labs that have ended, also of those in the trash or damaged."""
        return frozenset(path.parent.name for path in self.root.glob(f"*/{FILE_NAME}"))

    def all(self, *, deleted: bool = False, skip_damaged: bool = False) -> list[LabRecord]:
        """Return the labs, oldest first.

        Args:
            deleted: Whether to return those in the trash instead. Default: False.
            skip_damaged: Whether to leave out those whose files are damaged. Default: False.

        Raises:
            WorkspaceError: A file is damaged.
        """
        records, errors = read_each(self._ids(deleted=deleted), self._read)
        if errors and not skip_damaged:
            raise errors[0]
        return sorted(records, key=lambda record: (record.created_at, record.id))

    def damaged(self) -> list[WorkspaceError]:
        """Return an error for each lab, in the trash or not, whose file is damaged."""
        ids = [*self._ids(deleted=False), *self._ids(deleted=True)]
        return read_each(ids, self._read)[1]

    def find(self, reference: str = LATEST, *, deleted: bool = False) -> LabRecord:
        """Return the lab that a user means.

        A lab that is named is read alone, so that a damaged file of another one does no harm.

        Args:
            reference: An id, the beginning of an id, or "latest". Default: "latest".
            deleted: Whether to look in the trash instead. Default: False.

        Raises:
            LabNotFoundError: No lab or several match.
            WorkspaceError: A file is damaged.
        """
        return self._read(self.find_id(reference, deleted=deleted))

    def find_id(self, reference: str = LATEST, *, deleted: bool = False) -> str:
        """Return the id of the lab that a user means, also if its file is damaged.

        Args:
            reference: An id, the beginning of an id, or "latest". Default: "latest".
            deleted: Whether to look in the trash instead. Default: False.

        Raises:
            LabNotFoundError: No lab or several match.
        """
        ids = self._ids(deleted=deleted)
        return resolve_reference(
            reference,
            LAB,
            [Candidate(lab_id) for lab_id in ids],
            latest=lambda: self._latest(ids),
            folder=self.root.parent,
            deleted=[Candidate(lab_id) for lab_id in self._ids(deleted=True)],
        )

    def final_runs(self) -> list[tuple[datetime, str]]:
        """Return when each lab ended, with the id of the run of its final network."""
        return [(record.created_at, record.final.runs[0]) for record in self.all(skip_damaged=True)]

    def deleted_at(self, lab_id: str) -> datetime | None:
        """Return when a lab was moved to the trash; None if it is not there."""
        try:
            return datetime.fromisoformat((self.folder(lab_id) / _TRASH_MARKER).read_text("ascii"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError):  # damaged: the lab is in the trash, the time is lost
            return datetime.min.replace(tzinfo=UTC)

    def delete(self, lab_id: str, *, deleted_at: datetime | None = None) -> None:
        """Move a lab to the trash; `restore` brings it back, and so does the same lab done again.

        Args:
            lab_id: Id of the lab.
            deleted_at: The time to record, with its time zone. Default: now.
        """
        path = self.folder(lab_id) / _TRASH_MARKER
        try:
            write_text(path, (deleted_at or datetime.now(UTC)).isoformat())
        except OSError as error:
            raise unwritable(path, error) from None

    def restore(self, lab_id: str) -> None:
        """Bring a deleted lab back."""
        path = self.folder(lab_id) / _TRASH_MARKER
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise unwritable(path, error) from None

    def purge(self, lab_id: str) -> None:
        """Delete a lab's folder for good; its runs are kept elsewhere."""
        shutil.rmtree(self.folder(lab_id), ignore_errors=True)

    def _ids(self, *, deleted: bool) -> list[str]:
        folders = sorted(path.parent for path in self.root.glob(f"*/{FILE_NAME}"))
        return [folder.name for folder in folders if (folder / _TRASH_MARKER).exists() == deleted]

    def _latest(self, ids: Sequence[str]) -> str | None:
        """Return the newest lab that can be read: an older one that is damaged does no harm."""
        records, errors = read_each(ids, self._read)
        if errors and not records:
            raise errors[0]
        newest = max(records, key=lambda record: (record.created_at, record.id), default=None)
        return newest.id if newest else None

    def _read(self, lab_id: str) -> LabRecord:
        path = self.folder(lab_id) / FILE_NAME
        fix = (
            f"Restore the file from a copy, or move {path.parent} away: the lab's runs are kept "
            "elsewhere, so the same `eyetune lab` command writes it again without training."
        )
        return read_record(path, LabRecord, what="a lab", fix=fix)
