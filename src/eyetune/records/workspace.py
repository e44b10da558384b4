"""A workspace: a folder with the database of runs and a folder of files for each run and each lab."""

from __future__ import annotations

import os
import secrets
import shutil
import threading
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine, Row, delete, func, insert, null, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from eyetune._files import LockedError, acquire_lock, replaced_file
from eyetune.errors import RunBusyError, RunNotFoundError, UsageError, WorkspaceError
from eyetune.recipe import Recipe
from eyetune.records import database, lab_files
from eyetune.records.lab import LabRecord
from eyetune.records.lab_files import LATEST
from eyetune.records.run import DataRecord, Results, RunRecord, RunState
from eyetune.records.schema import epochs, runs
from eyetune.records.studies import Studies
from eyetune.values.history import Epoch, History
from eyetune.values.network import Network
from eyetune.values.run_files import BEST_CHECKPOINT_FILE, CHECKPOINT_FILE, MODEL_FILE

DEFAULT_FOLDER = "eyetune-workspace"
_AT_ONCE = 500  # of the names in one query: SQLite takes so many for sure
_EPOCH_FIELDS = tuple(column.name for column in epochs.columns if column.name != "run_id")
_SAVE_EPOCH = upsert(epochs).on_conflict_do_update(
    index_elements=["run_id", "epoch"],
    set_={name: upsert(epochs).excluded[name] for name in _EPOCH_FIELDS},
)


class Workspace:
    """Records of runs in a folder; made when something is first written, so that looking leaves no
    trace.

    Args:
        folder: The folder; by default what EYETUNE_WORKSPACE names, or `./eyetune-workspace`.

    Raises:
        WorkspaceError: From any method: the folder or its database cannot be read or written.

    Example:
        >>> import tempfile
        >>> Workspace(tempfile.mkdtemp()).runs()
        []
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        named = folder or os.environ.get("EYETUNE_WORKSPACE") or DEFAULT_FOLDER
        self.folder = Path(named).expanduser().resolve()
        self._current = _Current()

    def prepare(self) -> None:
        """Make or open the workspace now, so that one that cannot be used fails before any work is
        done.
        """
        _ = self._engine

    # Writing: by the one process that trains the run.

    def create_run(
        self,
        *,
        recipe: Recipe,
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
    ) -> RunRecord:
        """Record a new run, as RUNNING or as WAITING for a process, and make its folder with the
        recipe in it.

        Args:
            recipe: What is trained.
            data: On which images.
            network: What the recipe builds.
            seed: Of everything random.
            precision: The arithmetic.
            threads: Of the arithmetic.
            deterministic: Whether only operations that repeat exactly are used.
            name: What to call it, or "".
            versions: Of what trains it.
            state: Where it stands.
            run_id: Where it hangs on something else; a run that has it already, left by a crash, is
                replaced.

        Raises:
            UsageError: The name is the word that means the newest run.
        """
        if name == LATEST:
            raise UsageError(
                f"A run cannot be named {LATEST}: that word means the newest one.", received=name
            )
        self.prepare()
        if run_id is not None:
            self._forget(run_id)
        run_id = run_id or secrets.token_hex(4)
        folder = self.run_folder(run_id)
        try:
            folder.mkdir()
            (folder / "recipe.toml").write_text(recipe.to_toml(comments=True), encoding="utf-8")
        except OSError as error:
            raise _unwritable(folder, error) from None
        with self.writing() as connection:
            connection.execute(
                insert(runs).values(
                    id=run_id,
                    name=name,
                    state=state,
                    created_at=_now(),
                    seed=seed,
                    recipe=recipe.model_dump(mode="json", exclude_none=True),
                    recipe_fingerprint=recipe.fingerprint,
                    data=asdict(data),
                    network=network.to_json(),
                    precision=precision,
                    threads=threads,
                    deterministic=deterministic,
                    versions=dict(versions or {}),
                )
            )
        return self.run(run_id)

    def save_epoch(self, run_id: str, epoch: Epoch) -> None:
        """Record a whole epoch; one that is recorded already is replaced."""
        self.save_epochs(run_id, (epoch,))

    def save_epochs(self, run_id: str, history: Sequence[Epoch]) -> None:
        """Record whole epochs, all of them or, where that fails, none."""
        if not history:
            return
        rows = [
            {"run_id": run_id, **asdict(epoch), "others": epoch.others or None} for epoch in history
        ]
        with self.writing() as connection:
            connection.execute(_SAVE_EPOCH, rows)

    def set_state(
        self,
        run_id: str,
        state: RunState,
        *,
        results: Results | None = None,
        error: str | None = None,
    ) -> None:
        """Record where a run stands, with its results or its error."""
        values: dict[str, Any] = {"state": state, "error": error}
        if (
            results is not None or state is RunState.RUNNING
        ):  # what trains on has no results any more
            values["results"] = null() if results is None else asdict(results)
        with self.writing() as connection:
            connection.execute(update(runs).where(runs.c.id == run_id).values(values))

    @contextmanager
    def claim(self, run_id: str, *, patience_seconds: float = 0.0) -> Iterator[None]:
        """Hold a run for this process; the hold ends with the process, however that ends.

        Args:
            run_id: Of the run.
            patience_seconds: How long to wait for it: whoever lists the runs holds each for a
                moment.

        Raises:
            RunBusyError: Another process holds it.
        """
        try:
            lock = acquire_lock(self.run_folder(run_id) / "lock", timeout_seconds=patience_seconds)
        except LockedError:
            raise RunBusyError(
                f"Run {run_id} is being trained by another process.",
                fix="Wait for that process to end, or stop it.",
            ) from None
        except OSError as error:
            raise _unwritable(self.run_folder(run_id), error) from None
        with lock:
            yield

    def save_predictions(
        self, run_id: str, split: str, probabilities: NDArray[np.float32], labels: NDArray[np.int64]
    ) -> None:
        """Keep what a run's network says of a split ("validation" or "test")."""
        path = self._predictions(run_id, split)
        try:
            with replaced_file(path) as partial, partial.open("wb") as stream:
                np.savez(stream, probabilities=probabilities, labels=labels)
        except OSError as error:
            raise _unwritable(path, error) from None

    def save_lab(self, record: LabRecord) -> Path:
        """Write a lab's record into its folder, in place of an earlier one with its id, and return
        the file.
        """
        return lab_files.write(self.lab_folder(record.id), record)

    def delete(self, run_id: str) -> None:
        """Take a run out of every list; `restore` brings it back."""
        with self.claim(run_id), self.writing() as connection:
            connection.execute(update(runs).where(runs.c.id == run_id).values(deleted_at=_now()))

    def restore(self, run_id: str) -> None:
        """Bring a deleted run back."""
        with self.writing() as connection:
            connection.execute(update(runs).where(runs.c.id == run_id).values(deleted_at=None))

    def purge(self, run_id: str) -> None:
        """Delete a run's records and files for good."""
        with self.claim(run_id):
            self._forget(run_id)

    def drop_checkpoints(self, run_id: str, *, model: bool = False) -> None:
        """Delete the checkpoints of a run that will not be trained further, and with `model` its
        network too.
        """
        names = (CHECKPOINT_FILE, BEST_CHECKPOINT_FILE, *((MODEL_FILE,) if model else ()))
        for name in names:
            (self.run_folder(run_id) / name).unlink(missing_ok=True)

    # Reading.

    def runs(self, *, deleted: bool = False) -> list[RunRecord]:
        """Return the runs, oldest first; with `deleted`, those that were deleted instead."""
        chosen = runs.c.deleted_at.is_not(None) if deleted else runs.c.deleted_at.is_(None)
        return list(self._select(chosen))

    def run(self, run_id: str) -> RunRecord:
        """Return one run by its whole id, deleted or not.

        Raises:
            RunNotFoundError: It was purged.
        """
        found = list(self._select(runs.c.id == run_id))
        if not found:
            raise RunNotFoundError(
                f"Run {run_id} is not there any more.", fix="eyetune runs lists those that are."
            )
        return found[0]

    def same(self, recipe: Recipe, data_fingerprint: str, seed: int) -> list[RunRecord]:
        """Return the runs of a recipe on the same images with the same seed, oldest first, the
        deleted left out.
        """
        chosen = (runs.c.recipe_fingerprint == recipe.fingerprint) & (runs.c.seed == seed)
        found = self._select(chosen & runs.c.deleted_at.is_(None))
        return [run for run in found if run.data.fingerprint == data_fingerprint]

    def find(self, reference: str, *, among: Sequence[RunRecord] | None = None) -> RunRecord:
        """Return the run that a user means: by id, the beginning of an id, name, or "latest".

        Args:
            reference: What the user wrote.
            among: The runs to choose from; by default all that are not deleted.

        Raises:
            RunNotFoundError: No run or several match.
        """
        known = self.runs() if among is None else among
        if reference == LATEST and known:
            return known[-1]
        matching = [run for run in known if reference and reference in (run.id, run.name)]
        if reference and not matching:
            matching = [run for run in known if run.id.startswith(reference.lower())]
        if len(matching) == 1:
            return matching[0]
        if matching:
            raise RunNotFoundError(
                f"Several runs match {reference}.",
                matches=[run.id for run in matching],
                expected="the id or name of one run",
                received=", ".join(run.label for run in matching),
                fix="Give more digits of the id.",
            )
        if among is None and any(
            reference in (run.id, run.name) for run in self.runs(deleted=True)
        ):
            raise RunNotFoundError(
                f"Run {reference} is deleted.", fix=f"eyetune runs restore {reference}"
            )
        newest = ", ".join(run.label for run in reversed(known[-5:])) or "none yet"
        raise RunNotFoundError(
            f"No run matches {reference!r} in {self.folder}.",
            expected=f"an id or its beginning, a name, or {LATEST}",
            received=reference,
            fix=f"`eyetune runs` lists them; the newest: {newest}.",
        )

    def history(self, run_id: str) -> History:
        """Return the epochs of a run in order."""
        return self.histories([run_id])[run_id]

    def histories(self, run_ids: Sequence[str]) -> dict[str, History]:
        """Return the epochs of several runs, by the run's id; those of an unknown run are none."""
        found: dict[str, list[Epoch]] = {run_id: [] for run_id in run_ids}
        for start in range(0, len(run_ids), _AT_ONCE):
            chosen = epochs.c.run_id.in_(run_ids[start : start + _AT_ONCE])
            with self.reading() as connection:
                rows = (
                    connection.execute(select(epochs).where(chosen).order_by(epochs.c.epoch))
                    .mappings()
                    .all()
                )
            for row in rows:
                values = {name: row[name] for name in _EPOCH_FIELDS} | {
                    "others": row["others"] or {}
                }
                found[row["run_id"]].append(Epoch(**values))
        return {run_id: tuple(history) for run_id, history in found.items()}

    def predictions(
        self, run_id: str, split: str
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]] | None:
        """Return a run's probabilities, shape (N, classes), and the labels of a split, if it has
        them.
        """
        try:
            with np.load(self._predictions(run_id, split), allow_pickle=False) as stored:
                return stored["probabilities"], stored["labels"]
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise WorkspaceError(
                f"The {split} predictions of run {run_id} cannot be read.",
                received=type(error).__name__,
                fix=f"Compute them again: eyetune evaluate {run_id} --split {split} --recompute",
            ) from None

    def run_folder(self, run_id: str) -> Path:
        """Return the folder of a run's files."""
        return self.folder / "runs" / run_id

    def labs(self) -> list[LabRecord]:
        """Return the labs, oldest first."""
        return lab_files.read_all(self.folder / "labs")

    def find_lab(self, reference: str = LATEST) -> LabRecord:
        """Return the lab that a user means: by id, the beginning of an id, or "latest".

        Raises:
            LabNotFoundError: No lab or several match.
        """
        return lab_files.find(self.folder / "labs", reference)

    def lab_folder(self, lab_id: str) -> Path:
        """Return the folder of a lab's files."""
        return self.folder / "labs" / lab_id

    @property
    def exists(self) -> bool:
        """Whether anything has been recorded."""
        return (self.folder / database.FILE_NAME).exists()

    @cached_property
    def studies(self) -> Studies:
        """Its studies."""
        return Studies(self)

    # Inside.

    @cached_property
    def _engine(self) -> Engine:
        try:
            (self.folder / "runs").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WorkspaceError(
                f"The workspace {self.folder} cannot be made.",
                expected="a folder that you may write to",
                received=error.strerror or error,
                fix="Name another folder with --workspace or in EYETUNE_WORKSPACE.",
            ) from None
        return database.connect(self.folder)

    def _forget(self, run_id: str) -> None:
        with self.writing() as connection:
            connection.execute(delete(runs).where(runs.c.id == run_id))
        shutil.rmtree(self.run_folder(run_id), ignore_errors=True)

    def _select(self, condition: Any) -> Iterator[RunRecord]:
        if not self.exists:
            return iter(())
        done = func.count(epochs.c.epoch).label("num_epochs_done")
        seconds = func.total(epochs.c.duration_seconds).label("duration_seconds")
        # Images a second over all epochs: each has as many images, so it is the harmonic mean.
        pace = (done / func.total(1.0 / epochs.c.images_per_second)).label("images_per_second")
        query = (
            select(runs, done, seconds, pace)
            .outerjoin(epochs)
            .where(condition)
            .group_by(runs.c.id)
            .order_by(runs.c.created_at, runs.c.id)
        )
        with self.reading() as connection:
            rows = connection.execute(query).all()
        return (self._record(row) for row in rows)

    def _record(self, row: Row[Any]) -> RunRecord:
        state = RunState(row.state)
        if state is RunState.RUNNING and not self._is_claimed(row.id):
            state = RunState.PAUSED  # its process died without a word
        return RunRecord(
            id=row.id,
            name=row.name,
            state=state,
            created_at=row.created_at.replace(tzinfo=UTC),
            seed=row.seed,
            recipe=Recipe.make(row.recipe, origin=f"the recipe of run {row.id}"),
            data=DataRecord.from_json(row.data),
            network=Network.from_json(row.network),
            precision=row.precision,
            threads=row.threads,
            deterministic=row.deterministic,
            versions=row.versions,
            num_epochs_done=row.num_epochs_done,
            duration_seconds=row.duration_seconds,
            images_per_second=row.images_per_second or 0.0,
            results=Results(**row.results) if row.results else None,
            error=row.error,
            deleted_at=row.deleted_at and row.deleted_at.replace(tzinfo=UTC),
        )

    def _is_claimed(self, run_id: str) -> bool:
        try:
            with self.claim(run_id):
                return False
        except RunBusyError:
            return True
        except WorkspaceError:  # without its folder, or the right to write there, nobody can tell
            return False

    def _predictions(self, run_id: str, split: str) -> Path:
        return self.run_folder(run_id) / f"{split}-predictions.npz"

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Write all that is written within at once, or, where that fails, nothing of it; reads
        within see it.
        """
        with self.writing():
            yield

    @contextmanager
    def reading(self) -> Iterator[Any]:
        """Connect to the database to read."""
        if self._current.connection is not None:
            yield self._current.connection
            return
        with (
            database.explained(self.folder / database.FILE_NAME),
            self._engine.connect() as connection,
        ):
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Any]:
        """Connect to the database to write: all that is done within, or nothing; within a
        transaction as part of it.
        """
        if self._current.connection is not None:
            yield self._current.connection
            return
        with (
            database.explained(self.folder / database.FILE_NAME),
            self._engine.begin() as connection,
        ):
            self._current.connection = connection
            try:
                yield connection
            finally:
                self._current.connection = None


class _Current(threading.local):
    """The connection of a thread's transaction, while there is one."""

    connection: Any = None


def _unwritable(path: Path, error: OSError) -> WorkspaceError:
    return WorkspaceError(
        f"{path} cannot be written.",
        received=error.strerror or error,
        fix="Make room or check the folder's permissions, then try again.",
    )


def _now() -> datetime:
    return datetime.now(UTC).replace(
        tzinfo=None
    )  # SQLite keeps no time zones: all times in it are UTC
