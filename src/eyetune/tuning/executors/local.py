"""Processes on this machine, each with a fresh interpreter.

A worker may die or run out of time without harm to the others: pebble starts another in its place.
That is why it is used, and not `concurrent.futures.ProcessPoolExecutor`, which is broken for good
by one dead worker.
"""

from __future__ import annotations

import itertools
import logging
import os
import pickle
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from eyetune.errors import EyetuneError, OutOfTimeError, UsageError, WorkerLostError
from eyetune.tuning.executors.executor import (
    JOBS_PER_PROCESS,
    Result,
    pack,
    resolve_future,
    unpack,
    work,
)
from eyetune.tuning.executors.machine import memory_bytes, usable_cores
from eyetune.tuning.executors.spawning import WorkerContext

if TYPE_CHECKING:
    from pebble import ProcessPool

WATCH_SECONDS = 0.5
BYTES_PER_WORKER = (
    1_500_000_000  # what a training of a small network takes, TensorFlow and its images included
)
MAX_DEFAULT_WORKERS = 8


class LocalExecutor:
    """Worker processes on this machine; a context manager (see `Executor`).

    Args:
        num_workers: How many, at least 1; the cores are shared out among them as threads.
        jobs_per_process: How many jobs a process does before another takes its place.

    Raises:
        UsageError: The number is below 1.

    Example:
        >>> with LocalExecutor(1) as executor:
        ...     executor.submit(divmod, 7, 2).result()
        (3, 1)
    """

    def __init__(self, num_workers: int, *, jobs_per_process: int = JOBS_PER_PROCESS) -> None:
        if num_workers < 1:
            raise UsageError(
                "The number of workers is too small.", expected="1 or more", received=num_workers
            )
        self.num_workers = num_workers
        # Several workers on one core each get more done than one on all of them: small networks
        # have little to share. What cores are left over are worth more as threads than idle.
        self.threads = 0 if num_workers == 1 else max(1, usable_cores() // num_workers)
        self._jobs_per_process = jobs_per_process
        self._notes = TemporaryDirectory(prefix="eyetune-", ignore_cleanup_errors=True)
        self._numbers = itertools.count()
        self._pool = self._new_pool()

    def _new_pool(self) -> ProcessPool:
        from pebble import ProcessPool

        return ProcessPool(
            max_workers=self.num_workers,
            max_tasks=self._jobs_per_process,
            initializer=_begin,
            initargs=(os.getpid(), self._notes.name),
            context=WorkerContext(),
        )

    def submit(
        self,
        function: Callable[..., Result],
        *arguments: Any,
        limit_seconds: float | None = None,
        limit_bytes: int | None = None,
    ) -> Future[Result]:
        """Let a worker process call a function (see `Executor.submit`)."""
        if not self._pool.active:  # pebble gives its pool up when a worker without a job dies
            self._stop()
            self._pool = self._new_pool()
        note = Path(self._notes.name) / str(next(self._numbers))
        job = (pack(function, arguments), limit_bytes, note)
        answer: Future[bytes] = self._pool.schedule(_work, args=job, timeout=limit_seconds)
        future: Future[Result] = Future()
        answer.add_done_callback(
            lambda _: resolve_future(
                future, lambda: cast(Result, _outcome(answer, note, limit_seconds))
            )
        )
        future.add_done_callback(lambda _: answer.cancel() if future.cancelled() else None)
        return future

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()  # what is still running when we leave is not wanted any more
        self._notes.cleanup()

    def _stop(self) -> None:
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()


def _work(job: bytes, limit_bytes: int | None, note: Path) -> bytes:
    return work(job, limit_bytes, partial(_leave, note))


def _leave(note: Path, error: EyetuneError) -> None:
    """Leave word of why this process is about to end, where the coordinator looks for it."""
    draft = note.with_suffix(".draft")
    draft.write_bytes(pickle.dumps(error))
    draft.replace(note)


def _outcome(answer: Future[bytes], note: Path, limit_seconds: float | None) -> Any:
    from pebble import ProcessExpired

    try:
        outcome = answer.result()
    except (ProcessExpired, BrokenProcessPool) as error:
        if note.exists():
            raise cast(EyetuneError, pickle.loads(note.read_bytes())) from None
        raise WorkerLostError(
            "A worker process ended in the middle of a training.",
            received=_how_it_ended(error),
            fix="If the machine ran out of memory: fewer --workers, smaller batches or a smaller network.",
        ) from None
    except FutureTimeoutError:
        raise OutOfTimeError(
            "A training took longer than its time limit.", expected=f"at most {limit_seconds:g} s"
        ) from None
    return unpack(outcome)


def _how_it_ended(error: Exception) -> str:
    code = getattr(error, "exitcode", None)
    if code is None:
        return "its pool of workers broke down"
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def default_workers() -> int:
    """Return how many workers suit this machine or container: one a core, as far as its memory
    goes.

    Example:
        >>> 1 <= default_workers() <= 8
        True
    """
    return max(1, min(usable_cores(), memory_bytes() // BYTES_PER_WORKER, MAX_DEFAULT_WORKERS))


def _begin(coordinator: int, temporary: str) -> None:
    """Prepare a worker process: Ctrl-C is the coordinator's business, and without a coordinator
    there is no work.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tempfile.tempdir = (
        temporary  # what TensorFlow leaves there when a process is killed goes with the executor
    )
    os.dup2(2, 1)  # what a user's function prints is no result of ours
    os.environ.setdefault(
        "TF_CPP_MIN_LOG_LEVEL", "3"
    )  # before TensorFlow loads: several would talk at once
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    threading.Thread(target=_end_with, args=(coordinator,), daemon=True).start()


def _end_with(coordinator: int) -> None:
    while os.getppid() == coordinator:
        time.sleep(WATCH_SECONDS)
    os._exit(1)
