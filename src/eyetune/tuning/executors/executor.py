"""What all executors share: their seam, and how a job travels to a worker and what came of it back.

A job and its outcome travel as bytes that are read inside a `try`, at both ends. A function, a
value or an error that cannot be read there is then the failure of its job; read by the machinery
between processes it would end that.
"""

from __future__ import annotations

import os
import pickle
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar, cast

from eyetune.errors import EyetuneError, OutOfMemoryError, TrainingError

Result = TypeVar("Result")

JOBS_PER_PROCESS = (
    50  # TensorFlow keeps a little of each training: a process that has done so many ends
)
MEMORY_LOOK_SECONDS = 0.1
OUT_OF_MEMORY_EXIT = 86  # for whoever reads a log; the coordinator gets words
MAX_CHARACTERS = 300  # of an error: TensorFlow can fill pages
LESS_MEMORY = "Smaller batches, a smaller network, or a higher limit."


class Executor(Protocol):
    """Who does jobs; a context manager, and what is still under way when it is left is ended.

    Attributes:
        num_workers: Jobs that are done at once.
        threads: Of the arithmetic of each job (0: one for each core).
    """

    num_workers: int
    threads: int

    def submit(
        self,
        function: Callable[..., Result],
        *arguments: Any,
        limit_seconds: float | None = None,
        limit_bytes: int | None = None,
    ) -> Future[Result]:
        """Let a worker call a function.

        Args:
            function: What to call. One of a module that workers can import goes by its name, one of
                a script or a notebook by its code.
            arguments: What to call it with; anything that can be pickled.
            limit_seconds: The worker is ended when the call takes longer.
            limit_bytes: The worker is ended when its resident memory grows beyond this during the
                call.

        Returns:
            A future; cancelling it ends the call. It raises what the function raised, with the
            worker's traceback as the cause (a TrainingError in place of an error whose module this
            process has not imported), WorkerLostError where the worker ended before it was done,
            OutOfTimeError, or OutOfMemoryError.
        """

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class WorkerTracebackError(Exception):
    """The traceback, as text, of an error that was raised in another process; the cause of that
    error here.
    """

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


@dataclass(frozen=True)
class _Raised:
    """An error on its way here: pickled, and as words for a process that cannot or should not read
    it.
    """

    module: str
    words: str
    trace: str
    pickled: bytes | None


def pack(function: Callable[..., Any], arguments: tuple[Any, ...]) -> bytes:
    """Make a job of a function and what to call it with, for `work`."""
    import cloudpickle

    return cast(bytes, cloudpickle.dumps((function, arguments)))


def work(job: bytes, limit_bytes: int | None, tell: Callable[[EyetuneError], object]) -> bytes:
    """Do a job in this process, a worker's, and return what came of it, for `unpack`.

    Args:
        job: What `pack` made.
        limit_bytes: The process ends when its resident memory grows beyond this.
        tell: Called with the reason just before it ends.
    """
    import cloudpickle

    try:
        function, arguments = pickle.loads(job)
        with _memory_limit(limit_bytes, tell):
            value = function(*arguments)
        return cast(bytes, cloudpickle.dumps((value, None)))
    except BaseException as error:  # a SystemExit too is a job's failure and no more
        return pickle.dumps((None, _raised(error, limit_bytes)))


def unpack(outcome: bytes) -> Any:
    """Return what a job returned, or raise what it raised."""
    value, raised = pickle.loads(outcome)
    if raised is not None:
        raise _error(raised) from WorkerTracebackError(raised.trace)
    return value


def resolve_future(future: Future[Result], outcome: Callable[[], Result]) -> None:
    """Give a future its result, or what is raised instead, unless it has been cancelled."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        value = outcome()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(value)


@contextmanager
def _memory_limit(
    limit_bytes: int | None, tell: Callable[[EyetuneError], object]
) -> Iterator[None]:
    if limit_bytes is None:
        yield
        return
    done = threading.Event()
    watch = threading.Thread(target=_watch_memory, args=(limit_bytes, tell, done), daemon=True)
    watch.start()
    try:
        yield
    finally:
        done.set()
        watch.join()  # or it could end the process in the middle of the next job


def _watch_memory(
    limit_bytes: int, tell: Callable[[EyetuneError], object], done: threading.Event
) -> None:
    import psutil

    process = psutil.Process()
    used = process.memory_info().rss
    while used <= limit_bytes:
        if done.wait(MEMORY_LOOK_SECONDS):
            return
        used = process.memory_info().rss
    try:
        tell(_out_of_memory(limit_bytes, _megabytes(used)))
    finally:
        os._exit(OUT_OF_MEMORY_EXIT)


def _raised(error: BaseException, limit_bytes: int | None) -> _Raised:
    trace = "".join(traceback.format_exception(error))
    words = " ".join(traceback.format_exception_only(error)[-1].split())[:MAX_CHARACTERS]
    if _is_out_of_memory(error):
        error = _out_of_memory(limit_bytes, words)
    if not isinstance(error, Exception):
        error = TrainingError(f"A job tried to end its process: {words}")
    return _Raised(type(error).__module__, words, trace, _pickled(error))


def _is_out_of_memory(error: BaseException) -> bool:
    # TensorFlow's error by its name: a job without TensorFlow must not import it to be asked.
    return isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError"


def _pickled(error: Exception) -> bytes | None:
    import cloudpickle

    try:
        pickled = cloudpickle.dumps(error)
        pickle.loads(
            pickled
        )  # an exception with arguments of its own often can be written and not be read
    except Exception:
        return None
    return cast(bytes, pickled)


def _error(raised: _Raised) -> Exception:
    # Reading an error imports its module: TensorFlow and Keras have no place in the process that
    # coordinates.
    if raised.pickled is not None and raised.module in sys.modules:
        try:
            return cast(Exception, pickle.loads(raised.pickled))
        except Exception:  # its words are left
            pass
    return TrainingError(f"A job failed: {raised.words}")


def _out_of_memory(limit_bytes: int | None, received: str) -> OutOfMemoryError:
    return OutOfMemoryError(
        "A training took too much memory.",
        expected=None if limit_bytes is None else f"at most {_megabytes(limit_bytes)}",
        received=received,
        fix=LESS_MEMORY,
    )


def _megabytes(number_of_bytes: int) -> str:
    return f"{number_of_bytes / 1e6:,.0f} MB"
