"""Who does the jobs: processes on this machine, each with a fresh interpreter.

A worker may die or run out of time without harm to the others: pebble starts another in its place. That is why it is
used, and not `concurrent.futures.ProcessPoolExecutor`, which is broken for good by one dead worker.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from eyetune.errors import OutOfTimeError, UsageError, WorkerLostError

if TYPE_CHECKING:
    from pebble import ProcessPool

Result = TypeVar("Result")

JOBS_PER_PROCESS = 25  # TensorFlow keeps a little of each training: a process that has done so many ends
WATCH_SECONDS = 0.5
BYTES_PER_WORKER = 1_500_000_000  # what a training of a small network takes, TensorFlow and its images included
MOST_WORKERS_UNASKED = 8


class LocalExecutor:
    """Worker processes on this machine; a context manager.

    Args:
        num_workers: How many, at least 1.

    Raises:
        UsageError: The number is below 1.
    """

    def __init__(self, num_workers: int) -> None:
        if num_workers < 1:
            raise UsageError("The number of workers is too small.", expected="1 or more", received=num_workers)
        self.num_workers = num_workers
        # Several workers on one core each get more done than one on all of them: small networks have little to share.
        self.threads = 0 if num_workers == 1 else 1
        self._pool = self._new_pool()

    def _new_pool(self) -> ProcessPool:
        from pebble import ProcessPool

        return ProcessPool(
            max_workers=self.num_workers,
            max_tasks=JOBS_PER_PROCESS,
            initializer=_begin,
            initargs=(os.getpid(),),
            context=multiprocessing.get_context("spawn"),
        )

    def submit(
        self, function: Callable[..., Result], *arguments: Any, limit_seconds: float | None = None
    ) -> Future[Result]:
        """Let a worker call a function of a module with arguments that can be pickled.

        Args:
            function: What to call.
            arguments: What to call it with.
            limit_seconds: The worker is killed when the call takes longer.
        """
        if not self._pool.active:  # pebble gives its pool up when a worker without a job dies
            self._stop()
            self._pool = self._new_pool()
        future: Future[Result] = self._pool.schedule(function, args=arguments, timeout=limit_seconds)
        return future

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()  # what is still running when we leave is not wanted any more

    def _stop(self) -> None:
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()


def result_of(future: Future[Result]) -> Result:
    """Return what a finished job returned.

    Raises:
        WorkerLostError: Its process ended before it was done.
        OutOfTimeError: It took too long.
        Exception: What the job itself raised.
    """
    from pebble import ProcessExpired

    try:
        return future.result()
    except (ProcessExpired, BrokenProcessPool) as error:
        raise WorkerLostError(
            "A worker process ended in the middle of a training.",
            received=_how_it_ended(error),
            fix="If the machine ran out of memory: fewer --workers, smaller batches or a smaller network.",
        ) from None
    except FutureTimeoutError:
        raise OutOfTimeError("A training took longer than its time limit.") from None


def _how_it_ended(error: Exception) -> str:
    code = getattr(error, "exitcode", None)
    if code is None:
        return "its pool of workers broke down"
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def default_workers() -> int:
    """Return how many workers suit this machine: one a core, as far as its memory goes."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, _memory_bytes() // BYTES_PER_WORKER, MOST_WORKERS_UNASKED))


def _memory_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # not on Windows
        return 8 * BYTES_PER_WORKER


def _begin(coordinator: int) -> None:
    """Prepare a worker process: Ctrl-C is the coordinator's business, and without a coordinator there is no work."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow loads: several would talk at once
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    threading.Thread(target=_end_with, args=(coordinator,), daemon=True).start()


def _end_with(coordinator: int) -> None:
    while os.getppid() == coordinator:
        time.sleep(WATCH_SECONDS)
    os._exit(1)
