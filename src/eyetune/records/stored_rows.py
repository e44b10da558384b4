"""The rows of a database file as they are stored, also of a damaged file: read and checked."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from eyetune.errors import WorkspaceError
from eyetune.records.requests import request_of
from eyetune.records.rows import history, reading_row, run_record, study_record, trial_record
from eyetune.records.schema_check import check_companions, foreign_parts

# What the others refer to comes first. Commands hold these names, and columns of our own tables
# (`nosec`); values are parameters.
TABLES = ("runs", "studies", "epochs", "trials", "requests")
_OWNERS = {  # the column that refers to a row of another table, and that table
    "epochs": ("run_id", "runs"),
    "trials": ("study_id", "studies"),
    "requests": ("study_id", "studies"),
}
_KEYS = {"epochs": ("run_id", "epoch"), "trials": ("study_id", "number")}  # of the others: id
_ROWID = "rowid"
_NO_EPOCHS = {"num_epochs_done": 0, "duration_seconds": 0.0, "images_per_second": None}

Row = dict[str, Any]


@dataclass(frozen=True)
class DamagedRow:
    """A row that cannot be used.

    Attributes:
        table: Its table.
        subject: What it describes, such as "run 3f2a77b0".
        reason: What is wrong, with the column where that is known.
        values: Its values by column, as they are stored.
    """

    table: str
    subject: str
    reason: str
    values: Row

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {"table": self.table, "reason": self.reason, "values": _plain(self.values)}


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Connect to a database file that exists; text that is not UTF-8 is kept.

    Raises:
        sqlite3.Error: It cannot be opened, or contains what eyetune never makes.
        WorkspaceError: A pipe or a device is in the way of the files beside it.
    """
    check_companions(path)
    address = f"file:{quote(str(path))}?mode=rw"
    with closing(sqlite3.connect(address, uri=True, timeout=30, isolation_level=None)) as database:
        database.text_factory = lambda content: content.decode("utf-8", "surrogateescape")
        if found := foreign_parts(database):
            raise sqlite3.DatabaseError(f"it contains {', '.join(found[:3])}")
        yield database


def version(database: sqlite3.Connection) -> str | None:
    """Return the version of the tables; None if it cannot be read.

    Raises:
        sqlite3.DatabaseError: The file is no database.
    """
    try:
        row = database.execute("select version_num from alembic_version").fetchone()
    except sqlite3.OperationalError:  # there is no such table
        return None
    return row[0] if row else None


def integrity_problems(database: sqlite3.Connection) -> list[str]:
    """Return what SQLite finds wrong with the file, at most a few problems.

    Raises:
        sqlite3.DatabaseError: The file is no database.
    """
    found = [str(row[0]) for row in database.execute("PRAGMA integrity_check(5)")]
    return [] if found == ["ok"] else found


def readable_rows(database: sqlite3.Connection, table: str) -> Iterator[Row]:
    """Yield the rows that can be read: up to the first damage, from both ends of the table."""
    last = None
    for direction in ("asc", "desc"):
        try:
            query = f"select rowid as rowid, * from {table} order by rowid {direction}"  # nosec B608
            cursor = database.execute(query)
            names = [column[0] for column in cursor.description]
            for values in cursor:
                if direction == "asc":
                    last = values[0]
                elif last is not None and values[0] <= last:
                    return
                yield dict(zip(names, values, strict=True))
            return
        except sqlite3.Error:
            continue


def insert_rows(
    database: sqlite3.Connection, table: str, rows: Sequence[Mapping[str, Any]]
) -> list[DamagedRow]:
    """Insert rows; one whose key exists is left out. Return those that the table refuses."""
    columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
    refused = []
    for row in rows:
        names = [name for name in columns if name in row]
        marks = ", ".join("?" * len(names))
        command = f"insert into {table} ({', '.join(names)}) values ({marks})"  # nosec B608
        try:
            database.execute(command, [row[name] for name in names])
        except (sqlite3.Error, ValueError, OverflowError) as error:
            if not has_row(database, table, row):
                refused.append(DamagedRow(table, _subject(table, row), str(error), _values(row)))
    return refused


def damaged_rows(database: sqlite3.Connection) -> Iterator[DamagedRow]:
    """Yield the rows that cannot be used: damaged ones, and those that refer to nothing."""
    ids: dict[str, set[Any]] = {"runs": set(), "studies": set()}
    for table in TABLES:
        owner = _OWNERS.get(table)
        for row in readable_rows(database, table):
            reason = damage(table, row)
            if not reason and owner is not None and row[owner[0]] not in ids[owner[1]]:
                reason = f"{owner[0]}: there is no such record"
            if reason:
                yield DamagedRow(table, _subject(table, row), reason, row)
            elif table in ids:
                ids[table].add(row["id"])


def has_row(database: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> bool:
    """Return whether a table has a row with the key of a row."""
    keys = _KEYS.get(table, ("id",))
    condition = " and ".join(f"{name} = ?" for name in keys)
    try:
        values = [row[name] for name in keys]
        query = f"select 1 from {table} where {condition}"  # nosec B608
        found = database.execute(query, values).fetchone()
    except (sqlite3.Error, ValueError, OverflowError, KeyError):
        return False
    return found is not None


def unusable(table: str, row: Row, reason: str) -> DamagedRow:
    """Return a row with the reason why it cannot be used."""
    return DamagedRow(table, _subject(table, row), reason, row)


def delete_row(database: sqlite3.Connection, damaged: DamagedRow) -> None:
    """Delete a row of `damaged_rows`."""
    command = f"delete from {damaged.table} where rowid = ?"  # nosec B608
    database.execute(command, [damaged.values[_ROWID]])


def damage(table: str, row: Row) -> str:
    """Return what is wrong with a row; "" if nothing is."""
    checks: dict[str, Callable[[Row], object]] = {
        "runs": lambda values: run_record({**values, **_NO_EPOCHS}),
        "epochs": lambda values: history([values]),
        "studies": study_record,
        "trials": trial_record,
        "requests": request_of,
    }
    try:
        with reading_row(_subject(table, row), Path()):
            values = _values(row)
            json.dumps(values, ensure_ascii=False).encode()  # refuses undecodable bytes
            checks[table](values)
    except WorkspaceError as error:
        return error.received or error.message
    return ""


def _subject(table: str, row: Mapping[str, Any]) -> str:
    texts = {name: ascii(value)[:40].strip("'") for name, value in row.items()}
    if table == "epochs":
        return f"epoch {texts.get('epoch')} of run {texts.get('run_id')}"
    if table == "trials":
        return f"trial {texts.get('number')} of study {texts.get('study_id')}"
    if table == "requests":
        return f"a request to study {texts.get('study_id')}"
    return f"{'run' if table == 'runs' else 'study'} {texts.get('id')}"


def _values(row: Mapping[str, Any]) -> Row:
    return {name: value for name, value in row.items() if name != _ROWID}


def _plain(row: Mapping[str, Any]) -> Row:
    return {
        name: value.hex() if isinstance(value, bytes) else value
        for name, value in _values(row).items()
    }
