"""Ids and links of a workspace from someone else lead nowhere outside of it."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest
from PIL import Image

from eyetune.data.preview import save_picture
from eyetune.errors import WorkspaceError
from eyetune.records import Workspace
from eyetune.records.database import FILE_NAME
from eyetune.records.doctor import check
from eyetune.records.findings import Problem
from eyetune.records.repair import repair
from eyetune.report.figures.picture import Picture, save
from eyetune.testing.labs import fabricated_lab
from tests.records.fabricate import add_complete_run, add_run
from tests.records.test_study_store import add_study

HOSTILE = "../../victim"
BAD_IDS = (HOSTILE, "/tmp", "..", "", "a/b", "a\0b", "\u202eabc", ".hidden", "x" * 300)


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """Return a folder beside the workspace, with a file that must survive."""
    folder = tmp_path / "victim"
    folder.mkdir()
    (folder / "precious.txt").write_text("mine")
    return folder


def is_untouched(victim: Path) -> bool:
    return [path.name for path in victim.iterdir()] == ["precious.txt"]


def set_column(workspace: Path, table: str, column: str, value: object) -> None:
    with sqlite3.connect(workspace / FILE_NAME) as database:
        database.execute("PRAGMA foreign_keys = OFF")
        database.execute(f"update {table} set {column} = ?", [value])
    database.close()


@pytest.mark.parametrize("bad_id", BAD_IDS)
def test_ids_that_are_no_names_of_folders_are_refused(workspace: Path, bad_id: str) -> None:
    records = Workspace(workspace)
    for store in (records.runs, records.studies, records.labs):
        with pytest.raises(WorkspaceError):
            store.folder(bad_id)
    with pytest.raises(WorkspaceError):
        records.predictions.load(bad_id, "validation")
    with pytest.raises(WorkspaceError):
        records.runs.drop_checkpoints(bad_id, model=True)


@pytest.mark.parametrize("column", ["lab_id", "study_id", "continued_from"])
def test_hostile_reference_of_a_run_is_refused(workspace: Path, victim: Path, column: str) -> None:
    run = add_run(Workspace(workspace))
    set_column(workspace, "runs", column, HOSTILE)
    with pytest.raises(WorkspaceError) as caught:
        Workspace(workspace).runs.get(run.id)
    assert column in (caught.value.received or "")
    assert is_untouched(victim)


def test_hostile_run_of_a_trial_is_refused(workspace: Path) -> None:
    records = Workspace(workspace)
    study = add_study(records)
    with records.transaction():
        pass
    with sqlite3.connect(workspace / FILE_NAME) as database:
        row = [study.id, HOSTILE]
        database.execute("insert into trials values (?, 0, 'COMPLETE', ?, '{\"values\": {}}')", row)
    database.close()
    with pytest.raises(WorkspaceError):
        records.studies.trials(study.id)


def test_hostile_id_in_a_lab_is_refused(workspace: Path, victim: Path) -> None:
    records = Workspace(workspace)
    lab = fabricated_lab(3, lab_id="lab-1")
    path = records.labs.save(lab)
    path.write_text(path.read_text().replace('"lab-1"', f'"{HOSTILE}"'))
    with pytest.raises(WorkspaceError):
        records.labs.find("lab-1")
    records.labs.purge("lab-1")
    assert is_untouched(victim)


@pytest.mark.parametrize("kind", ["runs", "studies", "labs"])
def test_linked_folder_of_records_is_refused(workspace: Path, victim: Path, kind: str) -> None:
    records = Workspace(workspace)
    records.prepare()
    folder = workspace / kind
    if folder.exists():
        folder.rmdir()
    (victim / "abc").mkdir()
    folder.symlink_to(victim)
    purge = {
        "runs": records.runs.purge,
        "studies": records.studies.purge,
        "labs": records.labs.purge,
    }
    with pytest.raises(WorkspaceError):
        purge[kind]("abc")
    assert (victim / "abc").exists()


@pytest.mark.parametrize("name", ["lock", "checkpoint.npz", "model.keras", "plots", "progress"])
def test_link_in_the_folder_of_a_run_is_refused(workspace: Path, victim: Path, name: str) -> None:
    records = Workspace(workspace)
    run = add_run(records)
    (records.runs.folder(run.id) / name).symlink_to(victim / "precious.txt")
    with pytest.raises(WorkspaceError):
        records.runs.purge(run.id)
    with pytest.raises(WorkspaceError):
        records.runs.all()
    assert is_untouched(victim)


def test_link_to_another_database_is_refused(workspace: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    add_run(Workspace(other))
    workspace.mkdir()
    (workspace / FILE_NAME).symlink_to(other / FILE_NAME)
    with pytest.raises(WorkspaceError):
        Workspace(workspace).runs.all()


def test_pipe_in_the_folder_of_a_run_is_refused(workspace: Path) -> None:
    records = Workspace(workspace)
    run = add_run(records)
    os.mkfifo(records.runs.folder(run.id) / "recipe-pipe")
    with pytest.raises(WorkspaceError):
        records.runs.folder(run.id)


def test_links_inside_of_a_workspace_are_followed(workspace: Path, tmp_path: Path) -> None:
    records = Workspace(workspace)
    run, other = add_complete_run(records), add_complete_run(records)
    target = records.runs.folder(other.id) / "recipe.toml"
    (records.runs.folder(run.id) / "linked.toml").symlink_to(target)
    assert records.runs.get(run.id) == run
    linked = tmp_path / "linked"
    linked.symlink_to(workspace)  # a workspace that lies elsewhere as a whole
    assert len(Workspace(linked).runs.all()) == 2


def test_new_workspace_is_private(workspace: Path, tmp_path: Path) -> None:
    add_run(Workspace(workspace))
    assert workspace.stat().st_mode & 0o777 == 0o700
    other = tmp_path / "other"
    Workspace(other).path("exports", "one")
    assert other.stat().st_mode & 0o777 == 0o700


def test_existing_folder_keeps_its_permissions(workspace: Path) -> None:
    workspace.mkdir(mode=0o750)
    add_run(Workspace(workspace))
    assert workspace.stat().st_mode & 0o777 == 0o750


BOMBS = {
    "a view that never ends": (
        "alter table runs rename to others; create view runs as with recursive n(i) as "
        "(select 1 union all select i + 1 from n) select others.* from others, n;"
    ),
    "a computed column": (
        "alter table runs add column more text generated always as "
        "(cast(zeroblob(900000000) as text)) virtual;"
    ),
    "a trigger": "create trigger t after insert on epochs begin delete from runs; end;",
}


@pytest.mark.parametrize("name", BOMBS)
def test_database_with_more_than_plain_tables_is_refused(workspace: Path, name: str) -> None:
    run = add_run(Workspace(workspace))
    with sqlite3.connect(workspace / FILE_NAME) as database:
        database.executescript(BOMBS[name])
    database.close()
    with pytest.raises(WorkspaceError, match="damaged"):
        Workspace(workspace).runs.get(run.id)
    found = check(workspace)
    assert [finding.problem for finding in found.findings] == [Problem.DATABASE_DAMAGED]
    repair(found)
    assert Workspace(workspace).runs.get(run.id).id == run.id  # from its copy


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this platform has no named pipes")
@pytest.mark.parametrize("name", [f"{FILE_NAME}-journal", f"{FILE_NAME}-wal", "eyetune.lock"])
def test_pipe_beside_the_database_is_refused(workspace: Path, name: str) -> None:
    add_run(Workspace(workspace))
    (workspace / name).unlink(missing_ok=True)
    os.mkfifo(workspace / name)
    with pytest.raises(WorkspaceError, match="in the way"):
        Workspace(workspace).runs.all()
    with pytest.raises(WorkspaceError, match="in the way"):
        check(workspace)


def test_database_of_a_later_file_format_is_an_error(workspace: Path) -> None:
    add_run(Workspace(workspace))
    content = bytearray((workspace / FILE_NAME).read_bytes())
    content[18:20] = b"\x7f\x7f"  # versions for writing and reading
    (workspace / FILE_NAME).write_bytes(content)
    with pytest.raises(WorkspaceError, match="damaged"):
        Workspace(workspace).runs.all()


def test_missing_column_is_a_damaged_database(workspace: Path) -> None:
    add_run(Workspace(workspace))
    with sqlite3.connect(workspace / FILE_NAME) as database:
        database.execute("alter table runs drop column note")
    database.close()
    with pytest.raises(WorkspaceError, match="damaged") as caught:
        Workspace(workspace).runs.all()
    assert "doctor" in (caught.value.fix or "")


def test_pictures_do_not_follow_links(workspace: Path, victim: Path) -> None:
    folder = workspace / "plots"
    folder.mkdir(parents=True)
    for name in ("curves.svg", "samples.png"):
        (folder / name).symlink_to(victim / "precious.txt")
    save(Picture(), folder, "curves", ["svg"])
    save_picture(Image.new("RGB", (4, 4)), folder / "samples.png")
    assert (victim / "precious.txt").read_text() == "mine"
    assert not (folder / "curves.svg").is_symlink()


def test_links_deep_in_the_folder_of_a_run_are_reported(workspace: Path, victim: Path) -> None:
    records = Workspace(workspace)
    folder = records.runs.folder(add_run(records).id) / "plots"
    folder.mkdir()
    (folder / "curves.png").symlink_to(victim / "precious.txt")
    assert Problem.LEADS_OUT in {finding.problem for finding in check(workspace).findings}
