"""The doctor finds what is wrong with a workspace, and its repairs lose nothing."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from eyetune.errors import RunBusyError, WorkspaceError
from eyetune.records import Workspace
from eyetune.records.copies import RECORD_FILE
from eyetune.records.database import FILE_NAME
from eyetune.records.doctor import check
from eyetune.records.findings import Problem
from eyetune.records.repair import repair
from eyetune.records.requests import RequestKind
from eyetune.records.stored_rows import TABLES
from eyetune.records.trial import TrialRecord, TrialState
from tests.records.fabricate import add_complete_run, add_run, make_epoch
from tests.records.test_study_store import add_study

TRIAL = TrialRecord(number=0, state=TrialState.COMPLETE, values={"units": 8}, run="3f2a77b0")


@pytest.fixture
def filled(workspace: Path) -> Workspace:
    """Return a workspace with two runs and a study of three trials."""
    records = Workspace(workspace)
    add_complete_run(records, name="first")
    add_run(records)
    study = add_study(records)
    records.studies.save_trials(study.id, [TRIAL.with_(number=number) for number in range(3)])
    records.requests.add(study.id, RequestKind.TRIAL, {"units": 16})
    return records


def content(folder: Path) -> dict[str, object]:
    """Return everything that is recorded."""
    records = Workspace(folder)
    runs, studies = records.runs.all(), records.studies.all()
    return {
        "runs": runs,
        "epochs": records.runs.histories([run.id for run in runs]),
        "studies": studies,
        "trials": [records.studies.trials(study.id) for study in studies],
    }


def problems(folder: Path) -> set[Problem]:
    return {finding.problem for finding in check(folder).findings}


def edit(folder: Path, *commands: str) -> None:
    with sqlite3.connect(folder / FILE_NAME) as database:
        database.execute("PRAGMA foreign_keys = OFF")
        for command in commands:
            database.execute(command)
    database.close()


def test_whole_workspace_has_no_findings(filled: Workspace) -> None:
    before = content(filled.folder)
    diagnosis = check(filled.folder)
    assert (diagnosis.findings, diagnosis.num_runs, diagnosis.num_studies) == ((), 2, 1)
    assert content(filled.folder) == before


def test_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError):
        check(tmp_path / "missing")


def test_empty_folder_has_no_findings(tmp_path: Path) -> None:
    assert check(tmp_path).findings == ()
    assert list(tmp_path.iterdir()) == []


def delete_database(folder: Path) -> None:
    (folder / FILE_NAME).unlink()


def empty_database(folder: Path) -> None:
    (folder / FILE_NAME).write_bytes(b"")


def empty_tables(folder: Path) -> None:
    edit(folder, *(f"delete from {table}" for table in TABLES))


def overwrite_database(folder: Path) -> None:
    (folder / FILE_NAME).write_bytes(b"this is no database, and never was one" * 100)


def cut_database(folder: Path) -> None:
    path = folder / FILE_NAME
    path.write_bytes(path.read_bytes()[:-5000])


def damage_rows(folder: Path) -> None:
    edit(folder, "update runs set recipe = '{'", "update trials set details = 'x'")


@pytest.mark.parametrize(
    "damage",
    [
        delete_database, empty_database, empty_tables, overwrite_database, cut_database,
        damage_rows,
    ],
)  # fmt: skip
def test_database_is_rebuilt(filled: Workspace, damage: object) -> None:
    assert callable(damage)
    before = content(filled.folder)
    damage(filled.folder)
    diagnosis = check(filled.folder)
    assert diagnosis.findings
    done = repair(diagnosis)
    assert done
    assert content(filled.folder) == before
    assert check(filled.folder).findings == ()


def test_former_database_is_kept(filled: Workspace) -> None:
    damage_rows(filled.folder)
    damaged = (filled.folder / FILE_NAME).read_bytes()
    repair(check(filled.folder))
    (former,) = filled.folder.glob(f"{FILE_NAME}.former-*")
    assert former.read_bytes() == damaged


def test_damaged_row_without_a_copy_is_exported(filled: Workspace) -> None:
    run = filled.runs.find("first")
    (filled.runs.folder(run.id) / RECORD_FILE).unlink()
    edit(filled.folder, f"update runs set recipe = '{{' where id = '{run.id}'")
    edit(filled.folder, f"update runs set data = x'ff00' where id = '{run.id}'")
    repair(check(filled.folder))
    assert run.id not in [left.id for left in Workspace(filled.folder).runs.all()]
    (exported,) = (filled.folder / "doctor").glob("*/*.json")
    rows = json.loads(exported.read_text())
    assert {row["table"] for row in rows} == {"runs", "epochs"}
    assert rows[0]["values"]["name"] == "first"
    assert problems(filled.folder) == {Problem.NO_RECORD}  # its folder is left alone


def test_rows_of_the_database_come_before_copies(filled: Workspace) -> None:
    run = filled.runs.find("first")
    copy = filled.runs.folder(run.id) / RECORD_FILE
    earlier = copy.read_bytes()
    filled.runs.save_epochs(run.id, [make_epoch(2)])
    copy.write_bytes(earlier)
    edit(filled.folder, "update studies set settings = '{'")
    repair(check(filled.folder))
    assert len(Workspace(filled.folder).runs.history(run.id)) == 2
    assert check(filled.folder).findings == ()


def test_hostile_copies_are_not_used(filled: Workspace, tmp_path: Path) -> None:
    run = filled.runs.find("first")
    folder = filled.runs.folder(run.id)
    text = (folder / RECORD_FILE).read_text()
    other = folder.with_name("0badc0de")
    other.mkdir()
    (other / RECORD_FILE).write_text(text.replace(run.id, "../../victim"))
    empty_tables(filled.folder)
    repair(check(filled.folder))
    ids = {record.id for record in Workspace(filled.folder).runs.all()}
    assert run.id in ids
    assert not any("victim" in record_id or "0badc0de" in record_id for record_id in ids)


def test_missing_folder_is_made_again(filled: Workspace) -> None:
    run = filled.runs.find("first")
    shutil.rmtree(filled.runs.folder(run.id))
    assert problems(filled.folder) == {Problem.FOLDER_MISSING}
    repair(check(filled.folder))
    assert (filled.runs.folder(run.id) / "recipe.toml").is_file()
    assert check(filled.folder).findings == ()


def test_copies_of_earlier_versions_are_written(filled: Workspace) -> None:
    for path in filled.folder.glob(f"*/*/{RECORD_FILE}"):
        path.unlink()
    assert problems(filled.folder) == {Problem.COPY_OUTDATED}
    repair(check(filled.folder))
    before = content(filled.folder)
    delete_database(filled.folder)
    repair(check(filled.folder))
    assert content(filled.folder) == before


def test_copies_are_migrated(filled: Workspace) -> None:
    before = content(filled.folder)
    for path in filled.folder.glob(f"*/*/{RECORD_FILE}"):
        copy = json.loads(path.read_text())
        path.write_text(json.dumps({**copy, "version": "0006"}))
    assert check(filled.folder).findings == ()  # they agree with the database
    delete_database(filled.folder)
    repair(check(filled.folder))
    assert content(filled.folder) == before
    assert check(filled.folder).findings == ()


def test_leftovers_of_killed_processes_are_cleared(
    filled: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = filled.runs.folder(filled.runs.find("first").id)
    (folder / ".model.999999999-abcdef.part.keras").write_bytes(b"half")
    (filled.folder / "labs").mkdir()
    former = filled.folder / "labs" / ".lab-1.999999999-abcdef.former"
    former.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    abandoned = tmp_path / f"eyetune-{os.getuid()}" / "999999999-abcdef01"
    abandoned.mkdir(parents=True)
    abandoned.with_name(f"{abandoned.name}.lock").touch()
    own = folder / f".model.{os.getpid()}-abcdef.part.keras"
    own.write_bytes(b"in use")
    for path in (own, former, *folder.glob("*.part.*")):
        os.utime(path, (time.time() - 3600,) * 2)
    (folder / ".new.999999999-abcdef.part").write_bytes(b"of another machine")
    assert problems(filled.folder) == {Problem.LEFTOVER}
    repair(check(filled.folder))
    assert check(filled.folder).findings == ()
    assert own.exists()
    assert not abandoned.exists()
    assert (filled.folder / "labs" / "lab-1").is_dir()  # its successor was never complete


def test_damaged_files_are_reported(filled: Workspace) -> None:
    folder = filled.runs.folder(filled.runs.find("first").id)
    for name in ("model.keras", "checkpoint.npz", "test-predictions.npz"):
        (folder / name).write_bytes(b"PK\x03\x04 cut off")
    findings = check(filled.folder).findings
    assert {finding.problem for finding in findings} == {Problem.FILE_DAMAGED}
    assert len(findings) == 3
    assert all(finding.advice for finding in findings)


@pytest.mark.parametrize("name", ["labs/lab-1/lab.json", "shrinks/1.json", "checks/1.json"])
def test_damaged_records_in_files_are_reported(filled: Workspace, name: str) -> None:
    path = filled.folder / name
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    (finding,) = check(filled.folder).findings
    assert finding.problem is Problem.FILE_DAMAGED
    assert str(path) in finding.text
    assert finding.advice


def test_requests_survive_a_rebuilt_database(filled: Workspace) -> None:
    study = filled.studies.all()[0]
    before = filled.requests.pending(study.id)
    damage_rows(filled.folder)
    repair(check(filled.folder))
    assert Workspace(filled.folder).requests.pending(study.id) == before != []


def test_damaged_request_is_removed(filled: Workspace) -> None:
    study = filled.studies.all()[0]
    edit(filled.folder, "update requests set kind = 'dance'")
    with pytest.raises(WorkspaceError):
        filled.requests.pending(study.id)
    assert problems(filled.folder) == {Problem.ROW_DAMAGED}
    before = content(filled.folder)
    repair(check(filled.folder))
    assert Workspace(filled.folder).requests.pending(study.id) == []
    assert content(filled.folder) == before
    assert check(filled.folder).findings == ()


def test_links_out_of_the_workspace_are_reported(filled: Workspace, tmp_path: Path) -> None:
    folder = filled.runs.folder(filled.runs.find("first").id)
    (folder / "plots").symlink_to(tmp_path)
    assert problems(filled.folder) == {Problem.LEADS_OUT}


# A parent that ends at once, and leaves a process behind that looks like a worker of a search.
LEAVE_A_WORKER = """
import subprocess, sys
sleep = [sys.executable, "-c", "import time; time.sleep(600)", "multiprocessing", "spawn_main"]
quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
print(subprocess.Popen(sleep, cwd=sys.argv[1], **quiet).pid)
"""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are found on Linux only")
def test_worker_without_its_coordinator_is_ended(filled: Workspace) -> None:
    arguments = [sys.executable, "-c", LEAVE_A_WORKER, str(filled.folder)]
    pid = int(subprocess.run(arguments, capture_output=True, text=True, check=True).stdout)
    try:
        diagnosis = check(filled.folder)
        assert [(found.problem, found.subject) for found in diagnosis.findings] == [
            (Problem.ORPHAN, str(pid))
        ]
        assert f"Ended process {pid}." in repair(diagnosis)
        deadline = time.monotonic() + 10
        while problems(filled.folder) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert problems(filled.folder) == set()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are found on Linux only")
def test_database_that_a_process_has_open_is_not_replaced(filled: Workspace) -> None:
    damage_rows(filled.folder)
    diagnosis = check(filled.folder)
    code = "import sys; stream = open(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    arguments = [sys.executable, "-c", code, str(filled.folder / FILE_NAME)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        reader.stdout.readline()
        with pytest.raises(RunBusyError, match=str(reader.pid)):
            repair(diagnosis)
        reader.communicate()
    repair(diagnosis)
    assert check(filled.folder).findings == ()


def test_copy_whose_name_is_taken_waits_for_the_name(filled: Workspace) -> None:
    """The database was lost, and a study of the same name was begun before the repair."""
    study = filled.studies.all()[0]
    trials = filled.studies.trials(study.id)
    delete_database(filled.folder)
    other = add_study(Workspace(filled.folder))
    assert other.name == study.name
    done = repair(check(filled.folder))  # since the runs are not in the database either
    assert [record.id for record in Workspace(filled.folder).studies.all()] == [other.id]
    (removed,) = filled.folder.glob("doctor/*/removed-rows.json")
    assert study.id in removed.read_text()
    assert any(str(removed) in text for text in done)
    (finding,) = check(filled.folder).findings
    assert (finding.repair, study.name in finding.advice) == ("", True)
    Workspace(filled.folder).studies.delete(other.id)
    repair(check(filled.folder))
    assert Workspace(filled.folder).studies.trials(study.id) == trials
    assert check(filled.folder).findings == ()


def test_copy_whose_name_is_no_text_is_exported(filled: Workspace) -> None:
    study = filled.studies.all()[0]
    path = filled.studies.folder(study.id) / RECORD_FILE
    copy = json.loads(path.read_text())
    copy["rows"]["studies"][0]["name"] = ["a", "list"]
    path.write_text(json.dumps(copy))
    empty_tables(filled.folder)
    repair(check(filled.folder))
    assert Workspace(filled.folder).studies.all() == []


def test_copy_of_an_unknown_version_is_exported(filled: Workspace) -> None:
    run = filled.runs.find("first")
    path = filled.runs.folder(run.id) / RECORD_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": "9999"}))
    delete_database(filled.folder)
    repair(check(filled.folder))
    assert run.id not in {record.id for record in Workspace(filled.folder).runs.all()}
    (removed,) = filled.folder.glob("doctor/*/removed-rows.json")
    assert "unknown version, 9999" in removed.read_text()


def test_workspace_writable_by_all_is_repaired(filled: Workspace) -> None:
    filled.folder.chmod(0o777)
    assert problems(filled.folder) == {Problem.PERMISSIONS}
    repair(check(filled.folder))
    assert filled.folder.stat().st_mode & 0o777 == 0o755
    diagnosis = check(filled.folder)
    assert (diagnosis.findings, len(diagnosis.notes)) == ((), 1)  # others can read it


def test_workspace_in_use_is_not_repaired(filled: Workspace) -> None:
    run = filled.runs.find("first")
    empty_tables(filled.folder)
    diagnosis = check(filled.folder)
    with filled.runs.claim(run.id), pytest.raises(RunBusyError):
        repair(diagnosis)


def test_damaged_copy_of_an_unknown_record_is_reported_once_and_for_all(filled: Workspace) -> None:
    run = filled.runs.find("first")
    path = filled.runs.folder(run.id) / RECORD_FILE
    copy = json.loads(path.read_text())
    copy["rows"]["runs"][0]["seed"] = "x"
    path.write_text(json.dumps(copy))
    edit(filled.folder, "delete from epochs", f"delete from runs where id = '{run.id}'")
    for _ in range(2):
        repair(check(filled.folder))
    assert problems(filled.folder) == {Problem.FILE_DAMAGED}
    assert list(filled.folder.glob("*.former-*")) == []


def test_group_that_can_write_is_noted(filled: Workspace) -> None:
    filled.folder.chmod(0o770)
    found = check(filled.folder)
    assert found.findings == ()
    assert "group can write" in found.notes[0]
