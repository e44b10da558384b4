"""A recorded run: its results, predictions, pictures and values."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import eyetune as et
from eyetune.errors import DataError
from eyetune.records import RunState
from eyetune.testing.datasets import tiny_dataset, write_image_folder

SMALL = et.Recipe().with_(
    {"model.blocks": [4], "model.dense": [8], "fit.epochs": 3, "fit.batch_size": 16}
)


def test_importing_eyetune_loads_no_keras() -> None:
    heavy = ("keras", "tensorflow", "sklearn", "matplotlib", "sqlalchemy")
    program = (
        "import sys, eyetune; eyetune.Recipe(); "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    command = [sys.executable, "-c", program]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[]\n"


def test_every_public_name_can_be_imported() -> None:
    assert all(getattr(et, name) is not None for name in et.__all__)
    assert set(et.__all__) <= set(dir(et))
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = et.nothing_of_the_kind


def test_a_trained_run_has_results(trained: et.Run) -> None:
    assert trained.state is RunState.COMPLETE
    assert [epoch.epoch for epoch in trained.history] == [1, 2, 3]
    for split, accuracy in (
        ("validation", trained.validation_accuracy),
        ("test", trained.test_accuracy),
    ):
        assert trained.evaluation(split).accuracy == accuracy
    assert trained.results.kept_epoch == 3
    assert trained.validation_accuracy == pytest.approx(trained.history[-1].val_accuracy, abs=1e-6)
    assert trained.record.data.num_train == 80


def test_folder_holds_the_files_of_a_run(trained: et.Run) -> None:
    names = {path.name for path in trained.folder.rglob("*") if path.is_file()}
    pictures = {
        f"{name}.{kind}"
        for name in ("curves", "confusion", "mistakes", "network")
        for kind in ("png", "svg")
    }
    assert pictures | {"recipe.toml", "model.keras", "checkpoint.npz"} <= names
    assert et.Recipe.load(trained.folder / "recipe.toml") == trained.recipe


def test_train_can_leave_out_the_pictures() -> None:
    run = et.train(SMALL.with_(fit__epochs=1), tiny_dataset(), progress=False, plots=False)
    assert not (run.folder / "plots").exists()
    run.save_plots(dataset=tiny_dataset())
    assert (run.folder / "plots" / "curves.png").exists()


def test_evaluate_agrees_with_the_recorded_predictions(trained: et.Run) -> None:
    recorded, again = trained.evaluation("test"), trained.evaluate("test")
    assert again.accuracy == recorded.accuracy
    assert again.loss == pytest.approx(recorded.loss, rel=1e-5)


def test_predict_classifies_image_files(trained: et.Run, tmp_path: Path) -> None:
    root = write_image_folder(tmp_path / "images", per_class=1)
    paths = sorted(root.rglob("*.png"))
    predictions = trained.predict(paths, top=4)
    assert [Path(one.image) for one in predictions] == paths
    for one in predictions:
        shares = [share for _, share in one.classes]
        assert len(shares) == 4
        assert shares == sorted(shares, reverse=True)
        assert {name for name, _ in one.classes} <= set(trained.record.data.class_names)
    with pytest.raises(DataError):
        trained.predict([tmp_path / "missing.png"])


def test_model_is_the_trained_keras_model(trained: et.Run) -> None:
    model = trained.model()
    assert model.count_params() == trained.record.network.parameters
    (_, _), (x_val, y_val), _ = trained.dataset().arrays()
    accuracy = (np.asarray(model(x_val)).argmax(axis=1) == y_val.argmax(axis=1)).mean()
    assert accuracy == trained.validation_accuracy


def test_a_notebook_shows_a_run(trained: et.Run) -> None:
    shown = trained._repr_html_()
    assert trained.id in shown
    assert f"{trained.test_accuracy:.2%}" in shown
    assert "data:image/png;base64," in shown
    assert trained.plot()._repr_png_().startswith(b"\x89PNG")


def test_to_json_is_plain_json(trained: et.Run) -> None:
    value = json.loads(json.dumps(trained.to_json(), allow_nan=False))
    assert value["run"] == trained.id
    assert value["history"]["val_accuracy"] == [epoch.val_accuracy for epoch in trained.history]
    assert value["verdict"]["level"] in ("chance", "poor", "low", "good", "suspicious")


def test_predict_takes_a_path_or_pixels(trained: et.Run, tmp_path: Path) -> None:
    (path, *_) = sorted(write_image_folder(tmp_path).rglob("*.png"))
    (one,) = trained.predict(path)
    assert one.image == str(path)
    pixels = trained.dataset().test.images[:3]
    assert [prediction.image for prediction in trained.predict(pixels)] == [
        "image 0",
        "image 1",
        "image 2",
    ]
    assert (
        len(trained.plot("trained").axes[0].get_lines()) == 2
    )  # itself, by its name: one run, two curves
    assert len(repr(trained)) < 120


def test_a_prompt_and_a_notebook_show_a_run_and_its_record(trained: et.Run) -> None:
    record = trained.record
    epochs = f"{record.num_epochs_done} epochs"
    assert repr(trained) == f"<Run {record.headline}>"
    assert repr(record).startswith(f"<RunRecord: {record.label}: COMPLETE, {record.data.name}")
    assert f"{epochs}, {trained.validation_accuracy:.1%} on validation>" in repr(record)
    for page in (trained._repr_html_(), record._repr_html_()):
        assert f">{trained.validation_accuracy:.2%}</td>" in page
        assert all(f">{text}</td>" in page for text in record.summary.rows.values())


def test_a_notebook_shows_why_a_run_failed(trained: et.Run) -> None:
    record = replace(trained.record, results=None, state=RunState.FAILED, error="<the reason>")
    assert "&lt;the reason&gt;" in record._repr_html_()
    assert "on validation" not in repr(record)


def test_evaluate_tta_averages_over_mirror_images(trained: et.Run) -> None:
    before = trained.evaluation("validation")
    gain = trained.evaluate_tta("validation")
    assert trained.evaluate_flips("validation").to_json() == gain.to_json()
    assert gain.plain.accuracy == before.accuracy
    x, y = trained.dataset().arrays()[1]
    model = trained.model()
    mean = (np.asarray(model(x)) + np.asarray(model(x[:, :, ::-1]))) / 2
    assert gain.averaged.accuracy == pytest.approx((mean.argmax(axis=1) == y.argmax(axis=1)).mean())
    assert gain.averaged.loss == pytest.approx(-np.log((mean * y).sum(axis=1)).mean(), rel=1e-4)
    assert trained.evaluation("validation").to_json() == before.to_json()
    with pytest.raises(DataError):
        trained.evaluate_tta("validation", dataset=tiny_dataset())


def test_a_notebook_shows_a_recipe_with_comments() -> None:
    shown = SMALL._repr_html_()
    assert "learning_rate = 0.001" in shown
    assert shown.count("  # ") > 20


def test_techniques_are_part_of_the_package() -> None:
    assert et.techniques.find("flip").apply(SMALL, True).augment.flip
