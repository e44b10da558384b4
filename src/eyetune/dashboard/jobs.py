"""Commands that the dashboard has started: they go on when it ends, and print into a file."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eyetune.recipe import Recipe
from eyetune.records import Workspace

FOLDER = "dashboard"
MAX_JOBS = 4  # at a time: more would only wait for each other
_TAIL_BYTES = 2_000


@dataclass(frozen=True)
class Job:
    """A command in a process of its own.

    Attributes:
        name: A name for it, unique in the workspace.
        process: The process.
        log_path: The file into which it prints.
    """

    name: str
    process: subprocess.Popen[bytes]
    log_path: Path

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    @property
    def error(self) -> str:
        """The last lines that it printed, if it failed; "" otherwise."""
        if self.is_running or self.process.returncode == 0:
            return ""
        with self.log_path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
        _, found, error = text.rpartition("error:")
        return (found + error if found else text).strip()


def start_training(workspace: Workspace, recipe: Recipe, name: str, seed: int) -> Job:
    """Start `eyetune train` with a recipe, in a session of its own.

    Args:
        workspace: Where it is recorded.
        recipe: What is trained.
        name: Name of the run; "": one is made.
        seed: Random seed.

    Raises:
        WorkspaceError: The workspace cannot be written.
    """
    name = name or f"workbench-{secrets.token_hex(3)}"
    folder = workspace.path(FOLDER)
    folder.mkdir(exist_ok=True)
    key = secrets.token_hex(4)
    path = folder / f"{key}.toml"
    path.write_text(recipe.to_toml(comments=True), encoding="utf-8")
    arguments = ["train", str(path), "--name", name, "--seed", str(seed)]
    return _start(workspace, name, arguments, folder / f"{key}.log")


def _start(workspace: Workspace, name: str, arguments: Sequence[str], log_path: Path) -> Job:
    command = [sys.executable, "-m", "eyetune", *arguments, "--workspace", str(workspace.folder)]
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Job(name, process, log_path)
