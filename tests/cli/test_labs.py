"""`eyetune labs`: list, delete and restore labs."""

from __future__ import annotations

from eyetune.records import Workspace
from eyetune.testing.labs import fabricated_lab
from tests.cli.conftest import Terminal
from tests.records.fabricate import add_run


def save_lab(records: Workspace, lab_id: str, *run_ids: str) -> None:
    lab = fabricated_lab(3, lab_id=lab_id)
    final = lab.final.model_copy(update={"runs": run_ids})
    records.labs.save(lab.model_copy(update={"final": final}))


def test_lab_is_listed_deleted_and_restored(eyetune: Terminal, records: Workspace) -> None:
    run = add_run(records, lab_id="0123abcd")
    save_lab(records, "0123abcd", run.id)
    (lab,) = eyetune.json("labs")["labs"]
    assert (lab["lab"], lab["run"]) == ("0123abcd", run.id)
    assert eyetune("labs") == 0
    assert max(map(len, eyetune.output.splitlines())) <= 80
    result = eyetune.json("labs", "delete", "0123")  # without a terminal, the runs stay
    assert result == {"deleted": ["0123abcd"], "runs": [], "purged": False}
    assert eyetune.json("labs")["labs"] == []
    assert len(eyetune.json("labs", "--deleted")["labs"]) == 1
    eyetune.json("labs", "restore", "0123")
    assert eyetune.json("labs", "delete", "0123", "--yes")["runs"] == [run.id]
    assert records.runs.all() == []
    assert eyetune.json("labs", "restore", "0123")["runs"] == [run.id]
    assert eyetune("labs", "delete", "0123", "--purge") == 1
    assert eyetune.json("labs", "delete", "0123", "--purge", "--no-runs", "--yes")["runs"] == []
    assert records.labs.all() == []
    assert [run.id for run in records.runs.all()] == [run.id]


def test_damaged_lab_is_reported_and_can_be_deleted(eyetune: Terminal, records: Workspace) -> None:
    save_lab(records, "good", "0123abcd")
    path = records.labs.folder("bad") / "lab.json"
    path.parent.mkdir()
    path.write_text("{")
    assert [lab["lab"] for lab in eyetune.json("labs")["labs"]] == ["good"]
    assert str(path) in eyetune.errors
    assert eyetune.json("labs", "delete", "bad", "--purge", "--yes")["deleted"] == ["bad"]
    assert not path.exists()
