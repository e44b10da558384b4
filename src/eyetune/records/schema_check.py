"""What a database from elsewhere may contain, and what may lie beside it."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from eyetune.errors import WorkspaceError
from eyetune.inputs.regular_file import check_file

MAX_VALUE_BYTES = 256_000_000  # of a column: the largest values are JSON of a few megabytes
_COMPANIONS = ("-journal", "-wal", "-shm")  # that SQLite opens beside a database


def foreign_parts(database: sqlite3.Connection) -> list[str]:
    """Return what eyetune never makes: views, triggers, virtual tables and computed columns.

    Reading them can run forever, or take any amount of memory.

    Raises:
        sqlite3.Error: The schema cannot be read.
    """
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
    triggers = database.execute("select name from sqlite_master where type = 'trigger'")
    found = [f"the trigger {name!a}" for (name,) in triggers]
    query = "select name, type from pragma_table_list where schema = 'main'"
    for name, kind in database.execute(query).fetchall():
        if kind != "table":
            found.append(f"the {'virtual table' if kind == 'virtual' else kind} {name!a}")
            continue
        columns = database.execute("select name, hidden from pragma_table_xinfo(?)", [name])
        found += [
            f"the computed column {name!a}.{column!a}" for column, hidden in columns if hidden
        ]
    return found


def check_companions(path: Path) -> None:
    """Refuse pipes, devices, links and folders in place of the files that SQLite opens.

    Args:
        path: The database.

    Raises:
        WorkspaceError: There is one.
    """
    lock = path.with_suffix(".lock")
    for companion in (*(path.with_name(path.name + end) for end in _COMPANIONS), lock):
        if not os.path.lexists(companion):
            continue
        reason = ""
        try:
            if companion.is_symlink():
                reason = "a link"
            else:
                check_file(companion)
        except FileNotFoundError:  # SQLite has deleted it meanwhile
            continue
        except OSError as error:
            reason = error.strerror or str(error)
        if reason:
            raise WorkspaceError(
                f"{companion} is in the way of the database.",
                expected="a regular file, or none",
                received=reason,
                fix="Move it away while no process uses the workspace.",
            )
