"""`eyetune tune` as a user runs it: real processes, real (tiny) trainings, real signals, and
whatever goes wrong.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from eyetune.cli.main import run
from eyetune.records import Workspace
from eyetune.testing.datasets import write_cifar10

pytestmark = pytest.mark.slow

# A shell starts jobs in the background with SIGINT ignored, and so would be whatever these tests
# start.
HEARING_CTRL_C = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from eyetune.cli.main import main; main()"
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
    kind = hp.Choice("kind", ["good", "raises", "diverges", "huge", "large", "hog", "sleeps"])
    model = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Rescaling(1.0)])
    model.add(keras.layers.Conv2D(4, 3, strides=4, activation="relu"))
    if kind == "good":
        model.add(keras.layers.Conv2D(hp.Int("filters", 2, 8, step=2, parent_name="kind", parent_values=["good"]), 3))
    if kind == "raises":
        raise ValueError("no such layer in the user's file")
    if kind == "hog":
        model.add(Hog())
    if kind == "sleeps":
        time.sleep(600)
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
CHANGED = MODEL.replace('"filters", 2, 8', '"filters", 2, 16')
SPACE = '["model.blocks.0.filters"]\nvalues = [4, 8]\n["optimizer.learning_rate"]\nvalues = [1e-2, 1e-3, 1e-4]\n'
SMALL = ["--set", "model.blocks=[4]", "--set", "model.dense=[8]", "--batch-size", "16"]
LIMIT_SECONDS = 30  # of a job, the start of Keras included, on a machine where others are at work


MORE_SECONDS = 30  # of a study that goes on, most of which Keras may take to start there


def call(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "eyetune", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def finish(*words: str | Path) -> Any:
    done = call(*words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@contextmanager
def started(*words: str | Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HEARING_CTRL_C, *map(str, words)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_until(holds: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    for _ in range(1000):
        if holds():
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    raise AssertionError("it never came to pass")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the files of a user: model functions and a space."""
    path = tmp_path_factory.mktemp("user")
    for name, text in (
        ("model.py", MODEL),
        ("broken.py", BROKEN),
        ("changed.py", CHANGED),
        ("space.toml", SPACE),
    ):
        (path / name).write_text(text)
    return path


@pytest.fixture(scope="module")
def first(folder: Path, archive: Path) -> Any:
    """Return what a study says that tries each kind of network of the model function."""
    words: list[str | Path] = [
        "tune",
        f"{folder / 'model.py'}:build_model",
        "--data",
        archive,
        "--name",
        "first",
        "--epochs",
        "2",
    ]
    words += ["--sampler", "grid", "--trials", "20", "--workers", "2", "--max-parameters", "100000"]
    words += [
        "--trial-time",
        f"{LIMIT_SECONDS}s",
        "--trial-memory",
        "3.5",
        "--workspace",
        folder / "workspace",
    ]
    return finish(*words)


@pytest.fixture
def at(folder: Path) -> list[str | Path]:
    """Return the words that name the workspace of that study."""
    return ["--workspace", folder / "workspace"]


def test_a_model_function_is_searched_and_what_goes_wrong_costs_its_own_trial(
    first: Any, at: list[str | Path]
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
    assert first["configurations"] == 10
    assert first["ending"] == "every combination has been tried"
    by_kind = {trial["hyperparameters"]["kind"]: trial for trial in first["all_trials"]}
    good = [trial for trial in first["all_trials"] if trial["hyperparameters"]["kind"] == "good"]
    assert sorted(trial["hyperparameters"]["filters"] for trial in good) == [2, 4, 6, 8]
    assert {trial["state"] for trial in good} == {"COMPLETE"}
    assert first["epochs_trained"] == 8
    assert by_kind["large"]["state"] == "INFEASIBLE"
    assert "larger than allowed" in by_kind["large"]["infeasible"][0]
    expected = {
        "raises": 'model.py", line',
        "diverges": "diverged",
        "huge": "",
        "hog": "too much memory",
        "sleeps": "longer than its time limit",
    }
    for kind, words in expected.items():
        assert by_kind[kind]["state"] == "FAILED", kind
        assert words in by_kind[kind]["error"], kind
        assert by_kind[kind]["error"], kind
    raised = finish("study", "first", "--trial", str(by_kind["raises"]["trial"]), *at)
    assert "ValueError: no such layer in the user's file" in raised["error"]


def test_what_was_searched_is_listed_and_compared(first: Any, at: list[str | Path]) -> None:
    (listed,) = finish("studies", *at)["studies"]
    assert (listed["study"], listed["configurations"], listed["state"]) == ("first", 10, "COMPLETE")
    again = finish("study", "first", *at)
    assert {**again, "importances": {}} == {**first, "importances": {}}
    good = [f"first/{one['trial']}" for one in first["all_trials"] if one["state"] == "COMPLETE"]
    assert set(good) <= {one["name"] for one in finish("runs", *at)["runs"]}
    compared = finish("compare", *good[:2], *at)
    assert compared["baseline"]["label"] == good[0]
    assert [one["label"] for one in compared["differences"]] == [good[1]]


def test_another_function_or_objective_cannot_go_on_with_it(
    first: Any, folder: Path, at: list[str | Path]
) -> None:
    words: list[str | Path] = ["tune", "--resume", "--name", first["study"], *at]
    changed = call(*words[:1], f"{folder / 'changed.py'}:build_model", *words[1:])
    assert changed.returncode == 2
    assert "filters" in changed.stderr
    assert "16" in changed.stderr
    other = call(*words, "--objective", "val_loss")
    assert other.returncode == 2
    assert "objective: val_accuracy (max) became val_loss (min)" in other.stderr


def test_a_function_that_always_raises_ends_the_study_with_its_words(
    folder: Path, archive: Path
) -> None:
    words: list[str | Path] = [
        "tune",
        f"{folder / 'broken.py'}:build_model",
        "--data",
        archive,
        "--name",
        "broken",
        "--workers",
        "1",
    ]
    done = call(*words)
    assert done.returncode == 2  # its space cannot be read: there is nothing to search yet
    assert "it never works with" in done.stderr
    assert "Traceback (most recent call last)" not in done.stderr.split("File")[0]


def test_small_networks_for_a_board_with_two_objectives(tmp_path: Path) -> None:
    archive = write_cifar10(tmp_path, images_per_batch=40)  # the space has batches of 128 images
    words: list[str | Path] = [
        "tune",
        "--space",
        "small",
        "--data",
        archive,
        "--name",
        "front",
        "--epochs",
        "1",
        "--trials",
        "4",
    ]
    words += ["--constraint", "parameters < 20000", "--board", "esp-eye", "--workers", "2"]
    value = finish(*words, "--objective", "val_accuracy", "--objective", "parameters")
    done = [trial for trial in value["all_trials"] if trial["state"] == "COMPLETE"]
    refused = [trial for trial in value["all_trials"] if trial["state"] == "INFEASIBLE"]
    assert len(done) == value["trials"] == 4
    assert refused
    assert all((one["epochs"], one["run"]) == (0, None) for one in refused)
    assert any("parameters < 20000 is broken" in one["infeasible"][0] for one in refused)
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


def test_interrupted_it_goes_on_and_ends_in_time_with_a_usable_best(
    folder: Path, archive: Path, workspace: Path
) -> None:
    seed = finish(
        "train", "--data", archive, "--epochs", "3000", *SMALL, "--set", "fit.early_stopping=1"
    )
    assert seed["state"] == "COMPLETE"
    words: list[str | Path] = [
        "tune",
        "--space",
        folder / "space.toml",
        "--data",
        archive,
        "--epochs",
        "3000",
        *SMALL,
    ]
    words += ["--set", "fit.early_stopping=0", "--name", "timed", "--workers", "1"]
    records = Workspace(workspace)

    def has_begun() -> bool:
        trials = [
            one for record in records.studies.all() for one in records.studies.trials(record.id)
        ]
        return any(len(records.runs.history(trial.run)) > 2 for trial in trials if trial.run)

    with started(*words) as process:
        wait_until(has_begun, process)
        busy = call("tune", "--resume", "--name", "timed")
        assert busy.returncode == 1
        assert "Another process is at work on study timed" in busy.stderr
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "tune --resume --name timed" in errors
    (paused,) = finish("studies")["studies"]
    assert paused["state"] == "PAUSED"
    trial = finish("study", "timed")["all_trials"][0]
    assert trial["epochs"] > 2

    changed = call("tune", "--space", "small", "--data", archive, "--resume", "--name", "timed")
    assert changed.returncode == 2
    assert "model.width" in changed.stderr

    began = time.monotonic()
    value = finish(
        "tune", "--resume", "--name", "timed", "--time", f"{paused['seconds'] + MORE_SECONDS:.0f}s"
    )
    assert time.monotonic() - began < MORE_SECONDS + 60
    assert value["ending"] == "the time is up"
    assert value["all_trials"][0]["epochs"] > trial["epochs"]
    assert value["best"]["val_accuracy"] >= trial["val_accuracy"]
    shown = finish("show", value["best"]["run"])
    assert shown["state"] == "STOPPED"
    assert 0 <= shown["validation_accuracy"] <= 1
    assert finish("evaluate", value["best"]["run"])


@pytest.mark.parametrize(
    ("words", "received"),
    [
        (["--sampler", "tpee"], "Did you mean tpe?"),
        (["--objective", "val_acuracy"], "There is no objective val_acuracy"),
        (["--objective", "acuracy"], "Did you mean accuracy?"),
        (["--objective", "val_accuracy:up"], "max"),
        (["--time", "0"], "a number above 0"),
        (["--trials", "0"], "trials cannot be used"),
        (["--workers", "0"], "number of workers is too small"),
        (["--trial-memory", "0"], "memory"),
        (["--schedule", "hyperbnd"], "Did you mean hyperband?"),
        (["--constraint", "parameter < 3"], "Did you mean parameters?"),
        (["--board", "esp-ey"], "Did you mean esp-eye?"),
        (["--space", "smal"], "Did you mean small?"),
        (["--space", "{folder}/unknown.toml"], "A recipe has no model.bloks.0.filters"),
        (["{folder}/absent.py:build_model"], "There is no file"),
        (["{folder}/wrong.py:build_model"], "is not valid Python"),
        (["--resume", "--name", "absent"], "No study matches 'absent'"),
        (["--engine", "other"], "There is no such engine"),
        (["--executor", "other"], "There is no such executor"),
    ],
)
def test_wrong_words_are_refused_before_any_work(
    words: list[str],
    received: str,
    folder: Path,
    archive: Path,
    workspace: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (folder / "unknown.toml").write_text('["model.bloks.0.filters"]\nvalues = [1, 2]\n')
    (folder / "wrong.py").write_text("def build_model(hp:\n    pass\n")
    status = run(["tune", *(word.format(folder=folder) for word in words), "--data", str(archive)])
    assert status == 2
    assert received in capfd.readouterr().err
    assert Workspace(workspace).studies.all() == []
