"""What Ctrl-C says: it promises to resume a study only where one is recorded."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from eyetune.recipe import Recipe
from eyetune.records import Workspace
from eyetune.records.study import Objective, StudyRecord, StudySettings
from eyetune.space.space import Space
from eyetune.tuning.requests import PAUSED
from tests.cli.conftest import Terminal

INTERRUPTED = 130
ACCURACY = Objective(name="val_accuracy", direction="max")
SETTINGS = StudySettings(recipe=Recipe(), space=Space(), objectives=(ACCURACY,))


def create_and_interrupt(*_: Any, workspace: Workspace, name: str = "", **__: Any) -> None:
    workspace.studies.create(name, SETTINGS)
    raise KeyboardInterrupt


def interrupt(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def only_study(workspace: Path) -> StudyRecord:
    (record,) = Workspace(workspace).studies.all()
    return record


@pytest.mark.parametrize("command", ["tune", "deploy"])
def test_interrupted_command_says_how_to_resume(
    command: str, eyetune: Terminal, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"eyetune.{command}", create_and_interrupt, raising=False)
    assert eyetune(command, "--data", "digits", "--name", "my study") == INTERRUPTED
    expected = shlex.join(["eyetune", command, "--resume", "--name", "my study"])
    assert expected in eyetune.errors


def test_the_command_to_resume_repeats_what_is_not_recorded(
    eyetune: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eyetune.deploy", create_and_interrupt, raising=False)
    more = ["--output", "my firmware", "--format", "c", "--workers", "1"]
    more += ["--unknown", "5%", "--vote", "2", "--tensorboard", "logs"]
    start = ["deploy", "--data", "digits", "--name", "s", "--board", "esp32-c3", "--time", "1h"]
    assert eyetune(*start, *more) == INTERRUPTED
    expected = shlex.join(["eyetune", "deploy", "--resume", "--name", "s", *more])
    assert expected in eyetune.errors
    monkeypatch.setattr("eyetune.tune", create_and_interrupt, raising=False)
    more = ["--workers", "0", "--executor", "ray://head:10001"]
    more += ["--retrain-epochs", "9", "--tensorboard", "logs"]
    assert eyetune("tune", "--data", "digits", "--name", "t", *more) == INTERRUPTED
    assert shlex.join(["eyetune", "tune", "--resume", "--name", "t", *more]) in eyetune.errors


def test_interrupted_study_without_a_name_is_resumed_by_its_id(
    eyetune: Terminal, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eyetune.tune", create_and_interrupt, raising=False)
    assert eyetune("tune", "--data", "digits") == INTERRUPTED
    assert f"--resume --name {only_study(workspace).id}" in eyetune.errors


def test_interrupted_resumption_names_its_study(
    eyetune: Terminal, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Workspace(workspace).studies.create("first", SETTINGS)
    monkeypatch.setattr("eyetune.tune", interrupt, raising=False)
    assert eyetune("tune", "--resume") == INTERRUPTED
    assert "--resume --name first" in eyetune.errors


@pytest.mark.parametrize("command", ["tune", "deploy"])
def test_nothing_is_promised_before_a_study_is_recorded(
    command: str, eyetune: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"eyetune.{command}", interrupt, raising=False)
    assert eyetune(command, "--data", "digits") == INTERRUPTED
    assert "--resume" not in eyetune.errors


def test_the_command_to_resume_names_the_workspace(
    eyetune: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eyetune.tune", create_and_interrupt, raising=False)
    folder = tmp_path / "my records"
    arguments = ["tune", "--data", "digits", "--name", "s", "--workspace", str(folder)]
    assert eyetune(*arguments) == INTERRUPTED
    command = eyetune.errors.partition("To resume: ")[2].strip()
    monkeypatch.setattr("eyetune.tune", interrupt, raising=False)
    assert eyetune(*shlex.split(command)[1:]) == INTERRUPTED
    assert "--resume --name s" in eyetune.errors


def test_a_study_that_was_asked_to_pause_says_so(
    eyetune: Terminal, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def create_and_pause(*arguments: Any, workspace: Workspace, **others: Any) -> None:
        workspace.studies.create("s", SETTINGS)
        raise KeyboardInterrupt(PAUSED)

    monkeypatch.setattr("eyetune.tune", create_and_pause, raising=False)
    assert eyetune("tune", "--data", "digits", "--name", "s") == INTERRUPTED
    assert eyetune.errors.startswith("Paused at")
    assert "--resume --name s" in eyetune.errors
