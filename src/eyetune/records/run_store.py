"""The runs of a workspace: written by the one process that trains each, read by all."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, delete, func, insert, null, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from eyetune.errors import RunBusyError, RunNotFoundError, UsageError
from eyetune.recipe import Recipe
from eyetune.records.annotations import checked_note, checked_tags
from eyetune.records.changes import EpochsSaved, RunChanged
from eyetune.records.database import Database, utc_without_zone
from eyetune.records.folders import (
    claim_folder,
    is_claimed,
    record_folder,
    record_names,
    unwritable,
)
from eyetune.records.lab_store import LabStore
from eyetune.records.resolver import LATEST, RUN, Candidate, resolve_reference
from eyetune.records.rows import (
    Heading,
    headings,
    history,
    reading_row,
    run_record,
    stored_columns,
)
from eyetune.records.run import DataRecord, Results, RunFailure, RunRecord, RunState
from eyetune.records.run_lines import SUMS_OF_EPOCHS, TOTALS, RunGroup, newest_lines
from eyetune.records.schema import epochs, runs
from eyetune.records.stamps import run_stamps
from eyetune.values.history import Epoch, History
from eyetune.values.network import Network
from eyetune.values.run_files import (
    BEST_CHECKPOINT_FILE,
    CHECKPOINT_FILE,
    MODEL_FILES,
    RANGES_FILE,
    RECIPE_FILE,
)

_MAX_IDS_PER_QUERY = 500  # every build of SQLite takes this many parameters
_EPOCH_FIELDS = tuple(column.name for column in epochs.columns if column.name != "run_id")
_SAVE_EPOCH = upsert(epochs).on_conflict_do_update(
    index_elements=["run_id", "epoch"],
    set_={name: upsert(epochs).excluded[name] for name in _EPOCH_FIELDS},
)


class RunStore:
    """The runs of a workspace with their epochs and folders.

    Args:
        database: The workspace's database.
        labs: The workspace's labs, whose final networks "latest" can mean.

    Attributes:
        root: The folder that holds the folders of the runs.
    """

    def __init__(self, database: Database, labs: LabStore) -> None:
        self._database = database
        self._labs = labs
        self.root = database.folder / "runs"

    def folder(self, run_id: str) -> Path:
        """Return the folder of a run's files.

        Raises:
            WorkspaceError: The id, or a link in the folder, leads out of the workspace.
        """
        return record_folder(self._database.folder, self.root.name, run_id)

    def create(  # noqa: PLR0913 (a record has many fields, all of them named)
        self,
        *,
        recipe: Recipe | None,
        data: DataRecord,
        network: Network,
        seed: int,
        precision: str,
        threads: int = 0,
        deterministic: bool = True,
        name: str = "",
        versions: Mapping[str, str] | None = None,
        state: RunState = RunState.RUNNING,
        run_id: str | None = None,
        lab_id: str | None = None,
        study_id: str | None = None,
        callbacks: tuple[str, ...] = (),
        continued_from: str | None = None,
        keras_fit: Mapping[str, Any] | None = None,
    ) -> RunRecord:
        """Record a new run and create its folder with the recipe in it.

        Args:
            recipe: What is trained; None for a training by Keras's own `fit`.
            data: The images that it is trained on.
            network: The network that is trained.
            seed: Random seed.
            precision: "float32" or "bfloat16".
            threads: Threads of the arithmetic; 0: one for each core.
            deterministic: Whether only operations that repeat exactly are used.
            name: A name for it. Default: none.
            versions: Versions of eyetune and the libraries that matter.
            state: RUNNING, or WAITING if no process trains it yet.
            run_id: Its id, if it is determined elsewhere; a run that already has it, left by a
                crash, is replaced. Default: a random one.
            lab_id: Id of the lab that makes it, if any.
            study_id: Id of the study that it is a trial of, if any.
            callbacks: Descriptions of the user's callbacks that see its training.
            continued_from: Id of the run that it continues for more epochs, if any.
            keras_fit: How the network is compiled and trained, if it has no recipe.

        Raises:
            UsageError: The name is "latest".
        """
        if name == LATEST:
            raise UsageError(
                f"A run cannot be named {LATEST}: this name means the newest one.", received=name
            )
        _ = self._database.engine
        if run_id is not None:
            self._forget(run_id)
        run_id = run_id or secrets.token_hex(4)
        folder = self.folder(run_id)
        try:
            folder.mkdir()
            if recipe is not None:
                text = recipe.to_toml(comments=True)
                (folder / RECIPE_FILE).write_text(text, encoding="utf-8")
        except OSError as error:
            raise unwritable(folder, error) from None
        with self._database.writing() as connection:
            connection.execute(
                insert(runs).values(
                    id=run_id,
                    name=name,
                    state=state,
                    created_at=utc_without_zone(datetime.now(UTC)),
                    seed=seed,
                    recipe=recipe and recipe.model_dump(mode="json", exclude_none=True),
                    recipe_fingerprint=recipe.fingerprint if recipe else "",
                    data=asdict(data),
                    network=network.to_json(),
                    precision=precision,
                    threads=threads,
                    deterministic=deterministic,
                    versions=dict(versions or {}),
                    lab_id=lab_id,
                    study_id=study_id,
                    callbacks=list(callbacks) or None,
                    continued_from=continued_from,
                    keras_fit=keras_fit and dict(keras_fit),
                )
            )
            self._database.touch(runs.name, run_id)
            self._database.announce(RunChanged(run_id))
        return self.get(run_id)

    def set_network(
        self, run_id: str, network: Network, keras_fit: Mapping[str, Any] | None
    ) -> None:
        """Record the network of a training by Keras's own `fit`, and how it is trained.

        Args:
            run_id: Id of the run.
            network: Its layers, which may be known only after the first epoch.
            keras_fit: As in `create`.
        """
        values = {"network": network.to_json(), "keras_fit": keras_fit and dict(keras_fit)}
        with self._database.writing() as connection:
            connection.execute(update(runs).where(runs.c.id == run_id).values(values))
            self._database.touch(runs.name, run_id)

    def save_epochs(self, run_id: str, history: Sequence[Epoch]) -> None:
        """Record completed epochs, all or none; an epoch that is already recorded is replaced."""
        if not history:
            return
        rows = [
            {"run_id": run_id, **asdict(epoch), "others": epoch.others or None} for epoch in history
        ]
        with self._database.writing() as connection:
            connection.execute(_SAVE_EPOCH, rows)
            connection.execute(update(runs).where(runs.c.id == run_id).values(SUMS_OF_EPOCHS))
            self._database.touch(runs.name, run_id)
            self._database.announce(EpochsSaved(run_id, tuple(history)))

    def set_state(
        self,
        run_id: str,
        state: RunState,
        *,
        results: Results | None = None,
        error: str | None = None,
        failure: RunFailure | None = None,
    ) -> None:
        """Record the state of a run.

        Args:
            run_id: Id of the run.
            state: Its state.
            results: Its results, for a run that has them now.
            error: Why it failed, for FAILED.
            failure: How it failed, for FAILED. Default: `RunFailure.OTHER`.
        """
        if state is RunState.FAILED:
            failure = failure or RunFailure.OTHER
        values: dict[str, Any] = {"state": state, "error": error, "failure": failure}
        if results is not None:
            values["results"] = asdict(results)
        elif state is RunState.RUNNING:  # earlier results no longer hold once it trains on
            values["results"] = null()
        with self._database.writing() as connection:
            connection.execute(update(runs).where(runs.c.id == run_id).values(values))
            self._database.touch(runs.name, run_id)
            self._database.announce(RunChanged(run_id))

    def annotate(
        self, run_id: str, *, note: str | None = None, tags: Iterable[str] | None = None
    ) -> None:
        """Record what the user writes on a run.

        Args:
            run_id: Id of the run.
            note: Its new note; "": none. Default: the note stays.
            tags: Its new tags. Default: the tags stay.

        Raises:
            UsageError: The note is too long, or a tag is not one.
        """
        values: dict[str, Any] = {}
        if note is not None:
            values["note"] = checked_note(note) or null()
        if tags is not None:
            values["tags"] = list(checked_tags(tags)) or null()
        if not values:
            return
        with self._database.writing() as connection:
            connection.execute(update(runs).where(runs.c.id == run_id).values(values))
            self._database.touch(runs.name, run_id)
            self._database.announce(RunChanged(run_id))

    def claim(self, run_id: str, *, timeout_seconds: float = 0.0) -> AbstractContextManager[None]:
        """Hold a run for this process; the hold ends with the process, however that ends.

        Args:
            run_id: Id of the run.
            timeout_seconds: How long to wait for it, in seconds: a process that lists the runs
                holds each one for a moment.

        Raises:
            RunBusyError: Another process holds the run.
        """

        def busy_error() -> RunBusyError:
            return RunBusyError(
                f"Run {run_id} is being trained by another process.",
                fix="Wait for that process to end, or stop it.",
            )

        return claim_folder(self.folder(run_id), busy_error, timeout_seconds=timeout_seconds)

    def delete(self, run_id: str, *, deleted_at: datetime | None = None) -> None:
        """Move a run to the trash; `restore` brings it back.

        Args:
            run_id: Id of the run.
            deleted_at: The time to record, with its time zone. Default: now.

        Raises:
            RunBusyError: Another process is training it.
        """
        values = {"deleted_at": utc_without_zone(deleted_at or datetime.now(UTC))}
        with self.claim(run_id), self._database.writing() as connection:
            connection.execute(update(runs).where(runs.c.id == run_id).values(values))
            self._database.touch(runs.name, run_id)

    def restore(self, run_id: str) -> None:
        """Bring a deleted run back."""
        with self._database.writing() as connection:
            values = {"deleted_at": None}
            connection.execute(update(runs).where(runs.c.id == run_id).values(values))
            self._database.touch(runs.name, run_id)

    def purge(self, run_id: str) -> None:
        """Delete a run's records and files for good.

        Raises:
            RunBusyError: Another process is training it.
        """
        with self.claim(run_id):
            self._forget(run_id)

    def drop_checkpoints(self, run_id: str, *, model: bool = False) -> None:
        """Delete the checkpoints of a run that trains no further; with `model`, its network too."""
        names = [CHECKPOINT_FILE, BEST_CHECKPOINT_FILE]
        if model:
            names += [*MODEL_FILES, RANGES_FILE]
        folder = self.folder(run_id)
        for name in names:
            (folder / name).unlink(missing_ok=True)

    def all(self, *, deleted: bool = False) -> list[RunRecord]:
        """Return the runs, oldest first; with `deleted`, those in the trash instead."""
        is_chosen = runs.c.deleted_at.is_not(None) if deleted else runs.c.deleted_at.is_(None)
        return self._select(is_chosen)

    def newest_lines(
        self, limit: int, *, deleted: bool = False, is_folded: bool = True
    ) -> tuple[list[RunRecord | RunGroup], int]:
        """Return the newest lines of a list of runs, the newest first, and the number of all lines.

        Args:
            limit: Number of lines; 0: all.
            deleted: Whether to list the runs in the trash instead. Default: False.
            is_folded: Whether the runs of a lab or a study share a line. Default: True.
        """
        if not self._database.exists:
            return [], 0
        is_chosen = runs.c.deleted_at.is_not(None) if deleted else runs.c.deleted_at.is_(None)
        with (
            self._database.reading() as connection,
            reading_row("runs", self._database.folder),
        ):
            lines, count = newest_lines(connection, is_chosen, limit, is_folded=is_folded)
        ids = [line for line in lines if isinstance(line, str)]
        records = {run.id: run for run in self.some(ids)}
        known = [line for line in lines if not isinstance(line, str) or line in records]
        return [records[line] if isinstance(line, str) else line for line in known], count

    def stamps(self) -> dict[str, int]:
        """Return a number for each run by its id, oldest first; it differs once a run changed.

        See `records.live`. Runs in the trash are left out.
        """
        if not self._database.exists:
            return {}
        with self._database.reading() as connection:
            return run_stamps(connection)

    def some(self, ids: Sequence[str]) -> list[RunRecord]:
        """Return the runs of these ids that exist, deleted or not."""
        records = []
        for start in range(0, len(ids), _MAX_IDS_PER_QUERY):
            records += self._select(runs.c.id.in_(ids[start : start + _MAX_IDS_PER_QUERY]))
        return records

    def get(self, run_id: str) -> RunRecord:
        """Return one run by its whole id, deleted or not.

        Raises:
            RunNotFoundError: There is no such run.
        """
        records = self._select(runs.c.id == run_id)
        if not records:
            raise RunNotFoundError(f"Run {run_id} no longer exists.", fix="eyetune runs")
        return records[0]

    def same(self, recipe: Recipe, data_fingerprint: str, seed: int) -> list[RunRecord]:
        """Return the runs of a recipe on the same images with the same seed, oldest first.

        Runs with callbacks of the user, which may have changed the training, are left out.
        """
        has_recipe = (runs.c.recipe_fingerprint == recipe.fingerprint) & (runs.c.seed == seed)
        records = self._select(has_recipe & runs.c.deleted_at.is_(None))
        return [
            run for run in records if run.data.fingerprint == data_fingerprint and not run.callbacks
        ]

    def unrecorded(self) -> int:
        """Return the number of folders of runs where the database holds no run at all, else 0."""
        return 0 if self._headings() else len(record_names(self._database.folder, self.root.name))

    def find(self, reference: str = LATEST, *, deleted: bool = False) -> RunRecord:
        """Return the run that a user means.

        Args:
            reference: An id, the beginning of an id, a name, or "latest": the last run of `train`
                (which also trains the final network of a study or deployment), or the final network
                of a later lab; never a trial or another training of a lab. Default: "latest".
            deleted: Whether to look in the trash instead. Default: False.

        Raises:
            RunNotFoundError: No run or several match.
        """
        headings = self._headings()
        chosen = [run for run in headings if (run.deleted_at is not None) == deleted]
        trash = [run for run in headings if run.deleted_at is not None]
        run_id = resolve_reference(
            reference,
            RUN,
            [Candidate(run.id, run.name) for run in chosen],
            latest=lambda: self._latest(chosen),
            folder=self._database.folder,
            deleted=[Candidate(run.id, run.name) for run in trash],
            is_empty=not headings,
        )
        return self.get(run_id)

    def history(self, run_id: str) -> History:
        """Return the epochs of a run in order; none for a run that does not exist."""
        return self.histories([run_id])[run_id]

    def histories(self, run_ids: Sequence[str]) -> dict[str, History]:
        """Return the epochs of several runs by the runs' ids."""
        rows_by_run: dict[str, list[RowMapping]] = {run_id: [] for run_id in run_ids}
        for start in range(0, len(run_ids), _MAX_IDS_PER_QUERY):
            is_chosen = epochs.c.run_id.in_(run_ids[start : start + _MAX_IDS_PER_QUERY])
            query = select(*stored_columns(epochs)).where(is_chosen).order_by(epochs.c.epoch)
            with self._database.reading() as connection:
                rows = connection.execute(query).mappings().all()
            for row in rows:
                rows_by_run[row["run_id"]].append(row)
        return {run_id: self._history(run_id, rows) for run_id, rows in rows_by_run.items()}

    def _history(self, run_id: str, rows: Sequence[RowMapping]) -> History:
        with reading_row(f"the epochs of run {run_id}", self._database.folder):
            return history(rows)

    def starts(self, run_ids: Sequence[str]) -> dict[str, datetime]:
        """Return when runs began, in UTC, by their ids; runs that do not exist are left out."""
        chosen = set(run_ids)
        return {run.id: run.created_at for run in self._headings() if run.id in chosen}

    def _forget(self, run_id: str) -> None:
        folder = self.folder(run_id)
        with self._database.writing() as connection:
            connection.execute(delete(runs).where(runs.c.id == run_id))
        shutil.rmtree(folder, ignore_errors=True)

    def _headings(self) -> list[Heading]:
        """Return what identifies each run, oldest first; far cheaper than the whole records."""
        if not self._database.exists:
            return []
        columns = [column for column in stored_columns(runs) if column.name in Heading._fields]
        with self._database.reading() as connection:
            return headings(connection.execute(select(*columns)).mappings())

    def _latest(self, headings: Sequence[Heading]) -> str | None:
        """Return the id of the run that "latest" means, None where none of these can be it."""
        dates: dict[str, datetime] = {}
        for run in headings:
            if run.lab_id is None and run.study_id is None:
                dates[run.id] = run.created_at
        ids = {run.id for run in headings}
        for ended_at, run_id in self._labs.final_runs():
            if run_id in ids:
                dates[run_id] = max(ended_at, dates.get(run_id, ended_at))
        by_date = sorted(dates, key=lambda run_id: dates[run_id])
        return by_date[-1] if by_date else None

    def _select(self, condition: ColumnElement[bool]) -> list[RunRecord]:
        if not self._database.exists:
            return []
        num_epochs = TOTALS["total_epochs"]
        # The speed over all epochs, which have equally many images, is the harmonic mean.
        speed = num_epochs / func.nullif(TOTALS["total_seconds_per_image"], 0.0)
        query = (
            select(
                *stored_columns(runs),
                num_epochs.label("num_epochs_done"),
                TOTALS["total_seconds"].label("duration_seconds"),
                speed.label("images_per_second"),
            )
            .where(condition)
            .order_by(runs.c.created_at, runs.c.id)
        )
        with self._database.reading() as connection:
            rows = connection.execute(query).mappings().all()
        return [self._record(row) for row in rows]

    def _record(self, row: RowMapping) -> RunRecord:
        with reading_row(f"run {ascii(row['id'])[1:-1]}", self._database.folder):
            record = run_record(row)
        if record.state is RunState.RUNNING and not is_claimed(self.folder(record.id)):
            return replace(record, state=RunState.PAUSED)  # its process died before it could say so
        return record
