"""Studies and trials are read back equal, found, deleted and restored."""

from __future__ import annotations

from pathlib import Path

import pytest

from eyetune.analysis.trial_results import trial_json
from eyetune.errors import StudyBusyError, StudyNotFoundError, UsageError, WorkspaceError
from eyetune.recipe import Recipe
from eyetune.records import Workspace
from eyetune.records.study import Objective, StudyRecord, StudySettings, StudyState
from eyetune.records.trial import Execution, InfeasibleReason, Rung, TrialRecord, TrialState
from eyetune.space.space import Space

SETTINGS = StudySettings(
    recipe=Recipe(), space=Space(), objectives=(Objective(name="val_accuracy", direction="max"),)
)


def add_study(workspace: Workspace, name: str = "first") -> StudyRecord:
    return workspace.studies.create(name, SETTINGS, data_fingerprint="abc", data_name="tiny")


def test_study_and_trials_are_read_back_as_written(workspace: Path) -> None:
    records = Workspace(workspace)
    study = add_study(records)
    trial = TrialRecord(number=0, state=TrialState.RUNNING, values={"units": 8}, run="3f2a77b0")
    records.studies.save_trials(study.id, [trial, trial.with_(number=1, run=None)])
    records.studies.save_trials(study.id, [trial.with_(epochs=3)])
    again = Workspace(workspace).studies
    assert again.get(study.id) == study
    expected = [trial.with_(epochs=3), trial.with_(number=1, run=None)]
    assert again.trials(study.id) == expected
    assert again.count_trials() == {study.id: 2}


def test_trial_reads_the_reasons_of_earlier_versions() -> None:
    texts = ["parameters < 9 is violated: 20", "The network shrinks to nothing."]
    trial = TrialRecord.model_validate(
        {"number": 0, "state": "INFEASIBLE", "values": {}, "infeasible": texts}
    )
    assert [reason.rule for reason in trial.infeasible_reasons] == [
        "parameters < 9 is violated",
        "The network shrinks to nothing.",
    ]
    assert trial.infeasible == tuple(texts)


def test_infeasible_trial_is_read_back_as_written(workspace: Path) -> None:
    records = Workspace(workspace)
    study = add_study(records)
    reason = InfeasibleReason.exceeded("parameters < 9 is violated", "parameters", 1234, 9)
    trial = TrialRecord(
        number=0, state=TrialState.INFEASIBLE, values={}, infeasible_reasons=(reason,)
    )
    records.studies.save_trials(study.id, [trial])
    assert Workspace(workspace).studies.trials(study.id) == [trial]
    shown = trial_json(trial, SETTINGS.objectives)
    assert shown["infeasible"] == ["parameters < 9 is violated: 1,234"]
    assert shown["infeasible_reasons"] == [reason.model_dump()]


def test_named_returns_the_study_of_exactly_this_name(workspace: Path) -> None:
    records = Workspace(workspace)
    assert records.studies.named("first") is None
    study = add_study(records)
    add_study(records, "first of all")
    assert records.studies.named("first") == study
    for reference in (study.id, "latest", study.id[:4], "First"):
        assert records.studies.named(reference) is None
    records.studies.delete(study.id)
    assert records.studies.named("first") is None


def test_study_without_a_name_has_its_id(workspace: Path) -> None:
    study = add_study(Workspace(workspace), "")
    assert study.name == study.id


@pytest.mark.parametrize("name", ["first", "latest"])
def test_study_name_that_is_taken_is_refused(workspace: Path, name: str) -> None:
    add_study(Workspace(workspace))
    with pytest.raises(UsageError):
        add_study(Workspace(workspace), name)


def test_study_of_a_dead_process_is_paused(workspace: Path) -> None:
    records = Workspace(workspace)
    study = add_study(records)
    assert study.state is StudyState.PAUSED
    with records.studies.claim(study.id):
        assert records.studies.get(study.id).state is StudyState.RUNNING
        with pytest.raises(StudyBusyError):
            records.studies.delete(study.id)


def test_find_accepts_ids_prefixes_names_and_latest(workspace: Path) -> None:
    records = Workspace(workspace)
    first, second = add_study(records), add_study(records, "second")
    for reference in (first.id, first.id[:7].upper(), "first"):
        assert records.studies.find(reference) == first
    assert records.studies.find() == second
    with pytest.raises(StudyNotFoundError):
        records.studies.find("third")


def test_deleted_study_is_hidden_restored_and_purged(workspace: Path) -> None:
    records = Workspace(workspace)
    study = add_study(records)
    records.studies.delete(study.id)
    assert records.studies.all() == []
    assert [study.id for study in records.studies.all(deleted=True)] == [study.id]
    assert records.studies.get(study.id).deleted_at is not None
    with pytest.raises(StudyNotFoundError) as caught:
        records.studies.find("first")
    assert caught.value.fix == f"eyetune studies restore {study.id}"
    records.studies.restore(study.id)
    assert records.studies.all() == [study]
    records.studies.purge(study.id)
    assert records.studies.all() == records.studies.all(deleted=True) == []
    with pytest.raises(StudyNotFoundError):
        records.studies.get(study.id)


def test_deleted_study_gives_up_its_name(workspace: Path) -> None:
    records = Workspace(workspace)
    earlier = add_study(records)
    records.studies.delete(earlier.id)
    later = add_study(records)
    assert records.studies.find("first") == later
    with pytest.raises(UsageError):
        records.studies.restore(earlier.id)
    records.studies.delete(later.id)
    records.studies.restore(earlier.id)
    assert records.studies.find("first") == earlier


def test_executions_are_read_back_as_written(workspace: Path) -> None:
    records = Workspace(workspace)
    study = add_study(records)
    result = Rung(epochs=3, values=(0.5,))
    executions = (
        Execution(run="a", seed=0, rung=0, result=result, epochs=3, seconds=1.5, is_over=True),
        Execution(run="b", seed=1),
    )
    mean = Rung(epochs=3, values=(0.4,), by_execution=((0.5,), (0.3,)))
    trial = TrialRecord(
        number=0,
        state=TrialState.RUNNING,
        values={},
        run="a",
        rungs=(mean,),
        executions=executions,
        retries=1,
        lost_epochs=2,
    )
    records.studies.save_trials(study.id, [trial])
    (again,) = Workspace(workspace).studies.trials(study.id)
    assert again == trial
    assert (again.runs, again.pending_runs, again.epochs_trained) == (("a", "b"), ("b",), 5)


def test_trial_of_an_earlier_version_has_one_run() -> None:
    recorded = {"number": 0, "state": "RUNNING", "values": {}, "run": "3f2a77b0", "epochs": 3}
    trial = TrialRecord.model_validate({**recorded, "rungs": [{"epochs": 3, "values": [0.5]}]})
    assert trial.runs == trial.pending_runs == ("3f2a77b0",)
    assert (trial.executions, trial.epochs_trained, trial.retries) == ((), 3, 0)
    assert trial.rungs[0].spread == ()


def test_folder_of_a_study_that_cannot_be_made_is_an_error(workspace: Path) -> None:
    records = Workspace(workspace)
    records.prepare()
    records.studies.root.write_text("a file is in the way")
    with pytest.raises(WorkspaceError):
        add_study(records)
    assert records.studies.all() == []
