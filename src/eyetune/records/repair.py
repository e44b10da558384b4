"""Repairs what a check of a workspace found, without losing anything."""

from __future__ import annotations

import os
import re
import shutil
import signal
import stat
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from eyetune._files import write_text
from eyetune.errors import RunBusyError, WorkspaceError
from eyetune.records.copies import write_run, write_study
from eyetune.records.database import FILE_NAME, Database
from eyetune.records.findings import Diagnosis, Finding, Problem
from eyetune.records.folders import is_claimed, record_folder, record_names
from eyetune.records.processes import processes_with
from eyetune.records.rebuilding import rebuild
from eyetune.records.stored_rows import opened, readable_rows
from eyetune.records.workspace import Workspace
from eyetune.values.run_files import RECIPE_FILE

_NEED_REBUILDING = {
    Problem.DATABASE_MISSING,
    Problem.DATABASE_DAMAGED,
    Problem.ROW_DAMAGED,
    Problem.NOT_IN_DATABASE,
}
_NEED_FOLDERS = {Problem.FOLDER_MISSING, Problem.COPY_OUTDATED, *_NEED_REBUILDING}
_FORMER_SUFFIX = re.compile(r"\.\d+-[0-9a-f]{6}\.former")


def repair(diagnosis: Diagnosis) -> list[str]:
    """Repair what can be repaired, and return what was done, as sentences.

    Args:
        diagnosis: From `check`.

    Raises:
        RunBusyError: A process is at work in the workspace.
        WorkspaceError: The workspace cannot be written; what was done stays.
    """
    folder = diagnosis.folder
    repairable = [finding for finding in diagnosis.findings if finding.repair]
    problems = {finding.problem for finding in repairable}
    _check_unused(folder)
    done = [_end_process(found) for found in repairable if found.problem is Problem.ORPHAN]
    if problems & _NEED_REBUILDING:
        _check_closed(folder)
    try:
        if problems & _NEED_REBUILDING:
            done += _rebuild(folder)
        for finding in repairable:
            if finding.problem is Problem.LEFTOVER:
                done.append(_clear(Path(finding.subject)))
            elif finding.problem is Problem.PERMISSIONS:
                folder.chmod(stat.S_IMODE(folder.stat().st_mode) & ~0o022)
                done.append("Only you can write to the workspace now.")
        if problems & _NEED_FOLDERS:
            done += _write_folders(folder)
    except OSError as error:
        raise WorkspaceError(
            f"The workspace {folder} cannot be repaired.",
            received=error.strerror or error,
            fix="Free some space or check the permissions of the folder, then try again.",
        ) from None
    return done


def _check_unused(folder: Path) -> None:
    """Refuse to repair a workspace that a process is working in.

    Raises:
        RunBusyError: It is in use.
    """
    for kind in ("runs", "studies"):
        for name in record_names(folder, kind):
            is_held = False
            with suppress(WorkspaceError):  # a link that leads out, which the check reports
                path = record_folder(folder, kind, name)
                is_held = (path / "lock").exists() and is_claimed(path)
            if is_held:
                raise RunBusyError(
                    f"A process is at work on {kind}/{name}.",
                    fix="Wait for it to end, or stop it, then repair the workspace.",
                )


def _check_closed(folder: Path) -> None:
    """Refuse to replace a database that a process has open: it would write into the former one.

    Raises:
        RunBusyError: There is such a process.
    """
    if pids := processes_with(folder / FILE_NAME):
        listed = ", ".join(map(str, pids))
        raise RunBusyError(
            f"The database is open in another process, for example a dashboard: {listed}.",
            fix="End it, then repair the workspace.",
        )


def _end_process(finding: Finding) -> str:
    with suppress(OSError):  # it has ended meanwhile
        os.kill(int(finding.subject), signal.SIGKILL)
    return f"Ended process {finding.subject}."


def _rebuild(folder: Path) -> list[str]:
    result = rebuild(folder, f"{datetime.now(UTC):%Y%m%d-%H%M%S}")
    counts = f"runs: {result.num_runs:,}, studies: {result.num_studies:,}"
    done = [f"Rebuilt the database ({counts})."]
    if result.former is not None:
        done.append(f"Kept the former database: {result.former}")
    if result.removed is not None:
        rows = f"{result.num_removed:,} rows that cannot be used"
        done.append(f"Exported {rows}: {result.removed}")
    return done


def _clear(path: Path) -> str:
    """Delete a left-over file or folder; a former folder whose successor is missing comes back."""
    if path.name.endswith(".former"):
        successor = path.with_name(_FORMER_SUFFIX.sub("", path.name).removeprefix("."))
        if not successor.exists():
            path.rename(successor)
            return f"Brought back {successor}."
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    return f"Deleted {path}."


def _write_folders(folder: Path) -> list[str]:
    """Make missing folders of runs and studies, and write all copies of their records."""
    workspace, database = Workspace(folder), Database(folder)
    counts = {"folder": 0, "copy": 0}
    with opened(folder / FILE_NAME) as stored:
        ids = {
            table: [row["id"] for row in readable_rows(stored, table)]
            for table in ("runs", "studies")
        }
    for run_id in ids["runs"]:
        with suppress(WorkspaceError):  # a link that leads out, which the check reports
            path = workspace.runs.folder(run_id)
            record = workspace.runs.get(run_id)
            counts["folder"] += _made(path)
            if record.own_recipe is not None and not (path / RECIPE_FILE).exists():
                write_text(path / RECIPE_FILE, record.own_recipe.to_toml(comments=True))
            write_run(database, run_id)
            counts["copy"] += 1
    for study_id in ids["studies"]:
        with suppress(WorkspaceError):
            counts["folder"] += _made(workspace.studies.folder(study_id))
            write_study(database, study_id, with_trials=True)
            counts["copy"] += 1
    done = [f"Made {counts['folder']:,} missing folders."] if counts["folder"] else []
    return [*done, f"Wrote the copies of {counts['copy']:,} records."] if counts["copy"] else done


def _made(folder: Path) -> bool:
    is_missing = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    return is_missing
