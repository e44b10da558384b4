"""Worker processes that do not run the main module, and the private parts of Python they use."""

from __future__ import annotations

import subprocess
import sys
from multiprocessing import spawn
from multiprocessing.context import SpawnProcess
from pathlib import Path

from eyetune.tuning.executors import spawning

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
