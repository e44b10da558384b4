"""Labs and studies go to the trash with the runs that they made, and come back with them."""

from __future__ import annotations

from pathlib import Path

from eyetune.records import Workspace
from eyetune.records.trash import (
    delete_lab,
    delete_study,
    maker_id,
    purge_lab,
    purge_study,
    restore_lab,
    restore_study,
    runs_of_lab,
    runs_of_study,
)
from eyetune.testing.labs import fabricated_lab
from tests.records.fabricate import add_run
from tests.records.test_study_store import add_study


def save_lab(workspace: Workspace, lab_id: str, *run_ids: str) -> None:
    lab = fabricated_lab(3, lab_id=lab_id)
    final = lab.final.model_copy(update={"runs": run_ids})
    workspace.labs.save(lab.model_copy(update={"final": final}))


def ids(workspace: Workspace, *, deleted: bool = False) -> list[str]:
    return [run.id for run in workspace.runs.all(deleted=deleted)]


def test_runs_of_lab_leaves_out_what_others_use(workspace: Path) -> None:
    records = Workspace(workspace)
    users = add_run(records)
    own, shared = add_run(records, lab_id="lab-1"), add_run(records, lab_id="lab-1")
    save_lab(records, "lab-1", own.id, shared.id, users.id)
    save_lab(records, "lab-2", shared.id)
    assert [run.id for run in runs_of_lab(records, "lab-1")] == [own.id]
    records.labs.delete("lab-2")
    assert [run.id for run in runs_of_lab(records, "lab-1")] == [own.id, shared.id]


def test_lab_is_restored_with_the_runs_deleted_with_it(workspace: Path) -> None:
    records = Workspace(workspace)
    before, first, second = (add_run(records, lab_id="lab-1") for _ in range(3))
    save_lab(records, "lab-1", before.id, first.id, second.id)
    records.runs.delete(before.id)
    delete_lab(records, "lab-1", runs_of_lab(records, "lab-1"))
    assert (records.labs.all(), ids(records)) == ([], [])
    assert restore_lab(records, "lab-1") == [first.id, second.id]
    assert [lab.id for lab in records.labs.all()] == ["lab-1"]
    assert ids(records, deleted=True) == [before.id]


def test_lab_can_be_deleted_without_its_runs(workspace: Path) -> None:
    records = Workspace(workspace)
    run = add_run(records, lab_id="lab-1")
    save_lab(records, "lab-1", run.id)
    delete_lab(records, "lab-1")
    assert (records.labs.all(), ids(records)) == ([], [run.id])
    purge_lab(records, "lab-1", [run])
    assert records.labs.all(deleted=True) == []
    assert ids(records) == ids(records, deleted=True) == []


def test_run_that_is_being_trained_stays(workspace: Path) -> None:
    records = Workspace(workspace)
    busy, idle = (add_run(records, lab_id="lab-1") for _ in range(2))
    save_lab(records, "lab-1", busy.id, idle.id)
    with records.runs.claim(busy.id):
        delete_lab(records, "lab-1", runs_of_lab(records, "lab-1"))
    assert (ids(records), ids(records, deleted=True)) == ([busy.id], [idle.id])


def test_deleted_study_is_found_by_name_through_its_runs(workspace: Path) -> None:
    records = Workspace(workspace)
    study = add_study(records)
    add_run(records, study_id=study.id)
    delete_study(records, study.id)
    assert maker_id(records, "study", study.name) == study.id


def test_study_is_restored_with_its_runs(workspace: Path) -> None:
    records = Workspace(workspace)
    study = add_study(records)
    users, trial = add_run(records), add_run(records, study_id=study.id)
    runs = runs_of_study(records, study.id)
    delete_study(records, study.id, runs)
    assert (records.studies.all(), ids(records)) == ([], [users.id])
    assert restore_study(records, study.id) == [trial.id]
    assert (records.studies.all(), ids(records)) == ([study], [users.id, trial.id])
    purge_study(records, study.id, runs)
    assert records.studies.all(deleted=True) == []
    assert (ids(records), ids(records, deleted=True)) == ([users.id], [])
