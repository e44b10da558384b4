"""Labs in a workspace: written whole, read back equal, found, and told where a file is damaged."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from eyetune.errors import LabNotFoundError, WorkspaceError
from eyetune.records import Workspace
from eyetune.records.lab import LabRecord
from eyetune.testing.labs import fabricated_lab


def save(workspace: Path, lab_id: str, *, days: int = 0) -> LabRecord:
    lab = fabricated_lab(3, lab_id=lab_id)
    later = lab.model_copy(update={"created_at": lab.created_at + timedelta(days=days)})
    Workspace(workspace).labs.save(later)
    return later


def test_a_lab_is_read_back_as_it_was_written(workspace: Path) -> None:
    lab = fabricated_lab(12)
    path = Workspace(workspace).labs.save(lab)
    assert path == workspace / "labs" / "lab-1" / "lab.json"
    assert [file.name for file in path.parent.iterdir()] == ["lab.json"]
    again = Workspace(workspace).labs.find()
    assert again == lab
    assert [type(one.value) for one in again.techniques] == [
        type(one.value) for one in lab.techniques
    ]
    assert [one.recipe.fingerprint for one in again.leaderboard] == [
        one.recipe.fingerprint for one in lab.leaderboard
    ]


def test_labs_come_oldest_first_and_the_latest_is_the_newest(workspace: Path) -> None:
    for lab_id, days in (("a", 2), ("b", 3), ("c", 1)):
        save(workspace, lab_id, days=days)
    assert [lab.id for lab in Workspace(workspace).labs.all()] == ["c", "a", "b"]
    assert Workspace(workspace).labs.find("latest").id == "b"


def test_a_lab_saved_again_takes_the_place_of_the_earlier_one(workspace: Path) -> None:
    save(workspace, "one")
    later = save(workspace, "one", days=1)
    assert Workspace(workspace).labs.all() == [later]


def test_a_lab_is_found_by_its_id_or_the_beginning_of_it(workspace: Path) -> None:
    for lab_id in ("lab-1", "lab-10", "other"):
        save(workspace, lab_id)
    records = Workspace(workspace)
    assert [records.labs.find(word).id for word in ("lab-1", "lab-10", "o")] == [
        "lab-1",
        "lab-10",
        "other",
    ]
    with pytest.raises(LabNotFoundError, match="Several labs match lab") as several:
        records.labs.find("lab")
    assert several.value.received == "lab-1, lab-10"
    for word in ("x", ""):
        with pytest.raises(LabNotFoundError, match="No lab matches") as none:
            records.labs.find(word)
        assert "lab-1, lab-10, other" in (none.value.fix or "")


@pytest.mark.parametrize("word", ["latest", "lab-1"])
def test_where_there_is_no_lab_one_is_told_how_to_make_one(workspace: Path, word: str) -> None:
    assert Workspace(workspace).labs.all() == []
    with pytest.raises(LabNotFoundError, match="no lab") as caught:
        Workspace(workspace).labs.find(word)
    assert caught.value.fix == "eyetune lab"
    assert not workspace.exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [("{", "EOF"), ("{}", "id: Field required"), ('{"id": "\\ud800"}', ""), ("\0", "")],
)
def test_a_damaged_lab_is_named_and_does_no_harm_to_others(
    workspace: Path, content: str, said: str
) -> None:
    save(workspace, "good")
    path = Workspace(workspace).labs.folder("bad") / "lab.json"
    path.parent.mkdir()
    path.write_text(content)
    assert Workspace(workspace).labs.find("good").id == "good"
    assert Workspace(workspace).labs.find("latest").id == "good"
    for read in (Workspace(workspace).labs.all, lambda: Workspace(workspace).labs.find("bad")):
        with pytest.raises(WorkspaceError) as caught:
            read()
        assert caught.value.what == f"The lab in {path} cannot be read."
        assert said in (caught.value.received or "")
        assert f"move {path.parent} away" in (caught.value.fix or "")


def test_a_lab_that_cannot_be_written_is_told(workspace: Path) -> None:
    workspace.write_text("a file where the folder should be")
    with pytest.raises(WorkspaceError, match="cannot be written"):
        save(workspace, "one")
