"""What all executors share: their interface, and how jobs and results travel between processes.

A job and its result travel as bytes that are read inside a `try` at both ends: a function, a value
or an error that cannot be read is then the failure of its job. Read by the code between processes,
it would break the connection to the worker.
"""

from __future__ import annotations

import os
import pickle
import sys
import threading
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from eyetune.errors import (
    EyetuneError,
    OutOfMemoryError,
    OutOfTimeError,
    TrainingError,
    UsageError,
    WorkerLostError,
)
from eyetune.models.trusted import grant, granted

Result = TypeVar("Result")

JOBS_PER_PROCESS = 50  # TensorFlow keeps a little memory of each training
SECONDS_BETWEEN_MEMORY_CHECKS = 0.1
OUT_OF_MEMORY_EXIT = 86  # exit status of a worker, for logs
MAX_MESSAGE_CHARACTERS = 300  # TensorFlow's errors can fill pages
LESS_MEMORY = "Use smaller batches, a smaller network, or a higher limit."


class Executor(ABC):
    """Runs jobs, usually in worker processes; a context manager that ends unfinished jobs.

    Attributes:
        num_workers: Number of jobs that run in parallel.
        threads: Threads of each job; 0 for one for each core.
        is_in_process: Whether jobs run in this process, so that `submit` returns when they are
            done.
    """

    num_workers: int
    threads: int
    is_in_process: bool = False

    @property
    def recorded_workers(self) -> int:
        """The number of workers as a study records it: 0 where jobs run in this process."""
        return 0 if self.is_in_process else self.num_workers

    @abstractmethod
    def submit(
        self,
        function: Callable[..., Result],
        *arguments: Any,
        limit_seconds: float | None = None,
        limit_bytes: int | None = None,
    ) -> Future[Result]:
        """Let a worker call a function.

        Args:
            function: What to call. A function of a module that workers can import is sent by its
                name, one of a script or a notebook by its code.
            arguments: Its arguments; anything that can be pickled.
            limit_seconds: The worker is ended when the call takes longer; None for no limit.
            limit_bytes: The worker is ended when its resident memory grows beyond this during the
                call; None for no limit.

        Returns:
            A future; cancelling it ends the call. It raises what the function raised, with the
            worker's traceback as the cause (a TrainingError in place of an error whose module this
            process has not imported), WorkerLostError where the worker ended before it was done,
            OutOfTimeError, or OutOfMemoryError.
        """

    def log_output(self, path: Path) -> None:  # noqa: B027 (most executors need not do anything)
        """Write what jobs print beyond a limit to a file of a few megabytes.

        Executors that do not show what jobs print, or do not limit it, ignore this.

        Args:
            path: The file; its folder must exist.
        """

    @abstractmethod
    def close(self) -> None:
        """End the workers and the jobs that they are doing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class WorkerTracebackError(Exception):
    """The traceback of an error in another process, as text; the cause of that error here."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


@dataclass(frozen=True)
class _RaisedError:
    """An error of a worker: pickled, and as text for a process that cannot read it.

    Attributes:
        module: Module of its class.
        message: Its class and message.
        trace: Its traceback.
        pickled: The error itself; None where it cannot be pickled.
    """

    module: str
    message: str
    trace: str
    pickled: bytes | None


def check_num_workers(num_workers: int | None) -> None:
    """Refuse a number of workers below 1; None is the executor's choice.

    Raises:
        UsageError: It is below 1.
    """
    if num_workers is not None and num_workers < 1:
        raise UsageError(
            "workers is out of its range.",
            expected="1 or more, or 0 to train in this process",
            received=num_workers,
        )


def pack(function: Callable[..., Any], arguments: tuple[Any, ...]) -> bytes:
    """Return a function and its arguments as a job for `work`.

    A worker trusts the model functions that this process trusts; on another machine it has no list
    of its own.
    """
    import cloudpickle

    return cast(bytes, cloudpickle.dumps((function, arguments, granted())))


def work(
    job: bytes, limit_bytes: int | None, leave_reason: Callable[[EyetuneError], object]
) -> bytes:
    """Do a job in this process, a worker, and return its result or error for `unpack`.

    Args:
        job: What `pack` returned.
        limit_bytes: The process ends when its resident memory grows beyond this.
        leave_reason: Called with the reason just before the process ends.
    """
    import cloudpickle

    try:
        function, arguments, digests = pickle.loads(job)  # nosec B301  # of our coordinator
        grant(digests)
        with _memory_limit(limit_bytes, leave_reason):
            value = function(*arguments)
        return cast(bytes, cloudpickle.dumps((value, None)))
    except BaseException as error:  # even a SystemExit is a failure of the job and no more
        return pickle.dumps((None, _raised(error, limit_bytes)))


def unpack(outcome: bytes) -> Any:
    """Return the result of a job, or raise its error."""
    value, raised = pickle.loads(outcome)  # nosec B301  # of our worker
    if raised is not None:
        raise _error(raised) from WorkerTracebackError(raised.trace)
    return value


def resolve_future(future: Future[Result], outcome: Callable[[], Result]) -> None:
    """Give a future its result or its error, unless it has been cancelled."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        value = outcome()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(value)


def out_of_time(limit_seconds: float | None) -> OutOfTimeError:
    """Return the error of a job that took too long."""
    return OutOfTimeError(
        "A training took longer than its time limit.", expected=f"at most {limit_seconds:g} s"
    )


def worker_lost(received: str) -> WorkerLostError:
    """Return the error of a job whose worker ended before it was done.

    Args:
        received: How the worker ended.
    """
    return WorkerLostError(
        "A worker process ended before its job was done.",
        received=received,
        fix="If the machine ran out of memory: use fewer workers, smaller batches or networks.",
    )


@contextmanager
def _memory_limit(
    limit_bytes: int | None, leave_reason: Callable[[EyetuneError], object]
) -> Iterator[None]:
    if limit_bytes is None:
        yield
        return
    done = threading.Event()
    watch = threading.Thread(
        target=_watch_memory, args=(limit_bytes, leave_reason, done), daemon=True
    )
    watch.start()
    try:
        yield
    finally:
        done.set()
        watch.join()  # otherwise it could end the process in the middle of the next job


def _watch_memory(
    limit_bytes: int, leave_reason: Callable[[EyetuneError], object], done: threading.Event
) -> None:
    import psutil

    process = psutil.Process()
    used = process.memory_info().rss
    while used <= limit_bytes:
        if done.wait(SECONDS_BETWEEN_MEMORY_CHECKS):
            return
        used = process.memory_info().rss
    try:
        leave_reason(_out_of_memory(limit_bytes, _megabytes(used)))
    finally:
        os._exit(OUT_OF_MEMORY_EXIT)


def _raised(error: BaseException, limit_bytes: int | None) -> _RaisedError:
    trace = "".join(traceback.format_exception(error))
    last_line = " ".join(traceback.format_exception_only(error)[-1].split())
    message = last_line[:MAX_MESSAGE_CHARACTERS]
    if _is_out_of_memory(error):
        error = _out_of_memory(limit_bytes, message)
    if not isinstance(error, Exception):
        error = TrainingError(f"A job tried to end its process: {message}")
    return _RaisedError(type(error).__module__, message, trace, _pickled(error))


def _is_out_of_memory(error: BaseException) -> bool:
    # TensorFlow's error by the name of its class: a job without TensorFlow must not import it.
    return isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError"


def _pickled(error: Exception) -> bytes | None:
    import cloudpickle

    try:
        pickled = cloudpickle.dumps(error)
        # An exception with arguments of its own can often be written but not be read.
        pickle.loads(pickled)  # nosec B301  # from the line above
    except Exception:
        return None
    return cast(bytes, pickled)


def _error(raised: _RaisedError) -> Exception:
    # Reading an error imports its module, and the coordinating process must not import TensorFlow.
    if raised.pickled is not None and raised.module in sys.modules:
        try:
            return cast(Exception, pickle.loads(raised.pickled))  # nosec B301  # of our worker
        except Exception:  # nosec B110  # its message is left
            pass
    return TrainingError(f"A job failed: {raised.message}")


def _out_of_memory(limit_bytes: int | None, received: str) -> OutOfMemoryError:
    return OutOfMemoryError(
        "A training took too much memory.",
        expected=None if limit_bytes is None else f"at most {_megabytes(limit_bytes)}",
        received=received,
        fix=LESS_MEMORY,
    )


def _megabytes(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:,.0f} MB"
