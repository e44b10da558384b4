"""Lists of runs from the database are those that whole records give."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from eyetune.cli.list_tables import fold_runs
from eyetune.recipe import Recipe
from eyetune.records import Workspace
from eyetune.records.database import FILE_NAME
from tests.records.fabricate import add_complete_run, add_run, make_epoch

ON_VALIDATION = Recipe().with_({"data.train_on_validation": True})


@pytest.fixture
def records(workspace: Path) -> Workspace:
    """Return a workspace with runs of a user, of labs and of studies, some in the trash."""
    records = Workspace(workspace)
    add_complete_run(records, 0.5)
    add_complete_run(records, 0.6, lab_id="lab-1")
    add_complete_run(records, 0.9, lab_id="lab-1", recipe=ON_VALIDATION)
    add_complete_run(records, 0.7, study_id="study-1")
    add_complete_run(records, 0.8, study_id="study-1")
    add_complete_run(records, 0.4, lab_id="lab-2", study_id="study-1")
    add_run(records, study_id="study-2")
    records.runs.delete(add_complete_run(records, 0.99, study_id="study-1").id)
    add_complete_run(records, 0.3, lab_id="lab-1")
    add_run(records)
    return records


@pytest.mark.parametrize("deleted", [False, True])
def test_newest_lines_are_those_of_whole_records(records: Workspace, *, deleted: bool) -> None:
    runs = records.runs.all(deleted=deleted)[::-1]
    folded = fold_runs(runs)
    assert records.runs.newest_lines(0, deleted=deleted) == (folded, len(folded))
    assert records.runs.newest_lines(0, deleted=deleted, is_folded=False) == (runs, len(runs))


def test_newest_lines_are_limited(records: Workspace) -> None:
    runs = records.runs.all()[::-1]
    folded = fold_runs(runs)
    assert records.runs.newest_lines(3) == (folded[:3], len(folded))
    assert records.runs.newest_lines(3, is_folded=False) == (runs[:3], len(runs))


def test_totals_of_runs_follow_their_epochs(records: Workspace, workspace: Path) -> None:
    run = add_run(records)
    records.runs.save_epochs(run.id, [make_epoch(1), make_epoch(2)])
    records.runs.save_epochs(run.id, [make_epoch(2)])
    read = records.runs.get(run.id)
    assert (read.num_epochs_done, read.duration_seconds, read.images_per_second) == (2, 4.0, 500.0)
    before = records.runs.all(), records.runs.newest_lines(0)
    with sqlite3.connect(workspace / FILE_NAME) as connection:  # as rows of another program are
        connection.execute("update runs set total_epochs = null, total_seconds = null")
    assert (records.runs.all(), records.runs.newest_lines(0)) == before


def test_newest_lines_of_no_workspace_are_none(workspace: Path) -> None:
    assert Workspace(workspace).runs.newest_lines(20) == ([], 0)
