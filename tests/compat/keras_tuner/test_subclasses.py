"""Subclasses of the tuners: their methods are called as in KerasTuner, in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from eyetune.compat import keras_tuner
from eyetune.errors import (
    ArgumentTypeError,
    EyetuneWarning,
    StudyChangedError,
    TooManyFailuresError,
    TrainingError,
    UsageError,
)
from eyetune.records.study import StudyState
from eyetune.records.trial import TrialState
from eyetune.testing.datasets import tiny_images
from tests.tracking.studies import Recorder

pytestmark = pytest.mark.filterwarnings("ignore::eyetune.errors.EyetuneWarning")


class Quadratic(keras_tuner.RandomSearch):
    """A black box: the number that `run_trial` returns is minimized."""

    def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG002
        return trial.hyperparameters.Float("x", -1.0, 1.0) ** 2 + 1


def searched(tuner: Any, *args: Any, **kwargs: Any) -> Any:
    tuner.search(*args, **{"verbose": 0, **kwargs})
    return tuner


class TestBlackBox:
    def test_scores_are_what_run_trial_returns(self, tmp_path: Path) -> None:
        with pytest.warns(EyetuneWarning, match="run_trial"):
            tuner = searched(Quadratic(max_trials=6, directory=tmp_path))
        trials = tuner.oracle.get_best_trials(6)
        x = [trial.hyperparameters.get("x") for trial in trials]
        assert [trial.score for trial in trials] == pytest.approx([value**2 + 1 for value in x])
        assert len(set(x)) == 6
        assert tuner.get_best_hyperparameters()[0].get("x") == min(x, key=abs)
        settings = tuner.study.record.settings
        assert (settings.workers, settings.engine) == (0, "tuner-subclass")
        assert {trial.state for trial in tuner.study.trials} == {TrialState.COMPLETE}

    def test_same_seed_gives_the_same_trials(self, tmp_path: Path) -> None:
        class Noisy(Quadratic):
            def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> Any:
                return super().run_trial(trial, *args, **kwargs) + np.random.random()

        def outline(name: str) -> list[Any]:
            tuner = searched(Noisy(max_trials=3, directory=tmp_path, project_name=name))
            return [(trial.values, trial.objectives) for trial in tuner.study.trials]

        assert outline("first") == outline("second")

    def test_dictionary_has_all_metrics(self, tmp_path: Path) -> None:
        class Sums(keras_tuner.GridSearch):
            def run_trial(self, trial: Any) -> Any:
                hp = trial.hyperparameters
                a, b = hp.Int("a", 1, 3), hp.Choice("b", [10, 20])
                return {"total": a + b, "difference": b - a}

        objective = keras_tuner.Objective("total", "max")
        tuner = Sums(objective=objective, directory=tmp_path)
        tuner.search()
        best, *others = tuner.oracle.get_best_trials(9)
        assert len(others) == 5
        assert (best.score, best.hyperparameters.values) == (23, {"a": 3, "b": 20})
        assert best.metrics.get_best_value("difference") == 17

    def test_mean_of_a_list_counts(self, tmp_path: Path) -> None:
        class Folds(Quadratic):
            def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> Any:
                x = super().run_trial(trial, *args, **kwargs)
                return [{"loss": x}, {"loss": x + 2}]

        objective = keras_tuner.Objective("loss", "min")
        tuner = searched(Folds(objective=objective, max_trials=1, directory=tmp_path))
        (trial,) = tuner.study.trials
        first, second = trial.rungs[-1].by_execution
        assert trial.objectives == ((first[0] + second[0]) / 2,)

    def test_oracle_takes_reports(self, tmp_path: Path) -> None:
        class Reporting(Quadratic):
            def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> None:
                loss = super().run_trial(trial, *args, **kwargs)
                self.oracle.update_trial(trial.trial_id, {"loss": loss + 1}, step=0)
                self.oracle.update_trial(trial.trial_id, {"loss": loss}, step=1)

        objective = keras_tuner.Objective("loss", "min")
        tuner = searched(Reporting(objective=objective, max_trials=2, directory=tmp_path))
        for trial in tuner.oracle.trials.values():
            assert trial.score == pytest.approx(trial.hyperparameters.get("x") ** 2 + 1)

    @pytest.mark.parametrize(
        ("returned", "kind"),
        [
            (None, ArgumentTypeError),
            ("0.5", ArgumentTypeError),
            ([], ArgumentTypeError),
            ({"accuracy": 0.5}, UsageError),
        ],
    )
    def test_refuses_what_is_no_result(
        self, tmp_path: Path, returned: Any, kind: type[Exception]
    ) -> None:
        class Wrong(keras_tuner.RandomSearch):
            def run_trial(self, trial: Any, **_: Any) -> Any:  # noqa: ARG002
                return returned

        objective = keras_tuner.Objective("loss", "min")
        with pytest.raises(kind):
            searched(Wrong(objective=objective, max_trials=2, directory=tmp_path))


class TestResume:
    def test_interrupted_search_continues(self, tmp_path: Path) -> None:
        class Interrupted(Quadratic):
            left = 2

            def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> Any:
                type(self).left -= 1
                if self.left < 0:
                    raise KeyboardInterrupt
                return super().run_trial(trial, *args, **kwargs)

        with pytest.raises(KeyboardInterrupt):
            searched(Interrupted(max_trials=4, directory=tmp_path))
        Interrupted.left = 9
        resumed = Interrupted(max_trials=4, directory=tmp_path)
        assert str(resumed.study.state) == "PAUSED"
        searched(resumed)
        whole = searched(Quadratic(max_trials=4, directory=tmp_path, project_name="whole"))
        assert [trial.values for trial in resumed.study.trials] == [
            trial.values for trial in whole.study.trials
        ]
        assert resumed.study.state is StudyState.COMPLETE

    def test_complete_search_runs_no_trial_again(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        searched(Quadratic(max_trials=2, directory=tmp_path))
        again = searched(Quadratic(max_trials=2, directory=tmp_path))
        assert "overwrite=True" in capsys.readouterr().out
        assert len(again.study.trials) == 2
        assert len(searched(Quadratic(max_trials=3, directory=tmp_path)).study.trials) == 3
        with pytest.raises(StudyChangedError):
            searched(Quadratic(max_trials=2, seed=5, directory=tmp_path))


class TestFailures:
    def test_failed_trial_is_repeated(self, tmp_path: Path) -> None:
        calls: list[str] = []

        class Failing(Quadratic):
            def on_trial_end(self, trial: Any) -> None:
                super().on_trial_end(trial)
                calls.append(trial.status)

            def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> Any:
                result = super().run_trial(trial, *args, **kwargs)
                if len(calls) < 2:
                    raise ValueError("not yet")
                return result

        tuner = searched(Failing(max_trials=2, max_retries_per_trial=2, directory=tmp_path))
        assert calls == ["INVALID", "INVALID", "COMPLETED", "COMPLETED"]
        assert [trial.retries for trial in tuner.study.trials] == [2, 0]

    def test_failures_in_a_row_end_the_search(self, tmp_path: Path) -> None:
        class Failing(Quadratic):
            def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> Any:
                super().run_trial(trial, *args, **kwargs)
                raise ValueError("no result")

        tuner = Failing(max_trials=9, max_consecutive_failed_trials=2, directory=tmp_path)
        with pytest.raises(TooManyFailuresError):
            searched(tuner)
        states = [trial.state for trial in tuner.study.trials]
        assert states == [TrialState.FAILED] * 2

    def test_failed_trial_error_is_not_repeated(self, tmp_path: Path) -> None:
        class Skipping(Quadratic):
            def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> Any:
                result = super().run_trial(trial, *args, **kwargs)
                if trial.trial_id == "0":
                    raise keras_tuner.errors.FailedTrialError("too slow")
                return result

        tuner = searched(Skipping(max_trials=2, max_retries_per_trial=5, directory=tmp_path))
        states = [trial.state for trial in tuner.study.trials]
        assert states == [TrialState.FAILED, TrialState.COMPLETE]
        assert tuner.study.trials[0].retries == 0
        assert "too slow" in tuner.study.trials[0].error

    def test_fatal_error_ends_the_search(self, tmp_path: Path) -> None:
        class Fatal(Quadratic):
            def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG002
                raise keras_tuner.errors.FatalValueError("wrong setup")

        with pytest.raises(ValueError, match="wrong setup"):
            searched(Fatal(max_trials=2, directory=tmp_path))

    def test_nan_is_a_failure(self, tmp_path: Path) -> None:
        class Broken(Quadratic):
            def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG002
                return float("nan")

        tuner = Broken(max_trials=1, directory=tmp_path)
        with pytest.raises(TrainingError):
            searched(tuner)


def build_model(hp: Any) -> Any:
    import keras

    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.GlobalAveragePooling2D()])
    model.add(keras.layers.Dense(hp.Int("units", 4, 60), activation="relu"))
    model.add(keras.layers.Dense(3, activation="softmax"))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True)
    return model


class Hooked(keras_tuner.RandomSearch):
    """Tunes the batch size, and notes the calls of all methods."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.calls: list[str] = []

    def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> Any:
        kwargs["batch_size"] = trial.hyperparameters.Choice("batch_size", [12, 24])
        return super().run_trial(trial, *args, **kwargs)

    def on_search_begin(self) -> None:
        self.calls.append("search begin")

    def on_trial_begin(self, trial: Any) -> None:
        self.calls.append(f"trial {trial.trial_id} begin")

    def on_epoch_begin(self, trial: Any, model: Any, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        self.calls.append(f"epoch {epoch} begin")

    def on_batch_begin(self, trial: Any, model: Any, batch: int, logs: Any) -> None:  # noqa: ARG002
        self.calls.append(f"batch {batch} begin")

    def on_batch_end(self, trial: Any, model: Any, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        self.calls.append(f"batch {batch} end")

    def on_epoch_end(self, trial: Any, model: Any, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        self.calls.append(f"epoch {epoch} end with {', '.join(sorted(logs))}")

    def on_trial_end(self, trial: Any) -> None:
        super().on_trial_end(trial)
        self.calls.append(f"trial end {trial.status} {trial.score:.3f}")

    def on_search_end(self) -> None:
        self.calls.append("search end")


class TestTraining:
    @pytest.fixture(scope="class")
    @classmethod
    def tuner(cls, tmp_path_factory: pytest.TempPathFactory) -> Any:
        tuner = Hooked(
            build_model, "val_accuracy", max_trials=2, directory=tmp_path_factory.mktemp("hooked")
        )
        images, labels = tiny_images(24, 3, size=8)
        data = images / 255.0, labels
        tuner.search(*data, epochs=2, validation_data=data, verbose=0)
        return tuner

    def test_methods_are_called_in_order(self, tuner: Any) -> None:
        first = tuner.calls[1 : tuner.calls.index("trial 1 begin")]
        num_batches = 24 // tuner.study.trials[0].values["batch_size"]
        batches = [
            f"batch {batch} {point}" for batch in range(num_batches) for point in ("begin", "end")
        ]
        end = "end with accuracy, loss, val_accuracy, val_loss"
        score = tuner.study.trials[0].objectives[0]
        assert first == [
            "trial 0 begin",
            *("epoch 0 begin", *batches, f"epoch 0 {end}"),
            *("epoch 1 begin", *batches, f"epoch 1 {end}"),
            f"trial end COMPLETED {score:.3f}",
        ]
        assert (tuner.calls[0], tuner.calls[-1]) == ("search begin", "search end")

    def test_hyperparameters_of_run_trial_join_the_space(self, tuner: Any) -> None:
        for hyperparameters in tuner.get_best_hyperparameters(2):
            assert set(hyperparameters.values) == {"units", "batch_size"}

    def test_best_models_have_the_weights_of_the_best_epoch(self, tuner: Any) -> None:
        images, labels = tiny_images(24, 3, size=8)
        (model,) = tuner.get_best_models()
        metrics = model.evaluate(images / 255.0, labels, verbose=0, return_dict=True)
        assert metrics["accuracy"] == pytest.approx(tuner.study.best_value)

    def test_metrics_of_all_epochs_are_recorded(self, tuner: Any) -> None:
        import eyetune

        metrics = eyetune.keras_tuner_metrics(tuner.study)
        assert list(metrics) == [0, 1]
        assert list(metrics[0]) == [1, 2]
        assert set(metrics[0][1]) == {"loss", "accuracy", "val_loss", "val_accuracy"}

    def test_report_is_written(self, tuner: Any) -> None:
        assert "run by a tuner in a script" in tuner.study.report().read_text()


def test_promoted_trials_continue_from_their_weights(tmp_path: Path) -> None:
    class Plans(keras_tuner.Hyperband):
        plans: ClassVar[list[tuple[int, int]]] = []

        def run_trial(self, trial: Any, **_: Any) -> Any:
            values = trial.hyperparameters.values
            self.plans.append((values["tuner/initial_epoch"], values["tuner/epochs"]))
            return [trial.hyperparameters.get("units") / values["tuner/epochs"]]

    tuner = Plans(
        build_model, keras_tuner.Objective("score", "max"), max_epochs=3, directory=tmp_path
    )
    searched(tuner)
    assert set(Plans.plans) == {(0, 1), (1, 3), (0, 3)}
    promoted = [trial for trial in tuner.study.trials if len(trial.rungs) == 2]
    assert all(trial.state is TrialState.COMPLETE for trial in promoted)
    assert len(promoted) == Plans.plans.count((1, 3)) > 0


def test_own_loop_saves_and_loads_models(tmp_path: Path) -> None:
    class Saving(keras_tuner.RandomSearch):
        def run_trial(self, trial: Any, factor: float) -> Any:
            model = self.hypermodel.build(trial.hyperparameters)
            self.save_model(trial.trial_id, model)
            return factor * trial.hyperparameters.get("units")

        def save_model(self, trial_id: str, model: Any, step: int = 0) -> None:  # noqa: ARG002
            model.save(Path(self.get_trial_dir(trial_id)) / "own.keras")

        def load_model(self, trial: Any) -> Any:
            import keras

            return keras.models.load_model(Path(self.get_trial_dir(trial.trial_id)) / "own.keras")

    tuner = Saving(build_model, max_trials=2, directory=tmp_path)
    tuner.search(factor=2.0)
    (model,) = tuner.get_best_models()
    assert model.layers[-2].units == tuner.get_best_hyperparameters()[0].get("units")


def test_uncompiled_model_is_trained_here_by_its_own_fit(tmp_path: Path) -> None:
    import keras

    class Loop(keras_tuner.HyperModel):  # type: ignore[misc]
        def build(self, hp: Any) -> Any:
            hp.Int("units", 1, 60)
            return keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])

        def fit(self, _: Any, model: Any, x: Any, callbacks: Any = None, **others: Any) -> Any:
            assert others == {}
            for callback in callbacks:
                callback.set_model(model)
            for epoch in range(2):
                model.set_weights([weights * 0 + epoch for weights in model.get_weights()])
                for callback in callbacks:
                    callback.on_epoch_end(epoch, logs={"error": float(epoch)})
            return float(np.abs(model.predict(x, verbose=0)).mean() * 0)

    objective = keras_tuner.Objective("error", "min")
    tuner = keras_tuner.RandomSearch(Loop(), objective, max_trials=2, directory=tmp_path)
    with pytest.warns(EyetuneWarning, match="not compiled"):
        tuner.search(np.ones((4, 3), "float32"))
    assert [trial.score for trial in tuner.oracle.get_best_trials(2)] == [0.0, 0.0]
    (model,) = tuner.get_best_models()
    assert all((weights == 0).all() for weights in model.get_weights())


class TestRefusals:
    @pytest.mark.parametrize(
        "name", ["_build_and_fit_model", "_populate_initial_space", "get_state"]
    )
    def test_refuses_overrides_that_are_never_called(self, name: str) -> None:
        kind = type("Odd", (keras_tuner.RandomSearch,), {name: lambda _: None})
        with pytest.raises(UsageError) as caught:
            kind(build_model, "val_accuracy")
        assert caught.value.received == name
        assert caught.value.fix

    @pytest.mark.parametrize("name", ["options", "space", "study", "workspace", "hypermodel"])
    def test_refuses_attributes_with_names_of_eyetune(self, name: str) -> None:
        class Own(Quadratic):
            def __init__(self) -> None:
                super().__init__(max_trials=2)
                self._options = self._study = self._settings = {"free": True}
                setattr(self, name, {})

        with pytest.raises(UsageError) as caught:
            Own()
        assert name in (caught.value.received or "")
        assert caught.value.fix

    def test_refuses_methods_with_names_of_eyetune(self) -> None:
        kind = type("Odd", (Quadratic,), {"options": lambda _: {}})
        with pytest.raises(UsageError) as caught:
            kind(max_trials=2)
        assert caught.value.received == "options"

    def test_refuses_workers_for_overrides(self) -> None:
        with pytest.raises(UsageError) as caught:
            Quadratic(max_trials=2, workers=2)
        assert "workers" in (caught.value.fix or "")

    def test_refuses_a_missing_hypermodel(self) -> None:
        class Extended(keras_tuner.RandomSearch):
            def search_twice(self) -> None: ...

        with pytest.raises(UsageError):
            Extended(objective="val_accuracy")


def test_trackers_log_a_trial_that_is_tried_again(tmp_path: Path) -> None:
    class Unlucky(Quadratic):
        is_first = True

        def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> Any:
            result = super().run_trial(trial, *args, **kwargs)
            if self.is_first:
                self.is_first = False
                raise ValueError("out of luck")
            return result

    recorder = Recorder()
    tuner = Unlucky(max_trials=1, max_retries_per_trial=1, directory=tmp_path, trackers=[recorder])
    study_id = searched(tuner).study.record.id
    states = {item_id: end.state for item_id, end in recorder.ends.items()}
    first = f"{study_id}/0"
    assert states == {first: "FAILED", f"{first}/retry-1": "COMPLETE", study_id: "COMPLETE"}
