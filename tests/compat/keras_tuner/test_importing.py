"""Project folders that KerasTuner itself has written, and what is read of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eyetune.api.study import Study, open_study
from eyetune.cli.import_studies import app
from eyetune.compat.keras_tuner.importing import import_keras_tuner, keras_tuner_metrics
from eyetune.errors import UsageError, WorkspaceError
from eyetune.records import Workspace
from eyetune.records.study import SchedulerSettings, StudyState
from eyetune.records.trial import TrialState
from eyetune.testing.datasets import tiny_images

OWN = "tuner/"


def build_model(hp: Any) -> Any:
    """Build a network so small that eager arithmetic is the quickest."""
    import keras

    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.GlobalAveragePooling2D()])
    if hp.Boolean("wide"):
        with hp.conditional_scope("wide", [True]):
            model.add(keras.layers.Dense(hp.Int("units", 4, 8, step=4), activation="relu"))
    model.add(keras.layers.Dense(3, activation="softmax"))
    rate = hp.Choice("learning_rate", [1e-1, 1e-2])
    model.compile(
        keras.optimizers.Adam(rate),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        run_eagerly=True,
    )
    return model


def failing(hp: Any) -> Any:
    """Build the network, but for one of the rates."""
    model = build_model(hp)
    if hp.get("learning_rate") == 1e-2:
        raise RuntimeError("no such rate")
    return model


def searched(
    name: str, folder: Path, function: Callable[[Any], Any] = build_model, **settings: Any
) -> Any:
    """Let KerasTuner search, and return its tuner; the project's folder is called as its class."""
    import keras_tuner

    base = getattr(keras_tuner, name)
    # TensorFlow comes without TensorBoard by now, which KerasTuner imports whether a callback needs
    # it or not.
    kind = type(name, (base,), {"_configure_tensorboard_dir": lambda *_: None})
    tuner = kind(build_model, seed=1, directory=str(folder), project_name=name.lower(), **settings)
    tuner.hypermodel.build = function  # the space was read off the function that does not fail
    images, labels = tiny_images(12, 3, size=4)
    tuner.search(images / 255.0, labels, epochs=2, validation_split=0.5, batch_size=6, verbose=0)
    return tuner


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of all projects below."""
    return tmp_path_factory.mktemp("projects")


@pytest.fixture(scope="module")
def hyperband(projects: Path) -> Any:
    """Return KerasTuner's Hyperband after 6 trials, one of which continues another."""
    return searched("Hyperband", projects, objective="val_accuracy", max_epochs=3, factor=3)


def with_state(project: Path, folder: Path, file: str, **changes: Any) -> Path:
    """Copy a project, with some values of a file changed."""
    copy = Path(shutil.copytree(project, folder / "copy"))
    path = copy / file
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return copy


def own_values(values: dict[str, Any]) -> dict[str, Any]:
    """Return hyperparameters without those that Hyperband keeps among them."""
    return {name: value for name, value in values.items() if not name.startswith(OWN)}


class TestHyperband:
    def test_best_trial_equals_that_of_keras_tuner(self, hyperband: Any) -> None:
        study = import_keras_tuner(hyperband.project_dir)
        best = hyperband.oracle.get_best_trials(1)[0]
        assert study.best_value == best.score
        theirs = {
            tuple(sorted(own_values(trial.hyperparameters.values).items()))
            for trial in hyperband.oracle.trials.values()
            if trial.score == best.score
        }
        assert tuple(sorted(study.best_values.items())) in theirs

    def test_promoted_trials_are_further_rungs(self, hyperband: Any) -> None:
        study = import_keras_tuner(hyperband.project_dir)
        theirs = hyperband.oracle.trials
        promoted = [
            trial for trial in theirs.values() if f"{OWN}trial_id" in trial.hyperparameters.values
        ]
        assert len(promoted) == 1
        assert len(study.trials) == len(theirs) - 1
        first = theirs[promoted[0].hyperparameters.values[f"{OWN}trial_id"]]
        (mine,) = [trial for trial in study.trials if len(trial.rungs) == 2]
        assert [rung.epochs for rung in mine.rungs] == [1, 3]
        assert [rung.values[0] for rung in mine.rungs] == [
            first.score,
            max(first.score, promoted[0].score),
        ]
        assert mine.values == own_values(first.hyperparameters.values)

    def test_states_and_brackets(self, hyperband: Any) -> None:
        study = import_keras_tuner(hyperband.project_dir)
        by_bracket = {
            bracket: [trial.state for trial in study.trials if trial.bracket == bracket]
            for bracket in (0, 1)
        }
        assert sorted(by_bracket[0]) == [
            TrialState.COMPLETE,
            TrialState.STOPPED,
            TrialState.STOPPED,
        ]
        assert by_bracket[1] == [TrialState.COMPLETE] * 2
        assert all(trial.run is None for trial in study.trials)
        assert study.to_json()["trials"] == len(hyperband.oracle.trials)

    def test_settings(self, hyperband: Any) -> None:
        study = import_keras_tuner(hyperband.project_dir)
        settings = study.record.settings
        assert settings.engine == "keras-tuner"
        assert settings.schedule == SchedulerSettings(name="hyperband", max_epochs=3)
        assert (settings.seed, settings.sampler) == (1, "random")
        assert [one.name for one in settings.objectives] == ["val_accuracy"]
        assert study.state is StudyState.COMPLETE

    def test_space(self, hyperband: Any) -> None:
        space = import_keras_tuner(hyperband.project_dir).record.space
        assert set(space.names) == {one.name for one in hyperband.oracle.get_space().space}
        assert space["units"].conditions[0].parent == "wide"
        assert space["units"].grid() == (4, 8)
        assert space["learning_rate"].grid() == (1e-1, 1e-2)

    def test_metrics_are_those_of_the_best_epoch_of_each_rung(self, hyperband: Any) -> None:
        study = import_keras_tuner(hyperband.project_dir)
        first = hyperband.oracle.trials[hyperband.oracle.start_order[0]]
        figures = keras_tuner_metrics(study)[0][first.best_step + 1]
        assert figures["val_loss"] == first.metrics.get_best_value("val_loss")
        assert set(figures) == {"loss", "accuracy", "val_loss", "val_accuracy"}

    def test_imported_study_can_be_opened(self, hyperband: Any) -> None:
        study = import_keras_tuner(hyperband.project_dir, name="theirs")
        assert open_study("theirs").trials == study.trials

    def test_import_rejects_a_name_in_use(self, hyperband: Any) -> None:
        assert import_keras_tuner(hyperband.project_dir).name == "hyperband"
        with pytest.raises(UsageError):
            import_keras_tuner(hyperband.project_dir)


class TestOtherTuners:
    def test_failed_and_oversized_trials(self, projects: Path) -> None:
        tuner = searched(
            "RandomSearch",
            projects,
            failing,
            objective="val_loss",
            max_trials=6,
            max_model_size=40,
            max_consecutive_failed_trials=9,
        )
        study = import_keras_tuner(tuner.project_dir)
        for trial, number in zip(study.trials, tuner.oracle.start_order, strict=True):
            theirs = tuner.oracle.trials[number]
            if theirs.status == "COMPLETED":
                assert trial.state is TrialState.COMPLETE
                assert trial.objectives == (theirs.score,)
                assert trial.epochs == theirs.best_step + 1
            elif trial.values["learning_rate"] == 1e-2:
                assert trial.state is TrialState.FAILED
                assert trial.error.splitlines()[0] == "RuntimeError: no such rate"
                assert theirs.message.strip() in trial.error
            else:
                assert trial.state is TrialState.INFEASIBLE
                (reason,) = trial.infeasible_reasons
                assert reason.quantity == "parameters"
                assert reason.value == trial.network["parameters"] > 40
        assert {trial.state for trial in study.trials} == {
            TrialState.COMPLETE,
            TrialState.FAILED,
            TrialState.INFEASIBLE,
        }
        assert [(one.name, one.direction) for one in study.record.settings.objectives] == [
            ("val_loss", "min")
        ]
        assert study.best_value == tuner.oracle.get_best_trials(1)[0].score

    @pytest.mark.parametrize(
        ("name", "sampler"), [("BayesianOptimization", "gp"), ("GridSearch", "grid")]
    )
    def test_import_recognizes_the_sampler(self, projects: Path, name: str, sampler: str) -> None:
        tuner = searched(name, projects, objective="val_accuracy", max_trials=2)
        study = import_keras_tuner(tuner.project_dir)
        assert study.record.settings.sampler == sampler
        assert [trial.values for trial in study.trials] == [
            tuner.oracle.trials[number].hyperparameters.values
            for number in tuner.oracle.start_order
        ]

    def test_several_objectives_are_their_sum_unless_named(self, projects: Path) -> None:
        import keras_tuner

        objective = ["val_accuracy", keras_tuner.Objective("val_loss", "min")]
        tuner = searched("RandomSearch", projects / "several", objective=objective, max_trials=2)
        summed = import_keras_tuner(tuner.project_dir)
        assert [(one.name, one.direction) for one in summed.record.settings.objectives] == [
            ("multi_objective", "min")
        ]
        assert summed.best_value == tuner.oracle.get_best_trials(1)[0].score
        apart = import_keras_tuner(
            tuner.project_dir, name="apart", objective=["val_accuracy", "val_loss"]
        )
        metrics = [tuner.oracle.trials[number].metrics for number in tuner.oracle.start_order]
        assert [trial.objectives for trial in apart.trials] == [
            (one.get_best_value("val_accuracy"), one.get_best_value("val_loss")) for one in metrics
        ]


class TestWhatCannotBeRead:
    def test_import_rejects_other_folders(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError):
            import_keras_tuner(tmp_path)
        with pytest.raises(UsageError):
            import_keras_tuner(tmp_path / "nothing")
        assert not Workspace().exists

    def test_import_rejects_the_parent_folder_of_projects(self, hyperband: Any) -> None:
        with pytest.raises(UsageError) as caught:
            import_keras_tuner(Path(hyperband.project_dir).parent)
        assert "hyperband" in (caught.value.fix or "")

    @pytest.mark.parametrize("file", ["oracle.json", "trial_0001/trial.json"])
    @pytest.mark.parametrize("content", ["", '{"trial_id": "0001", "hyp', "\x00" * 64])
    def test_import_rejects_damaged_files(
        self, hyperband: Any, tmp_path: Path, file: str, content: str
    ) -> None:
        copy = with_state(Path(hyperband.project_dir), tmp_path, file)
        (copy / file).write_text(content)
        with pytest.raises(WorkspaceError):
            import_keras_tuner(copy)

    @pytest.mark.parametrize(
        ("file", "changes"),
        [
            ("oracle.json", {"hyperparameters": None}),
            ("oracle.json", {"start_order": {"0": 1}}),
            ("oracle.json", {"factor": 0}),
            ("trial_0001/trial.json", {"metrics": [1, 2]}),
            ("trial_0001/trial.json", {"status": None}),
            ("trial_0001/trial.json", {"score": "high"}),
        ],
    )
    def test_import_rejects_other_versions(
        self, hyperband: Any, tmp_path: Path, file: str, changes: dict[str, Any]
    ) -> None:
        copy = with_state(Path(hyperband.project_dir), tmp_path, file, **changes)
        with pytest.raises(WorkspaceError):
            import_keras_tuner(copy)

    @pytest.mark.parametrize(
        "entry",
        [
            {"class_name": "Vector", "config": {"name": "units", "conditions": []}},
            {"class_name": "Int", "config": {"name": "units", "min_value": 8, "max_value": 4}},
            {"class_name": "Choice", "config": {"name": "units", "values": []}},
        ],
    )
    def test_import_rejects_invalid_spaces(
        self, hyperband: Any, tmp_path: Path, entry: dict[str, Any]
    ) -> None:
        state = {"hyperparameters": {"space": [entry], "values": {}}}
        copy = with_state(Path(hyperband.project_dir), tmp_path, "oracle.json", **state)
        with pytest.raises(WorkspaceError):
            import_keras_tuner(copy)

    def test_import_accepts_circular_promotions(self, hyperband: Any, tmp_path: Path) -> None:
        copy = Path(shutil.copytree(hyperband.project_dir, tmp_path / "copy"))
        for trial, parent in (("0000", "0001"), ("0001", "0000")):
            path = copy / f"trial_{trial}" / "trial.json"
            state = json.loads(path.read_text())
            state["hyperparameters"]["values"][f"{OWN}trial_id"] = parent
            path.write_text(json.dumps(state))
        assert len(import_keras_tuner(copy).trials) >= 3

    def test_import_of_an_interrupted_search(self, hyperband: Any, tmp_path: Path) -> None:
        changes: dict[str, Any] = {"status": "RUNNING", "score": None, "metrics": {"metrics": {}}}
        copy = with_state(Path(hyperband.project_dir), tmp_path, "trial_0005/trial.json", **changes)
        study = import_keras_tuner(copy)
        assert study.trials[-1].state is TrialState.FAILED
        assert "interrupted" in study.trials[-1].error

    def test_import_rejects_an_unmeasured_objective(self, hyperband: Any) -> None:
        with pytest.raises(UsageError):
            import_keras_tuner(hyperband.project_dir, objective="val_auc:max")

    def test_import_rejects_scores_that_equal_no_metric(
        self, hyperband: Any, tmp_path: Path
    ) -> None:
        copy = with_state(
            Path(hyperband.project_dir), tmp_path, "trial_0001/trial.json", score=12.5
        )
        with pytest.raises(UsageError):
            import_keras_tuner(copy)
        assert import_keras_tuner(copy, objective="val_loss").best_trial.objectives

    def test_metrics_of_another_study(self, hyperband: Any) -> None:
        study = import_keras_tuner(hyperband.project_dir)
        other = Workspace().studies.create("other", study.record.settings)
        with pytest.raises(UsageError):
            keras_tuner_metrics(Study(Workspace(), other))


class TestCommand:
    def run(self, *words: str) -> None:
        app([*words], exit_on_error=False, print_error=False, result_action="return_value")

    def test_json(self, hyperband: Any, capsys: pytest.CaptureFixture[str]) -> None:
        self.run("keras-tuner", hyperband.project_dir, "--name", "theirs", "--json")
        value = json.loads(capsys.readouterr().out)
        assert (value["study"], value["trials"]) == ("theirs", 6)
        assert value["best"]["val_accuracy"] == hyperband.oracle.get_best_trials(1)[0].score

    def test_tables(self, hyperband: Any, capsys: pytest.CaptureFixture[str]) -> None:
        self.run("keras-tuner", hyperband.project_dir)
        shown = capsys.readouterr().out
        assert "hyperband" in shown
        assert "learning_rate" in shown
