"""`eyetune studies`: list, delete and restore studies."""

from __future__ import annotations

from pathlib import Path

import pytest

from eyetune.api.study import Study
from eyetune.records import Workspace
from eyetune.records.requests import RequestKind
from eyetune.records.study import StudyState
from eyetune.testing.studies import fabricated_study
from tests.cli.conftest import Terminal
from tests.records.fabricate import add_run
from tests.records.test_study_store import add_study


def test_study_is_listed_deleted_and_restored(eyetune: Terminal, records: Workspace) -> None:
    study = add_study(records, "first")
    later = add_study(records, "[red]second")
    trial = add_run(records, study_id=study.id)
    listed = eyetune.json("studies")["studies"]
    assert [row["id"] for row in listed] == [later.id, study.id]
    assert eyetune("studies") == 0
    assert max(map(len, eyetune.output.splitlines())) <= 80
    assert "[red]second" in eyetune.output
    result = eyetune.json("studies", "delete", "first")  # without a terminal, the runs stay
    assert result == {"deleted": ["first"], "runs": [], "purged": False}
    assert [row["study"] for row in eyetune.json("studies", "--deleted")["studies"]] == ["first"]
    assert eyetune.json("studies", "restore", "first")["restored"] == ["first"]
    assert eyetune.json("studies", "delete", "first", "--runs")["runs"] == [trial.id]
    assert eyetune.json("studies", "restore", "first")["runs"] == [trial.id]
    assert eyetune("studies", "delete", "first", "--purge") == 1
    purged = eyetune.json("studies", "delete", "first", "--purge", "--yes")
    assert (purged["deleted"], purged["runs"]) == (["first"], [trial.id])
    assert [study.name for study in records.studies.all()] == ["[red]second"]


def test_best_trials_are_shown_before_figures_are_drawn(
    eyetune: Terminal,
    records: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    shown_first = ""

    def draw(study: Study) -> list[Path]:
        nonlocal shown_first
        shown_first = capfd.readouterr().out
        return []

    fabricated_study(12, name="first", workspace=records)
    monkeypatch.setattr(Study, "draw", draw)
    assert eyetune("study", "first") == 0
    assert "The best trials" in shown_first
    assert "Which hyperparameters matter" in eyetune.output


def test_study_is_asked_for_a_trial_and_a_pause(eyetune: Terminal, records: Workspace) -> None:
    fabricated_study(12, name="first", workspace=records)
    study = records.studies.find("first")
    rate = ("--set", "learning_rate=0.00123")
    assert eyetune.error("studies", "enqueue", "first", *rate)["status"] == 2  # it is complete
    records.studies.save(study.model_copy(update={"state": StudyState.PAUSED}))
    enqueued = eyetune.json("studies", "enqueue", "first", *rate)["enqueued"]
    assert enqueued["learning_rate"] == 0.00123
    assert eyetune.error("studies", "pause", "first")["status"] == 2
    records.studies.save(study.model_copy(update={"state": StudyState.RUNNING}))
    with records.studies.claim(study.id):
        assert eyetune.json("studies", "pause", "first")["asked"] == "pause"
        assert eyetune.json("studies", "stop", "first")["asked"] == "stop"
    asked = [request.kind for request in records.requests.pending(study.id)]
    assert asked == [RequestKind.TRIAL, RequestKind.PAUSE, RequestKind.STOP]
