"""Starting worker processes that know nothing of the script that started them.

`multiprocessing` runs the main module of a program in every process that it starts, so a script
needs `if __name__ == "__main__":` around what it does. Jobs need nothing of that module: a worker
that does not run it lets a plain script start workers.
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
    """Leave the main module out of what a process is told that this thread starts."""
    thread = threading.get_ident()
    with _starting:
        complete = spawn.get_preparation_data

        def less(name: str) -> dict[str, Any]:
            told = complete(name)
            ours = threading.get_ident() == thread
            return {key: value for key, value in told.items() if not (ours and key in MAIN_MODULE)}

        # No argument or attribute says it; joblib's loky writes a launcher of its own for this.
        spawn.get_preparation_data = less
        try:
            yield
        finally:
            spawn.get_preparation_data = complete


@contextmanager
def _without_ctrl_c() -> Iterator[None]:
    """Start processes that are deaf to Ctrl-C from their first moment; they ignore it once they
    can.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
