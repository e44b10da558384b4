"""Worker processes that do not run the main module, and the private parts of Python they use."""

from __future__ import annotations

import os
import subprocess
import sys
from multiprocessing import spawn
from multiprocessing.context import SpawnProcess
from pathlib import Path

import pytest

from eyetune.tuning.executors import spawning
from eyetune.tuning.executors.spawning import WorkerContext
from tests.tuning.executors.jobs import acquire_and_release

CHECKED_PYTHONS = {(3, 11), (3, 12), (3, 13)}
SCRIPT = """
import multiprocessing
import os
import sys

sys.path.insert(0, {folder!r})
from spawning import WorkerContext

print("main module", multiprocessing.parent_process() is None)
process = WorkerContext().Process(target=os.getcwd)
process.start()
process.join()
print("exit status", process.exitcode)
"""


def test_spawning_is_checked_with_this_python() -> None:
    """`spawning` replaces a private function: for a new Python, check it and add the version."""
    assert sys.version_info[:2] in CHECKED_PYTHONS
    assert callable(spawn.get_preparation_data)
    assert callable(SpawnProcess._Popen)


def test_preparation_data_names_the_main_module(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from multiprocessing import spawn\n"
        "print(*sorted(spawn.get_preparation_data('a process')))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert set(spawning.MAIN_MODULE) & set(done.stdout.split())


def test_worker_processes_skip_the_main_module(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(folder=str(Path(spawning.__file__).parent)))
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["main module True", "exit status 0"]


def test_locks_last_until_late_workers_have_started() -> None:
    context = WorkerContext()
    lock = context.RLock()
    process = context.Process(target=acquire_and_release, args=(lock,))
    process.start()
    del lock  # as when a pool is closed while a worker starts
    process.join()
    assert process.exitcode == 0


class Unreadable:
    """Raises an error in the process that reads it."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return int, ("no number",)


def test_errors_while_a_worker_starts_are_redirected() -> None:
    reader, writer = os.pipe()
    process = WorkerContext(writer).Process(target=print, args=(Unreadable(),))
    process.start()
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as output:
        assert "no number" in output.read()
    process.join()
    assert process.exitcode == 1


def test_workers_start_in_a_deleted_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deleted = tmp_path / "deleted"
    deleted.mkdir()
    monkeypatch.chdir(deleted)
    deleted.rmdir()
    process = WorkerContext().Process(target=os.getcwd)
    process.start()
    process.join()
    assert process.exitcode == 0


SAFE_SCRIPT = """
import os
import subprocess
import sys

sys.path.insert(0, {folder!r})
from spawning import WorkerContext

os.chdir({theirs!r})
process = WorkerContext().Process(target=print, args=("worker",))
process.start()
process.join()
print("exit status", process.exitcode, "PYTHONSAFEPATH" in os.environ)
"""


def test_workers_import_nothing_from_the_current_folder(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    for name in ("multiprocessing", "pickle", "signal", "threading"):
        (theirs / f"{name}.py").write_text("raise SystemExit(9)")
    script = tmp_path / "script.py"
    folder = str(Path(spawning.__file__).parent)
    script.write_text(SAFE_SCRIPT.format(folder=folder, theirs=str(theirs)))
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["worker", "exit status 0 False"]
