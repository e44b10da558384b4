"""The studies of a workspace and their trials: written by the one process that searches."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from eyetune.errors import StudyBusyError, StudyNotFoundError, UsageError
from eyetune.records.database import Database
from eyetune.records.folders import claim_folder, is_claimed
from eyetune.records.lab_store import LATEST
from eyetune.records.schema import studies, trials
from eyetune.records.study import StudyRecord, StudySettings, StudyState, TrialRecord, TrialState

_IN_COLUMNS = {"number", "state", "run"}  # the rest of a trial is JSON
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
        """Return the folder of a study's files."""
        return self.root / study_id

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
            name: What to call it; empty: its id.
            settings: What it was asked for.
            data_fingerprint: Of the images.
            data_name: Of the images.
            versions: Of what makes it.
            study_id: Where it was chosen before.

        Raises:
            UsageError: The name is taken, or is the word that means the newest one.
        """
        study_id = study_id or new_id()
        name = name or study_id
        if name == LATEST:
            raise UsageError(
                f"A study cannot be named {LATEST}: that word means the newest one.", received=name
            )
        if any(one.name == name for one in self.all()):
            raise UsageError(
                f"There is a study named {name} already.",
                fix="--resume goes on with it; another --name begins a new one; `eyetune studies delete` removes it.",
            )
        self.folder(study_id).mkdir(parents=True, exist_ok=True)
        values = {
            "id": study_id,
            "name": name,
            "state": StudyState.RUNNING,
            "created_at": datetime.now(UTC).replace(tzinfo=None),
            "settings": settings.model_dump(mode="json"),
            "space": settings.space.model_dump(mode="json"),
            "data_fingerprint": data_fingerprint,
            "data_name": data_name,
            "seconds": 0.0,
            "ending": "",
            "versions": dict(versions or {}),
        }
        with self._database.writing() as connection:
            connection.execute(insert(studies).values(values))
        return self.get(study_id)

    def save(self, record: StudyRecord) -> None:
        """Record where a study stands."""
        values = {
            "state": record.state,
            "settings": record.settings.model_dump(mode="json"),
            "space": record.space.model_dump(mode="json"),
            "seconds": record.seconds,
            "ending": record.ending,
        }
        with self._database.writing() as connection:
            connection.execute(update(studies).where(studies.c.id == record.id).values(values))

    def save_trials(self, study_id: str, changed: Iterable[TrialRecord]) -> None:
        """Record trials, all of them or, where that fails, none; one that is recorded already is
        replaced.
        """
        rows = [_row(study_id, trial) for trial in changed]
        if not rows:
            return
        with self._database.writing() as connection:
            connection.execute(_SAVE_TRIAL, rows)

    def delete(self, study_id: str) -> None:
        """Delete a study, its trials and its folder; their runs stay."""
        with self.claim(study_id), self._database.writing() as connection:
            connection.execute(delete(studies).where(studies.c.id == study_id))
        shutil.rmtree(self.folder(study_id), ignore_errors=True)

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

    def all(self) -> list[StudyRecord]:
        """Return the studies, oldest first."""
        return self._select(studies.c.id.is_not(None))

    def get(self, study_id: str) -> StudyRecord:
        """Return one study by its whole id."""
        return self._select(studies.c.id == study_id)[0]

    def find(self, reference: str = LATEST) -> StudyRecord:
        """Return the study that a user means: by name, id, beginning of an id, or "latest".

        Raises:
            StudyNotFoundError: No study or several match.
        """
        known = self.all()
        if reference == LATEST and known:
            return known[-1]
        matching = [one for one in known if reference in (one.name, one.id)] or [
            one for one in known if reference and one.id.startswith(reference.lower())
        ]
        if len(matching) == 1:
            return matching[0]
        if matching:
            raise StudyNotFoundError(
                f"Several studies match {reference}.",
                matches=[study.id for study in matching],
                received=", ".join(f"{one.name} ({one.id})" for one in matching),
                fix="Give more digits of the id.",
            )
        newest = ", ".join(one.name for one in reversed(known[-5:])) or "none yet"
        raise StudyNotFoundError(
            f"No study matches {reference!r} in {self._database.folder}.",
            expected=f"a name, an id or its beginning, or {LATEST}",
            received=reference,
            fix=f"`eyetune studies` lists them; the newest: {newest}. To begin one: eyetune tune",
        )

    def trials(self, study_id: str) -> list[TrialRecord]:
        """Return the trials of a study in the order of their numbers."""
        query = select(trials).where(trials.c.study_id == study_id).order_by(trials.c.number)
        if not self._database.exists:
            return []
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return [_trial(row) for row in rows]

    def run_ids(self) -> frozenset[str]:
        """Return the runs of all trials of all studies."""
        if not self._database.exists:
            return frozenset()
        with self._database.reading() as connection:
            rows = connection.execute(select(trials.c.run).where(trials.c.run.is_not(None))).all()
        return frozenset(row[0] for row in rows)

    def count_trials(self) -> dict[str, int]:
        """Return how many trials each study has, by its id."""
        if not self._database.exists:
            return {}
        with self._database.reading() as connection:
            rows = connection.execute(
                select(trials.c.study_id, func.count()).group_by(trials.c.study_id)
            ).all()
        return {row[0]: row[1] for row in rows}

    def _select(self, condition: Any) -> list[StudyRecord]:
        if not self._database.exists:
            return []
        query = select(studies).where(condition).order_by(studies.c.created_at, studies.c.id)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return [self._study(row) for row in rows]

    def _study(self, row: Row[Any]) -> StudyRecord:
        state = StudyState(row.state)
        if state is StudyState.RUNNING and not is_claimed(self.folder(row.id)):
            state = StudyState.PAUSED  # its process died before it could say so
        values = {name: getattr(row, name) for name in studies.columns.keys()}  # noqa: SIM118 (it is no dictionary)
        return StudyRecord.model_validate(
            {**values, "state": state, "created_at": row.created_at.replace(tzinfo=UTC)}
        )


def new_id() -> str:
    """Return the id of a new study: eight hexadecimal digits."""
    return secrets.token_hex(4)


def _row(study_id: str, trial: TrialRecord) -> dict[str, Any]:
    details = trial.model_dump(mode="json", exclude=_IN_COLUMNS, exclude_defaults=True)
    return {
        "study_id": study_id,
        "number": trial.number,
        "state": trial.state,
        "run": trial.run,
        "details": details,
    }


def _trial(row: Row[Any]) -> TrialRecord:
    return TrialRecord.model_validate(
        {"number": row.number, "state": TrialState(row.state), "run": row.run, **row.details}
    )
