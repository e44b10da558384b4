"""Starts worker processes that do not run the main module of the program.

`multiprocessing` runs the main module in every process that it starts, so a script usually needs
`if __name__ == "__main__":`. Jobs do not use that module: functions that it defines are sent by
value. So workers skip it, and a plain script can start them.

`multiprocessing` has no argument for this. This module alone replaces a private function of it;
tests/tuning/executors/test_spawning.py names the Python versions that it was checked with.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import spawn
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any

MAIN_MODULE = ("init_main_from_name", "init_main_from_path")

_starting = threading.Lock()


class WorkerProcess(SpawnProcess):
    """A process with a fresh interpreter that does not run the main module."""

    @staticmethod
    def _Popen(process_obj: Any) -> Any:  # noqa: N802
        with _without_main_module(), _without_ctrl_c():
            return SpawnProcess._Popen(process_obj)


class WorkerContext(SpawnContext):
    """The `multiprocessing` context of such processes."""

    Process = WorkerProcess


@contextmanager
def _without_main_module() -> Iterator[None]:
    """Hide the main module from the processes that this thread starts."""
    thread = threading.get_ident()
    with _starting:
        complete = spawn.get_preparation_data

        def without_main_module(name: str) -> dict[str, Any]:
            data = complete(name)
            is_ours = threading.get_ident() == thread
            return {
                key: value for key, value in data.items() if not (is_ours and key in MAIN_MODULE)
            }

        # loky, joblib's executor, has a launcher of its own for the same purpose.
        spawn.get_preparation_data = without_main_module
        try:
            yield
        finally:
            spawn.get_preparation_data = complete


@contextmanager
def _without_ctrl_c() -> Iterator[None]:
    """Block Ctrl-C in the processes that are started, until they ignore it themselves."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
