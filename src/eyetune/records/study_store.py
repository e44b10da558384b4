"""The studies of a workspace and their trials: written by the one process that searches."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, delete, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from eyetune.errors import StudyBusyError, StudyNotFoundError, UsageError, WorkspaceError
from eyetune.records.changes import StudyChanged, TrialsSaved
from eyetune.records.database import Database, utc_without_zone
from eyetune.records.folders import (
    claim_folder,
    is_claimed,
    record_folder,
    record_names,
    unwritable,
)
from eyetune.records.resolver import LATEST, STUDY, Candidate, resolve_reference
from eyetune.records.rows import (
    TRIAL_COLUMNS,
    Heading,
    headings,
    reading_row,
    stored_columns,
    study_record,
    trial_record,
)
from eyetune.records.schema import studies, trials
from eyetune.records.stamps import trial_stamps
from eyetune.records.study import StudyRecord, StudySettings, StudyState
from eyetune.records.trial import TrialRecord

_MAX_NUMBERS_PER_QUERY = 500  # SQLite limits the parameters of a query
_SAVE_TRIAL = upsert(trials).on_conflict_do_update(
    index_elements=["study_id", "number"],
    set_={name: upsert(trials).excluded[name] for name in ("state", "run", "details")},
)


class StudyStore:
    """The studies of a workspace with their trials and folders.

    Args:
        database: The workspace's database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.root = database.folder / "studies"

    def folder(self, study_id: str) -> Path:
        """Return the folder of a study's files.

        Raises:
            WorkspaceError: The id, or a link in the folder, leads out of the workspace.
        """
        return record_folder(self._database.folder, self.root.name, study_id)

    def create(
        self,
        name: str,
        settings: StudySettings,
        *,
        data_fingerprint: str = "",
        data_name: str = "",
        versions: Mapping[str, str] | None = None,
        study_id: str | None = None,
    ) -> StudyRecord:
        """Record a new study and make its folder.

        Args:
            name: Its name; "": its id.
            settings: Its options, as they were resolved.
            data_fingerprint: A hash of its images.
            data_name: Short name of its dataset.
            versions: Versions of eyetune and the libraries that matter.
            study_id: Its id, if it is determined elsewhere. Default: a random one.

        Raises:
            UsageError: The name is taken, or is "latest".
            WorkspaceError: Its folder cannot be made.
        """
        study_id = study_id or new_id()
        name = name or study_id
        if name == LATEST:
            raise UsageError(
                f"A study cannot be named {LATEST}: this name means the newest one.", received=name
            )
        self._check_name(name, study_id)
        folder = self.folder(study_id)
        self._database.make_folder()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(folder, error) from None
        values = {
            "id": study_id,
            "name": name,
            "state": StudyState.RUNNING,
            "created_at": utc_without_zone(datetime.now(UTC)),
            "settings": settings.model_dump(mode="json"),
            "space": settings.space.model_dump(mode="json"),
            "data_fingerprint": data_fingerprint,
            "data_name": data_name,
            "seconds": 0.0,
            "ending": "",
            "versions": dict(versions or {}),
        }
        try:
            with self._database.writing() as connection:
                connection.execute(insert(studies).values(values))
                self._database.touch(studies.name, study_id)
                self._database.announce(StudyChanged(study_id))
        except WorkspaceError:
            self._check_name(name, study_id)  # another process may have taken it just now
            raise
        return self.get(study_id)

    def save(self, record: StudyRecord) -> None:
        """Record a study, except for its name and when it began."""
        values = {
            "state": record.state,
            "settings": record.settings.model_dump(mode="json"),
            "space": record.space.model_dump(mode="json"),
            "data_fingerprint": record.data_fingerprint,
            "data_name": record.data_name,
            "seconds": record.seconds,
            "ending": record.ending,
            "versions": record.versions,
        }
        with self._database.writing() as connection:
            connection.execute(update(studies).where(studies.c.id == record.id).values(values))
            self._database.touch(studies.name, record.id)
            self._database.announce(StudyChanged(record.id))

    def save_trials(self, study_id: str, changed: Iterable[TrialRecord]) -> None:
        """Record trials, all or none; a trial that is already recorded is replaced."""
        recorded = tuple(changed)
        rows = [_row(study_id, trial) for trial in recorded]
        if not rows:
            return
        with self._database.writing() as connection:
            connection.execute(_SAVE_TRIAL, rows)
            self._database.touch(trials.name, study_id, (trial.number for trial in recorded))
            self._database.announce(TrialsSaved(study_id, recorded))

    def delete(self, study_id: str, *, deleted_at: datetime | None = None) -> None:
        """Move a study to the trash, where it gives up its name; `restore` brings it back.

        Args:
            study_id: Id of the study.
            deleted_at: The time to record, with its time zone. Default: now.

        Raises:
            StudyBusyError: Another process is running it.
        """
        values = {"deleted_at": utc_without_zone(deleted_at or datetime.now(UTC))}
        with self.claim(study_id), self._database.writing() as connection:
            connection.execute(update(studies).where(studies.c.id == study_id).values(values))
            self._database.touch(studies.name, study_id)

    def restore(self, study_id: str) -> None:
        """Bring a deleted study back.

        Raises:
            UsageError: Another study has its name by now.
        """
        self._check_name(self.get(study_id).name, study_id)
        with self._database.writing() as connection:
            values = {"deleted_at": None}
            connection.execute(update(studies).where(studies.c.id == study_id).values(values))
            self._database.touch(studies.name, study_id)

    def purge(self, study_id: str) -> None:
        """Delete a study, its trials and its folder for good; their runs stay.

        Raises:
            StudyBusyError: Another process is running it.
        """
        folder = self.folder(study_id)
        with self.claim(study_id), self._database.writing() as connection:
            connection.execute(delete(studies).where(studies.c.id == study_id))
        shutil.rmtree(folder, ignore_errors=True)

    def claim(self, study_id: str) -> AbstractContextManager[None]:
        """Hold a study for this process; the hold ends with the process, however that ends.

        Raises:
            StudyBusyError: Another process holds it.
        """

        def busy_error() -> StudyBusyError:
            return StudyBusyError(
                f"Another process is at work on study {self.get(study_id).name}.",
                fix="Wait for it to end or stop it, or start another study with another --name.",
            )

        return claim_folder(self.folder(study_id), busy_error)

    def all(self, *, deleted: bool = False) -> list[StudyRecord]:
        """Return the studies, oldest first; with `deleted`, those in the trash instead."""
        if deleted:
            return self._select(studies.c.deleted_at.is_not(None))
        return self._select(studies.c.deleted_at.is_(None))

    def get(self, study_id: str) -> StudyRecord:
        """Return one study by its whole id, deleted or not.

        Raises:
            StudyNotFoundError: There is no such study.
        """
        records = self._select(studies.c.id == study_id)
        if not records:
            raise StudyNotFoundError(f"Study {study_id} no longer exists.", fix="eyetune studies")
        return records[0]

    def named(self, name: str) -> StudyRecord | None:
        """Return the study of exactly this name that is not in the trash; None if there is none."""
        records = self._select(studies.c.deleted_at.is_(None) & (studies.c.name == name))
        return records[0] if records else None

    def unrecorded(self) -> int:
        """Return the number of folders of studies where the database holds none at all, else 0."""
        return 0 if self._headings() else len(record_names(self._database.folder, self.root.name))

    def find(self, reference: str = LATEST, *, deleted: bool = False) -> StudyRecord:
        """Return the study that a user means.

        Args:
            reference: A name, an id, the beginning of an id, or "latest". Default: "latest".
            deleted: Whether to look in the trash instead. Default: False.

        Raises:
            StudyNotFoundError: No study or several match.
        """
        found = self._headings()
        chosen = [study for study in found if (study.deleted_at is not None) == deleted]
        trash = [study for study in found if study.deleted_at is not None]
        study_id = resolve_reference(
            reference,
            STUDY,
            [Candidate(study.id, study.name) for study in chosen],
            latest=lambda: chosen[-1].id if chosen else None,
            folder=self._database.folder,
            deleted=[Candidate(study.id, study.name) for study in trash],
            is_empty=not found,
        )
        return self.get(study_id)

    def trials(self, study_id: str) -> list[TrialRecord]:
        """Return the trials of a study in the order of their numbers."""
        return self._trials(trials.c.study_id == study_id)

    def _trials(self, is_chosen: ColumnElement[bool]) -> list[TrialRecord]:
        if not self._database.exists:
            return []
        query = select(*stored_columns(trials)).where(is_chosen).order_by(trials.c.number)
        with self._database.reading() as connection:
            rows = connection.execute(query).mappings().all()
        return [self._trial(row) for row in rows]

    def trial_stamps(self, study_id: str) -> dict[int, int]:
        """Return a number for each trial of a study; it differs once the trial has changed."""
        if not self._database.exists:
            return {}
        with self._database.reading() as connection:
            return trial_stamps(connection, study_id)

    def some_trials(self, study_id: str, numbers: Sequence[int]) -> list[TrialRecord]:
        """Return the trials of a study that have these numbers."""
        found: list[TrialRecord] = []
        for start in range(0, len(numbers), _MAX_NUMBERS_PER_QUERY):
            part = numbers[start : start + _MAX_NUMBERS_PER_QUERY]
            found += self._trials((trials.c.study_id == study_id) & trials.c.number.in_(part))
        return found

    def count_trials(self) -> dict[str, int]:
        """Return how many trials each study has, by its id."""
        if not self._database.exists:
            return {}
        with self._database.reading() as connection:
            rows = connection.execute(
                select(trials.c.study_id, func.count()).group_by(trials.c.study_id)
            ).all()
        return {row[0]: row[1] for row in rows}

    def _check_name(self, name: str, study_id: str) -> None:
        other = self.named(name)
        if other is not None and other.id != study_id:
            raise UsageError(
                f"There is already a study named {name}.",
                fix="Continue it with --resume, name the new one with another --name, or remove it "
                f"with: eyetune studies delete {name}",
            )

    def _select(self, condition: Any) -> list[StudyRecord]:
        if not self._database.exists:
            return []
        query = select(*stored_columns(studies)).where(condition)
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(studies.c.created_at, studies.c.id)).mappings()
            return [self._study(row) for row in rows.all()]

    def _headings(self) -> list[Heading]:
        """Return what identifies each study, oldest first."""
        if not self._database.exists:
            return []
        columns = [column for column in stored_columns(studies) if column.name in Heading._fields]
        with self._database.reading() as connection:
            return headings(connection.execute(select(*columns)).mappings())

    def _study(self, row: RowMapping) -> StudyRecord:
        with reading_row(f"study {ascii(row['id'])[1:-1]}", self._database.folder):
            record = study_record(row)
        if record.state is StudyState.RUNNING and not is_claimed(self.folder(record.id)):
            # Its process died before it could say so.
            return record.model_copy(update={"state": StudyState.PAUSED})
        return record

    def _trial(self, row: RowMapping) -> TrialRecord:
        subject = f"trial {ascii(row['number'])[:20]} of study {row['study_id']}"
        with reading_row(subject, self._database.folder):
            return trial_record(row)


def new_id() -> str:
    """Return the id of a new study: eight hexadecimal digits."""
    return secrets.token_hex(4)


def _row(study_id: str, trial: TrialRecord) -> dict[str, Any]:
    details = trial.model_dump(mode="json", exclude=set(TRIAL_COLUMNS), exclude_defaults=True)
    return {
        "study_id": study_id,
        "number": trial.number,
        "state": trial.state,
        "run": trial.run,
        "details": details,
    }
