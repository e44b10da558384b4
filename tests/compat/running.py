"""Runs scripts in forks of a process that has loaded Keras, and reads what they report.

A script then starts in milliseconds instead of seconds. It has its own process, folder and process
group; nothing has been computed with TensorFlow before. The workers of a search are processes with
new interpreters, as usual.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import signal
import sys
import time
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from tests.compat.cases import DROP_IN, SCRIPTS, Ended, Raised, first_search, for_eyetune

KERAS_TUNER = "keras_tuner"
EYETUNE = "eyetune"
LIMIT_SECONDS = 300
PRELOADED = ("tensorflow", "keras", "keras_tuner", "optuna", "sqlalchemy", f"{DROP_IN}.tuners")
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
}


@dataclass(frozen=True)
class Running:
    """A script that is running.

    Attributes:
        pid: Its process, which leads a process group.
        folder: Its folder.
        started: When it started, by `time.monotonic`.
    """

    pid: int
    folder: Path
    started: float


def preload() -> None:
    """Load what the scripts import, for all forks of this process."""
    os.environ.update(ENVIRONMENT)
    for name in PRELOADED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()


def start(script: Path, library: str, folder: Path, core: int) -> Running:
    """Start a script in a fork of this process.

    Args:
        script: The script.
        library: KERAS_TUNER or EYETUNE.
        folder: A new folder, in which it runs.
        core: The processor core that it may use.
    """
    folder.mkdir(parents=True)
    text = script.read_text(encoding="utf-8")
    (folder / script.name).write_text(for_eyetune(text) if library == EYETUNE else text)
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        _run(folder / script.name, folder, core)
    return Running(pid, folder, time.monotonic())


def poll(running: Running) -> Ended | None:
    """Return how a script ended; None while it runs."""
    seconds = time.monotonic() - running.started
    pid, _ = os.waitpid(running.pid, os.WNOHANG)
    if pid == 0 and seconds < LIMIT_SECONDS:
        return None
    _end_group(running.pid)
    if pid == 0:
        os.waitpid(running.pid, 0)
        return Ended({}, Raised(f"took longer than {LIMIT_SECONDS} seconds", False), False, seconds)
    return _ended(running.folder, seconds)


def stop(running: Running) -> None:
    """End a script and its workers."""
    _end_group(running.pid)
    os.waitpid(running.pid, 0)


def _end_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # every process of the group has ended
        os.killpg(pid, signal.SIGKILL)


def _ended(folder: Path, seconds: float) -> Ended:
    path = folder / "ended.json"
    if not path.exists():
        return Ended({}, Raised("the process ended early; see output.txt", False), False, seconds)
    ended = json.loads(path.read_text())
    raised = Raised(**ended["raised"]) if ended["raised"] else None
    facts_path = folder / "facts.jsonl"
    lines = facts_path.read_text().splitlines() if facts_path.exists() else []
    return Ended(dict(map(json.loads, lines)), raised, ended["has_warned"], seconds)


def _run(script: Path, folder: Path, core: int) -> NoReturn:
    """Run a script in this process, a fork, as its main module."""
    os.setsid()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
    output = os.open(folder / "output.txt", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.chdir(folder)
    os.environ["COMPAT_FOLDER"] = str(folder)
    os.environ["EYETUNE_CACHE"] = str(folder / "cache")
    os.environ["EYETUNE_TRUSTED_FUNCTIONS"] = str(folder / "trusted.txt")
    sys.path[0] = str(folder)
    sys.path.append(str(SCRIPTS))
    sys.argv = [str(script)]
    warned: list[str] = []
    _record_warnings(warned)
    raised = None
    try:
        runpy.run_path(str(script), run_name="__main__")
    except BaseException as error:
        traceback.print_exc()
        raised = _raised(error, script)
    ended = {"raised": raised, "has_warned": bool(warned)}
    (folder / "ended.json").write_text(json.dumps(ended))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _record_warnings(warned: list[str]) -> None:
    show = warnings.showwarning

    def show_and_record(message: Any, category: type[Warning], *others: Any, **named: Any) -> None:
        if category.__module__.partition(".")[0] == EYETUNE:
            warned.append(str(message))
        show(message, category, *others, **named)

    warnings.showwarning = show_and_record


def _raised(error: BaseException, script: Path) -> dict[str, Any]:
    from eyetune.errors import DataError, UsageError

    summary = " | ".join(str(error).split("\n"))
    message = f"{type(error).__name__}: {summary}"[:600]
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(script)]
    at_search = any(frame.name == "search" for frame in frames)
    before_search = bool(lines) and (lines[0] or 0) < first_search(script.read_text())
    is_usage_error = isinstance(error, UsageError | DataError) and bool(error.fix)
    return {"message": message, "is_refusal": is_usage_error and (at_search or before_search)}
