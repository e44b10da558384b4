"""What the tests of faults share: the budget, the seed, the commands and the work undisturbed."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.commands import Command, all_commands, start, workspace_in

BUDGET = os.environ.get("BUDGET", "full")
LIMIT_SECONDS = 300.0  # for what takes a few seconds on an idle machine
# Chosen once, and passed on to the processes among which pytest divides the tests.
SEED = int(os.environ.setdefault("FAULTS_SEED", str(random.randrange(10_000))))

Undisturbed = Callable[[str], Path]


def pytest_report_header() -> str:
    """Print the seed, with which a failure can be repeated."""
    return f"faults: budget {BUDGET}; to repeat: make faults BUDGET={BUDGET} FAULTS_SEED={SEED}"


@pytest.fixture(scope="session", autouse=True)
def hangups_are_heard() -> Iterator[None]:
    """Let commands hear SIGHUP where `nohup` has started the tests, which ignores it."""
    before = signal.getsignal(signal.SIGHUP)
    signal.signal(signal.SIGHUP, lambda *_: None)  # a new program begins with the default
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture(scope="session")
def commands(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Command]:
    """Return the commands by their names."""
    return all_commands(archive, tmp_path_factory.mktemp("spaces"))


def finish(folder: Path, command: Command, **process: Any) -> None:
    """Run a command, or what continues it, to its end, which must be a success."""
    arguments = command.continuation(folder)
    if arguments is None:
        return
    with start(folder, command, arguments, **process) as running:
        output, errors = running.communicate(timeout=LIMIT_SECONDS)
    assert running.returncode == 0, f"{errors}\n{output}"
    assert "Traceback" not in errors, errors


@pytest.fixture(scope="session")
def undisturbed(
    commands: dict[str, Command], tmp_path_factory: pytest.TempPathFactory
) -> Undisturbed:
    """Return a function that runs a command undisturbed, and returns the folder of its work."""
    folders: dict[str, Path] = {}

    def run(name: str) -> Path:
        if name not in folders:
            folder = tmp_path_factory.mktemp(f"undisturbed-{name}")
            if name == "export":
                prepare_export(folder, commands)
            finish(folder, commands[name])
            folders[name] = folder
        return folders[name]

    return run


def prepare_export(folder: Path, commands: dict[str, Command]) -> None:
    """Train the run that `export` needs."""
    finish(folder, commands["train"])
    assert workspace_in(folder).runs.all()[-1].num_epochs_done
