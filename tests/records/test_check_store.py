"""Checks of data are kept with what the user decided, and nothing in their files is believed."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from eyetune.errors import NotFoundError, WorkspaceError
from eyetune.records import Workspace
from eyetune.records.check_store import CheckRecord, RecordedFinding, check_key


def finding(name: str, kind: str = "likely-wrong-label") -> RecordedFinding:
    return RecordedFinding(
        kind=kind,
        files=(name,),
        splits=("train",),
        labels=("cat",),
        score=0.9,
        text=f"{name} is a dog",
        surplus=(name,),
        likelier_label="dog",
    )


def check(*findings: RecordedFinding, source: str = "photos") -> CheckRecord:
    return CheckRecord(source=source, facts={"num_pictures": 3}, findings=findings)


def test_decisions_survive_another_check(workspace: Path) -> None:
    store = Workspace(workspace).checks
    first, second, third = finding("a.png"), finding("b.png"), finding("c.png")
    store.save(check(first, second))
    key = check_key("photos")
    store.decide(key, first.key, "dismissed")
    store.decide(key, second.key, "confirmed")
    store.save(check(first, third))
    again = Workspace(workspace).checks.get(key)
    assert [each.decision for each in again.findings] == ["dismissed", None]
    assert store.decide(key, first.key, None).findings == (first, third)


def test_each_source_has_one_check(workspace: Path) -> None:
    store = Workspace(workspace).checks
    assert store.sources() == []
    for source in ("photos", "other", "photos"):
        store.save(check(source=source))
    assert store.sources() == ["photos", "other"]
    with pytest.raises(NotFoundError):
        store.get(check_key("nothing"))


@pytest.mark.parametrize(
    "change",
    [
        {"thumbnails": {"a.png": "https://evil.example/a.png"}},
        {"thumbnails": {"a.png": "data:text/html;base64,AAAA"}},
        {"findings": [{"kind": 3}]},
        {"unknown": 1},
    ],
)
def test_damaged_check_is_an_error(workspace: Path, change: dict[str, object]) -> None:
    records = Workspace(workspace)
    records.checks.save(check(finding("a.png")))
    path = records.folder / "checks" / f"{check_key('photos')}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(WorkspaceError):
        records.checks.get(check_key("photos"))
    records.checks.save(check(source="other"))
    assert records.checks.sources() == ["other"]
    assert len(records.checks.damaged()) == 1


def test_check_of_another_source_is_refused(workspace: Path) -> None:
    records = Workspace(workspace)
    records.checks.save(check(finding("a.png"), source="other"))
    folder = records.folder / "checks"
    (folder / f"{check_key('other')}.json").rename(folder / f"{check_key('photos')}.json")
    with pytest.raises(WorkspaceError):
        records.checks.get(check_key("photos"))


def test_decisions_made_at_the_same_time_are_all_kept(workspace: Path) -> None:
    store = Workspace(workspace).checks
    findings = [finding(f"{number}.png") for number in range(20)]
    store.save(check(*findings))
    key = check_key("photos")
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda each: store.decide(key, each.key, "confirmed"), findings))
    assert {each.decision for each in store.get(key).findings} == {"confirmed"}


def test_first_record_makes_a_private_workspace(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    Workspace(folder).checks.save(check())
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("key", ["../../victim", "a/b", ".."])
def test_key_does_not_lead_out_of_the_workspace(workspace: Path, key: str) -> None:
    with pytest.raises((WorkspaceError, NotFoundError)):
        Workspace(workspace).checks.get(key)
