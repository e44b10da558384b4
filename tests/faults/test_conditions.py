"""Commands beside other processes, and with odd clocks, disks, paths and environments."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from eyetune.records import RunState
from tests.faults.commands import Command, runs_outline, start, workspace_in
from tests.faults.conftest import BUDGET, LIMIT_SECONDS, Undisturbed, finish
from tests.faults.plan import CHECKPOINT, WAIT
from tests.faults.shim import build_shim
from tests.faults.test_kills import group, wait_for_end_of_workers

ONE_DAY_BACK = "-86400"
LONG_NAME = "a workspace with spaces, ünïcödé 测试, 100% and ?questions=1#here "

only_full = pytest.mark.skipif(BUDGET != "full", reason="only with the full budget")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_shim(tmp_path_factory.mktemp("shim"))


def fault(work: Path, number: int, at: str) -> dict[str, Any]:
    """Return a signal to the coordinating process once an epoch has been recorded."""
    marker = str(work.parent / f"marker-{number}")
    return {
        "at": at,
        "when": "before",
        "nth": 1,
        "min_epochs": 1,
        "signal": int(number),
        "marker": marker,
    }


def wait_until_stopped(process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while psutil.Process(process.pid).status() != psutil.STATUS_STOPPED:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


@group("tune")
def test_a_second_coordinator_is_refused_while_the_first_is_stopped(
    commands: dict[str, Command], undisturbed: Undisturbed, work: Path
) -> None:
    check_stop("tune", WAIT, commands, undisturbed, work)


@only_full
@group("train")
def test_a_stopped_training_continues(
    commands: dict[str, Command], undisturbed: Undisturbed, work: Path
) -> None:
    check_stop("train", CHECKPOINT, commands, undisturbed, work)


def check_stop(
    name: str, place: str, commands: dict[str, Command], undisturbed: Undisturbed, work: Path
) -> None:
    """Stop a command at a place, check that a second one is refused, and let the first continue."""
    command = commands[name]
    stop = fault(work, signal.SIGSTOP, place)
    with start(work, command, command.arguments, [stop]) as first:
        wait_until_stopped(first)
        resume = command.continuation(work)
        assert resume is not None
        with start(work, command, resume) as second:
            _, errors = second.communicate(timeout=LIMIT_SECONDS)
        assert second.returncode == 1, errors
        assert "Traceback" not in errors
        first.send_signal(signal.SIGCONT)
        _, errors = first.communicate(timeout=LIMIT_SECONDS)
    assert first.returncode == 0, errors
    assert command.outline(work) == command.outline(undisturbed(name))


@only_full
@group("tune")
def test_a_clock_that_is_set_back_changes_no_result(
    commands: dict[str, Command], undisturbed: Undisturbed, work: Path, shim: Path
) -> None:
    command = commands["tune"]
    kill = fault(work, signal.SIGKILL, WAIT)
    with start(work, command, command.arguments, [kill]) as process:
        process.communicate(timeout=LIMIT_SECONDS)
    wait_for_end_of_workers(work)
    finish(work, command, variables={"LD_PRELOAD": str(shim), "EYETUNE_SHIM_CLOCK": ONE_DAY_BACK})
    assert command.outline(work) == command.outline(undisturbed("tune"))
    (study,) = workspace_in(work).studies.all()
    assert study.seconds > 0
    runs = workspace_in(work).runs
    assert all(run.duration_seconds >= 0 for run in runs.all())
    assert min(run.created_at for run in runs.all()) < study.created_at


def deleted_folder() -> None:
    folder = Path("deleted")
    folder.mkdir()
    os.chdir(folder)
    Path("../deleted").rmdir()


CONDITIONS: dict[str, tuple[Callable[[], None] | None, dict[str, str | None]]] = {
    "no home": (None, {"HOME": None, "XDG_CACHE_HOME": None}),
    "language C": (None, {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": None}),
    "closed standard input": (lambda: os.close(0), {}),
    "deleted working directory": (deleted_folder, {}),
}


@pytest.mark.parametrize(
    "condition",
    [
        pytest.param(name, marks=[] if name == "closed standard input" else only_full)
        for name in CONDITIONS
    ],
)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=group(name)) for name in ("train", "tune")]
)
def test_command_works_in_odd_conditions(
    condition: str,
    name: str,
    commands: dict[str, Command],
    undisturbed: Undisturbed,
    work: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prepare, variables = CONDITIONS[condition]
    for variable, value in variables.items():
        if value is None:
            monkeypatch.delenv(variable, raising=False)
        else:
            monkeypatch.setenv(variable, value)
    finish(work, commands[name], preexec_fn=prepare)
    assert commands[name].outline(work) == commands[name].outline(undisturbed(name))


@group("train")
def test_commands_work_in_a_workspace_with_a_long_odd_name(
    commands: dict[str, Command], undisturbed: Undisturbed, tmp_path: Path
) -> None:
    work = tmp_path / LONG_NAME.ljust(200, "x")
    work.mkdir()
    names = ["train", "export"] if BUDGET == "small" else ["train", "export", "lab"]
    for name in names:
        finish(work, commands[name])
    outline = commands["train"].outline(undisturbed("train"))
    assert [row for row in runs_outline(work) if row in outline] == outline


@group("train")
def test_a_read_only_workspace_is_an_error_and_can_be_read(
    commands: dict[str, Command], undisturbed: Undisturbed, shim: Path
) -> None:
    work = undisturbed("train")
    before = runs_outline(work)
    variables = {
        "LD_PRELOAD": str(shim),
        "EYETUNE_SHIM_FOLDER": str(work / "workspace"),
        "EYETUNE_SHIM_READ_ONLY": "1",
    }
    readable = [("runs",), ("show",), ("studies",)]
    refused = [commands["train"].arguments, commands["tune"].arguments]
    for arguments in [*readable, *refused]:
        with start(work, commands["train"], arguments, variables=variables) as process:
            _, errors = process.communicate(timeout=LIMIT_SECONDS)
        assert (process.returncode == 0) == (arguments in readable), errors
        assert "Traceback" not in errors
        assert "nternal error" not in errors
    assert runs_outline(work) == before


@only_full
@group("tune")
def test_a_full_temporary_directory_is_an_error_or_another_one_is_used(
    commands: dict[str, Command], work: Path, shim: Path
) -> None:
    """Python looks for another temporary directory, where the machine has one."""
    variables = {
        "LD_PRELOAD": str(shim),
        "EYETUNE_SHIM_FOLDER": str(work / "temporary"),
        "EYETUNE_SHIM_READ_ONLY": "1",
    }
    command = commands["tune"]
    with start(work, command, command.arguments, variables=variables) as process:
        _, errors = process.communicate(timeout=LIMIT_SECONDS)
    assert "nternal error" not in errors
    states = [str(study.state) for study in workspace_in(work).studies.all()]
    assert (process.returncode, states) in ((0, ["COMPLETE"]), (1, [])), errors


def test_states_after_a_kill_are_as_listed(commands: dict[str, Command], work: Path) -> None:
    command = commands["train"]
    kill = fault(work, signal.SIGKILL, CHECKPOINT)
    with start(work, command, command.arguments, [kill]) as process:
        process.communicate(timeout=LIMIT_SECONDS)
    (run,) = workspace_in(work).runs.all()
    assert (run.state, run.num_epochs_done) == (RunState.PAUSED, 1)
