"""Studies of model functions on data that was given as arrays, and what their runs show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import eyetune as et
from eyetune.api.study import Study
from eyetune.errors import DataError, EyetuneWarning, FunctionError, UsageError

RANDOM = np.random.default_rng(0)
TABLE = RANDOM.normal(size=(40, 5))
NUMBERS = 2 * TABLE[:, 0]
IMAGES = RANDOM.integers(0, 256, (40, 6, 6, 3)).astype(np.uint8)
CLASSES = np.arange(40) % 3


def regression(hp: Any) -> Any:
    units = hp.Int("units", 2, 4)
    model = keras.Sequential([keras.layers.Dense(units, "relu"), keras.layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    return model


def classifier(hp: Any) -> Any:
    layers = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten()]
    last = keras.layers.Dense(3, "softmax")
    model = keras.Sequential([keras.Input((6, 6, 3)), *layers, last])
    rate = hp.Choice("rate", [0.01, 0.001])
    loss = "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.SGD(rate), loss, metrics=["accuracy"])
    return model


def uncompiled(_: Any) -> Any:
    return keras.Sequential([keras.layers.Dense(1)])


def searched(workspace: Path, function: Any, data: Any, **options: Any) -> Study:
    options = {"trials": 1, "max_epochs": 2, "plots": False, "progress": False, **options}
    with pytest.warns(EyetuneWarning):  # about training in this process
        return et.tune(function, data, workspace=workspace, workers=0, **options)


def test_regression_is_searched_by_its_loss(tmp_path: Path) -> None:
    study = searched(tmp_path, regression, (TABLE, NUMBERS), plots=True)
    assert [str(objective.name) for objective in study.record.settings.objectives] == ["val_loss"]
    run = study.run()
    assert run.results.validation_accuracy is None
    assert run.results.validation_loss == study.best_value
    assert study.best_model().evaluate(TABLE[32:], NUMBERS[32:], verbose=0)[0] == pytest.approx(
        study.best_value, rel=1e-5
    )
    assert not run.has_predictions
    assert run.to_json()["verdict"] is None
    with pytest.raises(UsageError):
        _ = run.validation_accuracy
    shown = run._repr_html_()
    assert "validation loss" in shown
    assert "validation accuracy" not in shown
    assert et.write_report(run).path.read_text().count("confusion") == 0
    assert {path.stem for path in run.save_plots()} == {"curves", "network"}


def test_classifier_of_uint8_images_shows_its_confusions(tmp_path: Path) -> None:
    study = searched(tmp_path, classifier, (IMAGES, CLASSES))
    run = study.run()
    assert run.record.data.class_names == ("0", "1", "2")
    assert run.evaluation("validation").accuracy == run.validation_accuracy
    assert run.verdict.suggestions == ()
    assert {path.stem for path in run.save_plots()} == {"curves", "confusion", "network"}
    for use in (run.classifier, run.dataset, run.explain, lambda: run.predict(IMAGES)):
        with pytest.raises(DataError):
            use()
    with pytest.raises(DataError):
        et.export(run, tmp_path / "export", board="esp-eye", progress=False)
    assert et.fit_check(run, "esp-eye", progress=False).fits


def test_network_that_cannot_be_searched_is_reported_before_any_trial(tmp_path: Path) -> None:
    for function, data, options, error in (
        (uncompiled, (TABLE, NUMBERS), {}, FunctionError),
        (classifier, (TABLE, CLASSES), {}, FunctionError),
        (regression, (TABLE, NUMBERS), {"objective": "val_accuracy"}, UsageError),
        (regression, (TABLE, NUMBERS), {"validation_split": 0}, UsageError),
    ):
        with pytest.raises(error), pytest.warns(EyetuneWarning):
            et.tune(function, data, workspace=tmp_path, workers=0, progress=False, **options)
    with pytest.raises(UsageError):
        et.tune(regression, (TABLE, NUMBERS, NUMBERS, NUMBERS), workspace=tmp_path, workers=0)
    assert et.Workspace(tmp_path).studies.all() == []


def test_recipe_refuses_pixels_that_it_would_round(tmp_path: Path) -> None:
    images = IMAGES / 255 + 0.001
    with pytest.raises(DataError):
        et.tune(None, (images, CLASSES), workspace=tmp_path, progress=False)
    with pytest.raises(UsageError):
        et.tune(None, {"x": IMAGES}, workspace=tmp_path, progress=False)
    with pytest.raises(UsageError):
        et.tune(None, (IMAGES, CLASSES), validation_split=0, workspace=tmp_path, progress=False)
