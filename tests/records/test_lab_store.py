"""Labs are written whole, read back equal, found, deleted and restored; damage does no harm."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from eyetune.errors import LabNotFoundError, WorkspaceError
from eyetune.records import Workspace
from eyetune.records.lab import LabRecord
from eyetune.testing.labs import fabricated_lab


def save_lab(workspace: Path, lab_id: str, *, days: int = 0) -> LabRecord:
    lab = fabricated_lab(3, lab_id=lab_id)
    later = lab.model_copy(update={"created_at": lab.created_at + timedelta(days=days)})
    Workspace(workspace).labs.save(later)
    return later


def test_lab_is_read_back_as_it_was_written(workspace: Path) -> None:
    lab = fabricated_lab(12)
    path = Workspace(workspace).labs.save(lab)
    assert path == workspace / "labs" / "lab-1" / "lab.json"
    assert [file.name for file in path.parent.iterdir()] == ["lab.json"]
    again = Workspace(workspace).labs.find()
    assert again == lab
    types = [type(effect.value) for effect in lab.techniques]
    assert [type(effect.value) for effect in again.techniques] == types
    fingerprints = [part.recipe.fingerprint for part in lab.leaderboard]
    assert [part.recipe.fingerprint for part in again.leaderboard] == fingerprints


def test_labs_are_listed_oldest_first(workspace: Path) -> None:
    for lab_id, days in (("a", 2), ("b", 3), ("c", 1)):
        save_lab(workspace, lab_id, days=days)
    assert [lab.id for lab in Workspace(workspace).labs.all()] == ["c", "a", "b"]
    assert Workspace(workspace).labs.find("latest").id == "b"


def test_lab_saved_again_replaces_the_earlier_one(workspace: Path) -> None:
    save_lab(workspace, "lab-1")
    later = save_lab(workspace, "lab-1", days=1)
    assert Workspace(workspace).labs.all() == [later]


@pytest.mark.parametrize(
    ("reference", "lab_id"), [("lab-1", "lab-1"), ("lab-10", "lab-10"), ("o", "other")]
)
def test_find_accepts_ids_and_prefixes(workspace: Path, reference: str, lab_id: str) -> None:
    for name in ("lab-1", "lab-10", "other"):
        save_lab(workspace, name)
    assert Workspace(workspace).labs.find(reference).id == lab_id


def test_find_refuses_an_ambiguous_prefix(workspace: Path) -> None:
    for lab_id in ("lab-1", "lab-10", "other"):
        save_lab(workspace, lab_id)
    with pytest.raises(LabNotFoundError) as caught:
        Workspace(workspace).labs.find("lab")
    assert caught.value.matches == ("lab-1", "lab-10")


@pytest.mark.parametrize("reference", ["latest", "lab-1"])
def test_find_in_an_absent_workspace_is_an_error(workspace: Path, reference: str) -> None:
    assert Workspace(workspace).labs.all() == []
    with pytest.raises(LabNotFoundError) as caught:
        Workspace(workspace).labs.find(reference)
    assert caught.value.fix == "eyetune lab"
    assert not workspace.exists()


@pytest.mark.parametrize("content", ["{", "{}", '{"id": "\\ud800"}', "\0"])
def test_damaged_lab_does_no_harm_to_others(workspace: Path, content: str) -> None:
    save_lab(workspace, "good")
    records = Workspace(workspace)
    path = records.labs.folder("bad") / "lab.json"
    path.parent.mkdir()
    path.write_text(content)
    assert records.labs.find("good").id == "good"
    assert records.labs.find("latest").id == "good"
    assert [lab.id for lab in records.labs.all(skip_damaged=True)] == ["good"]
    assert len(records.labs.damaged()) == 1
    with pytest.raises(WorkspaceError):
        records.labs.all()
    with pytest.raises(WorkspaceError) as caught:
        records.labs.find("bad")
    assert str(path) in caught.value.message


def test_lab_that_cannot_be_written_is_an_error(workspace: Path) -> None:
    workspace.write_text("a file where the folder should be")
    with pytest.raises(WorkspaceError):
        save_lab(workspace, "lab-1")


def test_deleted_lab_is_hidden_restored_and_purged(workspace: Path) -> None:
    lab = save_lab(workspace, "lab-1")
    labs = Workspace(workspace).labs
    labs.delete("lab-1")
    assert (labs.all(), labs.all(deleted=True)) == ([], [lab])
    with pytest.raises(LabNotFoundError) as caught:
        labs.find("lab-1")
    assert caught.value.fix == "eyetune labs restore lab-1"
    assert labs.find("lab-1", deleted=True) == lab
    labs.restore("lab-1")
    assert (labs.all(), labs.all(deleted=True)) == ([lab], [])
    assert labs.deleted_at("lab-1") is None
    labs.purge("lab-1")
    assert labs.all() == labs.all(deleted=True) == []
    assert not labs.folder("lab-1").exists()


def test_lab_done_again_leaves_the_trash(workspace: Path) -> None:
    lab = save_lab(workspace, "lab-1")
    Workspace(workspace).labs.delete("lab-1")
    save_lab(workspace, "lab-1")
    assert Workspace(workspace).labs.all() == [lab]
