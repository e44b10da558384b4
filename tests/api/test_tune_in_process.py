"""A study that trains in the coordinating process: the same results, and the user's own objects."""

from __future__ import annotations

import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eyetune.api.study import Study
from eyetune.api.tune import tune
from eyetune.errors import EyetuneWarning
from eyetune.recipe import Recipe
from eyetune.testing.datasets import tiny_images


def build_model(hp: Any) -> Any:
    """Build a network so small that eager arithmetic is the quickest."""
    import keras

    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.GlobalAveragePooling2D()])
    model.add(keras.layers.Dense(hp.Int("units", 4, 60), activation="relu"))
    model.add(keras.layers.Dense(3, activation="softmax"))
    model.compile(
        keras.optimizers.Adam(hp.Float("rate", 1e-3, 1e-1, sampling="log")),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        run_eagerly=True,
    )
    return model


class Searched:
    """A search of two trials with callbacks that gather losses."""

    def __init__(self, folder: Path, workers: int) -> None:
        import keras

        class LossLog(keras.callbacks.Callback):  # type: ignore[misc]
            def __init__(self) -> None:
                super().__init__()
                self.losses: list[float] = []
                self.num_epochs = 0

            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
                self.losses.append(logs["loss"])
                self.num_epochs += 1

        losses: list[float] = []
        # What cannot be pickled cannot go to a worker.
        lock: Any = [] if workers else threading.Lock()

        def gather(epoch: int, logs: Any) -> None:
            losses.append(logs["loss"])
            _ = lock

        self.losses = losses
        self.log = LossLog()
        self.logs = folder / "logs"
        gathering = keras.callbacks.LambdaCallback(on_epoch_end=gather)
        board = keras.callbacks.TensorBoard(self.logs, write_graph=False)
        images, labels = tiny_images(30, 3, size=8)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            self.study: Study = tune(
                build_model,
                (images, labels),
                recipe=Recipe().with_({"fit.epochs": 2, "fit.batch_size": 8}),
                fit_arguments={"callbacks": [gathering, self.log, board]},
                sampler="random",
                trials=2,
                workers=workers,
                workspace=folder,
                progress=False,
                plots=False,
            )
        self.warnings = [
            str(warning.message)
            for warning in caught
            if issubclass(warning.category, EyetuneWarning)
        ]

    @property
    def epochs(self) -> list[list[tuple[float, ...]]]:
        """The epochs of the trials, without what depends on the clock."""
        histories = [self.study.histories[trial.run or ""] for trial in self.study.trials]
        fields = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate")
        return [
            [tuple(getattr(epoch, name) for name in fields) for epoch in history]
            for history in histories
        ]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Searched:
    return Searched(tmp_path_factory.mktemp("here"), workers=0)


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Searched:
    return Searched(tmp_path_factory.mktemp("apart"), workers=1)


def test_callbacks_fill_the_lists_of_the_script(here: Searched) -> None:
    recorded = [epoch[0] for history in here.epochs for epoch in history]
    assert np.allclose(here.losses, recorded)
    assert len(here.losses) == 4


def test_callback_has_the_attributes_of_the_last_training(here: Searched) -> None:
    assert here.log.losses == here.losses[2:]
    assert here.log.num_epochs == 2


def test_a_warning_says_what_this_process_costs(here: Searched) -> None:
    assert len(here.warnings) == 1
    assert here.study.record.settings.workers == 0


def test_tensorboard_logs_have_hyperparameters(here: Searched) -> None:
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    folders = sorted(path.relative_to(here.logs) for path in here.logs.glob("*/*"))
    assert folders == [Path("0/execution0"), Path("1/execution0")]
    for folder in folders:
        tags = {
            value.tag
            for path in (here.logs / folder).rglob("events.out.*")
            for event in EventFileLoader(str(path)).Load()
            for value in event.summary.value
        }
        assert "epoch_loss" in tags
        assert {"_hparams_/session_start_info", "_hparams_/session_end_info"} <= tags


@pytest.mark.slow
def test_results_are_those_of_a_worker(here: Searched, apart: Searched) -> None:
    assert here.epochs == apart.epochs
    assert [trial.values for trial in here.study.trials] == [
        trial.values for trial in apart.study.trials
    ]


@pytest.mark.slow
def test_a_warning_names_what_copies_of_callbacks_gathered(apart: Searched) -> None:
    assert apart.losses == apart.log.losses == []
    (warning,) = apart.warnings
    assert "LambdaCallback: losses" in warning
    assert "LossLog.losses" in warning
    assert "workers=0" in warning


def test_resumed_study_trains_with_the_objects_of_the_script(tmp_path: Path) -> None:
    import keras

    def search(trials: int, losses: list[float]) -> Study:
        gathering = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda _, logs: losses.append(logs["loss"])
        )
        return tune(
            build_model,
            tiny_images(30, 3, size=8),
            recipe=Recipe().with_({"fit.epochs": 1, "fit.batch_size": 8}),
            fit_arguments={"callbacks": [gathering]},
            sampler="random",
            trials=trials,
            name="resumed",
            resume=trials > 1,
            workers=0,
            workspace=tmp_path,
            progress=False,
            plots=False,
        )

    first: list[float] = []
    second: list[float] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EyetuneWarning)
        search(1, first)
        study = search(2, second)
    assert (len(first), len(second), len(study.trials)) == (1, 1, 2)
