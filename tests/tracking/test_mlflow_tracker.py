"""MLflow with a local database: runs, parameters, metrics, states, files, and resumption."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
import pytest

import eyetune as et
from eyetune.errors import TrackerError, UsageError
from eyetune.records import RunState, Workspace
from eyetune.records.study import Budget, StudyRecord
from eyetune.records.trial import TrialState
from eyetune.tracking.mlflow_tracker import MlflowTracker
from eyetune.tracking.tracker import Tracked, TrackedEnd
from tests.records.fabricate import add_run, make_epoch, make_results
from tests.tracking.studies import failing_curve, followed, new_study, run_study

STATUSES = {
    TrialState.COMPLETE: "FINISHED",
    TrialState.STOPPED: "FINISHED",
    TrialState.FAILED: "FAILED",
    TrialState.INFEASIBLE: "KILLED",
}


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a database of MLflow without runs: to create one takes seconds."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowTracker(f"sqlite:///{path}", experiment="other")
    return path


@pytest.fixture
def uri(empty_database: Path, tmp_path: Path) -> str:
    """Return the tracking URI of a database."""
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


class Logged:
    """What MLflow has of an experiment."""

    def __init__(self, uri: str, experiment: str = "eyetune") -> None:
        from mlflow import MlflowClient

        self.client: Any = MlflowClient(uri)
        found = self.client.get_experiment_by_name(experiment)
        self.runs: list[Any] = self.client.search_runs([found.experiment_id], max_results=1000)
        self.by_id = {run.data.tags["eyetune.id"]: run for run in self.runs}

    def steps(self, item_id: str, metric: str) -> list[int]:
        """Return the steps of a metric in the order in which they were logged."""
        history = self.client.get_metric_history(self.by_id[item_id].info.run_id, metric)
        return [metric.step for metric in history]

    def files(self, item_id: str, folder: str | None = None) -> set[str]:
        """Return the paths of the files of a run."""
        found = self.client.list_artifacts(self.by_id[item_id].info.run_id, folder)
        return {file.path for file in found}


def check_trials(logged: Logged, workspace: Workspace, record: StudyRecord) -> None:
    """Check that MLflow has exactly the trials of a study, each epoch once."""
    trials = workspace.studies.trials(record.id)
    parent = logged.by_id[record.id].info.run_id
    assert len(logged.runs) == len(trials) + 1
    for trial in trials:
        item_id = f"{record.id}/{trial.number}"
        run = logged.by_id[item_id]
        assert run.data.tags["mlflow.parentRunId"] == parent
        assert run.data.params == {name: str(value) for name, value in trial.values.items()}
        assert run.data.tags["eyetune.state"] == trial.state
        assert run.info.status == STATUSES[trial.state]
        assert run.data.metrics["parameters"] == trial.network["parameters"]
        steps = [epoch.epoch for epoch in workspace.runs.history(trial.run or "")]
        for metric in ("loss", "val_accuracy", "learning_rate", "duration_seconds"):
            assert sorted(logged.steps(item_id, metric)) == steps


def test_study_is_a_parent_with_a_run_for_each_trial(uri: str) -> None:
    workspace = Workspace()
    record = new_study(workspace, constraints=("parameters < 1500",), budget=Budget(trials=10))
    run_study(workspace, record, [MlflowTracker(uri)], curve=failing_curve)
    logged = Logged(uri)
    check_trials(logged, workspace, record)
    study = logged.by_id[record.id]
    assert (study.info.run_name, study.info.status) == ("study", "FINISHED")
    assert study.data.params["sampler"] == "random"
    assert study.data.params["budget.trials"] == "10"
    assert study.data.params["objectives"] == "val_accuracy (max)"
    assert study.data.params["constraints"] == "parameters < 1500"
    assert study.data.params["recipe.fit.epochs"] == "4"
    assert set(record.space.names) == {
        name.removeprefix("space.") for name in study.data.params if name.startswith("space.")
    }
    trials = workspace.studies.trials(record.id)
    assert {TrialState.FAILED, TrialState.INFEASIBLE} <= {trial.state for trial in trials}
    for trial in trials:
        run = logged.by_id[f"{record.id}/{trial.number}"]
        assert ("out of luck" in run.data.tags.get("eyetune.error", "")) == bool(trial.error)
        assert ("eyetune.infeasible" in run.data.tags) == bool(trial.infeasible)
        if trial.run is not None:
            assert logged.files(f"{record.id}/{trial.number}") == {"recipe.toml"}
    best = max(trial.objectives[0] for trial in trials if trial.objectives)
    assert study.data.metrics["best_val_accuracy"] == pytest.approx(best)
    assert study.data.metrics["trials"] == len(trials)


def test_resumed_study_continues_the_same_runs(uri: str) -> None:
    workspace = Workspace()
    record = new_study(workspace, schedule="halving")
    run_study(workspace, record, [MlflowTracker(uri)], interrupt_after=8, seconds=0.001)
    before = Logged(uri)
    assert before.by_id[record.id].info.status == "SCHEDULED"
    assert all(run.info.status != "RUNNING" for run in before.runs)
    run_study(workspace, record, [MlflowTracker(uri)])
    after = Logged(uri)
    check_trials(after, workspace, record)
    assert after.by_id[record.id].info.status == "FINISHED"
    for item_id, run in before.by_id.items():
        assert after.by_id[item_id].info.run_id == run.info.run_id


def test_what_was_not_logged_is_added_after_a_resume(uri: str) -> None:
    workspace = Workspace()
    record = new_study(workspace, schedule="halving")
    run_study(workspace, record, [MlflowTracker(uri)], interrupt_after=6, seconds=0.001)
    run_study(workspace, record, [], interrupt_after=9, seconds=0.001)
    run_study(workspace, record, [MlflowTracker(uri)])
    check_trials(Logged(uri), workspace, record)


def train(workspace: Workspace, run_id: str, *epochs: int, state: RunState) -> None:
    """Record epochs of a run, and its state after them."""
    with workspace.runs.claim(run_id):
        workspace.runs.set_state(run_id, RunState.RUNNING)
        workspace.runs.save_epochs(run_id, [make_epoch(number) for number in epochs])
        results = make_results() if state is RunState.COMPLETE else None
        workspace.runs.set_state(run_id, state, results=results)


def test_run_has_parameters_results_and_files(uri: str) -> None:
    workspace = Workspace()
    with followed(workspace, MlflowTracker(uri)):
        run = add_run(workspace, name="mine")
        train(workspace, run.id, 1, 2, state=RunState.COMPLETE)
        plots = workspace.runs.folder(run.id) / "plots"
        plots.mkdir()
        (plots / "curves.png").write_bytes(b"picture")
    logged = Logged(uri)
    (found,) = logged.runs
    assert (found.info.run_name, found.info.status) == ("mine", "FINISHED")
    for path, value in run.recipe.values().items():
        if value is not None:
            assert found.data.params[path] == str(value)
    assert found.data.params["seed"] == str(run.seed)
    assert found.data.metrics["test_accuracy"] == make_results().test_accuracy
    assert logged.steps(run.id, "val_loss") == [1, 2]
    assert logged.files(run.id) == {"recipe.toml", "plots"}
    assert logged.files(run.id, "plots") == {"plots/curves.png"}


def test_resumed_run_continues_and_shows_what_has_changed(uri: str) -> None:
    workspace = Workspace()
    run = add_run(workspace)
    with followed(workspace, MlflowTracker(uri)):
        train(workspace, run.id, 1, state=RunState.PAUSED)
    assert Logged(uri).by_id[run.id].info.status == "SCHEDULED"
    tracker = MlflowTracker(uri)
    with followed(workspace, tracker):
        train(workspace, run.id, 1, 2, state=RunState.COMPLETE)
    tracker.begin(Tracked(run.id, "run", run.id, parameters={"fit.epochs": 99}))
    tracker.end(Tracked(run.id, "run", run.id), TrackedEnd("COMPLETE", is_over=True, num_epochs=2))
    logged = Logged(uri)
    (found,) = logged.runs
    assert found.info.status == "FINISHED"
    assert logged.steps(run.id, "loss") == [1, 2]
    assert logged.steps(run.id, "test_accuracy") == [2]
    assert found.data.params["fit.epochs"] == str(run.recipe.fit.epochs)
    assert found.data.tags["eyetune.changed.fit.epochs"] == "99"


def test_names_texts_and_missing_files_are_accepted(uri: str) -> None:
    parameters: dict[str, int | str] = {"units (first)": 1, "units [first]": 2, "../up": 3}
    parameters |= {"a//b": 4, "": 5, "text": "y" * 9000}
    parameters |= {f"units_{number}": number for number in range(250)}
    item = Tracked("1a2b", "run", "mine", parameters=parameters)
    tracker = MlflowTracker(uri)
    tracker.begin(item)
    tracker.log_epoch(item, 1, {"my metric: 50%": float("nan"), "loss": float("inf")})
    files = {"gone.png": Path("gone.png")}
    tracker.end(item, TrackedEnd("FAILED", is_over=True, error="e" * 9000, files=files))
    run = Logged(uri).by_id["1a2b"]
    assert len(run.data.params) == len(parameters)
    assert run.info.status == "FAILED"


def test_experiment_has_the_name_that_is_asked_for(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "from the environment")
    item = Tracked("1a2b", "run", "mine")
    MlflowTracker(uri).begin(item)
    MlflowTracker(uri, experiment="named").begin(item)
    for name in ("from the environment", "named"):
        (run,) = Logged(uri, name).runs
        assert Path(run.info.artifact_uri.removeprefix("file://")).is_relative_to(tmp_path)


def deleted_experiment(uri: str, _: Path) -> str:
    client = Logged(uri, "other").client
    client.delete_experiment(client.create_experiment("eyetune"))
    return uri


@pytest.mark.parametrize(
    "make_uri",
    [
        lambda _, __: "http://127.0.0.1:9",
        lambda _, __: "postgresql://user:secret@127.0.0.1:9/mlflow",
        lambda _, folder: f"sqlite:///{folder / 'missing' / 'mlflow.db'}",
        lambda _, __: "nonsense://somewhere",
        lambda _, folder: str(folder),
        deleted_experiment,
    ],
    ids=["server", "database server", "folder", "scheme", "file store", "deleted experiment"],
)
@pytest.mark.timeout(30)
def test_what_cannot_be_reached_is_refused_at_once(
    make_uri: Callable[[str, Path], str], uri: str, tmp_path: Path
) -> None:
    with pytest.raises(TrackerError) as caught:
        MlflowTracker(make_uri(uri, tmp_path))
    assert caught.value.fix
    assert "secret" not in str(caught.value)


def test_missing_library_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(UsageError) as caught:
        MlflowTracker("sqlite:///mlflow.db")
    assert caught.value.fix == "pip install 'eyetune[mlflow]'"


def test_executions_are_children_of_their_trial(uri: str) -> None:
    workspace = Workspace()
    record = new_study(workspace, executions=2, budget=Budget(trials=2))
    run_study(workspace, record, [], interrupt_after=5)
    run_study(workspace, record, [MlflowTracker(uri)])
    logged = Logged(uri)
    trials = workspace.studies.trials(record.id)
    assert len(logged.runs) == 1 + 2 + 2 * 2
    for trial in trials:
        parent = logged.by_id[f"{record.id}/{trial.number}"]
        for execution in trial.executions:
            item_id = f"{record.id}/{trial.number}/{execution.seed}"
            tags = logged.by_id[item_id].data.tags
            assert tags["mlflow.parentRunId"] == parent.info.run_id
            assert sorted(logged.steps(item_id, "loss")) == [1, 2, 3, 4]


class Quadratic(et.RandomSearch):
    """A black box with two steps in each trial."""

    def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
        loss = trial.hyperparameters.Float("x", -1.0, 1.0) ** 2
        for step in range(2):
            self.oracle.update_trial(trial.trial_id, {"loss": loss + 1 - step}, step=step)


@pytest.mark.filterwarnings("ignore::eyetune.errors.EyetuneWarning")
def test_tuner_that_runs_its_trials_itself_logs_them(uri: str, tmp_path: Path) -> None:
    objective = keras_tuner.Objective("loss", "min")
    for max_trials in (2, 3):  # the second search resumes the first one
        trackers = [MlflowTracker(uri)]
        tuner = Quadratic(
            objective=objective, max_trials=max_trials, directory=tmp_path, trackers=trackers
        )
        tuner.search(verbose=0)
    logged = Logged(uri)
    assert len(logged.runs) == 1 + 3
    study = tuner.study
    for trial in study.trials:
        run = logged.by_id[f"{study.record.id}/{trial.number}"]
        assert run.info.status == "FINISHED"
        assert run.data.params == {"x": str(trial.values["x"])}
        assert logged.steps(f"{study.record.id}/{trial.number}", "loss") == [1, 2]
        assert run.data.metrics["best_loss"] == pytest.approx(float(trial.values["x"]) ** 2)
    parent = logged.by_id[study.record.id]
    assert (parent.info.status, parent.data.metrics["trials"]) == ("FINISHED", 3)


def test_callback_logs_a_fit_and_continues_it(uri: str) -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    x, y = np.ones((8, 4)), np.ones((8, 1))
    recording = et.Callback("mine", trackers=[MlflowTracker(uri)])
    model.fit(x, y, epochs=1, callbacks=[recording], verbose=0)
    model.fit(x, y, epochs=3, initial_epoch=1, callbacks=[recording], verbose=0)
    logged = Logged(uri)
    (run,) = logged.runs
    assert (run.info.run_name, run.info.status) == ("mine", "FINISHED")
    assert run.data.tags["eyetune.id"] == recording.run.id
    assert run.data.params["optimizer.name"] == "SGD"
    assert logged.steps(recording.run.id, "loss") == [1, 2, 3]
    assert run.data.metrics["parameters"] == 5
    assert logged.files(recording.run.id) == {"model.keras"}
