"""The command line as a user runs it: its own process, real signals, real images."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import eyetune as et
from eyetune.cli.main import run
from tests.e2e.commands import finish, started
from tests.e2e.conftest import Show

SMALL = ["--set", "model.blocks=[4]", "--set", "model.dense=[8]", "--batch-size", "16"]

# Runs a command, then fails if Keras or TensorFlow were loaded in this process.
WITHOUT_KERAS = """
import sys
from eyetune.cli.main import run
if __name__ == "__main__":
    status = run(sys.argv[1:])
    sys.exit(status or ("keras" in sys.modules) + 2 * ("tensorflow" in sys.modules))
"""
OWN_TECHNIQUE = """
from eyetune.techniques import technique
@technique("tiny-start", values=(2,), why="Less to learn.", hurts="Less is seen.")
def tiny_start(recipe, value):
    return recipe.with_({"model.blocks.0.filters": value})
"""


def wait_for_epoch(process: subprocess.Popen[str], number: int) -> None:
    """Read a training's progress until an epoch is complete."""
    assert process.stderr is not None
    for line in process.stderr:
        if re.match(rf"epoch +{number}/", line):
            return
    raise AssertionError(f"The training ended before epoch {number}.")


@pytest.mark.usefixtures("no_pictures")
def test_train_resumes_bit_for_bit_after_each_signal(
    archive: Path, tmp_path: Path, show: Show
) -> None:
    training = ["--data", str(archive), "--epochs", "40", "--threads", "1", *SMALL]
    with started("train", *training) as process:
        wait_for_epoch(process, 2)
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    (killed,) = show("runs")["runs"]
    assert killed["state"] == "PAUSED"
    assert 2 <= killed["epochs"] < 40
    with started("train", "--resume", killed["run"]) as process:
        wait_for_epoch(process, killed["epochs"] + 2)
        process.send_signal(signal.SIGINT)
        process.communicate()
    assert process.returncode == 130
    (interrupted,) = show("runs")["runs"]
    assert interrupted["state"] == "PAUSED"
    assert killed["epochs"] + 2 <= interrupted["epochs"] < 40
    resumed = finish("train", "--resume", interrupted["run"])
    assert resumed["state"] == "COMPLETE"
    edits = {"model.blocks": [4], "model.dense": [8], "fit.batch_size": 16, "fit.epochs": 40}
    recipe = et.Recipe().with_(edits)
    uninterrupted = et.train(recipe, archive, workspace=tmp_path, progress=False)
    for metric in ("loss", "accuracy", "val_loss", "val_accuracy"):
        expected = [getattr(epoch, metric) for epoch in uninterrupted.history]
        assert resumed["history"][metric] == expected
    assert resumed["test_loss"] == uninterrupted.results.test_loss


def test_two_processes_cannot_train_one_run(
    archive: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with started("train", "--data", archive, "--epochs", "100000", *SMALL) as process:
        wait_for_epoch(process, 1)
        status = run(["train", "--resume", "latest", "--json"])
    assert status == 1
    assert json.loads(capfd.readouterr().out)["error"]["type"] == "RunBusyError"


def test_output_can_be_cut_short() -> None:
    script = f"{sys.executable} -m eyetune recipe | head -n 1"
    command = ["bash", "-o", "pipefail", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("[data]")
    assert done.returncode == 0
    assert done.stderr == ""


def test_killed_lab_continues_without_repetition_or_keras(
    archive: Path, tmp_path: Path, show: Show
) -> None:
    own = tmp_path / "own.py"
    own.write_text(OWN_TECHNIQUE)
    techniques = "learning-rate=0.01,batch-size=8,dense-units=32,padding,tiny-start"
    arguments = ["lab", "--data", str(archive), *SMALL, "--learning-rate", "1e-5"]
    arguments += ["--set", "fit.epochs=6", "--techniques", techniques, "--file", str(own)]
    arguments += ["--final-seeds", "1"]
    with started(*arguments, "--workers", "2") as process:
        assert process.stderr is not None
        next(line for line in process.stderr if line.startswith("[2/"))
        process.kill()
        process.communicate()
    before = {run["run"]: run for run in show("runs")["runs"]}
    finished = {name: run for name, run in before.items() if run["state"] == "COMPLETE"}
    assert len(finished) >= 2
    command = [sys.executable, "-c", WITHOUT_KERAS, *arguments, "--workers", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "tiny-start" in done.stdout
    for noise in ("oneDNN", "WARNING", "tensorflow"):
        assert noise not in done.stderr
    value = et.open_lab().to_json()
    after = {run["run"]: run for run in show("runs")["runs"]}
    assert set(before) <= set(after)
    for name, record in finished.items():
        assert after[name]["duration_seconds"] == record["duration_seconds"]
    trained = [(json.dumps(run["recipe"], sort_keys=True), run["seed"]) for run in after.values()]
    assert len(trained) == len(set(trained))
    assert {"baseline", "combination", "answer", "test_accuracy"} <= set(value)
    fields = {"name", "value", "validation_accuracy", "difference", "interval", "seconds"}
    for row in value["techniques"]:
        assert fields <= set(row)
    assert value["techniques"][-1]["name"] == "tiny-start"
    assert 0 <= value["test_accuracy"] <= 1
    page = Path(value["report"]).read_text(encoding="utf-8")
    assert "tiny-start" in page
    assert "Less to learn." in page
