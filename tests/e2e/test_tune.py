"""`eyetune tune` as a user runs it: real processes, tiny trainings, signals, and failures."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eyetune.cli.main import run
from eyetune.records import Workspace
from eyetune.testing.datasets import write_cifar10
from eyetune.tuning.endings import Ending
from eyetune.values.history import Epoch
from tests.e2e.commands import call, finish, started
from tests.e2e.conftest import Refuse, Show

pytestmark = pytest.mark.slow

MODEL = """
import time

import keras


class Hog(keras.layers.Layer):
    def call(self, inputs, training=False):
        if training:
            self.held = b"x" * 4_000_000_000
            time.sleep(5)
        return inputs


def build_model(hp):
    kind = hp.Choice("kind", ["good", "raises", "diverges", "huge", "large", "hog"])
    model = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Rescaling(1.0)])
    model.add(keras.layers.Conv2D(4, 3, strides=4, activation="relu"))
    if kind == "good":
        filters = hp.Int("filters", 2, 8, step=2, parent_name="kind", parent_values=["good"])
        model.add(keras.layers.Conv2D(filters, 3))
    if kind == "raises":
        raise ValueError("no such layer in the user's file")
    if kind == "hog":
        model.add(Hog())
    model.add(keras.layers.Flatten())
    if kind in ("large", "huge"):
        model.add(keras.layers.Dense(2**40 if kind == "huge" else 2**12, activation="relu"))
    model.add(keras.layers.Dense(10, activation="softmax"))
    optimizer = keras.optimizers.SGD(1e30 if kind == "diverges" else 0.01)
    model.compile(optimizer, "categorical_crossentropy", metrics=["accuracy"])
    return model
"""
BROKEN = """
def build_model(hp):
    rate = hp.Float("rate", 1e-4, 1e-2)
    raise RuntimeError(f"it never works with {rate}")
"""
HELD = """
import time
from pathlib import Path

import keras
import keras_tuner

HOLD = Path("{hold}")


class Wait(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        while epoch == {epochs} and HOLD.exists():
            time.sleep(0.05)


class Held(keras_tuner.HyperModel):
    def build(self, hp):
        model = keras.Sequential([
            keras.Input((32, 32, 3)),
            keras.layers.Conv2D(hp.Choice("filters", [2, 4]), 3, strides=4, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation="softmax"),
        ])
        model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
        return model

    def fit(self, hp, model, *args, callbacks=(), **kwargs):
        return model.fit(*args, callbacks=[*callbacks, Wait()], **kwargs)
"""
HELD_AFTER = 3  # epochs
SLEEPING = """
import time

import keras


def build_model(hp):
    if hp.Choice("kind", ["awake", "asleep"]) == "asleep":
        time.sleep(600)
    model = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(10, activation="softmax"))
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return model
"""
CHANGED = MODEL.replace('"filters", 2, 8', '"filters", 2, 16')
SPACE = """
["model.blocks.0.filters"]
values = [4, 8]
["optimizer.learning_rate"]
values = [1e-2, 1e-3, 1e-4]
"""


def wait_until(holds: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    for _ in range(3000):
        if holds():
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    raise AssertionError("the condition was never met")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the files of a user: model functions and a space."""
    path = tmp_path_factory.mktemp("user")
    for name, text in (
        ("model.py", MODEL),
        ("broken.py", BROKEN),
        (
            "held.py",
            HELD.replace("{epochs}", str(HELD_AFTER)).replace("{hold}", str(path / "hold")),
        ),
        ("sleeping.py", SLEEPING),
        ("changed.py", CHANGED),
    ):
        (path / name).write_text(text)
    return path


@pytest.fixture(scope="module")
def first(folder: Path, archive: Path) -> Any:
    """Return what a study says that tries each kind of network of the model function."""
    function = f"{folder / 'model.py'}:build_model"
    arguments: list[str | Path] = ["tune", function, "--data", archive, "--name", "first"]
    arguments += ["--epochs", "2", "--sampler", "grid", "--trials", "20", "--workers", "2"]
    arguments += ["--max-parameters", "100000", "--trial-memory", "3.5"]
    arguments += ["--workspace", folder / "workspace"]
    return finish(*arguments)


@pytest.fixture
def at(folder: Path) -> list[str | Path]:
    """Return the arguments that name the workspace of that study."""
    return ["--workspace", folder / "workspace"]


def test_failures_of_a_model_function_cost_their_own_trial(
    first: Any, at: list[str | Path], show: Show
) -> None:
    assert {
        "study",
        "trials",
        "configurations",
        "epochs_trained",
        "best",
        "seconds",
        "report",
    } <= set(first)
    assert Path(first["report"]).exists()
    assert first["best"]["hyperparameters"]["kind"] == "good"
    assert 0 <= first["best"]["val_accuracy"] <= 1
    assert first["configurations"] == 9
    assert first["ending"] == Ending.OUT_OF_COMBINATIONS
    by_kind = {trial["hyperparameters"]["kind"]: trial for trial in first["all_trials"]}
    good = [trial for trial in first["all_trials"] if trial["hyperparameters"]["kind"] == "good"]
    assert sorted(trial["hyperparameters"]["filters"] for trial in good) == [2, 4, 6, 8]
    assert {trial["state"] for trial in good} == {"COMPLETE"}
    assert first["epochs_trained"] == 8
    assert by_kind["large"]["state"] == "INFEASIBLE"
    assert len(by_kind["large"]["infeasible"]) == 1
    for kind in ("raises", "diverges", "huge", "hog"):
        assert by_kind[kind]["state"] == "FAILED", kind
        assert by_kind[kind]["error"], kind
    assert 'model.py", line' in by_kind["raises"]["error"]
    assert "at most 3,500 MB" in by_kind["hog"]["error"]
    raised = show("study", "first", "--trial", str(by_kind["raises"]["trial"]), *at)
    assert "ValueError: no such layer in the user's file" in raised["error"]


def test_a_trial_that_takes_too_long_fails(folder: Path, archive: Path, show: Show) -> None:
    function = f"{folder / 'sleeping.py'}:build_model"
    arguments: list[str | Path] = [function, "--data", archive, "--name", "sleeping"]
    arguments += ["--sampler", "grid", "--epochs", "1", "--workers", "1", "--trial-time", "4s"]
    # On a busy machine even the other trial may take too long.
    call("tune", *arguments, pictures=False)
    trials = show("study", "sleeping")["all_trials"]
    asleep = [trial for trial in trials if trial["hyperparameters"]["kind"] == "asleep"]
    assert [trial["state"] for trial in asleep] == ["FAILED"]
    assert "at most 4 s" in asleep[0]["error"]


def test_a_study_is_listed_shown_and_compared(first: Any, at: list[str | Path], show: Show) -> None:
    (listed,) = show("studies", *at)["studies"]
    assert (listed["study"], listed["configurations"], listed["state"]) == ("first", 9, "COMPLETE")
    again = show("study", "first", *at)
    assert {**again, "importances": {}} == {**first, "importances": {}}
    good = [f"first/{one['trial']}" for one in first["all_trials"] if one["state"] == "COMPLETE"]
    assert set(good) <= {one["name"] for one in show("runs", *at)["runs"]}
    compared = show("compare", *good[:2], *at)
    assert compared["baseline"]["label"] == good[0]
    assert [one["label"] for one in compared["differences"]] == [good[1]]


def test_resume_refuses_another_function_or_objective(
    first: Any, folder: Path, at: list[str | Path], refuse: Refuse
) -> None:
    arguments: list[str | Path] = ["--resume", "--name", first["study"], "--workers", "0", *at]
    changed = refuse("tune", f"{folder / 'changed.py'}:build_model", *arguments)
    assert "filters" in changed
    assert "16" in changed
    assert "val_loss" in refuse("tune", *arguments, "--objective", "val_loss")


def test_a_function_that_always_raises_is_reported(folder: Path, archive: Path) -> None:
    function = f"{folder / 'broken.py'}:build_model"
    done = call("tune", function, "--data", archive, "--name", "broken", "--workers", "1")
    assert done.returncode == 2  # its space cannot be read: there is nothing to search yet
    assert "it never works with" in done.stderr
    assert "Traceback (most recent call last)" not in done.stderr.split("File")[0]


def test_a_board_and_two_objectives(tmp_path: Path, refuse: Refuse) -> None:
    space = tmp_path / "space.toml"
    space.write_text(SPACE)
    archive = write_cifar10(tmp_path, images_per_batch=40)  # the space has batches of 128 images
    arguments: list[str | Path] = ["tune", "--space", "small", "--data", archive]
    arguments += ["--name", "front", "--epochs", "1", "--trials", "4", "--workers", "1"]
    arguments += ["--constraint", "parameters < 20000", "--board", "esp-eye"]
    value = finish(*arguments, "--objective", "val_accuracy", "--objective", "parameters")
    done = [trial for trial in value["all_trials"] if trial["state"] == "COMPLETE"]
    refused = [trial for trial in value["all_trials"] if trial["state"] == "INFEASIBLE"]
    assert len(done) == value["trials"] == 4
    assert refused
    assert all((one["epochs"], one["run"]) == (0, None) for one in refused)
    assert any("parameters < 20000" in one["infeasible"][0] for one in refused)
    assert all(one["parameters"] < 20000 for one in done)
    assert all(
        one["network"]["flash_bytes"] > 0 and one["network"]["arena_bytes"] > 0 for one in done
    )
    assert [one["name"] for one in value["objectives"]] == ["val_accuracy", "parameters"]
    assert value["epochs_trained"] == 4
    assert not any(
        one["val_accuracy"] > value["best"]["val_accuracy"]
        and one["parameters"] < value["best"]["parameters"]
        for one in done
    )
    assert (Path(value["report"]).parent / "plots" / "front.png").exists()

    arguments = ["tune", "--space", space, "--resume", "--name", "front", "--workers", "0"]
    assert "model.width" in refuse(*arguments)


def test_an_interrupted_study_resumes(
    folder: Path, archive: Path, workspace: Path, show: Show, refuse: Refuse
) -> None:
    hold = folder / "hold"
    hold.touch()
    function = f"{folder / 'held.py'}:Held"
    arguments: list[str | Path] = ["tune", function, "--data", archive, "--name", "held"]
    arguments += ["--sampler", "grid", "--trials", "2", "--epochs", "5", "--workers", "1"]
    arguments += ["--executions", "2"]
    records = Workspace(workspace)

    def histories() -> list[list[Epoch]]:
        return [list(records.runs.history(run.id)) for run in records.runs.all()]

    with started(*arguments) as process:
        wait_until(lambda: [len(history) for history in histories()] == [HELD_AFTER, 0], process)
        assert "held" in refuse("tune", "--resume", "--name", "held", status=1)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "tune --resume --name held" in errors
    (paused,) = show("studies")["studies"]
    assert paused["state"] == "PAUSED"
    (trial,) = show("study", "held")["all_trials"]
    assert trial["epochs"] == HELD_AFTER
    before, _ = histories()

    hold.unlink()
    arguments = ["tune", "--resume", "--name", "held", "--workers", "1"]
    value = finish(*arguments, pictures=False)
    assert value["ending"] == Ending.TRIALS_DONE
    assert [trial["epochs"] for trial in value["all_trials"]] == [5, 5]
    executions = value["all_trials"][0]["executions"]
    assert [(one["seed"], one["epochs"]) for one in executions] == [(0, 5), (1, 5)]
    after = list(records.runs.history(executions[0]["run"]))
    assert after[:HELD_AFTER] == before  # durations included: no epoch was trained twice
    assert [epoch.epoch for epoch in after] == [1, 2, 3, 4, 5]
    best = value["best"]
    shown = show("show", best["run"])
    assert shown["state"] == "COMPLETE"
    accuracies = [one["val_accuracy"] for one in best["executions"]]
    assert shown["validation_accuracy"] == pytest.approx(max(accuracies))
    assert best["val_accuracy"] == pytest.approx(sum(accuracies) / 2)
    assert show("evaluate", best["run"])


@pytest.mark.parametrize(
    ("arguments", "received"),
    [
        (["--sampler", "tpee"], "tpe"),
        (["--objective", "val_acuracy"], "val_accuracy"),
        (["--objective", "acuracy"], "accuracy"),
        (["--objective", "val_accuracy:up"], "max"),
        (["--time", "0"], "above 0"),
        (["--trials", "0"], "1 or more"),
        (["--workers", "-1"], "1 or more"),
        (["--trial-memory", "0"], "--trial-memory"),
        (["--scheduler", "hyperbnd"], "hyperband"),
        (["--schedule", "hyperbnd"], "hyperband"),
        (["--constraint", "parameter < 3"], "parameters"),
        (["--board", "esp-ey"], "esp-eye"),
        (["--space", "smal"], "small"),
        (["--space", "{folder}/unknown.toml"], "model.bloks.0.filters"),
        (["{folder}/absent.py:build_model"], "absent.py"),
        (["{folder}/wrong.py:build_model"], "wrong.py"),
        (["--resume", "--name", "absent"], "absent"),
        (["--engine", "other"], "keras-tuner"),
        (["--executor", "other"], "ray://HOST:PORT"),
    ],
)
def test_tune_refuses_wrong_options_before_any_work(
    arguments: list[str],
    received: str,
    folder: Path,
    archive: Path,
    workspace: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (folder / "unknown.toml").write_text('["model.bloks.0.filters"]\nvalues = [1, 2]\n')
    (folder / "wrong.py").write_text("def build_model(hp:\n    pass\n")
    filled = [text.format(folder=folder) for text in arguments]
    status = run(["tune", *filled, "--data", str(archive)])
    assert status == 2
    assert received in capfd.readouterr().err
    assert Workspace(workspace).studies.all() == []
