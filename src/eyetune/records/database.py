"""The SQLite database of a workspace: connections, transactions and migrations."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import URL, Connection, Engine, create_engine, event, exc, inspect, text

from eyetune._files import acquire_lock, make_private_folder
from eyetune.errors import WorkspaceError
from eyetune.records.changes import Change, Observer
from eyetune.records.folders import unwritable, workspace_path
from eyetune.records.schema import VERSION
from eyetune.records.schema_check import MAX_VALUE_BYTES, check_companions, foreign_parts

if TYPE_CHECKING:
    from alembic.config import Config

FILE_NAME = "eyetune.sqlite"
BUSY_TIMEOUT_SECONDS = 30.0


class Database:
    """Connections to the database of a workspace, which is created when it is first needed.

    Args:
        folder: The workspace's folder.

    Attributes:
        observers: Called in this process with each change, once it is committed.
        on_commit: Called with each record whose rows were changed, before the observers.

    Raises:
        WorkspaceError: From any method: the folder or the database cannot be read or written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / FILE_NAME
        self.observers: list[Observer] = []
        self.on_commit: Callable[[Touched], None] = lambda _: None
        self._current = _CurrentTransaction()

    @property
    def exists(self) -> bool:
        """Whether anything has been recorded."""
        return self.path.exists()

    @cached_property
    def engine(self) -> Engine:
        """The engine of the database, which is created or migrated on first use."""
        self.make_folder("runs")
        path = workspace_path(self.folder, FILE_NAME)
        check_companions(path)
        return _connect(path)

    def make_folder(self, *names: str) -> None:
        """Make the workspace's folder, private to this user, and a folder in it.

        A folder that exists keeps its permissions.

        Raises:
            WorkspaceError: They cannot be made.
        """
        try:
            make_private_folder(self.folder)
            if names:
                workspace_path(self.folder, *names).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WorkspaceError(
                f"The workspace {self.folder} cannot be created.",
                expected="a folder that you can write to",
                received=error.strerror or error,
                fix="Name another folder with --workspace or in EYETUNE_WORKSPACE.",
            ) from None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Connect to read; within a transaction of this thread, what it has written is visible."""
        if self._current.connection is not None:
            yield self._current.connection
            return
        with _explained(self.path), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Connect to write everything in the block or, if it fails, nothing.

        Within another `writing` block of this thread, the block becomes part of that one.
        """
        if self._current.connection is not None:
            yield self._current.connection
            return
        changes: list[Change] = []
        touched: dict[tuple[str, str], set[int]] = {}
        self._current.changes, self._current.touched = changes, touched
        with _explained(self.path), self.engine.begin() as connection:
            self._current.connection = connection
            try:
                yield connection
            finally:
                self._current.connection = None
        for (table, record_id), numbers in touched.items():
            self.on_commit(Touched(table, record_id, frozenset(numbers)))
        for change in changes:
            for observer in self.observers:
                observer(change)

    def touch(self, table: str, record_id: str, numbers: Iterable[int] = ()) -> None:
        """Note that rows of a record are changed in this `writing` block.

        Args:
            table: "runs", also for epochs; "studies"; or "trials".
            record_id: Id of the run or study.
            numbers: Numbers of the trials.
        """
        self._current.touched.setdefault((table, record_id), set()).update(numbers)

    def announce(self, change: Change) -> None:
        """Tell the observers of a change in this `writing` block, once it is committed."""
        self._current.changes.append(change)


def utc_without_zone(time: datetime) -> datetime:
    """Return a time in UTC without its time zone, as the database keeps it."""
    return time.astimezone(UTC).replace(tzinfo=None)


class _CurrentTransaction(threading.local):
    """This thread's transaction: its connection, while there is one, and its changes."""

    connection: Connection | None = None
    changes: list[Change]
    touched: dict[tuple[str, str], set[int]]


class Touched(NamedTuple):
    """A record whose rows were changed (see `Database.touch`)."""

    table: str
    record_id: str
    numbers: frozenset[int]


def _connect(path: Path) -> Engine:
    """Open the database, created or migrated where needed.

    SQLite's rollback journal is kept rather than its write-ahead log: the log fails on network file
    systems, where clusters keep their home folders, and one small commit per epoch does not need
    its speed.

    Raises:
        WorkspaceError: The folder cannot be written, the database is damaged, or a newer eyetune
            wrote it.
    """
    address = URL.create("sqlite", database=str(path))  # a path may hold what has a meaning in URLs
    engine = create_engine(address, connect_args={"timeout": BUSY_TIMEOUT_SECONDS})
    event.listen(engine, "connect", _prepared)
    with _explained(path), engine.connect() as connection:
        database = connection.connection.dbapi_connection
        assert isinstance(database, sqlite3.Connection)
        if found := foreign_parts(database):
            raise _damaged(path, f"it contains {', '.join(found[:3])}")
        version = _version(connection)
    if version != VERSION:
        _migrate(engine, path)
    return engine


def _prepared(connection: sqlite3.Connection, _: object) -> None:
    """Set what each connection needs: a limit on values, and foreign keys."""
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
    connection.execute("PRAGMA foreign_keys = ON")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what SQLite raises in the block into a WorkspaceError about this database."""
    try:
        yield
    except exc.DBAPIError as error:
        raise _explain(path, error.orig) from None
    except sqlite3.Error as error:
        raise _explain(path, error) from None
    except UnicodeDecodeError as error:  # of SQLite's message, which quotes a damaged table
        raise _damaged(path, error) from None


def _version(connection: Connection) -> str | None:
    tables = inspect(connection).get_table_names()
    if "alembic_version" not in tables:
        return None
    return connection.execute(text("select version_num from alembic_version")).scalar()


def _migrate(engine: Engine, path: Path) -> None:
    """Bring the database to VERSION; of two processes that open it at once, one waits."""
    known = versions()
    try:
        lock = acquire_lock(path.with_suffix(".lock"), timeout_seconds=None)
    except OSError as error:
        raise unwritable(path.parent, error) from None
    with lock, _explained(path), engine.connect() as connection:
        version = _version(connection)
        if version is None and inspect(connection).get_table_names():
            raise WorkspaceError(
                f"{path} is not a database of eyetune.",
                expected="a database that eyetune wrote, or none",
                received="tables of another program",
                fix="Name another folder with --workspace.",
            )
        if version is not None and version not in known:
            raise WorkspaceError(
                f"The workspace {path.parent} was written by a newer eyetune.",
                expected=f"records of version {VERSION} or older",
                received=f"version {version}",
                fix="Update eyetune, or name another folder with --workspace.",
            )
        upgrade(connection)


def versions() -> tuple[str, ...]:
    """Return the known versions of the tables, oldest first."""
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(_migrations()).walk_revisions()
    return tuple(script.revision for script in scripts)[::-1]


def upgrade(connection: Connection, version: str = "head") -> None:
    """Bring the tables of a database to a version: by all migrations that lead there, or none."""
    from alembic import command

    config = _migrations()
    config.attributes["connection"] = connection
    # Foreign keys are off while tables are made again, as SQLite advises: dropping the earlier
    # table would delete the rows that refer to it. They cannot be switched in a transaction.
    connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    command.upgrade(config, version)
    connection.commit()
    connection.exec_driver_sql("PRAGMA foreign_keys = ON")


def _migrations() -> Config:
    from alembic.config import Config

    config = Config()
    folder = Path(__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    return config


def _explain(path: Path, error: BaseException | None) -> WorkspaceError:
    code = getattr(error, "sqlite_errorcode", None)
    primary_code = None if code is None else code & 0xFF  # the rest of the bits are details
    if primary_code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        problem = "is in use by another process"
        fix = "Wait for it to finish, then try again."
    elif primary_code in (
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_TOOBIG,
        sqlite3.SQLITE_ERROR,  # a table or column is missing
    ):
        return _damaged(path, error)
    elif primary_code == sqlite3.SQLITE_FULL:
        problem = "cannot grow: the disk is full"
        fix = "Free some space, then try again: what was recorded is still there."
    else:
        problem = "cannot be opened or written"
        fix = "Check that you can write to this folder, or name another one with --workspace."
    return WorkspaceError(f"{path} {problem}.", received=error, fix=fix)


def _damaged(path: Path, received: object) -> WorkspaceError:
    return WorkspaceError(
        f"{path} is damaged or not a database.",
        received=received,
        fix="Restore it from a copy, or rebuild it from the folders of the runs beside it: "
        f"eyetune doctor {path.parent} --fix",
    )
