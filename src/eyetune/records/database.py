"""Opening the workspace's SQLite database and bringing it to the schema of this version."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, exc, inspect, text

from eyetune._files import acquire_lock
from eyetune.errors import WorkspaceError
from eyetune.records.schema import VERSION

FILE_NAME = "eyetune.sqlite"
BUSY_TIMEOUT_SECONDS = 30.0


def connect(folder: Path) -> Engine:
    """Open the database of a workspace, made or migrated where needed.

    SQLite's rollback journal is kept rather than its write-ahead log: the log fails on network file
    systems, where clusters keep their homes, and one small commit an epoch does not need its speed.

    Raises:
        WorkspaceError: The folder cannot be written, the database is damaged, or a newer eyetune
            made it.
    """
    path = folder / FILE_NAME
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_TIMEOUT_SECONDS})
    event.listen(
        engine, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys = ON")
    )
    with explained(path), engine.connect() as connection:
        version = _version(connection)
    if version != VERSION:
        _migrate(engine, path)
    return engine


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite raises within into a WorkspaceError about this database."""
    try:
        yield
    except exc.DBAPIError as error:
        raise _explain(path, error) from None


def _version(connection: Connection) -> str | None:
    tables = inspect(connection).get_table_names()
    if "alembic_version" not in tables:
        return None
    return connection.execute(text("select version_num from alembic_version")).scalar()


def _migrate(engine: Engine, path: Path) -> None:
    """Bring the database to VERSION; two processes that open it at once do so one after the other."""
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option(
        "script_location", str(Path(__file__).parent / "migrations").replace("%", "%%")
    )
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    lock = acquire_lock(path.with_suffix(".lock"), timeout_seconds=None)
    with lock, explained(path), engine.connect() as connection:
        version = _version(connection)
        if version is None and inspect(connection).get_table_names():
            raise WorkspaceError(
                f"{path} is not a database of eyetune.",
                expected="a database that eyetune made, or none",
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
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()


def _explain(path: Path, error: exc.DBAPIError) -> WorkspaceError:
    reason = str(error.orig)
    if "locked" in reason:
        what, fix = "is in use by another process", "Wait for it to finish, then try again."
    elif "not a database" in reason or "malformed" in reason:
        what = "is damaged or not a database"
        fix = "Restore it from a copy, or move it away: the runs' folders beside it hold recipes and networks."
    elif "full" in reason:
        what, fix = (
            "cannot grow: the disk is full",
            "Make room, then try again: what was recorded is still there.",
        )
    else:
        what = "cannot be opened or written"
        fix = "Check that you may write to this folder, or name another one with --workspace."
    return WorkspaceError(f"{path} {what}.", received=reason, fix=fix)
