"""The folders of runs and studies hold copies of their records, up to the last change."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from eyetune.records import RunState, Workspace
from eyetune.records.copies import RECORD_FILE, TRIALS_FILE, read_copy, run_rows, study_rows
from eyetune.records.database import Database
from eyetune.records.trial import TrialRecord, TrialState
from tests.records.fabricate import add_run, make_epoch, make_results
from tests.records.test_study_store import add_study


def test_copy_of_a_run_follows_each_change(workspace: Path) -> None:
    records, database = Workspace(workspace), Database(workspace)
    run = add_run(records, name="first")
    changes: list[Callable[[], object]] = [
        lambda: records.runs.save_epochs(run.id, [make_epoch(1)]),
        lambda: records.runs.set_state(run.id, RunState.COMPLETE, results=make_results()),
        lambda: records.runs.set_network(run.id, run.network, {"epochs": 3}),
        lambda: records.runs.delete(run.id),
        lambda: records.runs.restore(run.id),
    ]
    seen = []
    for change in changes:
        change()
        copy = read_copy(records.runs.folder(run.id))
        assert copy is not None
        assert copy.rows == run_rows(database, run.id)
        seen.append(copy)
    assert all(before != after for before, after in pairwise(seen))


def test_copy_of_a_study_holds_the_last_of_each_trial(workspace: Path) -> None:
    records, database = Workspace(workspace), Database(workspace)
    study = add_study(records)
    trial = TrialRecord(number=0, state=TrialState.RUNNING, values={"units": 8})
    records.studies.save_trials(study.id, [trial.with_(number=1), trial])
    records.studies.save_trials(study.id, [trial.with_(epochs=3)])
    records.studies.save(study.model_copy(update={"seconds": 12.0}))
    folder = records.studies.folder(study.id)
    with (folder / TRIALS_FILE).open("a") as stream:
        stream.write('{"number": 1, "sta')  # cut off by a crash
    copy = read_copy(folder)
    assert copy is not None
    assert copy.rows == study_rows(database, study.id)
    records.studies.save_trials(study.id, [trial.with_(epochs=9)])  # after the cut-off line
    copy = read_copy(folder)
    assert copy is not None
    assert copy.rows == study_rows(database, study.id)


def test_copy_that_cannot_be_written_does_no_harm(workspace: Path) -> None:
    records = Workspace(workspace)
    run = add_run(records)
    (records.runs.folder(run.id) / RECORD_FILE).unlink()
    (records.runs.folder(run.id) / RECORD_FILE).mkdir()
    records.runs.save_epochs(run.id, [make_epoch(1)])
    assert records.runs.get(run.id).num_epochs_done == 1


def test_transaction_that_fails_leaves_the_copy(workspace: Path) -> None:
    records = Workspace(workspace)
    run = add_run(records)
    before = (records.runs.folder(run.id) / RECORD_FILE).read_bytes()
    try:
        with records.transaction():
            records.runs.set_state(run.id, RunState.PAUSED)
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    assert (records.runs.folder(run.id) / RECORD_FILE).read_bytes() == before


def test_damaged_copy_is_no_copy(workspace: Path) -> None:
    records = Workspace(workspace)
    folder = records.runs.folder(add_run(records).id)
    for content in (b"", b"{", b"[]", b"\xff", b'{"rows": 7}', b'{"rows": {"runs": [1]}}'):
        (folder / RECORD_FILE).write_bytes(content)
        assert read_copy(folder) is None
