"""Damaged rows of the database are errors that name the record, whatever the columns hold."""

from __future__ import annotations

import json
import sqlite3
from contextlib import suppress
from pathlib import Path

import pytest

from eyetune.errors import WorkspaceError
from eyetune.recipe import Recipe
from eyetune.records import Workspace
from eyetune.records.database import FILE_NAME
from eyetune.records.requests import RequestKind
from eyetune.records.schema import metadata
from eyetune.records.trial import TrialRecord, TrialState
from tests.records.fabricate import add_complete_run
from tests.records.test_study_store import add_study

DEEP = "[" * 100_000
LARGE = json.dumps({"epochs": 10**400, "name": "a", "layers": []})
VALUES = (
    "text", -1, 9e999, b"\xff\x00", "{", "[null]", DEEP, LARGE, "0001-01-01 00:00:00",
)  # fmt: skip


def set_column(workspace: Path, table: str, column: str, value: object) -> None:
    with sqlite3.connect(workspace / FILE_NAME) as database:
        database.execute("PRAGMA foreign_keys = OFF")
        database.execute("PRAGMA synchronous = OFF")
        with suppress(sqlite3.IntegrityError):  # the database itself refuses it
            database.execute(f"update {table} set {column} = ?", [value])
    database.close()


def stored_value(workspace: Path, table: str, column: str) -> object:
    with sqlite3.connect(workspace / FILE_NAME) as database:
        value = database.execute(f"select {column} from {table}").fetchone()[0]
    database.close()
    return value


def read_everything(workspace: Path) -> None:
    records = Workspace(workspace)
    for deleted in (False, True):
        for run in records.runs.all(deleted=deleted):
            records.runs.history(run.id)
            assert json.dumps(run.to_json())
        for study in records.studies.all(deleted=deleted):
            records.studies.trials(study.id)
            records.requests.pending(study.id)


@pytest.mark.parametrize("table", ["runs", "epochs", "studies", "trials", "requests"])
def test_damaged_columns_are_workspace_errors(workspace: Path, table: str) -> None:
    records = Workspace(workspace)
    add_complete_run(records)
    study = add_study(records)
    trial = TrialRecord(number=0, state=TrialState.RUNNING, values={"units": 8}, run="3f2a77b0")
    records.studies.save_trials(study.id, [trial])
    records.requests.add(study.id, RequestKind.TRIAL, {"units": 8})
    num_errors = 0
    for column in metadata.tables[table].columns:
        whole = stored_value(workspace, table, column.name)
        for value in VALUES:
            set_column(workspace, table, column.name, value)
            try:
                read_everything(workspace)
            except WorkspaceError:
                num_errors += 1
        set_column(workspace, table, column.name, whole)
    read_everything(workspace)
    assert num_errors > 2 * len(metadata.tables[table].columns)


@pytest.mark.parametrize(
    ("table", "column"),
    [("runs", "recipe"), ("runs", "network"), ("runs", "state"), ("studies", "settings")],
)
def test_error_names_the_record_and_the_column(workspace: Path, table: str, column: str) -> None:
    records = Workspace(workspace)
    run, study = add_complete_run(records), add_study(records)
    set_column(workspace, table, column, '{"unknown": 1}')
    with pytest.raises(WorkspaceError) as caught:
        read_everything(workspace)
    assert (run.id if table == "runs" else study.id) in caught.value.message
    assert column in (caught.value.received or "")


def test_damaged_run_does_no_harm_to_others(workspace: Path) -> None:
    records = Workspace(workspace)
    damaged = add_complete_run(records, name="damaged")
    with sqlite3.connect(workspace / FILE_NAME) as database:
        database.execute("update runs set created_at = 'never', recipe = '{', name = 7")
    database.close()
    whole = add_complete_run(records, name="whole")
    assert records.runs.find("whole") == whole
    assert records.runs.find("latest") == whole
    with pytest.raises(WorkspaceError):
        records.runs.find(damaged.id)


def test_damaged_study_does_no_harm_to_others(workspace: Path) -> None:
    records = Workspace(workspace)
    add_study(records, "damaged")
    set_column(workspace, "studies", "settings", "{")
    whole = add_study(records, "whole")
    assert records.studies.find("whole") == whole
    with pytest.raises(WorkspaceError):
        records.studies.find("damaged")


def test_run_from_before_resize_squashed_its_photos(workspace: Path) -> None:
    records = Workspace(workspace)
    run = add_complete_run(records, recipe=Recipe().with_(data__source="photos"))
    values = json.loads(str(stored_value(workspace, "runs", "recipe")))
    assert values["data"].pop("resize") == "crop" == run.resize
    set_column(workspace, "runs", "recipe", json.dumps(values))
    assert Workspace(workspace).runs.get(run.id).resize == "squash"


def test_study_from_before_resize_squashed_its_photos(workspace: Path) -> None:
    records = Workspace(workspace)
    study = add_study(records)
    values = json.loads(str(stored_value(workspace, "studies", "settings")))
    del values["recipe"]["data"]["resize"]
    values["recipe"]["data"]["source"] = "photos"
    set_column(workspace, "studies", "settings", json.dumps(values))
    recipe = Workspace(workspace).studies.get(study.id).settings.recipe
    assert recipe.data.resize == "squash"
