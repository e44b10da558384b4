"""`tuner.oracle` and what a tuner shows of a search, on fabricated studies: nothing is trained."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras_tuner
import pytest

from eyetune.compat.keras_tuner.oracle import Oracle
from eyetune.compat.keras_tuner.oracles import (
    BayesianOptimizationOracle,
    GridSearchOracle,
    HyperbandOracle,
    RandomSearchOracle,
)
from eyetune.compat.keras_tuner.tuners import Hyperband, RandomSearch
from eyetune.errors import StudyNotFoundError, UsageError
from eyetune.records import Workspace
from eyetune.records.study import Objective
from eyetune.records.trial import Execution, Rung, TrialState
from eyetune.space.hyperparameters import Choice
from eyetune.testing.studies import FabricatedStudy, fabricated_study

NUM_TRIALS = 16
ORACLES = (RandomSearchOracle, BayesianOptimizationOracle, GridSearchOracle, HyperbandOracle)


def build_model(hp: Any) -> Any:
    raise AssertionError("nothing is built to show a search")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("searched")


@pytest.fixture(scope="module")
def study(folder: Path) -> FabricatedStudy:
    study = fabricated_study(
        NUM_TRIALS, failing=0.2, infeasible=0.2, name="first", workspace=Workspace(folder)
    )
    states = {trial.state for trial in study.trials}
    assert {TrialState.COMPLETE, TrialState.STOPPED, TrialState.FAILED} <= states
    assert TrialState.INFEASIBLE in states
    return study


@pytest.fixture
def tuner(study: FabricatedStudy, folder: Path) -> RandomSearch:
    name = study.record.name
    return RandomSearch(build_model, "val_accuracy", 16, directory=folder, project_name=name)


def test_oracle_has_the_trials_of_the_study(tuner: RandomSearch, study: FabricatedStudy) -> None:
    trials = tuner.oracle.trials
    assert list(trials) == [f"{number:02d}" for number in range(NUM_TRIALS)]
    assert tuner.oracle.start_order == tuner.oracle.end_order == list(trials)
    assert tuner.oracle.ongoing_trials == {}
    for record, trial in zip(study.trials, trials.values(), strict=True):
        assert isinstance(trial, keras_tuner.engine.trial.Trial)
        is_failed = record.state in (TrialState.FAILED, TrialState.INFEASIBLE)
        assert trial.status == ("FAILED" if is_failed else "COMPLETED")
        assert bool(trial.message) == is_failed
        assert trial.score == (record.objectives[0] if record.objectives else None)
        values = trial.hyperparameters.values
        assert {name: values[name] for name in record.values} == record.values


def test_oracle_ranks_trials_as_the_study_does(tuner: RandomSearch) -> None:
    numbers = [int(trial.trial_id) for trial in tuner.oracle.get_best_trials(3)]
    assert numbers == [trial.number for trial in tuner.study.best(3)]
    (best,) = tuner.oracle.get_best_trials()
    assert best.score == tuner.study.best_value
    everything = tuner.oracle.get_best_trials(99)
    assert len(everything) == NUM_TRIALS
    num_completed = sum(trial.status == "COMPLETED" for trial in everything)
    assert all(trial.status == "COMPLETED" for trial in everything[:num_completed])
    scores = [trial.score for trial in everything[:num_completed]]
    assert scores == sorted(scores, reverse=True)


def test_metrics_of_a_trial_are_those_of_its_best_epoch(tuner: RandomSearch) -> None:
    (trial,) = tuner.oracle.get_best_trials()
    history = tuner.workspace.runs.history(tuner.study.best_trial.run or "")
    best = max(history, key=lambda epoch: epoch.val_accuracy or 0.0)
    assert trial.best_step == best.epoch - 1
    assert trial.metrics.get_best_value("val_accuracy") == trial.score == best.val_accuracy
    assert trial.metrics.get_last_value("val_loss") == best.val_loss
    (observation,) = trial.metrics.get_history("loss")
    assert (observation.value, observation.step) == ([best.loss], trial.best_step)
    assert trial.metrics.get_direction("val_accuracy") == "max"


def test_trial_has_a_state_for_json_and_a_summary(
    tuner: RandomSearch, capsys: pytest.CaptureFixture[str]
) -> None:
    (trial,) = tuner.oracle.get_best_trials()
    state = json.loads(json.dumps(trial.get_state()))
    assert state["score"] == trial.score
    assert keras_tuner.engine.trial.Trial.from_state(state).best_step == trial.best_step
    trial.summary()
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == f"Trial {trial.trial_id} summary"
    assert shown[-1] == f"Score: {trial.score}"


def test_best_hyperparameters_end_with_failed_trials(tuner: RandomSearch) -> None:
    values = [hp.values for hp in tuner.get_best_hyperparameters(99)]
    trials = tuner.oracle.get_best_trials(99)
    assert values == [trial.hyperparameters.values for trial in trials]
    assert len(values) == NUM_TRIALS
    assert trials[-1].status == "FAILED"


def test_trial_has_hyperparameters_that_are_not_searched(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    study = fabricated_study(3, failing=0.0, workspace=workspace)
    unsearched = Choice(name="last", values=("softmax", "sigmoid"), default="sigmoid")
    more = {"more_values": {"last": "sigmoid"}, "more_hyperparameters": (unsearched,)}
    workspace.studies.save_trials(
        study.record.id, [trial.with_(**more) for trial in study.trials[:2]]
    )
    tuner = RandomSearch(build_model, "val_accuracy", directory=tmp_path, project_name="first")
    *with_more, without = tuner.oracle.trials.values()
    for trial in with_more:
        assert trial.hyperparameters.get("last") == "sigmoid"
        assert trial.hyperparameters.space[-1].values == ["softmax", "sigmoid"]
    assert "last" not in without.hyperparameters.values
    assert "last" not in [entry.name for entry in without.hyperparameters.space]
    assert "last" not in [entry.name for entry in tuner.oracle.get_space().space]
    found = [hp.values.get("last") for hp in tuner.get_best_hyperparameters(3)]
    assert sorted(map(str, found)) == ["None", "sigmoid", "sigmoid"]


def test_oracle_has_the_settings_of_the_tuner(tuner: RandomSearch, study: FabricatedStudy) -> None:
    oracle = tuner.oracle
    assert oracle.objective == keras_tuner.Objective("val_accuracy", "max")
    assert (oracle.max_trials, oracle.seed, oracle.remaining_trials()) == (16, 0, 0)
    space = oracle.get_space()
    assert [entry.name for entry in space.space] == list(study.record.space.names)
    assert oracle.hyperparameters.values == study.record.space.defaults()
    assert json.loads(json.dumps(oracle.get_state()))["start_order"] == oracle.start_order
    oracle.save()
    oracle.reload()


def test_oracle_joins_objectives_as_keras_tuner_does(tmp_path: Path) -> None:
    names = [Objective(name="val_accuracy", direction="max")]
    names.append(Objective(name="parameters", direction="min"))
    fabricated_study(6, objectives=names, workspace=Workspace(tmp_path))
    objectives = ["val_accuracy", "parameters"]
    tuner = RandomSearch(build_model, objectives, directory=tmp_path, project_name="first")
    assert tuner.oracle.objective.name == "multi_objective"
    assert [single.name for single in tuner.oracle.objective.objectives] == objectives
    for record, trial in zip(tuner.study.trials, tuner.oracle.trials.values(), strict=True):
        if record.objectives is not None:
            accuracy, parameters = record.objectives
            assert trial.score == pytest.approx(parameters - accuracy)


@pytest.mark.parametrize(
    "change",
    [
        lambda oracle: oracle.create_trial("tuner0"),
        lambda oracle: oracle.update_trial("00", {"val_accuracy": 1.0}),
        lambda oracle: oracle.end_trial(oracle.get_trial("00")),
        lambda oracle: oracle.populate_space("00"),
        lambda oracle: oracle.score_trial(oracle.get_trial("00")),
        lambda oracle: oracle.update_space(keras_tuner.HyperParameters()),
        lambda oracle: oracle.set_state({}),
        lambda oracle: setattr(oracle, "max_trials", 99),
        lambda oracle: setattr(oracle.get_trial("00"), "score", 1.0),
        lambda oracle: oracle.get_best_trials()[0].metrics.update("val_loss", 0.0),
        lambda oracle: oracle.get_best_trials()[0].metrics.register("new"),
    ],
)
def test_oracle_cannot_be_changed(tuner: RandomSearch, change: Callable[[Any], object]) -> None:
    with pytest.raises(UsageError) as caught:
        change(tuner.oracle)
    assert caught.value.fix


def test_oracle_before_a_search_has_no_trials(tmp_path: Path) -> None:
    given = keras_tuner.HyperParameters()
    given.Int("units", 1, 9)
    oracle = RandomSearchOracle("val_loss", 5, hyperparameters=given)
    assert (oracle.trials, oracle.get_best_trials(), oracle.remaining_trials()) == ({}, [], 5)
    assert [entry.name for entry in oracle.get_space().space] == ["units"]
    tuner = Hyperband(build_model, "val_loss", directory=tmp_path)
    assert (tuner.oracle.trials, tuner.oracle.get_best_trials()) == ({}, [])
    assert tuner.oracle.remaining_trials() is None
    with pytest.raises(StudyNotFoundError):
        tuner.results_summary()


@pytest.mark.parametrize("kind", ORACLES)
def test_oracle_of_a_user_must_not_suggest_values(kind: type[Oracle]) -> None:
    class Own(kind):  # type: ignore[misc, valid-type]
        def populate_space(self, trial_id: str) -> Any:
            return {"status": "RUNNING", "values": {"units": 3}, "trial": trial_id}

    class OnlyNamed(kind):  # type: ignore[misc, valid-type]
        def __init__(self) -> None:
            super().__init__("val_loss")
            self.note = "mine"

    with pytest.raises(UsageError) as caught:
        Own("val_loss")
    assert caught.value.fix
    assert OnlyNamed().note == "mine"
    with pytest.raises(UsageError):
        Oracle("val_loss")


def test_results_summary_shows_failed_trials(
    tuner: RandomSearch, capsys: pytest.CaptureFixture[str]
) -> None:
    tuner.results_summary(NUM_TRIALS)
    shown = capsys.readouterr().out
    failed = [trial for trial in tuner.study.trials if trial.state is TrialState.FAILED]
    assert shown.count("summary\nHyperparameters:") == NUM_TRIALS
    assert all(trial.error in shown for trial in failed)
    assert 'Objective(name="val_accuracy", direction="max")' in shown


def test_search_space_summary_shows_each_hyperparameter(
    tuner: RandomSearch, capsys: pytest.CaptureFixture[str]
) -> None:
    tuner.search_space_summary()
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == f"Default search space size: {len(tuner.study.record.space)}"
    assert {"learning_rate (Float)", "conv_layers (Int)", "activation (Choice)"} <= set(lines)
    assert "'min_value': 32, 'max_value': 512, 'step': 32" in lines[lines.index("units (Int)") + 1]


def test_tuner_has_folders_for_a_script(tuner: RandomSearch, folder: Path) -> None:
    project, trial = Path(tuner.project_dir), Path(tuner.get_trial_dir("03"))
    assert project.is_dir()
    assert trial.is_dir()
    assert (trial.parent, trial.name) == (project, "trial_03")
    assert project.is_relative_to(folder)
    assert (tuner.directory, tuner.project_name) == (str(folder), "first")


@pytest.mark.parametrize("name", ["..", "runs", "../runs", "/runs"])
def test_overwrite_deletes_no_other_folder(tmp_path: Path, name: str) -> None:
    kept = tmp_path / "runs" / "kept"
    kept.mkdir(parents=True)
    tuner = RandomSearch(build_model, "val_loss", directory=tmp_path, project_name=name)
    file = Path(tuner.project_dir) / "notes.txt"
    file.touch()
    assert RandomSearch(
        build_model, "val_loss", directory=tmp_path, project_name=name, overwrite=True
    )
    assert kept.exists()
    assert not file.exists()


def test_tuner_has_no_state_beside_its_records(tuner: RandomSearch) -> None:
    tuner.save()
    assert tuner.get_state() == {}
    tuner.set_state({})
    with pytest.raises(UsageError):
        tuner.set_state({"count": 3})


def test_load_model_refuses_a_network_that_is_not_kept(tuner: RandomSearch) -> None:
    with pytest.raises(UsageError) as caught:
        tuner.load_model(tuner.oracle.get_trial("00"))
    assert caught.value.fix


def test_trial_shows_the_means_and_the_spread_of_its_executions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = Workspace(tmp_path)
    study = fabricated_study(6, failing=0, workspace=workspace)
    trained = [trial for trial in study.trials if trial.rungs]
    first, second = (trial.run or "" for trial in trained[:2])
    executions = tuple(Execution(run=run, seed=seed) for seed, run in enumerate((first, second)))
    rung = Rung(epochs=10, values=(0.5,), by_execution=((0.4,), (0.6,)))
    repeated = trained[0].with_(executions=executions, rungs=(rung,))
    workspace.studies.save_trials(study.record.id, [repeated])
    tuner = RandomSearch(build_model, "val_accuracy", directory=tmp_path, project_name="first")
    trial = tuner.oracle.get_trial(f"{repeated.number:02d}")
    assert trial.metrics.get_best_value("val_accuracy") == trial.score == 0.5
    best = [
        max(study.histories[run], key=lambda epoch: epoch.val_accuracy or 0.0)
        for run in (first, second)
    ]
    mean = sum(epoch.value("loss") for epoch in best) / 2
    assert trial.metrics.get_best_value("loss") == pytest.approx(mean)
    trial.summary()
    assert capsys.readouterr().out.splitlines()[-1].endswith(" 2 executions: 0.141421")
