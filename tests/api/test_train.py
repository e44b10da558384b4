"""Training a recipe, and resuming a run."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

import eyetune as et
from eyetune.data import load
from eyetune.errors import DataError, DivergedError, RecipeError, RunNotFoundError, UsageError
from eyetune.models import build as networks
from eyetune.records import RunState, Workspace
from eyetune.report.progress.training_progress import TrainingDisplay
from eyetune.testing.datasets import tiny_dataset, write_cifar10
from eyetune.values.history import Epoch
from tests.tracking.studies import Recorder

pytestmark = pytest.mark.usefixtures("no_pictures")

SMALL = et.Recipe().with_(
    {"model.blocks": [4], "model.dense": [8], "fit.epochs": 3, "fit.batch_size": 16}
)


def test_train_repeats_exactly_with_the_same_seed(trained: et.Run, archive: Path) -> None:
    again = et.train(trained.recipe, archive, progress=False)
    assert again.id != trained.id
    assert [epoch.loss for epoch in again.history] == [epoch.loss for epoch in trained.history]
    assert again.results == trained.results


@pytest.mark.parametrize("schedule", ["cosine", "plateau"])
def test_train_saves_a_network_trained_with_a_schedule(schedule: str) -> None:
    recipe = SMALL.with_(optimizer__schedule=schedule, fit__weight_averaging=0.9)
    run = et.train(recipe, tiny_dataset(), progress=False)
    x, y = tiny_dataset().arrays()[1]
    loss, accuracy = run.model().evaluate(x, y, verbose=0)
    assert accuracy == pytest.approx(run.validation_accuracy)
    assert loss == pytest.approx(run.results.validation_loss, rel=1e-4)


def test_train_refuses_wrong_arguments() -> None:
    with pytest.raises(UsageError):
        et.train("digits")  # type: ignore[arg-type]
    with pytest.raises(UsageError):
        et.train(SMALL, tiny_dataset(), name="latest", progress=False)


def test_train_takes_a_dataset_in_memory() -> None:
    run = et.train(SMALL, tiny_dataset(), progress=False)
    assert run.record.data.name == "tiny"
    assert run.results.linear_accuracy is not None
    assert run.verdict.text


def interrupt_in_epoch(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def on_progress(_: TrainingDisplay, position: Any) -> None:
        if position.epoch == number:
            raise KeyboardInterrupt

    monkeypatch.setattr(TrainingDisplay, "on_progress", on_progress)


def test_resume_ends_as_if_never_interrupted(
    trained: et.Run, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        interrupt_in_epoch(3, patch)
        paused = et.train(trained.recipe, archive, progress=False)
    assert paused.state is RunState.PAUSED
    assert len(paused.history) == 2
    with pytest.raises(UsageError):
        _ = paused.test_accuracy
    resumed = et.resume(paused.id, progress=False)
    assert resumed.id == paused.id
    assert resumed.state is RunState.COMPLETE
    assert resumed.results == trained.results
    assert [epoch.loss for epoch in resumed.history] == [epoch.loss for epoch in trained.history]


def test_resume_continues_the_logs_of_trackers(
    trained: et.Run, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Recorder(), Recorder()
    with monkeypatch.context() as patch:
        interrupt_in_epoch(3, patch)
        run = et.train(trained.recipe, archive, progress=False, trackers=[first])
    assert first.epochs == [(run.id, 1), (run.id, 2)]
    assert first.ends[run.id].state == "PAUSED"
    et.resume(run.id, progress=False, trackers=[second])
    assert list(second.of("begin")[0].epochs) == [1, 2]
    assert second.epochs == [(run.id, 3)]
    end = second.ends[run.id]
    assert end.state == "COMPLETE"
    assert end.metrics["test_accuracy"] == trained.test_accuracy
    assert {"recipe.toml", "model.keras"} <= set(end.files)


def test_resume_trains_no_epoch_twice_after_a_crash(
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


def test_resume_refuses_a_complete_run(trained: et.Run) -> None:
    with pytest.raises(UsageError):
        et.resume(trained.id, workspace=trained.workspace)


def test_resume_refuses_other_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_cifar10(tmp_path)
    with monkeypatch.context() as patch:
        interrupt_in_epoch(1, patch)
        paused = et.train(SMALL, path, progress=False)
    path.unlink()
    write_cifar10(tmp_path, images_per_batch=30)
    with pytest.raises(DataError):
        et.resume(paused.id, progress=False)


def test_train_records_a_diverged_run_as_failed() -> None:
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


def test_train_refuses_a_negative_seed() -> None:
    with pytest.raises(UsageError):
        et.train(SMALL, tiny_dataset(), seed=-1)
    assert et.Workspace().runs.all() == []


def test_train_records_a_teacher_by_its_id(tmp_path: Path, trained: et.Run) -> None:
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


def test_train_starts_from_the_weights_of_a_run(tmp_path: Path, trained: et.Run) -> None:
    file = trained.folder / "model.keras"
    recipe = trained.recipe.with_({"fit.epochs": 1, "model.initial_weights": "trained"})
    data = tiny_dataset(num_classes=2, size=32)
    run = et.train(recipe, data, workspace=trained.workspace, progress=False)
    assert run.recipe.model.initial_weights == str(file)
    again = et.train(
        recipe.with_(model__initial_weights=str(file)), data, workspace=tmp_path, progress=False
    )
    assert again.history[-1].val_loss == run.history[-1].val_loss
    run.workspace.runs.purge(run.id)


def test_train_refuses_weights_that_saw_its_validation(tmp_path: Path) -> None:
    digits = SMALL.with_({"data.subset": 100, "fit.epochs": 1, "data.source": "digits"})
    whole = digits.with_(data__train_on_validation=True)
    start = et.train(whole, workspace=tmp_path, progress=False, plots=False)
    named = digits.with_(model__initial_weights=start.id)
    with pytest.raises(UsageError):
        et.train(named, workspace=tmp_path, progress=False)
    final = named.with_(data__train_on_validation=True)
    assert et.train(final, workspace=tmp_path, progress=False, plots=False).results
    with pytest.raises(RunNotFoundError):
        et.train(digits.with_(model__initial_weights="unknown"), progress=False)


def test_train_refuses_a_missing_or_unfinished_teacher(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(tmp_path)
    with pytest.raises(RunNotFoundError):
        et.train(
            SMALL.with_(loss__teacher="unknown"),
            tiny_dataset(),
            workspace=workspace,
            progress=False,
        )
    monkeypatch.setattr(TrainingDisplay, "on_progress", _interrupt)
    paused = et.train(SMALL, tiny_dataset(), workspace=workspace, progress=False)
    with pytest.raises(UsageError):
        et.train(
            SMALL.with_(loss__teacher=paused.id),
            tiny_dataset(),
            workspace=workspace,
            progress=False,
        )
    assert [run.id for run in workspace.runs.all()] == [paused.id]


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def test_train_transfers_from_a_file_of_weights(
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
    assert run.plot_network()._repr_png_().startswith(b"\x89PNG")
    assert run.verdict.text
    with pytest.raises(RecipeError):
        et.train(
            recipe.with_(model__weights="other.h5"), data, workspace=tmp_path / "w", progress=False
        )
    assert len(run.workspace.runs.all()) == 1


def test_train_builds_and_loads_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def counted(name: str, function: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            calls.append(name)
            return function(*args, **kwargs)

        return call

    monkeypatch.setattr(networks, "build", counted("build", networks.build))
    monkeypatch.setattr("eyetune.training.load_data.load", counted("load", load))
    edits = {"model.blocks": [4], "model.dense": [8], "data.subset": 100, "fit.epochs": 1}
    recipe = et.Recipe().with_({**edits, "fit.precision": "float32"})
    run = et.train(recipe, "digits", workspace=tmp_path, progress=False)
    assert run.state == "COMPLETE"
    assert calls == ["load", "build"]


def test_train_keeps_callbacks_over_an_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    def made(epochs: list[int]) -> list[Any]:
        lasting = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, _: epochs.append(epoch))
        return [keras.callbacks.EarlyStopping(patience=9), lasting]

    data = tiny_dataset()
    seen: list[int] = []
    with monkeypatch.context() as patch:
        interrupt_in_epoch(2, patch)
        paused = et.train(SMALL, data, callbacks=made(seen), progress=False)
    assert paused.state is RunState.PAUSED
    assert [text.partition("(")[0] for text in paused.record.callbacks] == [
        "EarlyStopping",
        "LambdaCallback",
    ]
    with pytest.raises(UsageError):
        et.resume(paused, data=data, progress=False)
    assert et.open_run("latest").state is RunState.PAUSED
    resumed = et.resume(paused, data=data, callbacks=made(seen), progress=False)
    assert resumed.state is RunState.COMPLETE
    assert seen == [0, 1, 2]


def test_train_refuses_callbacks_before_it_records() -> None:
    import keras

    with pytest.raises(UsageError):
        et.train(SMALL, tiny_dataset(), callbacks=keras.callbacks.ProgbarLogger(), progress=False)
    assert et.Workspace().runs.all() == []


@pytest.fixture(scope="module")
def falling(tmp_path_factory: pytest.TempPathFactory) -> et.Run:
    """Return a complete run whose learning rate has fallen to zero."""
    recipe = SMALL.with_(optimizer__schedule="cosine", fit__epochs=2, fit__keep_best=True)
    workspace = tmp_path_factory.mktemp("falling")
    return et.train(recipe, tiny_dataset(), workspace=workspace, progress=False, plots=False)


def test_resume_with_more_epochs_equals_training_from_the_start(
    falling: et.Run, tmp_path: Path
) -> None:
    data = tiny_dataset()
    longer = et.resume(falling, epochs=4, name="longer", data=data, progress=False)
    assert longer.id != falling.id
    assert (longer.record.name, longer.record.continued_from) == ("longer", falling.id)
    assert longer.recipe == falling.recipe.with_(fit__epochs=4, optimizer__restarts=[2])
    assert longer.history[:2] == falling.history
    assert longer.history[2].learning_rate > falling.history[1].learning_rate
    whole = et.train(longer.recipe, data, workspace=tmp_path, progress=False, plots=False)
    assert [epoch.loss for epoch in longer.history] == [epoch.loss for epoch in whole.history]
    assert longer.results == whole.results
    again = et.open_run(falling.id, workspace=falling.workspace)
    assert (again.record.results, again.history) == (falling.record.results, falling.history)


def test_resume_refuses_epochs_that_change_nothing(falling: et.Run) -> None:
    data = tiny_dataset()
    for epochs in (1, 2):
        with pytest.raises(UsageError):
            et.resume(falling, epochs=epochs, data=data, progress=False)
    before = len(falling.workspace.runs.all())
    (falling.folder / "checkpoint.npz").rename(falling.folder / "away.npz")
    with pytest.raises(UsageError):
        et.resume(falling, epochs=9, data=data, progress=False)
    (falling.folder / "away.npz").rename(falling.folder / "checkpoint.npz")
    assert len(falling.workspace.runs.all()) == before


def test_resume_refuses_more_epochs_after_early_stopping() -> None:
    recipe = SMALL.with_(
        {"fit.epochs": 40, "fit.early_stopping": 1, "optimizer.learning_rate": 0.5}
    )
    stopped = et.train(recipe, tiny_dataset(), progress=False)
    assert len(stopped.history) < 40
    with pytest.raises(UsageError):
        et.resume(stopped, epochs=50, data=tiny_dataset(), progress=False)
