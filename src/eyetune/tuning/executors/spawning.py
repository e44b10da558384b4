"""Starts worker processes that do not run the main module of the program, and ends them whole.

`multiprocessing` runs the main module in every process that it starts, so a script usually needs
`if __name__ == "__main__":`. Jobs do not use that module: functions that it defines are sent by
value. So workers skip it, and a plain script can start them.

A worker may start other processes, and it may end at any time. It leads a session of its own, so
that whatever is left of its process group can be ended after it.

While it starts, it imports no modules of the current folder, which may be that of someone else and
hold a file with the name of a module.

`multiprocessing` has no argument for the first of these. This module alone replaces a private
function of it; tests/tuning/executors/test_spawning.py names the Python versions that it was
checked with.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import context, spawn
from multiprocessing.context import SpawnContext, SpawnProcess
from pathlib import Path
from typing import Any

SAFE_PATH = "PYTHONSAFEPATH"  # https://docs.python.org/3/using/cmdline.html#envvar-PYTHONSAFEPATH
MAIN_MODULE = ("init_main_from_name", "init_main_from_path")
OUTPUT = "eyetune_output"

_starting = threading.Lock()


class WorkerProcess(SpawnProcess):
    """A process with a fresh interpreter that does not run the main module.

    Attributes:
        output: File descriptor that becomes its standard output and standard error before anything
            else happens in it; None: it has those of this process.
        is_path_safe_anyway: Whether the user has set PYTHONSAFEPATH, which it has while it starts.
    """

    output: int | None = None
    is_path_safe_anyway = False
    _group_has_ended = False

    @staticmethod
    def _Popen(process_obj: Any) -> Any:  # noqa: N802
        process_obj.is_path_safe_anyway = SAFE_PATH in os.environ
        with _prepared(process_obj.output), _without_ctrl_c(), _without_current_folder():
            return SpawnProcess._Popen(process_obj)

    def is_alive(self) -> bool:
        """Return whether it runs; when it does not, the processes that it started are ended."""
        is_alive = super().is_alive()
        if not is_alive:
            self._end_group()
        return is_alive

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end, which is also that of the processes that it started."""
        super().join(timeout)
        if self.exitcode is not None:
            self._end_group()

    def _end_group(self) -> None:
        if self._group_has_ended or self.pid is None or not hasattr(os, "killpg"):
            return
        self._group_has_ended = True
        with suppress(ProcessLookupError, PermissionError):  # there are none
            os.killpg(self.pid, signal.SIGKILL)

    def run(self) -> None:
        """Do the work of the process; what it starts itself has the usual path."""
        if not self.is_path_safe_anyway:
            os.environ.pop(SAFE_PATH, None)
        super().run()


class WorkerContext(SpawnContext):
    """The `multiprocessing` context of such processes.

    The locks that it makes last as long as it does: a worker that is still starting when its pool
    has been closed then finds them, and ends in silence.

    Args:
        output: File descriptor that becomes standard output and standard error of its processes.
            Default: those of this process.
    """

    def __init__(self, output: int | None = None) -> None:
        self._output = output
        self._locks: list[Any] = []

    def Process(self, *arguments: Any, **named: Any) -> WorkerProcess:  # type: ignore[override] # noqa: N802
        """Return a worker process that has not started."""
        process = WorkerProcess(*arguments, **named)
        process.output = self._output
        return process

    def RLock(self) -> Any:  # noqa: N802
        """Return a lock between processes."""
        lock = super().RLock()
        self._locks.append(lock)
        return lock


class _OutputRedirection:
    """Makes a file descriptor the standard output of a process that starts.

    It is sent with what a worker reads first. Reading it calls `os.dup2` there: errors while the
    rest is read, such as that the coordinating process has ended, are then written to it too.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __reduce__(self) -> tuple[Any, tuple[int, int]]:
        # Only the process that is being started has the descriptor, under a number of its own.
        popen: Any = context.get_spawning_popen()
        return os.dup2, (popen.duplicate_for_child(self._descriptor), 1)


class _ErrorRedirection:
    """Makes its standard output the standard error of a process that starts."""

    def __reduce__(self) -> tuple[Any, tuple[int, int]]:
        return os.dup2, (1, 2)


@contextmanager
def _prepared(output: int | None) -> Iterator[None]:
    """Hide the main module from the processes that this thread starts, and redirect their output.

    Args:
        output: File descriptor of their standard output and standard error; None: those of this
            process.
    """
    thread = threading.get_ident()
    with _starting:
        _leave_deleted_folder()  # processes that start begin in the folder of this one
        complete = spawn.get_preparation_data

        def prepared(name: str) -> dict[str, Any]:
            data = complete(name)
            if threading.get_ident() != thread:
                return data
            data = {key: value for key, value in data.items() if key not in MAIN_MODULE}
            if output is not None:
                data[OUTPUT] = [_OutputRedirection(output), _ErrorRedirection()]
            return data

        # loky, joblib's executor, has a launcher of its own for the same purpose.
        spawn.get_preparation_data = prepared
        try:
            yield
        finally:
            spawn.get_preparation_data = complete


def _leave_deleted_folder() -> None:
    try:
        Path.cwd()
    except FileNotFoundError:
        os.chdir(Path(sys.executable).anchor)


@contextmanager
def _without_current_folder() -> Iterator[None]:
    """Let the processes that are started look for modules elsewhere only."""
    before = os.environ.get(SAFE_PATH)
    os.environ[SAFE_PATH] = "1"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(SAFE_PATH, None)
        else:
            os.environ[SAFE_PATH] = before


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
