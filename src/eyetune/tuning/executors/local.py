"""Worker processes on this machine, each with a new interpreter.

A worker may die or run out of time without harm to the others: pebble replaces it. A
`concurrent.futures.ProcessPoolExecutor` would be unusable after the death of one worker.
"""

from __future__ import annotations

import io
import itertools
import logging
import os
import pickle
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, final

from eyetune._scratch import scratch_folder
from eyetune.errors import EyetuneError, WorkspaceError
from eyetune.tuning.executors.executor import (
    JOBS_PER_PROCESS,
    Executor,
    Result,
    check_num_workers,
    out_of_time,
    pack,
    resolve_future,
    unpack,
    work,
    worker_lost,
)
from eyetune.tuning.executors.machine import memory_bytes, usable_cores
from eyetune.tuning.executors.spawning import WorkerContext
from eyetune.tuning.executors.worker_output import WorkerOutput

if TYPE_CHECKING:
    from pebble import ProcessPool

SECONDS_BETWEEN_PARENT_CHECKS = 0.5
BYTES_PER_WORKER = 1_500_000_000  # for a small network, with TensorFlow and its images
MAX_DEFAULT_WORKERS = 8


@final
class LocalExecutor(Executor):
    """Worker processes on this machine; a context manager.

    Args:
        num_workers: Number of processes, 1 or more; they share the cores as threads.
        jobs_per_process: Jobs after which a process is replaced.

    Raises:
        UsageError: The number of workers is below 1.

    Example:
        >>> with LocalExecutor(1) as executor:
        ...     executor.submit(divmod, 7, 2).result()
        (3, 1)
    """

    def __init__(self, num_workers: int, *, jobs_per_process: int = JOBS_PER_PROCESS) -> None:
        check_num_workers(num_workers)
        self.num_workers = num_workers
        # Several workers on one core each get more done than one on all of them: small networks
        # gain little from threads. Cores that are left over are worth more as threads than idle.
        self.threads = 0 if num_workers == 1 else max(1, usable_cores() // num_workers)
        self._jobs_per_process = jobs_per_process
        self._job_numbers = itertools.count()
        self._output_path: Path | None = None
        self._workers: _Workers | None = None

    def log_output(self, path: Path) -> None:
        """Write what workers print beyond a limit to a file (see `Executor.log_output`)."""
        self._output_path = path
        if self._workers is not None and self._workers.output is not None:
            self._workers.output.log_path = path

    def submit(
        self,
        function: Callable[..., Result],
        *arguments: Any,
        limit_seconds: float | None = None,
        limit_bytes: int | None = None,
    ) -> Future[Result]:
        """Let a worker process call a function (see `Executor.submit`).

        Raises:
            WorkspaceError: The temporary directory cannot be written.
        """
        if self._workers is not None and not self._workers.pool.active:
            self.close()  # pebble gives its pool up when a worker without a job dies
        if self._workers is None:
            self._workers = self._start()
        workers = self._workers
        if workers.output is not None:
            workers.output.allow_more()
        reason_path = workers.folder / str(next(self._job_numbers))
        job = (pack(function, arguments), limit_bytes, reason_path)
        answer: Future[bytes] = workers.pool.schedule(_work, args=job, timeout=limit_seconds)
        future: Future[Result] = Future()
        outcome = partial(_outcome, answer, reason_path, limit_seconds)
        answer.add_done_callback(lambda _: resolve_future(future, outcome))
        future.add_done_callback(lambda _: answer.cancel() if future.cancelled() else None)
        return future

    def _start(self) -> _Workers:
        from pebble import ProcessPool

        stack = ExitStack()
        try:
            folder = stack.enter_context(scratch_folder())
        except OSError as error:
            raise WorkspaceError(
                "The temporary directory cannot be written.",
                expected="a folder that you can write to, with free space",
                received=error,
                fix="Name another one in the environment variable TMPDIR.",
            ) from None
        output = None
        if os.name == "posix":
            output = WorkerOutput()
            output.log_path = self._output_path
            stack.callback(output.close)
        context = WorkerContext(None if output is None else output.writer)
        pool = ProcessPool(
            max_workers=self.num_workers,
            max_tasks=self._jobs_per_process,
            initializer=_start_worker,
            initargs=(os.getpid(), str(folder)),
            context=context,
        )
        return _Workers(pool, context, folder, output, stack)

    def close(self) -> None:
        """End the workers, the jobs that they are doing and the processes that these started."""
        if self._workers is None:
            return
        workers, self._workers = self._workers, None
        workers.pool.stop()  # type: ignore[no-untyped-call]
        workers.pool.join()
        workers.stack.close()


@dataclass(frozen=True)
class _Workers:
    """The processes of an executor.

    Attributes:
        pool: The processes.
        context: Their context, which holds locks that they need until they have ended.
        folder: Where they leave why they ended, and their temporary files.
        output: What they print; None where they have the output of this process.
        stack: Deletes the folder and closes the output.
    """

    pool: ProcessPool
    context: WorkerContext
    folder: Path
    output: WorkerOutput | None
    stack: ExitStack


def default_workers() -> int:
    """Return how many workers suit this machine or container: one a core, if the memory allows.

    Example:
        >>> 1 <= default_workers() <= 8
        True
    """
    return max(1, min(usable_cores(), memory_bytes() // BYTES_PER_WORKER, MAX_DEFAULT_WORKERS))


def _work(job: bytes, limit_bytes: int | None, reason_path: Path) -> bytes:
    return work(job, limit_bytes, partial(_leave_reason, reason_path))


def _leave_reason(path: Path, error: EyetuneError) -> None:
    """Write why this process is about to end, where the coordinator looks for it."""
    draft = path.with_suffix(".draft")
    draft.write_bytes(pickle.dumps(error))
    draft.replace(path)


def _outcome(answer: Future[bytes], reason_path: Path, limit_seconds: float | None) -> Any:
    from pebble import ProcessExpired

    try:
        outcome = answer.result()
    except (ProcessExpired, BrokenProcessPool) as error:
        if reason_path.exists():
            reason = pickle.loads(reason_path.read_bytes())  # nosec B301  # of our worker
            raise cast(EyetuneError, reason) from None
        raise worker_lost(_how_it_ended(error)) from None
    except FutureTimeoutError:
        raise out_of_time(limit_seconds) from None
    return unpack(outcome)


def _how_it_ended(error: Exception) -> str:
    code = getattr(error, "exitcode", None)
    if code is None:
        return "the pool of workers broke down"
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _start_worker(coordinator_pid: int, temporary_folder: str) -> None:
    """Prepare a worker process: it ignores Ctrl-C, and ends with its coordinator."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "setsid"):
        os.setsid()  # the processes that its jobs start are in a group that ends with it
    else:
        os.dup2(2, 1)  # standard output belongs to results, not to what a user's function prints
    _flush_each_line()
    # What TensorFlow leaves there when a process is killed is deleted with the executor.
    tempfile.tempdir = os.environ["TMPDIR"] = temporary_folder
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is loaded
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    threading.Thread(target=_end_with, args=(coordinator_pid,), daemon=True).start()


def _flush_each_line() -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)


def _end_with(coordinator_pid: int) -> None:
    """End this process, and those that it started, when the coordinator has ended."""
    while os.getppid() == coordinator_pid:
        time.sleep(SECONDS_BETWEEN_PARENT_CHECKS)
    if hasattr(os, "killpg"):
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
