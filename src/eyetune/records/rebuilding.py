"""Rebuilds the database of a workspace from what is readable: its own rows, and their copies."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, create_engine

from eyetune._files import acquire_lock, temporary_folder, write_text
from eyetune.errors import WorkspaceError
from eyetune.records.copies import Copy, Row, read_copy
from eyetune.records.database import FILE_NAME, upgrade, versions
from eyetune.records.folders import record_folder, workspace_path
from eyetune.records.run_lines import SUM_EPOCHS
from eyetune.records.schema import VERSION
from eyetune.records.stored_rows import (
    TABLES,
    DamagedRow,
    damaged_rows,
    delete_row,
    has_row,
    insert_rows,
    opened,
    readable_rows,
    unusable,
    version,
)

REMOVED_FILE = "removed-rows.json"


@dataclass(frozen=True)
class Rebuilt:
    """What a rebuilt database holds.

    Attributes:
        num_runs: Number of its runs.
        num_studies: Number of its studies.
        former: Where the former database is kept; None if there was none.
        num_removed: Number of rows that could not be used.
        removed: The file with these rows as JSON; None if there are none.
    """

    num_runs: int
    num_studies: int
    former: Path | None
    num_removed: int
    removed: Path | None


def rebuild(folder: Path, stamp: str) -> Rebuilt:
    """Replace the database of a workspace by one of everything that is readable.

    Rows of the former database come first; the copies in the folders of runs and studies add what
    is missing. The former database is kept.

    Args:
        folder: The workspace's folder.
        stamp: Names the former database and the folder of rows that cannot be used.

    Raises:
        OSError: A file cannot be written; the database is as it was.
        WorkspaceError: A path leads out of the workspace.
    """
    path = workspace_path(folder, FILE_NAME)
    with (
        acquire_lock(path.with_suffix(".lock"), timeout_seconds=None),
        temporary_folder(folder) as partial,
    ):
        new, other = partial / "new.sqlite", partial / "copies.sqlite"
        removed = _assemble(new, [copy for copy in [_salvaged(path)] if copy is not None])
        of_copies = _assemble(other, _copies(folder))
        of_copies += _add_missing(new, other)
        with opened(new) as database:
            removed += [row for row in of_copies if not has_row(database, row.table, row.values)]
            database.execute(SUM_EPOCHS)  # some may have been lost, or found again
        former = _keep_former(path, stamp)
        new.replace(path)
    export = _export(folder, stamp, removed)
    with opened(path) as database:
        num_runs, num_studies = (
            database.execute(f"select count(*) from {table}").fetchone()[0]  # nosec B608
            for table in ("runs", "studies")
        )
    return Rebuilt(num_runs, num_studies, former, len(removed), export)


def _salvaged(path: Path) -> Copy | None:
    """Return the readable rows of a database; None without any."""
    if not path.exists():
        return None
    try:
        with opened(path) as database:
            return Copy(
                version(database) or VERSION,
                {table: list(readable_rows(database, table)) for table in TABLES},
            )
    except sqlite3.Error:
        return None


def _copies(folder: Path) -> list[Copy]:
    """Return the copies in the folders of runs and studies: the rows of each folder's own id."""
    found = []
    for kind, parts, key in (("runs", "epochs", "run_id"), ("studies", "trials", "study_id")):
        for path in sorted((folder / kind).glob("*")):
            with suppress(WorkspaceError):  # a name or a link that the doctor reports
                copy = read_copy(record_folder(folder, kind, path.name))
                if copy is not None:
                    found.append(
                        Copy(
                            copy.version,
                            {
                                kind: _of(copy.rows.get(kind, ()), "id", path.name),
                                parts: _of(copy.rows.get(parts, ()), key, path.name),
                            },
                        )
                    )
    return found


def _of(rows: Sequence[Row], key: str, record_id: str) -> list[Row]:
    return [row for row in rows if row.get(key) == record_id]


def _assemble(path: Path, copies: Sequence[Copy]) -> list[DamagedRow]:
    """Make a database of rows, each inserted at its version; return those that cannot be used."""
    known = versions()
    removed = [
        unusable(table, row, f"it is of an unknown version, {copy.version}")
        for copy in copies
        if copy.version not in known
        for table, rows in copy.rows.items()
        for row in rows
    ]
    for number in known:
        of_version = [copy.rows for copy in copies if copy.version == number]
        if of_version:
            _upgrade(path, number)
            removed += _insert(path, of_version)
    _upgrade(path, "head")
    return [*removed, *_without_damaged(path)]


def _without_damaged(path: Path) -> list[DamagedRow]:
    """Delete the rows that cannot be used, and return them."""
    with opened(path) as database:
        damaged = list(damaged_rows(database))
        for row in damaged:
            delete_row(database, row)
    return damaged


def _insert(path: Path, many: Iterable[Mapping[str, Sequence[Any]]]) -> list[DamagedRow]:
    refused = []
    with opened(path) as database:
        database.execute("begin")
        for rows in many:
            for table in TABLES:
                refused += insert_rows(database, table, rows.get(table, ()))
        database.execute("commit")
    return refused


def _add_missing(path: Path, other: Path) -> list[DamagedRow]:
    """Add the rows of another database whose keys are missing; return those that cannot be used.

    A study whose name another one has by now is one of them.
    """
    with opened(other) as database:
        rows = {table: list(readable_rows(database, table)) for table in TABLES}
    return [*_insert(path, [rows]), *_without_damaged(path)]


def _upgrade(path: Path, to_version: str) -> None:
    engine = create_engine(URL.create("sqlite", database=str(path)))
    with engine.connect() as connection:
        upgrade(connection, to_version)
    engine.dispose()


def _keep_former(path: Path, stamp: str) -> Path | None:
    """Rename a database, with a journal that belongs to it."""
    if not path.exists():
        return None
    former = path.with_name(f"{path.name}.former-{stamp}")
    journal = path.with_name(f"{path.name}-journal")
    if journal.exists():
        journal.rename(former.with_name(f"{former.name}-journal"))
    return path.rename(former)


def _export(folder: Path, stamp: str, removed: Sequence[DamagedRow]) -> Path | None:
    if not removed:
        return None
    path = workspace_path(folder, "doctor", stamp, REMOVED_FILE)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps([row.to_json() for row in removed], indent=1, default=str) + "\n")
    return path
