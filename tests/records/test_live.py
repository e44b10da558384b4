"""Records in memory follow the database, and only what changed is read again."""

from __future__ import annotations

from pathlib import Path

import pytest

from eyetune.records import RunRecord, RunState, Workspace
from eyetune.records.live import refreshed_runs, refreshed_trials
from eyetune.records.trial import TrialRecord, TrialState
from tests.records.fabricate import add_complete_run, add_run, make_epoch
from tests.records.test_study_store import add_study


@pytest.fixture
def records(workspace: Path) -> Workspace:
    return Workspace(workspace)


def test_refreshed_runs_equal_all_runs(records: Workspace) -> None:
    assert not refreshed_runs(records).records
    runs = refreshed_runs(records)
    first = add_complete_run(records)
    second = add_complete_run(records, name="second")
    runs = refreshed_runs(records, runs)
    assert list(runs.records.values()) == records.runs.all()
    records.runs.save_epochs(second.id, [make_epoch(2, 0.9)])
    runs = refreshed_runs(records, runs)
    assert runs.records[second.id].num_epochs_done == 2
    records.runs.delete(first.id)
    runs = refreshed_runs(records, runs)
    assert list(runs.records.values()) == records.runs.all()


def test_refreshed_runs_are_the_same_where_nothing_changed(
    records: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = add_complete_run(records)
    runs = refreshed_runs(records)
    asked: list[str] = []

    def some(_: object, ids: list[str]) -> list[RunRecord]:
        asked.extend(ids)
        return []

    monkeypatch.setattr(type(records.runs), "some", some)
    assert refreshed_runs(Workspace(records.folder), runs) is runs
    assert run.id not in asked


def test_refreshed_runs_notice_that_a_process_died(records: Workspace) -> None:
    run = add_run(records)
    with records.runs.claim(run.id):
        other = Workspace(records.folder)
        runs = refreshed_runs(other)
        assert runs.records[run.id].state in (RunState.RUNNING, RunState.PAUSED)
    assert refreshed_runs(other, runs).records[run.id].state is RunState.PAUSED


def test_refreshed_trials_equal_all_trials(records: Workspace) -> None:
    study = add_study(records)
    assert refreshed_trials(records, study.id).records == ()
    trials = [
        TrialRecord(number=number, state=TrialState.WAITING, values={"units": number})
        for number in range(700)  # more than one query
    ]
    records.studies.save_trials(study.id, trials)
    known = refreshed_trials(records, study.id)
    assert list(known.records) == trials
    assert refreshed_trials(records, study.id, known) is known
    changed = trials[3].with_(state=TrialState.RUNNING, epochs=2)
    records.studies.save_trials(study.id, [changed])
    known = refreshed_trials(records, study.id, known)
    assert list(known.records) == [*trials[:3], changed, *trials[4:]]
