"""Commands that are killed again and again, in every phase, end as if they had not been."""

from __future__ import annotations

import os
import time
from pathlib import Path

import psutil
import pytest

from tests.faults.commands import Command, start
from tests.faults.conftest import (
    BUDGET,
    LIMIT_SECONDS,
    SEED,
    Undisturbed,
    finish,
    prepare_export,
)
from tests.faults.plan import KILLS, Kill, as_faults, chosen_kills

group = pytest.mark.xdist_group  # tests that share work stay in one process
SECONDS_TO_END = 5.0  # of the workers of a killed process
MIN_ROUNDS, MIN_AFTER_EPOCH, MIN_PER_COMMAND = 50, 30, 5


def test_there_are_enough_kills() -> None:
    kills = [kill for of_command in KILLS.values() for kill in of_command]
    assert len(kills) >= MIN_ROUNDS
    assert sum(not kill.is_early for kill in kills) >= MIN_AFTER_EPOCH
    assert min(map(len, KILLS.values())) >= MIN_PER_COMMAND
    assert sum(len(chosen_kills(command, "small", SEED)) for command in KILLS) == 10


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", [pytest.param(name, marks=group(name)) for name in KILLS])
def test_killed_command_ends_as_if_undisturbed(
    name: str, commands: dict[str, Command], undisturbed: Undisturbed, tmp_path: Path
) -> None:
    command = commands[name]
    folder, markers = tmp_path / "work", tmp_path / "markers"
    folder.mkdir()
    markers.mkdir()
    if name == "export":
        prepare_export(folder, commands)
    kills = chosen_kills(name, BUDGET, SEED)
    faults = as_faults(kills, str(markers), SEED)
    waiting = list(range(len(kills)))
    while waiting:
        # A worker is killed on the way to the next kill of the process itself.
        last = next((index for index in waiting if not kills[index].in_worker), waiting[-1])
        chosen = [faults[index] for index in waiting if index <= last]
        status, errors = killed(folder, command, chosen)
        happened = [index for index in waiting if (markers / str(index)).exists()]
        assert happened, f"none of {[kills[index] for index in waiting]} happened: {errors}"
        for index in happened:
            check(kills[index], (markers / str(index)).read_text())
        waiting = [index for index in waiting if index not in happened]
        assert status == 0 or -status in {kills[index].number for index in happened}, errors
        assert "Traceback" not in errors, errors
    finish(folder, command)
    assert command.outline(folder) == command.outline(undisturbed(name))
    assert left_behind(folder) == []
    print(f"{name}: {len(kills)} kills, seed {SEED}")


def killed(folder: Path, command: Command, faults: list[dict[str, object]]) -> tuple[int, str]:
    """Run a command with faults; return its status and errors once all its processes ended."""
    arguments = command.continuation(folder)
    assert arguments is not None, f"complete before {faults} happened"
    with start(folder, command, arguments, faults) as process:
        _, errors = process.communicate(timeout=LIMIT_SECONDS)
    wait_for_end_of_workers(folder)
    return process.returncode, errors


def wait_for_end_of_workers(folder: Path) -> None:
    """Return when no process works in a folder any more."""
    deadline = time.monotonic() + SECONDS_TO_END
    while found := processes_of(folder):
        assert time.monotonic() < deadline, f"{found} did not end"
        time.sleep(0.1)


def processes_of(folder: Path) -> list[psutil.Process]:
    """Return the processes with the environment of a command that works in a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            variables, command = process.environ(), process.cmdline()
        except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
        is_tracker = "resource_tracker" in " ".join(command)  # it ends a little later
        if variables.get("EYETUNE_WORKSPACE") == str(folder / "workspace") and not is_tracker:
            found.append(process)
    return found


def check(kill: Kill, num_epochs: str) -> None:
    """Check that a kill happened after the first recorded epoch, where it is to."""
    assert kill.is_early or int(num_epochs) > 0, kill


def left_behind(folder: Path) -> list[str]:
    """Return what is left in the temporary directory after a command has ended undisturbed."""
    root = folder / "temporary" / f"eyetune-{os.getuid()}"
    others = [path.name for path in (folder / "temporary").iterdir() if path != root]
    return others + [path.name for path in root.glob("*") if path.name != "lock"]
