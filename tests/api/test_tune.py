"""The course of a study with a final training: search, training, interruption, resumption."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import eyetune as et
from eyetune.api import tune as api
from eyetune.errors import DivergedError, UsageError, WorkspaceError
from eyetune.records.study import StudyRecord, StudyState
from eyetune.records.trial import TrialState
from eyetune.space.hyperparameters import Choice
from eyetune.space.space import Space
from eyetune.testing.simulated_executor import SimulatedExecutor
from eyetune.tuning.endings import Ending
from eyetune.tuning.final_training import train_final
from tests.tracking.studies import Recorder

RATES = Space.make([Choice(name="optimizer.learning_rate", values=(1e-3, 3e-3))])


@pytest.fixture
def executors(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the executors that were made; all trainings are simulated.

    As in a cluster of small machines, no job gets several cores.
    """
    names = []

    def make_executor(
        name: str, num_workers: int | None, *, cpus_per_job: float = 1
    ) -> SimulatedExecutor:
        if cpus_per_job > 1:
            raise UsageError("No machine of the cluster has room for a job.")
        names.append(name)
        return SimulatedExecutor(num_workers or 2)

    monkeypatch.setattr("eyetune.api.tune.make_executor", make_executor)
    monkeypatch.setattr("eyetune.api.tune.usable_cores", lambda: 2)
    monkeypatch.setattr("eyetune.tuning.exploration.MAX_FINAL_EPOCHS", 30)
    monkeypatch.setattr("eyetune.tuning.final_training.MAX_FINAL_EPOCHS", 30)
    return names


def tune(archive: Path, folder: Path, **options: Any) -> et.Study:
    recipe = et.Recipe().with_({"fit.epochs": 3, "fit.batch_size": 8})
    return et.tune(
        None,
        archive,
        space=RATES,
        recipe=recipe,
        seconds=10_000.0,
        workspace=folder,
        plots=False,
        progress=False,
        **options,
    )


def test_study_ends_with_a_final_training(
    archive: Path, tmp_path: Path, executors: list[str]
) -> None:
    study = tune(archive, tmp_path)
    assert study.final_trial is not None
    assert study.final_trial.epochs == 30
    assert study.best_trial.is_final
    assert study.record.ending == Ending.OUT_OF_COMBINATIONS
    assert executors == ["local", "local"]
    again = et.tune(resume=True, workspace=tmp_path, plots=False, progress=False)
    assert again.trials == study.trials


def test_resumed_study_finishes_its_final_training_first(
    archive: Path, tmp_path: Path, executors: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(record: StudyRecord, workspace: et.Workspace, *arguments: Any) -> StudyRecord:
        workspace.studies.save_trials(record.id, [arguments[-1]])
        raise KeyboardInterrupt

    monkeypatch.setattr(api, "train_final", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tune(archive, tmp_path)
    monkeypatch.setattr(api, "train_final", train_final)
    executors.clear()
    study = et.tune(
        resume=True, workspace=tmp_path, executor="ray", plots=False, progress=False, workers=2
    )
    finals = [trial for trial in study.trials if trial.is_final]
    assert [trial.state for trial in finals] == [TrialState.COMPLETE]
    assert study.state is StudyState.COMPLETE
    assert set(executors) == {"ray"}  # the final training too is where the study is resumed


def test_study_that_reached_its_target_trains_no_longer(
    archive: Path, tmp_path: Path, executors: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> StudyRecord:
        raise KeyboardInterrupt

    monkeypatch.setattr(api, "train_final", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tune(archive, tmp_path)
    study = et.tune(resume=True, target=0.1, workspace=tmp_path, plots=False, progress=False)
    assert study.record.ending == Ending.TARGET_REACHED
    assert study.final_trial is None
    assert len(executors) == 3


@pytest.mark.usefixtures("executors")
def test_final_training_of_a_study_with_executions_is_a_single_one(
    archive: Path, tmp_path: Path
) -> None:
    study = tune(archive, tmp_path, executions=2)
    *searched, final = study.trials
    assert [len(trial.runs) for trial in searched] == [2, 2]
    assert (final.is_final, len(final.runs), final.epochs) == (True, 1, 30)
    assert study.record.ending == Ending.OUT_OF_COMBINATIONS


def test_study_is_logged_with_its_final_training(
    archive: Path, tmp_path: Path, executors: list[str]
) -> None:
    recorder = Recorder()
    study = tune(archive, tmp_path, trackers=[recorder])
    assert executors == ["local", "local"]
    items = {f"{study.record.id}/{trial.number}": trial for trial in study.trials}
    assert set(recorder.ends) == {study.record.id, *items}
    for item_id, trial in items.items():
        logged = [epoch for logged_id, epoch in recorder.epochs if logged_id == item_id]
        assert logged == list(range(1, trial.epochs + 1))
    assert recorder.ends[study.record.id].tags["best_trial"] == str(study.best_trial.number)


def test_failed_study_ends_as_failed(
    archive: Path, tmp_path: Path, executors: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverge(*_: object, **__: object) -> None:
        raise DivergedError("The loss became NaN.")

    monkeypatch.setattr(api, "search", diverge)
    recorder = Recorder()
    with pytest.raises(DivergedError):
        tune(archive, tmp_path, trackers=[recorder])
    assert executors == ["local"]
    ((item, end),) = recorder.of("end")
    assert (item.kind, end.state) == ("study", "FAILED")
    assert "NaN" in end.error


@pytest.mark.usefixtures("executors")
def test_study_interrupted_while_it_starts_is_resumed(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    recorder = Recorder()
    with monkeypatch.context() as patch:
        patch.setattr(api, "new_settings", interrupt)
        with pytest.raises(KeyboardInterrupt):
            tune(archive, tmp_path, name="early", max_parameters=10**6, trackers=[recorder])
    assert recorder.calls == [("close", None)]
    begun = et.open_study("early", workspace=tmp_path)
    assert (begun.state, begun.trials) == (StudyState.PAUSED, ())
    begun.to_json()
    study = et.tune(name="early", resume=True, workspace=tmp_path, plots=False, progress=False)
    assert study.record.id == begun.record.id
    settings = study.record.settings
    assert (settings.space, settings.recipe.fit.batch_size) == (RATES, 8)
    assert (settings.budget.seconds, settings.limits.parameters) == (10_000.0, 10**6)
    assert settings.recipe.data.source == str(archive)
    assert study.final_trial is not None
    other = tune(archive, tmp_path, name="other", max_parameters=10**6)
    assert other.record.settings == settings


def start_interrupted(
    archive: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, **options: Any
) -> StudyRecord:
    """Interrupt a new study while it starts, and return its record."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(api, "new_settings", interrupt)
        with pytest.raises(KeyboardInterrupt):
            tune(archive, folder, name="early", **options)
    return et.open_study("early", workspace=folder).record


def test_resumed_start_takes_no_function_from_its_record(
    archive: Path, tmp_path: Path, executors: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise, a workspace of someone else could name code that counts as the user's own."""
    record = start_interrupted(archive, tmp_path, monkeypatch)
    start_up = record.settings.start_up
    assert start_up is not None
    code = tmp_path / "evil.py"
    code.write_text("raise SystemExit('run')\n")
    options = {**start_up.options, "build_model": f"{code}:build"}
    changed = start_up.model_copy(update={"options": options})
    settings = record.settings.model_copy(update={"start_up": changed})
    workspace = et.Workspace(tmp_path)
    workspace.studies.save(record.model_copy(update={"settings": settings}))
    with pytest.raises(WorkspaceError, match="build_model"):
        et.tune(resume=True, workspace=tmp_path, plots=False, progress=False)


def test_address_of_a_cluster_is_not_taken_from_the_record(
    archive: Path, tmp_path: Path, executors: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    record = start_interrupted(archive, tmp_path, monkeypatch)
    settings = record.settings.model_copy(update={"executor": "ray://elsewhere:10001"})
    et.Workspace(tmp_path).studies.save(record.model_copy(update={"settings": settings}))
    executors.clear()
    with pytest.raises(UsageError, match="named again"):
        et.tune(resume=True, workspace=tmp_path, plots=False, progress=False)
    assert executors == []


@pytest.mark.usefixtures("executors")
def test_options_of_a_resumed_start_count(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_interrupted(archive, tmp_path, monkeypatch, seed=1, trials=9)
    study = et.tune(resume=True, trials=1, workspace=tmp_path, plots=False, progress=False)
    assert (study.record.settings.seed, len(study.trials)) == (1, 1)


@pytest.mark.usefixtures("executors")
def test_study_that_fails_while_it_starts_leaves_its_name(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise UsageError("An option cannot be used.")

    with monkeypatch.context() as patch:
        patch.setattr(api, "new_settings", refuse)
        with pytest.raises(UsageError):
            tune(archive, tmp_path, name="first")
    workspace = et.Workspace(tmp_path)
    assert workspace.studies.all() == []
    assert list(workspace.studies.root.iterdir()) == []
    assert tune(archive, tmp_path, name="first", trials=1).name == "first"
