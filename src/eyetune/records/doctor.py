"""Checks a workspace: database, files, links, permissions, left-over files and processes."""

from __future__ import annotations

import os
import re
import sqlite3
import time
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from eyetune._scratch import abandoned_folders
from eyetune.errors import WorkspaceError
from eyetune.records.copies import Copy, Row, read_copy, run_rows, study_rows
from eyetune.records.database import FILE_NAME, Database
from eyetune.records.findings import Diagnosis, Finding, Problem
from eyetune.records.folders import is_claimed, record_folder, record_names, workspace_path
from eyetune.records.processes import Process, is_running, processes_in
from eyetune.records.stored_rows import (
    damage,
    damaged_rows,
    integrity_problems,
    opened,
    readable_rows,
)
from eyetune.records.workspace import Workspace
from eyetune.values.run_files import (
    BEST_CHECKPOINT_FILE,
    CHECKPOINT_FILE,
    MODEL_FILES,
    RECIPE_FILE,
)

_LEFTOVER = re.compile(r"\..*?(\d+)-[0-9a-f]{6}\.(part|former)(\..*)?")
_SECONDS_BETWEEN_WRITES = 600  # at most, by a process of another machine that shares the folder
_SECONDS_OF_A_PROCESS = 24 * 3600  # afterwards, another process may have the same number
_ARCHIVES = (*MODEL_FILES[:2], CHECKPOINT_FILE, BEST_CHECKPOINT_FILE)
_PREDICTIONS = "*-predictions.npz"
_MAX_DEPTH = 4


@dataclass(frozen=True)
class _Known:
    """The ids in the database, the names of studies that are not in the trash, and findings."""

    runs: frozenset[str] = frozenset()
    studies: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    findings: tuple[Finding, ...] = ()
    is_readable: bool = True


def check(folder: Path) -> Diagnosis:
    """Check a workspace: database, files, links, permissions, left-over files and processes.

    Nothing is changed, except that a database of an earlier version is brought to this one, as by
    every command.

    Args:
        folder: The workspace's folder.

    Raises:
        WorkspaceError: It is no workspace, it is in use, or a newer eyetune wrote it.
    """
    folder = folder.resolve()
    if not folder.is_dir():
        raise WorkspaceError(
            f"There is no workspace {folder}.",
            expected="the folder of a workspace",
            fix="Name it: eyetune doctor WORKSPACE",
        )
    known = _check_database(folder)
    processes = processes_in(folder)
    findings = [
        *known.findings,
        *_check_folders(folder, "runs", known),
        *_check_folders(folder, "studies", known),
        *_check_records(folder),
        *_check_leftovers(folder),
        *_check_permissions(folder),
        *_check_processes(processes),
    ]
    notes = [*_notes_on_use(processes), *_notes_on_permissions(folder)]
    return Diagnosis(folder, len(known.runs), len(known.studies), tuple(findings), tuple(notes))


def _check_database(folder: Path) -> _Known:
    path = workspace_path(folder, FILE_NAME)
    has_folders = bool(record_names(folder, "runs") or record_names(folder, "studies"))
    if not path.exists():
        if not has_folders:
            return _Known()
        text = "There is no database, but there are folders of runs or studies."
        finding = Finding(Problem.DATABASE_MISSING, FILE_NAME, text, "is rebuilt from the copies")
        return _Known(findings=(finding,), is_readable=False)
    problem, is_empty = _problem_of(path)
    if is_empty and has_folders:
        problem = "it is empty"
    if problem:
        finding = Finding(
            Problem.DATABASE_DAMAGED,
            FILE_NAME,
            f"The database is damaged: {problem}.",
            "is rebuilt from its readable rows and from the copies",
        )
        return _Known(findings=(finding,), is_readable=False)
    if is_empty:
        return _Known()
    Workspace(folder).prepare()  # migrates it; one of a newer version raises a WorkspaceError
    return _check_rows(path)


def _problem_of(path: Path) -> tuple[str, bool]:
    """Return what is wrong with a database file, "" if nothing is, and whether it has no tables.

    Raises:
        WorkspaceError: It is in use.
    """
    try:
        with opened(path) as database:
            problems = integrity_problems(database)
            is_empty = database.execute("select 1 from sqlite_master").fetchone() is None
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
            raise WorkspaceError(
                f"{path} is in use by another process.",
                fix="Wait for it to finish, then try again.",
            ) from None
        return str(error), False
    return "; ".join(problems)[:300], is_empty


def _check_rows(path: Path) -> _Known:
    with opened(path) as database:
        damaged = list(damaged_rows(database))
        ids = {
            table: frozenset(str(row["id"]) for row in readable_rows(database, table))
            - {str(row.values["id"]) for row in damaged if row.table == table}
            for table in ("runs", "studies")
        }
        names = frozenset(
            str(row["name"])
            for row in readable_rows(database, "studies")
            if row["deleted_at"] is None
        )
    findings = tuple(
        Finding(
            Problem.ROW_DAMAGED,
            row.subject,
            f"The record of {row.subject} cannot be used: {row.reason}.",
            "is replaced by its copy or, without one, exported and removed",
        )
        for row in damaged
    )
    return _Known(ids["runs"], ids["studies"], names, findings)


def _check_folders(folder: Path, kind: str, known: _Known) -> Iterator[Finding]:
    """Yield what is wrong with the folders of runs or studies."""
    ids = known.runs if kind == "runs" else known.studies
    noun = "run" if kind == "runs" else "study"
    names = set(record_names(folder, kind))
    database = Database(folder)
    for name in sorted(names | ids):
        subject = f"{kind}/{name}"
        try:
            path = record_folder(folder, kind, name)
        except WorkspaceError as error:
            advice = error.fix or ""
            yield Finding(Problem.LEADS_OUT, ascii(subject)[1:-1], error.message, advice=advice)
            continue
        if name not in names:
            text = f"The folder of {noun} {name} is missing, and what was in it is lost."
            yield Finding(Problem.FOLDER_MISSING, subject, text, "is made again, with the record")
            continue
        yield from _check_links(folder, path)
        yield from _check_files(folder, path)
        copy = read_copy(path)
        if name in ids:
            if not is_claimed(path) and _is_outdated(database, kind, name, copy):
                text = f"The copy of the record of {noun} {name} is missing or outdated."
                yield Finding(Problem.COPY_OUTDATED, subject, text, "is written again")
        elif copy is not None and (reason := _damage_of(copy, kind)):
            text = f"The copy of the record of {noun} {name} cannot be used: {reason}."
            advice = _without_record(path, subject, noun).advice
            yield Finding(Problem.FILE_DAMAGED, subject, text, advice=advice)
        elif copy is not None and known.is_readable:
            text = f"The database does not know {noun} {name}, whose folder holds its record."
            repair, advice = "is added to the database", ""
            if taken := _taken_name(copy, known.names):
                repair, advice = "", f"Delete study {taken}, which has its name by now: then --fix"
            yield Finding(Problem.NOT_IN_DATABASE, subject, text, repair, advice)
        elif copy is None and any(path.iterdir()):
            yield _without_record(path, subject, noun)


def _taken_name(copy: Copy, names: frozenset[str]) -> str:
    """Return the name of a copied study that another one has by now; "" if none has."""
    own = (row for row in copy.rows.get("studies", ()) if row.get("deleted_at") is None)
    return next((name for name in (str(row.get("name")) for row in own) if name in names), "")


def _damage_of(copy: Copy, kind: str) -> str:
    """Return why the record in a copy cannot be used; "" if it can."""
    return next((reason for row in copy.rows.get(kind, ()) if (reason := damage(kind, row))), "")


def _without_record(path: Path, subject: str, noun: str) -> Finding:
    advice = f"Move {path} away if you do not need it."
    if (path / RECIPE_FILE).is_file():
        advice = f"Train it again: eyetune train {path / RECIPE_FILE}"
    text = f"The folder of {noun} {path.name} holds no copy of its record."
    return Finding(Problem.NO_RECORD, subject, text, advice=advice)


def _is_outdated(database: Database, kind: str, record_id: str, copy: Copy | None) -> bool:
    """Return whether a copy lacks rows or values; one of an earlier version may lack columns."""
    if copy is None:
        return True
    stored = (run_rows if kind == "runs" else study_rows)(database, record_id)
    return any(not _agree(rows, copy.rows.get(table, ())) for table, rows in stored.items())


def _agree(rows: Sequence[Row], copied: Sequence[Row]) -> bool:
    return len(rows) == len(copied) and all(
        row[name] == value
        for row, other in zip(rows, copied, strict=True)
        for name, value in other.items()
        if name in row
    )


def _check_links(workspace: Path, folder: Path) -> Iterator[Finding]:
    """Yield the links below a folder of a record that lead out of the workspace."""
    for path in _below(folder, _MAX_DEPTH):
        if path.is_symlink():
            names = path.relative_to(workspace).parts
            try:
                workspace_path(workspace, *names)
            except WorkspaceError as error:
                subject = ascii("/".join(names))[1:-1]
                yield Finding(Problem.LEADS_OUT, subject, error.message, advice=error.fix or "")


def _check_files(workspace: Path, folder: Path) -> Iterator[Finding]:
    """Yield the networks, checkpoints and predictions of a run that are cut off or no archives."""
    for path in [*(folder / name for name in _ARCHIVES), *sorted(folder.glob(_PREDICTIONS))]:
        if not path.is_file():
            continue
        try:
            with zipfile.ZipFile(path):
                continue
        except Exception as error:  # zipfile raises many kinds of errors for damaged files
            advice = f"Train its recipe again: eyetune train {folder / RECIPE_FILE}"
            if path.match(_PREDICTIONS):
                split = path.name.partition("-")[0]
                advice = f"eyetune evaluate {folder.name} --split {split} --recompute"
            yield Finding(
                Problem.FILE_DAMAGED,
                str(path.relative_to(workspace)),
                f"The file {path} is damaged: {error}.",
                advice=advice,
            )


def _check_records(folder: Path) -> Iterator[Finding]:
    """Yield the records that are files of their own and cannot be read."""
    workspace = Workspace(folder)
    damaged = {
        "labs": workspace.labs.damaged(),
        "shrinks": workspace.shrinks.damaged(),
        "checks": workspace.checks.damaged(),
    }
    for subject, errors in damaged.items():
        for error in errors:
            yield Finding(Problem.FILE_DAMAGED, subject, error.message, advice=error.fix or "")


def _check_leftovers(folder: Path) -> Iterator[Finding]:
    """Yield unfinished files and folders whose process has ended."""
    for path in _below(folder, _MAX_DEPTH):
        match = _LEFTOVER.fullmatch(path.name)
        if match is None or _may_be_in_use(path, int(match[1])):
            continue
        text = f"{path} was left by a process that was killed."
        yield Finding(Problem.LEFTOVER, str(path), text, "is deleted")
    with suppress(OSError):  # the temporary directory cannot be written
        for path in abandoned_folders():
            text = f"The temporary folder {path} was left by a process that was killed."
            yield Finding(Problem.LEFTOVER, str(path), text, "is deleted")


def _may_be_in_use(path: Path, pid: int) -> bool:
    try:
        age_seconds = time.time() - path.lstat().st_mtime
    except OSError:  # it is complete by now
        return True
    return age_seconds < (_SECONDS_OF_A_PROCESS if is_running(pid) else _SECONDS_BETWEEN_WRITES)


def _check_permissions(folder: Path) -> Iterator[Finding]:
    mode = folder.stat().st_mode
    if mode & 0o002:
        text = "Every user of this computer can write to the workspace."
        yield Finding(Problem.PERMISSIONS, ".", text, "is made writable by you alone")
    unusable = [
        path
        for path in [folder, *_below(folder, 2)]
        if not os.access(path, os.R_OK | os.W_OK) and not path.is_symlink()
    ]
    for path in unusable:
        text = f"You cannot read or write {path}."
        subject = str(path.relative_to(folder))
        yield Finding(Problem.PERMISSIONS, subject, text, advice=f"chmod -R u+rwX {folder}")


def _check_processes(processes: Iterable[Process]) -> Iterator[Finding]:
    for process in processes:
        if process.is_orphan:
            text = f"Process {process.pid} is a worker whose coordinating process has ended."
            yield Finding(Problem.ORPHAN, str(process.pid), text, "is ended")


def _notes_on_use(processes: Iterable[Process]) -> list[str]:
    return [
        f"Process {process.pid} is at work here: {process.command[:80]}"
        for process in processes
        if not process.is_orphan
    ]


def _notes_on_permissions(folder: Path) -> list[str]:
    mode = folder.stat().st_mode
    if mode & 0o020 and not mode & 0o002:
        return [f"Its group can write to the workspace. To make it private: chmod 700 {folder}"]
    if mode & 0o055 and not mode & 0o002:
        return [f"Other users can read the workspace. To make it private: chmod 700 {folder}"]
    return []


def _below(folder: Path, depth: int) -> Iterator[Path]:
    """Yield the files and folders below a folder, without following links."""
    with suppress(OSError):
        for path in sorted(folder.iterdir()):
            yield path
            if depth > 1 and path.is_dir() and not path.is_symlink():
                yield from _below(path, depth - 1)
