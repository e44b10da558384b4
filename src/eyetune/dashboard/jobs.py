"""Commands that the dashboard has started: they go on when it ends, and print into a file."""

from __future__ import annotations

import secrets
import signal
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eyetune.dashboard.commands import EYETUNE
from eyetune.errors import UsageError
from eyetune.recipe import Recipe
from eyetune.records import Workspace
from eyetune.records.study import StudyRecord
from eyetune.tuning.start_up import recorded_executor

FOLDER = "dashboard"
MAX_JOBS = 4  # at a time: more would only wait for each other
_TAIL_BYTES = 2_000


@dataclass(frozen=True)
class Job:
    """A command in a process of its own.

    Attributes:
        name: Name of the run or study, or the source that is checked.
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
        text = self._tail()
        _, found, error = text.rpartition("error:")
        return (found + error if found else text).strip()

    def stop(self) -> None:
        """End it as Ctrl-C does: whole epochs are kept."""
        self.process.send_signal(signal.SIGINT)

    @property
    def last_line(self) -> str:
        """The last line that it printed."""
        lines = self._tail().strip().splitlines()
        return lines[-1] if lines else ""

    def _tail(self) -> str:
        with self.log_path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _TAIL_BYTES))
            return file.read().decode("utf-8", "replace")


class Jobs:
    """The commands that a dashboard has started in its workspace.

    Args:
        workspace: Where they record.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._lock = threading.Lock()  # pages call these methods from several threads
        self._started: dict[tuple[str, str], Job] = {}  # the last one of each kind and name

    def train(self, recipe: Recipe, name: str, seed: int) -> Job:
        """Start `eyetune train` with a recipe.

        Args:
            recipe: What is trained.
            name: Name of the run; "": one is made.
            seed: Random seed.

        Raises:
            UsageError: Several commands are running, or one of this name.
            WorkspaceError: The workspace cannot be written.
        """
        name = name or f"workbench-{secrets.token_hex(3)}"
        path = self._path(".toml")
        path.write_text(recipe.to_toml(comments=True), encoding="utf-8")
        return self._start("train", name, "train", str(path), f"--name={name}", f"--seed={seed}")

    def running_training(self) -> Job | None:
        """Return the training that was started last, of those that have not ended."""
        with self._lock:
            started = list(self._started.items())
        trainings = (job for (kind, _), job in reversed(started) if kind == "train")
        return next((job for job in trainings if job.is_running), None)

    def export(self, run_id: str, board: str) -> Job:
        """Start `eyetune export` of a run, in place of an earlier export of it.

        Args:
            run_id: Id of a complete run.
            board: Name of a board.

        Raises:
            UsageError: Several commands are running, or an export of this run.
            WorkspaceError: The workspace cannot be written.
        """
        folder = self._workspace.path("exports", run_id)
        arguments = (run_id, "--board", board, "--output", str(folder), "--overwrite")
        return self._start("export", run_id, "export", *arguments)

    def find_export(self, run_id: str) -> Job | None:
        """Return the last export of a run that was started here; None if there is none."""
        return self._started.get(("export", run_id))

    def resume_study(self, study: StudyRecord) -> Job:
        """Start `eyetune tune --resume` for a study.

        Raises:
            UsageError: Several commands are running, or the study needs an address that only the
                command line takes.
            WorkspaceError: The workspace cannot be written.
        """
        recorded_executor(study)
        name, workers = study.name, study.settings.workers
        return self._start(
            "study", name, "tune", "--resume", f"--name={name}", f"--workers={workers}"
        )

    def check_data(self, source: str) -> Job:
        """Start `eyetune data check` for a source.

        Raises:
            UsageError: Several commands are running.
            WorkspaceError: The workspace cannot be written.
        """
        return self._start("check", source, "data", "check", as_argument(source))

    def find_check(self, source: str) -> Job | None:
        """Return the last check of a source that was started here; None if there is none."""
        return self._started.get(("check", source))

    def _start(self, kind: str, name: str, *arguments: str) -> Job:
        with self._lock:
            last = self._started.get((kind, name))
            if last is not None and last.is_running:
                raise UsageError(
                    f"The dashboard has started this already: {name}.",
                    fix="Wait for it to end, or choose another name.",
                )
            num_running = sum(job.is_running for job in self._started.values())
            if num_running >= MAX_JOBS:
                raise UsageError(
                    f"{num_running} commands that the dashboard has started are running.",
                    fix="Wait for one of them to end, or start this one in a terminal.",
                )
            job = _start(self._workspace, name, arguments, self._path(".log"))
            self._started.pop((kind, name), None)
            self._started[kind, name] = job
            return job

    def _path(self, suffix: str) -> Path:
        folder = self._workspace.path(FOLDER)
        folder.mkdir(exist_ok=True)
        return folder / f"{secrets.token_hex(4)}{suffix}"


def as_argument(source: str) -> str:
    """Return a source as an argument of a command that is never taken for an option.

    Example:
        >>> as_argument("digits"), as_argument("--fix")
        ('digits', './--fix')
    """
    return f"./{source}" if source.startswith("-") else source


def _start(workspace: Workspace, name: str, arguments: Sequence[str], log_path: Path) -> Job:
    command = [*EYETUNE, *arguments, "--workspace", str(workspace.folder)]
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Job(name, process, log_path)
