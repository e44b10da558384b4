"""KerasTuner's tuners, drop-in: the lab's own script, and what its users do with a tuner."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras_tuner
import pytest

from eyetune.api.callback import Callback
from eyetune.api.study import Study
from eyetune.compat.keras_tuner import search_with_workers
from eyetune.compat.keras_tuner.oracles import RandomSearchOracle
from eyetune.compat.keras_tuner.tuners import (
    BayesianOptimization,
    GridSearch,
    Hyperband,
    RandomSearch,
    SklearnTuner,
    Tuner,
)
from eyetune.errors import (
    DataError,
    EyetuneWarning,
    StudyChangedError,
    StudyNotFoundError,
    TrainingError,
    UsageError,
)
from eyetune.records import Workspace
from eyetune.records.study import StudyState
from eyetune.records.trial import TrialState
from eyetune.testing.datasets import tiny_images
from eyetune.tracking.tracker import Tracker

# Searches with workers=0 warn of what they cost; no Keras has to start for them.
HERE = pytest.mark.filterwarnings("ignore:workers=0")

# The last step of the lab, with images of its size, few of them. No `if __name__ == "__main__":`,
# as in the lab.
SCRIPT = """
import keras
import numpy as np
from eyetune.api.study import Study
from eyetune.compat.keras_tuner.tuners import Hyperband
from eyetune.testing import tiny_images
from keras import layers, models
from keras.utils import to_categorical

(x_train, y_train), (x_test, y_test) = tiny_images(60, 10), tiny_images(20, 10, seed=1)
x_train, x_test = x_train / 255.0, x_test / 255.0
y_train, y_test = to_categorical(y_train, 10), to_categorical(y_test, 10)


def build_model(hp):
    model = models.Sequential()
    model.add(layers.Input(shape=(32, 32, 3)))
    for i in range(hp.Int("conv_layers", 1, 3)):
        filters = hp.Int(f"filters_{i}", 32, 128, step=32)
        model.add(layers.Conv2D(filters, (3, 3), activation="relu"))
        model.add(layers.MaxPooling2D((2, 2)))
    model.add(layers.Flatten())
    units = hp.Int("units", min_value=32, max_value=128, step=32)
    model.add(layers.Dense(units, activation="relu"))
    model.add(layers.Dense(10, activation="softmax"))
    rate = hp.Choice("learning_rate", values=[1e-2, 1e-3, 1e-4])
    optimizer = keras.optimizers.Adam(learning_rate=rate)
    model.compile(optimizer, "categorical_crossentropy", metrics=["accuracy"])
    return model


tuner = Hyperband(
    build_model,
    objective="val_accuracy",
    max_epochs=2,
    factor=3,
    directory="my_dir",
    project_name="intro_to_kt",
)
stop_early = keras.callbacks.EarlyStopping(monitor="val_loss", patience=5)
tuner.search(x_train, y_train, epochs=50, validation_split=0.2, callbacks=[stop_early])
best_hps = tuner.get_best_hyperparameters(num_trials=1)[0]
print("units:", best_hps.get("units"), "rate:", best_hps.get("learning_rate"))
model = tuner.hypermodel.build(best_hps)
history = model.fit(x_train, y_train, epochs=2, validation_split=0.2, verbose=0)
print("epochs:", len(history.history["val_accuracy"]))
print("test:", model.evaluate(x_test, y_test, verbose=0)[1] >= 0)
"""


def build_model(hp: Any) -> Any:
    """Build a network so small that eager arithmetic is the quickest."""
    import keras

    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.GlobalAveragePooling2D()])
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


def another(hp: Any) -> Any:
    """Build the network of a space with one hyperparameter more."""
    hp.Choice("unused", ["a", "b"])
    return build_model(hp)


def keras_tuner_hyperparameters() -> Any:
    """Return hyperparameters with one entry."""
    known = keras_tuner.HyperParameters()
    known.Fixed("learning_rate", 0.003)
    return known


def make(kind: Any = RandomSearch, **words: Any) -> Any:
    """Return a tuner for two trials."""
    usual = {"objective": "val_accuracy", "max_trials": 2, "workers": 1}
    return kind(words.pop("hypermodel", build_model), **{**usual, **words})


def searched(tuner: Any, **words: Any) -> Any:
    """Let a tuner search."""
    images, labels = tiny_images(30, 3, size=8)
    tuner.search(
        images / 255.0, labels, **{"epochs": 1, "validation_split": 0.2, "verbose": 0, **words}
    )
    return tuner


@pytest.mark.slow
class TestScript:
    def test_tuner_runs_the_script_of_the_lab(self, tmp_path: Path) -> None:
        shown = self.run(tmp_path).splitlines()
        assert "epochs: 2" in shown
        assert "test: True" in shown
        workspace = Workspace(tmp_path / "my_dir")
        study = workspace.studies.find("intro_to_kt")
        trials = workspace.studies.trials(study.id)
        assert study.state is StudyState.COMPLETE
        assert [trial.state for trial in trials] == [
            TrialState.COMPLETE
        ] * 2  # KerasTuner's brackets of R=2
        assert [trial.epochs for trial in trials] == [
            2,
            2,
        ]  # and not 50, which Hyperband does not look at
        values = Study(workspace, study).best_values
        assert f"units: {values['units']} rate: {values['learning_rate']}" in shown

    def run(self, folder: Path) -> str:
        path = folder / "lab.py"
        path.write_text(SCRIPT)
        done = subprocess.run(
            [sys.executable, str(path)],
            cwd=folder,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.mark.slow
class TestAfterASearch:
    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return tmp_path_factory.mktemp("tuned")

    @pytest.fixture(scope="class")
    @classmethod
    def tuner(cls, folder: Path) -> Any:
        return searched(make(directory=folder, project_name="first"), batch_size=8)

    def test_best_hyperparameters(self, tuner: Any) -> None:
        found = tuner.get_best_hyperparameters(num_trials=5)
        assert [one.values for one in found] == [trial.all_values for trial in tuner.study.best(5)]
        assert all(isinstance(one, keras_tuner.HyperParameters) for one in found)
        assert {one.name for one in found[0].space} == {"wide", "units", "learning_rate"}
        rate = float(tuner.hypermodel.build(found[0]).optimizer.learning_rate)
        assert rate == pytest.approx(found[0]["learning_rate"])

    def test_best_models_have_the_trained_weights(self, tuner: Any) -> None:
        images, labels = tiny_images(30, 3, size=8)
        (model,) = tuner.get_best_models()
        predicted = model.predict(images[24:] / 255.0, verbose=0).argmax(axis=1)
        assert (predicted == labels[24:]).mean() == pytest.approx(tuner.study.best_value)

    def test_get_best_models_returns_as_many_networks_as_are_kept(self, tuner: Any) -> None:
        assert len(tuner.get_best_models(2)) == 2
        with pytest.raises(UsageError):
            tuner.get_best_models(3)

    def test_load_model_returns_the_network_of_a_trial(self, tuner: Any) -> None:
        images, labels = tiny_images(30, 3, size=8)
        (best,) = tuner.oracle.get_best_trials()
        predicted = tuner.load_model(best).predict(images[24:] / 255.0, verbose=0).argmax(axis=1)
        assert (predicted == labels[24:]).mean() == pytest.approx(best.score)
        assert best.metrics.get_best_value("val_accuracy") == best.score

    def test_summaries(self, tuner: Any, capsys: pytest.CaptureFixture[str]) -> None:
        tuner.search_space_summary(extended=True)
        tuner.results_summary(1)
        shown = capsys.readouterr().out
        assert "Default search space size: 3" in shown
        assert "units (Int)\n" in shown
        assert shown.count("summary\nHyperparameters:") == 1
        assert f"Score: {tuner.study.best_value}" in shown

    def test_settings_are_those_of_the_tuner(self, tuner: Any) -> None:
        settings = tuner.study.record.settings
        assert (settings.sampler, settings.schedule.name, settings.budget.trials) == (
            "random",
            "full",
            2,
        )
        assert settings.recipe.fit.batch_size == 8
        assert tuner.remaining_trials == 0
        assert [run.recipe.fit.epochs for run in tuner.workspace.runs.all()] == [1, 1]

    @HERE
    def test_search_again_returns_the_study(
        self, tuner: Any, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        again = searched(make(directory=folder, project_name="first", workers=0))
        assert "overwrite=True" in capsys.readouterr().out
        assert again.study.trials == tuner.study.trials

    @pytest.mark.parametrize(
        ("words", "received"),
        [
            ({"hypermodel": another}, "unused is new: a, b"),
            ({"objective": "val_loss"}, "objective: val_accuracy:max became val_loss:min"),
            ({"seed": 3}, "seed: 0 became 3"),
            ({"executions_per_trial": 2}, "executions: 1 became 2"),
            ({"hypermodel": another, "max_trials": 9}, "unused is new: a, b"),
        ],
    )
    @pytest.mark.usefixtures("tuner")
    @HERE
    def test_refuses_another_search_of_the_name(
        self, folder: Path, words: dict[str, Any], received: str
    ) -> None:
        with pytest.raises(StudyChangedError) as caught:
            searched(make(directory=folder, project_name="first", workers=0, **words))
        assert caught.value.received == received
        assert "overwrite=True" in (caught.value.fix or "")

    def test_reload(self, tuner: Any, folder: Path) -> None:
        fresh = make(directory=folder, project_name="first")
        fresh.reload()
        assert fresh.study.trials == tuner.study.trials


@HERE
def test_tuner_accepts_preset_hyperparameters(tmp_path: Path) -> None:
    known = keras_tuner.HyperParameters()
    known.Fixed("learning_rate", 0.003)
    known.Boolean("wide")
    options = {"tune_new_entries": False, "max_trials": 1, "workers": 0}
    tuner = make(hyperparameters=known, directory=tmp_path, **options)
    assert tuner.space.names == ("learning_rate", "wide")
    searched(tuner)
    assert {trial.values["learning_rate"] for trial in tuner.study.trials} == {0.003}
    (run,) = tuner.workspace.runs.all()
    make(overwrite=True, directory=tmp_path)
    assert tuner.workspace.runs.all() == tuner.workspace.runs.all(deleted=True) == []
    assert not tuner.workspace.runs.folder(run.id).exists()
    with pytest.raises(StudyNotFoundError):
        _ = make(directory=tmp_path).study


@HERE
def test_search_raises_if_every_trial_fails(tmp_path: Path) -> None:
    class Failing(keras_tuner.HyperModel):  # type: ignore[misc]
        def build(self, hp: Any) -> Any:
            return build_model(hp)

        def fit(self, *_: Any, **__: Any) -> Any:
            raise RuntimeError("no such training")

    with pytest.raises(TrainingError):
        searched(make(hypermodel=Failing(), directory=tmp_path, max_trials=1, workers=0))
    (trial,) = make(directory=tmp_path).study.trials
    assert trial.state is TrialState.FAILED
    assert "RuntimeError: no such training" in trial.error


class OwnScore(keras_tuner.HyperModel):  # type: ignore[misc]
    """Returns a score of its own."""

    def build(self, hp: Any) -> Any:
        return build_model(hp)

    def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG002
        losses = model.fit(*args, **kwargs).history["val_loss"]
        return {"my_score": losses[-1] + 10}


@pytest.mark.slow
def test_result_of_the_users_fit_is_the_score(tmp_path: Path) -> None:
    objective = keras_tuner.Objective("my_score", "min")
    tuner = make(hypermodel=OwnScore(), objective=objective, directory=tmp_path, max_trials=1)
    searched(tuner, epochs=2)
    (best,) = tuner.oracle.get_best_trials()
    history = tuner.study.run().history
    assert best.score == tuner.study.best_value == pytest.approx(history[-1].val_loss + 10)
    assert best.metrics.get_best_value("my_score") == best.score
    assert best.best_step == 1


class TestArguments:
    @pytest.mark.parametrize(
        ("words", "settings"),
        [
            ({"max_trials": 7}, {"trials": 7, "sampler": "random"}),
            ({"seed": 3}, {"seed": 3}),
            ({"objective": "val_loss"}, {"objective": ("val_loss:min",)}),
        ],
    )
    def test_oracle_holds_the_settings(
        self, words: dict[str, Any], settings: dict[str, Any]
    ) -> None:
        assert settings.items() <= make(**words).oracle.tune_options().items()

    def test_accepts_arguments_by_position(self) -> None:
        known = keras_tuner_hyperparameters()
        tuner = RandomSearch(build_model, "val_loss", 7, 3, known, False, False, 0, 3)
        assert tuner.oracle.tune_options()["trials"] == tuner.oracle.max_trials == 7
        assert (tuner.oracle.seed, tuner.oracle.allow_new_entries) == (3, False)
        bayesian = BayesianOptimization(build_model, "val_loss", 7, 4, 0.01, 3.0, 5)
        settings = bayesian.oracle.tune_options()
        assert (settings["initial_points"], settings["gp_alpha"], settings["gp_beta"]) == (
            4,
            0.01,
            3.0,
        )
        hyperband = Hyperband(build_model, "val_loss", 9, 3, 2)
        assert hyperband.oracle.tune_options()["trials"] == hyperband.remaining_trials
        options = make(
            max_retries_per_trial=2, max_consecutive_failed_trials=4
        ).oracle.tune_options()
        assert (options["retries"], options["max_consecutive_failures"]) == (2, 4)
        general = Tuner(RandomSearchOracle("val_loss", 4), build_model, 1000)
        assert (general.max_model_size, general.remaining_trials) == (1000, 4)

    def test_defaults_of_keras_tuner_leave_the_choice_to_the_sampler(self) -> None:
        settings = BayesianOptimization(build_model, "val_loss").oracle.tune_options()
        names = ("initial_points", "gp_alpha", "gp_beta")
        assert [settings[name] for name in names] == [None] * 3

    def test_given_defaults_of_keras_tuner_are_honored(self) -> None:
        tuner = BayesianOptimization(build_model, "val_loss", alpha=1e-4, beta=2.6)
        settings = tuner.oracle.tune_options()
        assert (settings["gp_alpha"], settings["gp_beta"]) == (1e-4, 2.6)
        default: Any = BayesianOptimization(build_model, "val_loss").oracle
        assert (default.alpha, default.beta) == (1e-4, 2.6)

    def test_has_the_attributes_of_keras_tuner(self, monkeypatch: pytest.MonkeyPatch) -> None:
        tuner = make(metrics=["accuracy"], max_model_size=10**6)
        assert (tuner.tuner_id, tuner.logger, tuner.executions_per_trial) == ("tuner0", None, 1)
        assert (tuner.metrics, tuner.optimizer, tuner.loss) == (["accuracy"], None, None)
        with pytest.raises(UsageError):
            tuner.max_model_size = 3
        monkeypatch.setenv("KERASTUNER_TUNER_ID", "tuner7")
        assert make().tuner_id == "tuner7"
        assert make(tuner_id="mine").tuner_id == "mine"

    def test_hands_its_trackers_to_the_study(self, monkeypatch: pytest.MonkeyPatch) -> None:
        received: dict[str, Any] = {}

        def interrupted(*_: Any, **options: Any) -> None:
            received.update(options)
            raise KeyboardInterrupt

        monkeypatch.setattr("eyetune.compat.keras_tuner.search_with_workers.tune", interrupted)
        trackers = [Tracker()]
        with pytest.raises(KeyboardInterrupt):
            searched(make(trackers=trackers))
        assert received["trackers"] is trackers

    def test_search_refuses_to_record_trials_twice(self) -> None:
        with pytest.raises(UsageError) as caught:
            searched(make(), callbacks=[Callback()])
        assert "tuner.study" in str(caught.value.fix)
        assert Workspace().studies.all() == []

    def test_logger_warns(self) -> None:
        with pytest.warns(DeprecationWarning, match="logger"):
            make(logger=print)

    @pytest.mark.parametrize(
        "words",
        [
            {"executions_per_trial": 0},
            {"max_retries_per_trial": -1},
            {"max_consecutive_failed_trials": 0},
            {"distribution_strategy": object()},
            {"allow_new_entries": False},
            {"tune_new_entries": False},
            {"hyperparameters": {"units": 3}},
            {"max_trials": 0},
            {"seed": "seven"},
            {"max_model_size": -1},
            {"max_model_size": 0.5},
            {"objective": "latency_ms"},
            {"hypermodel": None},
        ],
    )
    def test_refuses_arguments_at_construction(self, words: dict[str, Any]) -> None:
        with pytest.raises(UsageError):
            make(**words)

    @pytest.mark.parametrize("words", [{"alpha": 0}, {"beta": -1}, {"num_initial_points": 0}])
    def test_gaussian_process_refuses_at_construction(self, words: dict[str, Any]) -> None:
        with pytest.raises(UsageError):
            BayesianOptimization(build_model, "val_loss", **words)

    def test_gaussian_process_refuses_several_objectives(self) -> None:
        with pytest.raises(UsageError) as caught:
            BayesianOptimization(build_model, ["val_loss", "parameters"])
        assert caught.value.fix

    @pytest.mark.parametrize("kind", [Hyperband, RandomSearch, BayesianOptimization, GridSearch])
    @pytest.mark.parametrize("name", ["max_trails", "epochs", "max_epoch"])
    def test_refuses_unknown_arguments(self, kind: Any, name: str) -> None:
        with pytest.raises(UsageError) as caught:
            kind(build_model, "val_loss", **{name: 3})
        assert caught.value.fix
        assert name in (caught.value.received or "")

    def test_advice_about_an_argument_can_be_followed(self) -> None:
        with pytest.raises(UsageError) as caught:
            Hyperband(build_model, "val_loss", max_trials=3)
        assert "hyperband_iterations" in (caught.value.fix or "")
        with pytest.raises(UsageError) as caught:
            GridSearch(build_model, "val_loss", max_epochs=3)
        assert "search" in (caught.value.fix or "")

    def test_accepts_a_strategy_with_the_first_device(self) -> None:
        import tensorflow as tf

        strategy = tf.distribute.OneDeviceStrategy("/cpu:0")
        assert make(distribution_strategy=strategy).distribution_strategy is strategy

    @pytest.mark.parametrize("devices", [("/device:CPU:0", "/device:CPU:1"), ("/device:GPU:3",)])
    def test_refuses_a_strategy_with_other_devices(self, devices: tuple[str, ...]) -> None:
        extended = SimpleNamespace(worker_devices=devices)
        strategy = SimpleNamespace(extended=extended, num_replicas_in_sync=len(devices))
        with pytest.raises(UsageError) as caught:
            make(distribution_strategy=strategy)
        assert caught.value.fix

    def test_refuses_to_take_part_in_a_distributed_search(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("KERASTUNER_ORACLE_IP", "127.0.0.1")
        monkeypatch.setenv("KERASTUNER_ORACLE_PORT", "8000")
        with pytest.raises(UsageError) as caught:
            make()
        assert "workers" in (caught.value.fix or "")

    def test_refuses_an_oracle_of_keras_tuner(self) -> None:
        with pytest.raises(UsageError) as caught:
            Tuner(keras_tuner.oracles.RandomSearchOracle("val_loss"), build_model)
        assert "RandomSearchOracle" in (caught.value.fix or "")
        with pytest.raises(UsageError):
            SklearnTuner(RandomSearchOracle("val_loss"), build_model)

    @pytest.mark.parametrize(
        "objective", [None, [], "val_perplexity", 3, ["val_loss", "val_perplexity"]]
    )
    def test_refuses_objectives(self, objective: Any) -> None:
        with pytest.raises(UsageError):
            RandomSearch(build_model, objective)

    def test_needs_no_objective_if_the_users_fit_returns_it(self) -> None:
        class Scored(keras_tuner.HyperModel):  # type: ignore[misc]
            def fit(self, *_: Any, **__: Any) -> float:
                return 1.0

        oracle = RandomSearch(Scored()).oracle
        assert oracle.objective.name == keras_tuner.oracles.RandomSearchOracle().objective.name
        with pytest.raises(UsageError):
            RandomSearch(keras_tuner.HyperModel())
        with pytest.raises(UsageError):
            Hyperband(Scored())

    @pytest.mark.parametrize("iterations", [0, None, float("inf"), 1.5])
    def test_hyperband_refuses_iterations(self, iterations: Any) -> None:
        with pytest.raises(UsageError):
            Hyperband(build_model, "val_loss", hyperband_iterations=iterations)

    def test_search_refuses(self) -> None:
        with pytest.raises(UsageError):
            make().search()
        with pytest.raises(DataError):
            make().search([[1]])
        with pytest.raises(UsageError) as caught:
            searched(make(), epoch=3)
        assert "epochs" in (caught.value.fix or "")
        with pytest.raises(UsageError):
            searched(make(), validation_split=0.0)
        assert Workspace().studies.all() == []

    def test_search_takes_arguments_of_fit_by_position(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        given: dict[str, Any] = {}

        def tune(*positional: Any, **named: Any) -> Any:
            given.update(named, positional=positional)
            raise UsageError("nothing is trained")

        monkeypatch.setattr(search_with_workers, "tune", tune)
        x, y = tiny_images(30, 3, size=8)
        with pytest.raises(UsageError):
            make().search(x, y, 8, 5, 0, None, 0.5)
        assert (given["recipe"].fit.batch_size, given["max_epochs"]) == (8, 5)
        assert (given["validation_split"], given["progress"]) == (0.5, False)
        with pytest.warns(EyetuneWarning, match="batches"), pytest.raises(UsageError):
            make(project_name="steps").search(x, y, steps_per_epoch=7)
        with pytest.raises(UsageError):
            make(hypermodel=OwnValidation()).search(x, y, x[:5], epochs=2)
        assert given["fit_arguments"]["x_validation"].shape == (5, 8, 8, 3)

    @pytest.mark.parametrize(
        ("positional", "named"),
        [(([0], [1], 8), {"batch_size": 8}), (([0],), {"x": [0]}), (tuple(range(40)), {})],
    )
    def test_search_refuses_arguments_by_position(
        self, positional: tuple[Any, ...], named: dict[str, Any]
    ) -> None:
        with pytest.raises(UsageError) as caught:
            make().search(*positional, **named)
        assert caught.value.fix

    def test_overwrite_keeps_studies_with_other_names(self) -> None:
        from eyetune.recipe import Recipe
        from eyetune.records.study import Objective, StudySettings
        from eyetune.space.space import Space

        objective = Objective(name="val_loss", direction="min")
        settings = StudySettings(recipe=Recipe(), space=Space(), objectives=(objective,))
        kept = Workspace().studies.create("kept", settings)
        for name in ("latest", kept.id, kept.id[:4]):
            make(project_name=name, overwrite=True)
        assert [one.name for one in Workspace().studies.all()] == ["kept"]


class OwnValidation(keras_tuner.HyperModel):  # type: ignore[misc]
    """Takes the data to validate on by a name of its own."""

    def build(self, hp: Any) -> Any:
        return build_model(hp)

    def fit(self, hp: Any, model: Any, x: Any, y: Any, x_validation: Any, **_: Any) -> float:  # noqa: ARG002
        return float(model.evaluate(x_validation, y[: len(x_validation)], verbose=0)[0])


class Moody(keras_tuner.HyperModel):  # type: ignore[misc]
    """Builds a network, gives a trial up, or ends the search."""

    def build(self, hp: Any) -> Any:
        mood = hp.Choice("mood", ["good", "slow", "fatal"])
        if mood == "slow":
            raise keras_tuner.errors.FailedTrialError("This network is too slow.")
        return build_model(keras_tuner.HyperParameters())

    def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        if hp.get("mood") == "fatal":
            raise keras_tuner.errors.FatalValueError("The labels are missing.")
        return super().fit(hp, model, *args, **kwargs)


def test_executions_and_errors_of_keras_tuner(tmp_path: Path) -> None:
    tuner = make(
        GridSearch,
        hypermodel=Moody(),
        max_trials=3,
        max_retries_per_trial=2,
        executions_per_trial=2,
        workers=0,
        seed=0,
        directory=tmp_path,
    )
    with pytest.raises(keras_tuner.errors.FatalValueError, match="The labels are missing"):
        searched(tuner)
    trials = {trial.values["mood"]: trial for trial in tuner.study.trials}
    assert trials["fatal"].state is TrialState.FAILED
    assert trials["fatal"].retries == 0
    searched(tuner)  # resumes after the trial that was fatal
    trials = {trial.values["mood"]: trial for trial in tuner.study.trials}
    assert (trials["slow"].state, trials["slow"].retries) == (TrialState.FAILED, 0)
    assert "too slow" in trials["slow"].error
    good = trials["good"]
    assert [execution.seed for execution in good.executions] == [0, 1]
    values = [value for (value,) in good.rungs[-1].by_execution]
    (best,) = tuner.oracle.get_best_trials()
    assert best.score == good.objectives[0] == sum(values) / 2
    assert len(tuner.get_best_models()) == 1
