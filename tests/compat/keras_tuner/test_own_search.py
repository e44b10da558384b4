"""KerasTuner's own search, done by a worker and recorded as a study."""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from eyetune.compat.keras_tuner.importing import keras_tuner_metrics
from eyetune.compat.keras_tuner.own_search import tune_with_keras_tuner
from eyetune.compat.keras_tuner.projects import read_project
from eyetune.compat.keras_tuner.search_process import supported_search
from eyetune.compat.keras_tuner.search_worker import PROJECT
from eyetune.errors import FunctionError, UsageError
from eyetune.recipe import Recipe
from eyetune.records import Workspace
from eyetune.records.study import StudyState
from eyetune.records.trial import TrialState
from eyetune.testing.datasets import tiny_images
from eyetune.tuning.endings import Ending
from eyetune.tuning.executors import InProcessExecutor

FUNCTION = """
import keras

def build_model(hp):
    print("the model function speaks")
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.GlobalAveragePooling2D()])
    if hp.Boolean("wide"):
        model.add(keras.layers.Dense(8, activation="relu"))
    model.add(keras.layers.Dense(3, activation="softmax"))
    rate = hp.Choice("learning_rate", [1e-1, 3e-2, 1e-2, 3e-3])
    optimizer = keras.optimizers.Adam(rate)
    loss = "sparse_categorical_crossentropy"
    model.compile(optimizer, loss, metrics=["acc"], run_eagerly=True)
    return model

def failing(hp):
    hp.Choice("units", [1, 2])
    raise ValueError("a mistake of theirs")
"""


@pytest.fixture
def function(tmp_path: Path) -> str:
    path = tmp_path / "model.py"
    path.write_text(FUNCTION)
    return str(path)


@pytest.fixture
def no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let KerasTuner search in this process, which has loaded Keras already."""
    make_executor = "eyetune.compat.keras_tuner.own_search.make_executor"
    monkeypatch.setattr(make_executor, lambda *_: InProcessExecutor())


class TestSupportedSearch:
    def test_supported_search_accepts_keras_tuners_searches(self) -> None:
        samplers = (None, "random", "grid", "quasi-random", "tpe", "gp", "cma-es", "nsga2")
        schedulers = (None, "full", "halving", "hyperband", "median")
        supported: dict[tuple[str | None, str | None], tuple[str, str]] = {}
        for sampler, scheduler in product(samplers, schedulers):
            try:
                supported[sampler, scheduler] = supported_search(sampler, scheduler)
            except UsageError as error:
                assert "random, gp or grid" in (error.expected or "")  # noqa: PT017
        expected: dict[tuple[str | None, str | None], tuple[str, str]] = {
            (None, "hyperband"): ("random", "hyperband"),
            ("random", "hyperband"): ("random", "hyperband"),
        }
        for scheduler in (None, "full"):
            expected[None, scheduler] = ("gp", "full")
            for sampler in ("random", "gp", "grid"):
                expected[sampler, scheduler] = (sampler, "full")
        assert supported == expected


class TestRefusals:
    @pytest.mark.parametrize(
        ("words", "received"),
        [
            ({"seconds": 4.0}, "seconds=4.0"),
            ({"epochs_total": 20}, "epochs_total=20"),
            ({"target": 0.8}, "target=0.8"),
            ({"constraints": "parameters < 9"}, "constraints=parameters < 9"),
            ({"board": "esp-eye"}, "board=esp-eye"),
            ({"space": "lab"}, "space=lab"),
            ({"workers": 2}, "workers=2"),
            ({"executor": "ray"}, "executor=ray"),
            ({"trial_bytes": 10**9}, "trial_bytes=1000000000"),
            ({"factor": 4}, "factor=4"),
            ({"scheduler": "hyperband", "trials": 4}, "trials=4"),
            ({"tune_new_entries": False}, "tune_new_entries=False"),
        ],
    )
    def test_own_search_rejects_options_of_eyetune_only(
        self, function: str, words: dict[str, Any], received: str
    ) -> None:
        with pytest.raises(UsageError) as caught:
            tune_with_keras_tuner(function, **words)
        assert caught.value.received == received
        assert caught.value.fix
        assert not Workspace().exists

    def test_own_search_rejects_unknown_options(self, function: str) -> None:
        unknown: dict[str, Any] = {"trails": 3}
        with pytest.raises(UsageError) as caught:
            tune_with_keras_tuner(function, **unknown)
        assert "trials" in (caught.value.fix or "")

    def test_own_search_rejects_costs_as_objectives(self, function: str) -> None:
        with pytest.raises(UsageError):
            tune_with_keras_tuner(function, objective=["val_accuracy", "flash_bytes"])

    def test_own_search_rejects_recipes(self, function: str) -> None:
        with pytest.raises(UsageError):
            tune_with_keras_tuner(None, "digits")
        with pytest.raises(UsageError):
            tune_with_keras_tuner(function, recipe=Recipe().with_({"augment.flip": True}))
        with pytest.raises(UsageError):
            tune_with_keras_tuner(function, recipe=Recipe().with_({"fit.precision": "bfloat16"}))


@pytest.mark.slow
class TestSearch:
    def test_hyperband(self, function: str, capfd: pytest.CaptureFixture[str]) -> None:
        keras_was_loaded = "keras" in sys.modules
        images, labels = tiny_images(30, 3, size=8)
        recipe = Recipe().with_({"fit.batch_size": 8, "fit.early_stopping": 9})
        study = tune_with_keras_tuner(
            function,
            (images, labels),
            recipe=recipe,
            scheduler="hyperband",
            max_epochs=3,
            name="theirs",
            plots=False,
        )
        settings = study.record.settings
        assert (settings.engine, settings.schedule.name, settings.schedule.max_epochs) == (
            "keras-tuner",
            "hyperband",
            3,
        )
        assert (study.state, study.record.ending) == (StudyState.COMPLETE, Ending.TRIALS_DONE)
        assert study.record.seconds > 0
        assert (
            study.to_json()["trials"] == 6
        )  # in KerasTuner's count, 4 of 1 or 2 and 2 of 3 epochs
        project = read_project(study.folder / PROJECT)
        assert [one.name for one in project.objectives] == ["val_acc"]
        assert [trial.values for trial in project.trials] == [
            trial.values for trial in study.trials
        ]
        assert [trial.objectives for trial in project.trials] == [
            trial.objectives for trial in study.trials
        ]
        self.check_epochs(study)
        assert study.best_recipe.model.hyperparameters == study.best_values
        out, err = capfd.readouterr()
        assert "rial" not in out
        assert "KerasTuner's trial 5" in err
        assert "the model function speaks" in (study.folder / "keras-tuner.log").read_text()
        assert ("keras" in sys.modules) is keras_was_loaded

    def check_epochs(self, study: Any) -> None:
        """Compare what was written down while it trained with what KerasTuner says of it."""
        metrics = keras_tuner_metrics(study)
        for trial in study.trials:
            assert list(metrics[trial.number]) == list(range(1, trial.epochs + 1))
            assert trial.objectives == (
                max(figures["val_accuracy"] for figures in metrics[trial.number].values()),
            )
            assert trial.seconds > 0
        promoted = [trial for trial in study.trials if len(trial.rungs) == 2]
        assert [[rung.epochs for rung in trial.rungs] for trial in promoted] == [[1, 3]]
        assert {trial.state for trial in study.trials} == {TrialState.COMPLETE, TrialState.STOPPED}

    @pytest.mark.usefixtures("no_worker")
    def test_own_search_rejects_an_unmeasured_objective(self, function: str) -> None:
        data = tiny_images(30, 3, size=8)
        with pytest.raises(UsageError) as caught:
            tune_with_keras_tuner(function, data, objective="val_auc:max", trials=2, progress=False)
        assert "val_acc" in (caught.value.expected or "")
        assert Workspace().studies.all() == []

    @pytest.mark.usefixtures("no_worker")
    def test_own_search_leaves_no_study_if_the_function_fails(self, function: str) -> None:
        images, labels = tiny_images(30, 3, size=8)
        with pytest.raises(FunctionError) as caught:
            tune_with_keras_tuner(
                f"{function}:failing", (images, labels), trials=2, sampler="random", progress=False
            )
        assert "a mistake of theirs" in str(caught.value)
        assert Workspace().studies.all() == []
