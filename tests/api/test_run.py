"""The Python API: train, resume, ask a run, show it in a notebook."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eyetune as et
from eyetune.errors import DataError, DivergedError, RecipeError, RunNotFoundError, UsageError
from eyetune.records import RunState, Workspace
from eyetune.report.progress.training_progress import TrainingDisplay
from eyetune.testing.datasets import tiny_dataset, write_cifar10, write_image_folder
from eyetune.values.history import Epoch

SMALL = et.Recipe().with_(
    {"model.blocks": [4], "model.dense": [8], "fit.epochs": 3, "fit.batch_size": 16}
)


def test_importing_eyetune_loads_no_keras() -> None:
    program = (
        "import sys, eyetune; eyetune.Recipe(); "
        "print([m for m in ('keras', 'tensorflow', 'sklearn', 'matplotlib', 'sqlalchemy') if m in sys.modules])"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        ).stdout
        == "[]\n"
    )


def test_every_public_name_can_be_had() -> None:
    assert all(getattr(et, name) is not None for name in et.__all__)
    assert set(et.__all__) <= set(dir(et))
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = et.nothing_of_the_kind


def test_a_trained_run_knows_what_it_reached(trained: et.Run) -> None:
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


def test_a_runs_files_are_in_its_folder(trained: et.Run) -> None:
    names = {path.name for path in trained.folder.rglob("*") if path.is_file()}
    pictures = {
        f"{name}.{kind}"
        for name in ("curves", "confusion", "mistakes", "network")
        for kind in ("png", "svg")
    }
    assert pictures | {"recipe.toml", "model.keras", "checkpoint.npz"} <= names
    assert et.Recipe.load(trained.folder / "recipe.toml") == trained.recipe


def test_evaluating_anew_gives_what_was_recorded(trained: et.Run) -> None:
    recorded, anew = trained.evaluation("test"), trained.evaluate("test")
    assert anew.accuracy == recorded.accuracy
    assert anew.loss == pytest.approx(recorded.loss, rel=1e-5)


def test_a_run_classifies_image_files(trained: et.Run, tmp_path: Path) -> None:
    root = write_image_folder(tmp_path / "images", per_class=1)
    paths = sorted(root.rglob("*.png"))
    predictions = trained.predict(paths, top=4)
    assert [Path(one.image) for one in predictions] == paths
    for one in predictions:
        shares = [share for _, share in one.classes]
        assert len(shares) == 4
        assert shares == sorted(shares, reverse=True)
        assert {name for name, _ in one.classes} <= set(trained.record.data.class_names)
    with pytest.raises(DataError, match="cannot be read"):
        trained.predict([tmp_path / "missing.png"])


def test_the_network_is_a_keras_model_of_float32(trained: et.Run) -> None:
    model = trained.model()
    assert model.count_params() == trained.record.network.parameters
    (_, _), (x_val, y_val), _ = trained.dataset().arrays()
    accuracy = (np.asarray(model(x_val)).argmax(axis=1) == y_val.argmax(axis=1)).mean()
    assert accuracy == trained.validation_accuracy


def test_a_run_shows_itself_in_a_notebook(trained: et.Run) -> None:
    shown = trained._repr_html_()
    assert trained.id in shown
    assert f"{trained.test_accuracy:.2%}" in shown
    assert "data:image/png;base64," in shown
    assert trained.plot()._repr_png_().startswith(b"\x89PNG")


def test_a_run_is_plain_json(trained: et.Run) -> None:
    value = json.loads(json.dumps(trained.to_json(), allow_nan=False))
    assert value["run"] == trained.id
    assert value["history"]["val_accuracy"] == [epoch.val_accuracy for epoch in trained.history]
    assert value["verdict"]["level"] in ("chance", "poor", "low", "good", "suspicious")


def test_the_same_seed_gives_the_same_run(trained: et.Run, archive: Path) -> None:
    again = et.train(trained.recipe, archive, progress=False)
    assert again.id != trained.id
    assert [epoch.loss for epoch in again.history] == [epoch.loss for epoch in trained.history]
    assert again.results == trained.results


@pytest.mark.parametrize("schedule", ["cosine", "plateau"])
def test_a_run_with_a_schedule_is_kept_like_any_other(schedule: str) -> None:
    recipe = SMALL.with_(optimizer__schedule=schedule, fit__weight_averaging=0.9)
    run = et.train(recipe, tiny_dataset(), progress=False)
    x, y = tiny_dataset().arrays()[1]
    loss, accuracy = run.model().evaluate(x, y, verbose=0)
    assert accuracy == pytest.approx(run.validation_accuracy)
    assert loss == pytest.approx(run.results.validation_loss, rel=1e-4)


def test_plain_mistakes_in_python_are_told() -> None:
    with pytest.raises(UsageError, match="first argument is not a recipe"):
        et.train("digits")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="means the newest"):
        et.train(SMALL, tiny_dataset(), name="latest", progress=False)


def test_a_run_takes_names_paths_and_pixels(trained: et.Run, tmp_path: Path) -> None:
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


def test_a_dataset_in_memory_can_be_trained_on() -> None:
    run = et.train(SMALL, tiny_dataset(), progress=False)
    assert run.record.data.name == "tiny"
    assert run.results.linear_accuracy is not None
    assert "linear classifier" in run.verdict.text


def interrupt_in_epoch(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def on_progress(_: TrainingDisplay, position: Any) -> None:
        if position.epoch == number:
            raise KeyboardInterrupt

    monkeypatch.setattr(TrainingDisplay, "on_progress", on_progress)


def test_an_interrupted_run_is_paused_and_resumed_as_if_it_had_not_been(
    trained: et.Run, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        interrupt_in_epoch(3, patch)
        paused = et.train(trained.recipe, archive, progress=False)
    assert paused.state is RunState.PAUSED
    assert len(paused.history) == 2
    with pytest.raises(UsageError, match="no results yet"):
        _ = paused.test_accuracy
    resumed = et.resume(paused.id, progress=False)
    assert resumed.id == paused.id
    assert resumed.state is RunState.COMPLETE
    assert resumed.results == trained.results
    assert [epoch.loss for epoch in resumed.history] == [epoch.loss for epoch in trained.history]


def test_a_crash_between_checkpoint_and_record_trains_no_epoch_twice(
    trained: et.Run, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(_: TrainingDisplay, epoch: Epoch) -> None:
        if epoch.epoch == 2:
            raise OSError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(TrainingDisplay, "on_epoch", crash)
        with pytest.raises(OSError, match="gone"):
            et.train(trained.recipe, archive, progress=False)
    failed = et.open_run("latest")
    assert failed.state is RunState.FAILED
    # The record of the second epoch is lost here on purpose; its checkpoint is not.
    with sqlite3.connect(failed.workspace.folder / "eyetune.sqlite") as connection:
        connection.execute("delete from epochs where epoch = 2")
    started: list[int] = []
    with monkeypatch.context() as patch:
        patch.setattr(
            TrainingDisplay, "on_progress", lambda _, position: started.append(position.epoch)
        )
        resumed = et.resume(failed.id, progress=False)
    assert set(started) == {3}
    assert resumed.results == trained.results


def test_a_complete_run_is_not_resumed(trained: et.Run) -> None:
    with pytest.raises(UsageError, match="nothing to resume"):
        et.resume(trained.id, workspace=trained.workspace)


def test_a_run_is_not_resumed_on_other_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_cifar10(tmp_path)
    with monkeypatch.context() as patch:
        interrupt_in_epoch(1, patch)
        paused = et.train(SMALL, path, progress=False)
    path.unlink()
    write_cifar10(tmp_path, images_per_batch=30)
    with pytest.raises(DataError, match="not those that run"):
        et.resume(paused.id, progress=False)


def test_a_diverged_run_is_recorded_as_failed_with_the_reason() -> None:
    recipe = SMALL.with_(
        {
            "optimizer.name": "sgd",
            "optimizer.learning_rate": 100,
            "model.activation": "linear",
            "fit.epochs": 20,
        }
    )
    with pytest.raises(DivergedError):
        et.train(recipe, tiny_dataset(), progress=False)
    failed = et.open_run("latest")
    assert failed.state is RunState.FAILED
    assert "diverged" in str(failed.record.error)
    assert "--learning-rate 10" in str(failed.record.error)


def test_a_negative_seed_is_refused_before_anything_is_recorded() -> None:
    with pytest.raises(UsageError, match="seed is out of range"):
        et.train(SMALL, tiny_dataset(), seed=-1)
    assert et.Workspace().runs.all() == []


def test_pictures_can_be_left_out_and_drawn_later() -> None:
    run = et.train(SMALL.with_(fit__epochs=1), tiny_dataset(), progress=False, plots=False)
    assert not (run.folder / "plots").exists()
    run.save_plots(dataset=tiny_dataset())
    assert (run.folder / "plots" / "curves.png").exists()


def test_a_notebook_shows_a_recipe_with_what_its_values_mean() -> None:
    assert et.Recipe().to_toml() not in SMALL._repr_html_()
    assert "step of the first convolution" in SMALL._repr_html_()
    assert "learning_rate = 0.001" in SMALL._repr_html_()


def test_techniques_can_be_had_from_the_package_itself() -> None:
    assert et.techniques.find("flip").apply(SMALL, True).augment.flip


def test_a_rate_is_found_without_a_trace_in_the_records() -> None:
    recipe = SMALL.with_(optimizer__schedule="cosine", data__train_on_validation=True)
    found = et.find_learning_rate(recipe, tiny_dataset(), largest=1.0, steps=60, progress=False)
    assert found.suggestion is not None
    assert 1e-4 < found.suggestion < 0.1
    assert len(found.rates) == len(found.losses) == len(found.smoothed) <= 60
    assert et.Workspace().runs.all() == []
    again = et.find_learning_rate(recipe, tiny_dataset(), largest=1.0, steps=60, progress=False)
    assert again.losses.tolist() == found.losses.tolist()


def test_a_rate_is_sought_with_fewer_steps_on_small_data(capfd: pytest.CaptureFixture[str]) -> None:
    found = et.find_learning_rate(SMALL, tiny_dataset())
    assert found.num_steps == 50
    errors = capfd.readouterr().err
    assert "Range test of adam on tiny: 50 steps" in errors
    assert "step  5/50" in errors


def test_a_test_that_diverges_ends_early_and_says_so() -> None:
    recipe = SMALL.with_({"optimizer.name": "sgd", "model.activation": "linear"})
    found = et.find_learning_rate(recipe, tiny_dataset(), largest=100.0, steps=80, progress=False)
    assert found.diverged
    assert np.isfinite(found.losses).all()
    assert "diverged" in found.rows()["steps"]


def test_flips_are_reported_beside_the_recorded_predictions(trained: et.Run) -> None:
    before = trained.evaluation("validation")
    found = trained.evaluate_tta("validation")
    assert found.plain.accuracy == before.accuracy
    x, y = trained.dataset().arrays()[1]
    model = trained.model()
    mean = (np.asarray(model(x)) + np.asarray(model(x[:, :, ::-1]))) / 2
    assert found.averaged.accuracy == pytest.approx(
        (mean.argmax(axis=1) == y.argmax(axis=1)).mean()
    )
    assert found.averaged.loss == pytest.approx(-np.log((mean * y).sum(axis=1)).mean(), rel=1e-4)
    assert trained.evaluation("validation").to_json() == before.to_json()
    with pytest.raises(DataError, match="not those that run"):
        trained.evaluate_tta("validation", dataset=tiny_dataset())


def test_a_comparison_is_one_value_that_draws_itself(trained: et.Run) -> None:
    other = et.train(trained.recipe.with_(fit__epochs=1), trained.dataset(), progress=False)
    comparison = et.compare(trained, other)
    assert comparison.baseline.accuracy == trained.validation_accuracy
    (one,) = comparison.differences
    assert one.difference == pytest.approx(other.validation_accuracy - trained.validation_accuracy)
    assert comparison.plot()._repr_png_().startswith(b"\x89PNG")
    assert "(baseline)" in comparison._repr_html_()
    assert (
        json.loads(json.dumps(comparison.to_json(), allow_nan=False))["baseline"]["label"]
        == "trained"
    )


def test_a_run_teaches_another_and_is_recorded_by_its_id(tmp_path: Path, trained: et.Run) -> None:
    recipe = SMALL.with_({"fit.epochs": 1, "model.blocks": [2], "loss.teacher": "trained"})
    data = trained.dataset()
    student = et.train(recipe, data, workspace=trained.workspace, progress=False)
    assert student.recipe.loss.teacher == trained.id
    assert student.recipe.difference(trained.recipe)["loss.teacher"] == (trained.id, "")
    file = SMALL.with_(
        {"fit.epochs": 1, "model.blocks": [2], "loss.teacher": str(trained.folder / "model.keras")}
    )
    again = et.train(file, data, workspace=tmp_path, progress=False)
    assert again.history[-1].val_loss == student.history[-1].val_loss
    student.workspace.runs.purge(student.id)


def test_a_teacher_that_is_not_there_or_not_finished_is_refused_before_a_run_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(tmp_path)
    with pytest.raises(RunNotFoundError):
        et.train(
            SMALL.with_(loss__teacher="nobody"), tiny_dataset(), workspace=workspace, progress=False
        )
    monkeypatch.setattr(TrainingDisplay, "on_progress", _interrupt)
    paused = et.train(SMALL, tiny_dataset(), workspace=workspace, progress=False)
    with pytest.raises(UsageError, match="has no results yet"):
        et.train(
            SMALL.with_(loss__teacher=paused.id),
            tiny_dataset(),
            workspace=workspace,
            progress=False,
        )
    assert [run.id for run in workspace.runs.all()] == [paused.id]


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def test_transfer_learning_from_a_file_is_recorded_shown_and_loaded_as_one_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from eyetune.models.transfer import build_backbone

    monkeypatch.chdir(tmp_path)
    build_backbone("vgg16", (32, 32, 3)).save_weights("own.weights.h5")
    recipe = SMALL.with_({"model": "vgg16", "model.weights": "own.weights.h5", "fit.epochs": 1})
    data = tiny_dataset(num_train=30, size=32)
    run = et.train(recipe, data, workspace=tmp_path / "w", progress=False)
    assert run.recipe.model.weights == str(tmp_path / "own.weights.h5")
    assert (run.record.network.parameters, run.record.network.trainable_parameters) == (
        14_747_715,
        33_027,
    )
    assert run.evaluate("test", dataset=data).accuracy == run.test_accuracy
    assert (run.folder / "plots" / "network.png").exists()
    assert run.verdict.text
    with pytest.raises(RecipeError, match="cannot be read"):
        et.train(
            recipe.with_(model__weights="other.h5"), data, workspace=tmp_path / "w", progress=False
        )
    assert len(run.workspace.runs.all()) == 1
