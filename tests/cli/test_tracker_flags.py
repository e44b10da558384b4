"""`--mlflow` and `--tensorboard`: what they pass on, and what is refused before any training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eyetune.records import Workspace
from eyetune.tracking.tensorboard_tracker import TensorBoardTracker
from eyetune.tracking.tracker import Tracker
from tests.cli.conftest import SMALL, Terminal

COMMANDS = {
    "train": ("eyetune.api.train.train", ["train"]),
    "resume": ("eyetune.api.train.resume", ["train", "--resume", "latest"]),
    "lab": ("eyetune.api.lab.lab", ["lab"]),
    "tune": ("eyetune.api.tune.tune", ["tune", "--space", "small"]),
    "deploy": ("eyetune.api.deploy.deploy", ["deploy", "--data", "digits"]),
    "shrink": ("eyetune.api.shrink.shrink", ["shrink", "latest", "--to", "50k"]),
    "resume shrink": ("eyetune.api.shrink.resume_shrink", ["shrink", "--resume", "latest"]),
}


class NamedTracker(Tracker):
    """A tracker that keeps its address."""

    def __init__(self, uri: str) -> None:
        self.uri = uri


@pytest.mark.parametrize(("function", "command"), COMMANDS.values(), ids=COMMANDS)
def test_command_passes_its_trackers_on(
    function: str,
    command: list[str],
    eyetune: Terminal,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    received: list[Any] = []
    monkeypatch.setattr("eyetune.tracking.mlflow_tracker.MlflowTracker", NamedTracker)

    def interrupted(*_: object, trackers: Any, **__: object) -> None:
        received.extend(trackers)
        raise KeyboardInterrupt

    monkeypatch.setattr(function, interrupted)
    options = ["--mlflow", "http://server:5000", "--tensorboard", str(tmp_path / "logs")]
    assert eyetune(*command, *options) == 130
    mlflow, tensorboard = received
    assert mlflow.uri == "http://server:5000"
    assert isinstance(tensorboard, TensorBoardTracker)
    assert (tmp_path / "logs").is_dir()


@pytest.mark.parametrize("command", ["train", "lab", "tune"])
def test_server_that_does_not_answer_is_refused(command: str, eyetune: Terminal) -> None:
    error = eyetune.error(command, "--mlflow", "http://127.0.0.1:9")
    assert error["status"] == 1
    assert "sqlite:///" in error["fix"]
    assert Workspace().runs.all() == []
    assert Workspace().studies.all() == []


def test_keras_tuners_own_search_refuses_trackers(eyetune: Terminal, tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("def build_model(hp): ...")
    function = f"{tmp_path / 'model.py'}:build_model"
    options: list[str | Path] = ["--engine", "keras-tuner", "--tensorboard", tmp_path / "logs"]
    assert eyetune.error("tune", function, *options)["status"] == 2


@pytest.mark.usefixtures("no_pictures")
def test_train_writes_logs_for_tensorboard(
    eyetune: Terminal, archive: Path, tmp_path: Path
) -> None:
    options: list[str | Path] = ["--data", archive, "--epochs", "1"]
    options += ["--tensorboard", tmp_path / "logs"]
    run = eyetune.json("train", *options, *SMALL)["run"]
    (path,) = (tmp_path / "logs" / run).iterdir()
    assert path.name.startswith("events.out.tfevents.")
