"""`eyetune doctor`: reports, repairs, and the hints that lead to it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from eyetune.records import Workspace
from eyetune.records.database import FILE_NAME
from tests.cli.conftest import Terminal
from tests.records.fabricate import add_complete_run, add_run
from tests.records.test_doctor import delete_database, empty_tables
from tests.records.test_study_store import add_study


@pytest.fixture
def folder(workspace: Path) -> Path:
    """Return a workspace with two runs and a study."""
    records = Workspace(workspace)
    add_complete_run(records, name="first")
    add_run(records)
    add_study(records)
    return workspace


def test_doctor_reports_and_repairs(eyetune: Terminal, folder: Path) -> None:
    empty_tables(folder)
    assert eyetune("doctor", "--json") == 1
    found = json.loads(eyetune.output)
    assert (found["runs"], found["repaired"]) == (0, [])
    assert {item["problem"] for item in found["found"]} == {"not in the database"}
    assert eyetune("doctor", folder, "--fix") == 0
    assert len(Workspace(folder).runs.all()) == 2
    assert eyetune("doctor", folder) == 0


def test_doctor_without_fix_changes_nothing(eyetune: Terminal, folder: Path) -> None:
    (folder / FILE_NAME).write_bytes(b"this is no database, and never was one" * 100)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert eyetune("doctor", folder) == 1
    after = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert after == before


@pytest.mark.parametrize("damage", [empty_tables, delete_database])
def test_emptied_database_beside_folders_is_reported(
    eyetune: Terminal, folder: Path, damage: object
) -> None:
    assert callable(damage)
    damage(folder)
    assert eyetune.json("runs")["unrecorded"] == 2
    assert eyetune.json("studies")["unrecorded"] == 1
    assert "doctor" in eyetune.error("show", "latest")["fix"]
    assert eyetune("runs") == 0
    assert "doctor" in eyetune.errors


def test_empty_workspace_is_no_emptied_database(eyetune: Terminal, records: Workspace) -> None:
    records.prepare()
    assert eyetune.json("runs")["unrecorded"] == 0
    assert eyetune("doctor") == 0
