"""Copies of the database's rows in the folders of runs and studies, to rebuild a lost database.

The database is what counts; a copy follows each change of it, once that is committed. The copy of a
run is one file, replaced as a whole. The trials of a study are appended to a file, so that a study
of thousands of trials writes only those that change: of each number, the last line holds.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Table, select

from eyetune._files import write_text
from eyetune.errors import WorkspaceError
from eyetune.inputs.limits import JSON_BYTES
from eyetune.inputs.regular_file import read_bytes, read_text
from eyetune.records.database import Database, Touched
from eyetune.records.folders import record_folder
from eyetune.records.rows import stored_columns
from eyetune.records.schema import VERSION, epochs, runs, studies, trials
from eyetune.values.json_text import json_value

RECORD_FILE = "record.json"
TRIALS_FILE = "trials.jsonl"
_MAX_TRIALS_PER_QUERY = 500

Row = dict[str, Any]


@dataclass(frozen=True)
class Copy:
    """Rows of one run or study.

    Attributes:
        version: Version of the database's tables.
        rows: Rows by the name of their table, as the database stores them.
    """

    version: str
    rows: Mapping[str, Sequence[Row]]


def follow_changes(database: Database) -> None:
    """Let copies follow the changes that a database commits from now on.

    A copy that cannot be written does no harm: `eyetune doctor` writes it later.
    """

    def write(touched: Touched) -> None:
        with suppress(OSError, WorkspaceError):
            if touched.table == "runs":
                write_run(database, touched.record_id)
            elif touched.table == "studies":
                write_study(database, touched.record_id)
            else:
                _append_trials(database, touched.record_id, sorted(touched.numbers))

    database.on_commit = write


def write_run(database: Database, run_id: str) -> None:
    """Write the copy of a run, in place of an earlier one.

    Raises:
        OSError: It cannot be written.
        WorkspaceError: The id leads out of the workspace, or the database cannot be read.
    """
    _write(database, run_id, runs, run_rows(database, run_id))


def write_study(database: Database, study_id: str, *, with_trials: bool = False) -> None:
    """Write the copy of a study, in place of an earlier one; its trials only where that is asked.

    Raises:
        OSError: It cannot be written.
        WorkspaceError: The id leads out of the workspace, or the database cannot be read.
    """
    rows = study_rows(database, study_id)
    _write(database, study_id, studies, {studies.name: rows[studies.name]})
    if with_trials:
        path = record_folder(database.folder, "studies", study_id) / TRIALS_FILE
        write_text(path, _lines(rows[trials.name]))


def run_rows(database: Database, run_id: str) -> dict[str, list[Row]]:
    """Return the rows of a run and its epochs as the database stores them, by table."""
    return {
        **_rows(database, runs, runs.c.id == run_id),
        **_rows(database, epochs, epochs.c.run_id == run_id),
    }


def study_rows(database: Database, study_id: str) -> dict[str, list[Row]]:
    """Return the rows of a study and its trials as the database stores them, by table."""
    return {
        **_rows(database, studies, studies.c.id == study_id),
        **_rows(database, trials, trials.c.study_id == study_id),
    }


def read_copy(folder: Path) -> Copy | None:
    """Return the copy in the folder of a run or study; None if there is none, or it is damaged."""
    try:
        about = json_value(read_text(folder / RECORD_FILE, JSON_BYTES))
        rows = {name: list(map(dict, about["rows"][name])) for name in about["rows"]}
        if studies.name in rows:
            rows[trials.name] = _read_trials(folder / TRIALS_FILE)
        return Copy(str(about["version"]), rows)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _append_trials(database: Database, study_id: str, numbers: Sequence[int]) -> None:
    path = record_folder(database.folder, "studies", study_id) / TRIALS_FILE
    rows: list[Row] = []
    for start in range(0, len(numbers), _MAX_TRIALS_PER_QUERY):
        some = numbers[start : start + _MAX_TRIALS_PER_QUERY]
        chosen = (trials.c.study_id == study_id) & trials.c.number.in_(some)
        rows += _rows(database, trials, chosen)[trials.name]
    with path.open("ab+") as stream:
        if stream.tell():
            stream.seek(-1, os.SEEK_END)
            if stream.read() != b"\n":
                stream.write(b"\n")  # after a line that a crash cut off
        stream.write(_lines(rows).encode())


def _read_trials(path: Path) -> list[Row]:
    """Return the trials in a file; a line that a crash cut off is left out."""
    rows: dict[int, Row] = {}
    if not path.is_file():
        return []
    content = read_bytes(path, JSON_BYTES).decode("utf-8", "replace")
    for line in content.splitlines():
        with suppress(ValueError, TypeError, KeyError):
            row = dict(json_value(line))
            rows[int(row["number"])] = row
    return [rows[number] for number in sorted(rows)]


def _lines(rows: Iterable[Row]) -> str:
    return "".join(json.dumps(row, default=str) + "\n" for row in rows)


def _rows(database: Database, table: Table, condition: Any) -> dict[str, list[Row]]:
    query = select(*stored_columns(table)).where(condition).order_by(*table.primary_key.columns)
    with database.reading() as connection:
        return {table.name: [dict(row) for row in connection.execute(query).mappings()]}


def _write(
    database: Database, record_id: str, table: Table, rows: Mapping[str, Sequence[Row]]
) -> None:
    if not rows[table.name]:  # it was deleted meanwhile
        return
    folder = record_folder(database.folder, table.name, record_id)
    write_text(folder / RECORD_FILE, json.dumps({"version": VERSION, "rows": rows}, default=str))
