"""Worker processes of a Ray cluster: several machines, their CPUs and GPUs (`pip install
'eyetune[ray]'`).

Ray starts the processes, places the jobs and notices what dies. The files of a study (checkpoints,
news) are in its workspace, and images in the cache or where EYETUNE_DATA says: each machine of the
cluster must see these folders under the same path, on a network file system for example. Each needs
the same eyetune, Python and Ray.
"""

from __future__ import annotations

import itertools
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

from eyetune.errors import (
    EyetuneError,
    OutOfMemoryError,
    OutOfTimeError,
    TrainingError,
    UsageError,
    WorkerLostError,
    WorkspaceError,
)
from eyetune.tuning.executors.executor import (
    JOBS_PER_PROCESS,
    LESS_MEMORY,
    Result,
    pack,
    resolve_future,
    unpack,
    work,
)
from eyetune.tuning.executors.ray_cluster import capacity, connect, load_ray

CLIENT_SCHEME = "ray://"
LOOK_SECONDS = 0.25
TELL_SECONDS = 5.0  # how long a worker that must end tries to say why
SHARED_VARIABLES = ("EYETUNE_CACHE", "EYETUNE_DATA")


@dataclass(frozen=True)
class Surroundings:
    """What a worker needs of the process that coordinates to find the same modules and files.

    Attributes:
        variables: Of the environment.
        paths: Where Python looks for modules.
    """

    variables: tuple[tuple[str, str], ...]
    paths: tuple[str, ...]

    @staticmethod
    def here(gpus_per_job: float) -> Surroundings:
        """Return those of this process, for jobs with or without graphics processors (which Ray
        itself chooses).
        """
        named = [(name, os.environ[name]) for name in SHARED_VARIABLES if name in os.environ]
        # TensorFlow reads its own when it loads, which is when the first job is done.
        log_level = ("TF_CPP_MIN_LOG_LEVEL", os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3"))
        no_gpu = [("CUDA_VISIBLE_DEVICES", "")] if gpus_per_job == 0 else []
        return Surroundings(
            (*named, *no_gpu, log_level), tuple(str(Path(path).absolute()) for path in sys.path)
        )

    def enter(self) -> None:
        """Make this process, a worker's, find what the other one does."""
        os.environ.update(self.variables)
        sys.path.extend(path for path in self.paths if path not in sys.path)


@dataclass(frozen=True)
class _Submitted:
    """A job that Ray has been given.

    Attributes:
        number: Of the job.
        future: Its result to be.
        limit_seconds: How long it may take.
        began: When it was first seen to be done (`time.monotonic`); None before that, and without a
            limit.
        is_late: It has been ended since it took too long.
        tells: It reports to the ledger, since it has a limit.
    """

    number: int
    future: Future[Any]
    limit_seconds: float | None
    began: float | None = None
    is_late: bool = False
    tells: bool = False


class Ledger:
    """What jobs tell before they are over: that they have begun, and why their process must end. A
    Ray actor.
    """

    def __init__(self) -> None:
        self._begun: set[int] = set()
        self._reasons: dict[int, EyetuneError] = {}

    def begin(self, job: int) -> None:
        """Note that a job has begun."""
        self._begun.add(job)

    def end(self, job: int, reason: EyetuneError) -> None:
        """Note why the process of a job ends."""
        self._reasons[job] = reason

    def begun(self) -> frozenset[int]:
        """Return the jobs that have begun and are not forgotten."""
        return frozenset(self._begun)

    def forget(self, job: int) -> EyetuneError | None:
        """Forget a job that is over, and return why its process ended, if it said so."""
        self._begun.discard(job)
        return self._reasons.pop(job, None)


class RayExecutor:
    """Worker processes of a Ray cluster; a context manager (see `Executor`).

    Every machine of the cluster must see the workspace, the cache of images and the data under the
    same paths.

    Args:
        num_workers: How many jobs at once; by default as many as the cluster has processors for.
        address: `HOST:PORT` or `ray://HOST:PORT` of a cluster, `auto` for the one that this machine
            is part of; None for what RAY_ADDRESS names, or else a Ray of this machine alone that
            lasts as long as the executor.
        cpus_per_job: Cores that are reserved for each job, and threads of its arithmetic.
        gpus_per_job: Graphics processors that are reserved for each job; parts of one are possible.
            With 0, jobs use none: TensorFlow takes all the memory of each one that it sees.
        jobs_per_process: How many jobs a process does before another takes its place.

    Raises:
        UsageError: Ray is not installed, the cluster cannot be reached or has no room for such a
            job, or a number is out of its range.

    Source:
        https://docs.ray.io/en/latest/ray-core/walkthrough.html
    """

    def __init__(
        self,
        num_workers: int | None = None,
        address: str | None = None,
        *,
        cpus_per_job: float = 1,
        gpus_per_job: float = 0,
        jobs_per_process: int = JOBS_PER_PROCESS,
    ) -> None:
        _check_numbers(num_workers, cpus_per_job, gpus_per_job)
        self._ray = load_ray()
        self._is_ours = connect(self._ray, address, num_workers, cpus_per_job)
        try:
            room = capacity(self._ray, cpus_per_job, gpus_per_job)
        except BaseException:
            self._disconnect()
            raise
        self.num_workers = room if num_workers is None else num_workers
        self.threads = max(1, int(cpus_per_job))
        self._work = self._ray.remote(max_calls=jobs_per_process)(_work).options(
            num_cpus=cpus_per_job, num_gpus=gpus_per_job, max_retries=0
        )
        self._surroundings = Surroundings.here(gpus_per_job)
        self._numbers = itertools.count()
        self._ledger: Any = None
        self._submitted: dict[Any, _Submitted] = {}
        self._changed = threading.Condition()
        self._is_over = False
        self._tending = threading.Thread(target=self._tend, name="eyetune-ray", daemon=True)
        self._tending.start()

    def submit(
        self,
        function: Callable[..., Result],
        *arguments: Any,
        limit_seconds: float | None = None,
        limit_bytes: int | None = None,
    ) -> Future[Result]:
        """Let a worker of the cluster call a function (see `Executor.submit`)."""
        tells = limit_seconds is not None or limit_bytes is not None
        if tells and self._ledger is None:
            self._ledger = self._new_ledger()
        number = next(self._numbers)
        ledger = self._ledger if tells else None
        job = pack(noticing, (function, *arguments))
        reference = self._work.remote(number, job, limit_bytes, ledger, self._surroundings)
        future: Future[Result] = Future()
        future.add_done_callback(lambda _: self._end(reference) if future.cancelled() else None)
        with self._changed:
            self._submitted[reference] = _Submitted(number, future, limit_seconds, tells=tells)
            self._changed.notify_all()
        return future

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
        self._tending.join()
        for reference, job in self._submitted.items():  # not wanted any more
            self._end(reference)
            if job.future.cancel():
                job.future.set_running_or_notify_cancel()  # or whoever waits for it would wait on
        if self._ledger is not None:
            with suppress(Exception):  # the cluster may be gone
                self._ray.kill(self._ledger)
        self._disconnect()

    def _disconnect(self) -> None:
        if self._is_ours:
            self._ray.shutdown()

    def _new_ledger(self) -> Any:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(
            self._ray.get_runtime_context().get_node_id(), soft=True
        )
        options = {
            "num_cpus": 0,
            "max_restarts": -1,
            "max_task_retries": -1,
            "scheduling_strategy": here,
        }
        return self._ray.remote(Ledger).options(**options).remote()

    def _end(self, reference: Any) -> None:
        with suppress(Exception):  # it is over, or the cluster is
            self._ray.cancel(reference, force=True)

    def _tend(self) -> None:
        """Give futures their results and end what takes too long, for as long as the executor
        lasts.
        """
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._submitted or self._is_over)
                if self._is_over:
                    return
                references = list(self._submitted)
            try:
                done, _ = self._ray.wait(references, timeout=LOOK_SECONDS)
                self._end_late_jobs()
            except Exception as error:  # the connection is gone, and with it all jobs
                self._give_up(error)
                continue
            for reference in done:
                job = self._submitted.pop(reference)
                resolve_future(job.future, partial(self._outcome, reference, job))

    def _give_up(self, error: Exception) -> None:
        with self._changed:
            jobs = [self._submitted.pop(reference) for reference in list(self._submitted)]
        for job in jobs:
            resolve_future(job.future, partial(_lost, error))

    def _end_late_jobs(self) -> None:
        if all(job.limit_seconds is None for job in list(self._submitted.values())):
            return
        begun = self._ask(self._ledger.begun) or frozenset()
        now = time.monotonic()
        for reference, job in list(self._submitted.items()):
            if job.limit_seconds is None or job.is_late:
                continue
            if job.began is None and job.number in begun:
                self._submitted[reference] = replace(job, began=now)
            elif job.began is not None and now - job.began > job.limit_seconds:
                self._submitted[reference] = replace(job, is_late=True)
                self._end(reference)

    def _ask(self, question: Any, *arguments: Any) -> Any:
        """Return what the ledger answers, None where it cannot be reached: its machine may have
        died too.
        """
        with suppress(Exception):
            return self._ray.get(question.remote(*arguments), timeout=TELL_SECONDS)
        return None

    def _outcome(self, reference: Any, job: _Submitted) -> Any:
        reason = self._ask(self._ledger.forget, job.number) if job.tells else None
        try:
            outcome = self._ray.get(reference)
        except Exception as error:
            if job.is_late:
                raise OutOfTimeError(
                    "A training took longer than its time limit.",
                    expected=f"at most {job.limit_seconds:g} s",
                ) from None
            raise_translated(error, reason)
        try:
            return unpack(outcome)
        except FileNotFoundError as error:
            raise_if_unseen(error)
            raise


def raise_translated(error: Exception, reason: EyetuneError | None) -> NoReturn:
    """Raise what an error of Ray means for a job.

    Args:
        error: Of Ray.
        reason: What the worker said before it ended, if it did.
    """
    from ray import exceptions

    if reason is not None:
        raise reason from None
    if isinstance(error, exceptions.OutOfMemoryError):
        words = str(error).splitlines()[0]
        raise OutOfMemoryError(
            "A machine of the cluster ran out of memory.", received=words, fix=LESS_MEMORY
        ) from None
    if isinstance(
        error, exceptions.RayTaskError
    ):  # what jobs raise comes back as a value: this was raised before
        raise TrainingError(
            "A worker of the cluster could not begin a job.",
            received=f"{type(error.cause).__name__}: {error.cause}",
            fix="Install the same eyetune and Python on all machines of the cluster.",
        ) from error.cause
    _lost(error)


def _lost(error: Exception) -> NoReturn:
    raise WorkerLostError(
        "A worker of the cluster ended in the middle of a training.",
        received=f"{type(error).__name__}: {' '.join(str(error).split())[:200]}",
        fix="If its machine ran out of memory: more CPUs for each job, smaller batches or a smaller network.",
    ) from None


def noticing(function: Callable[..., Result], *arguments: Any) -> Result:
    """Call a function in a worker; a file that it does not find for want of a folder is noted so on
    the error.
    """
    try:
        return function(*arguments)
    except FileNotFoundError as error:
        if error.filename is not None:
            parents = Path(os.fsdecode(error.filename)).absolute().parents
            missing = [folder for folder in parents if not folder.exists()]
            if missing:
                error.missing_folder = str(missing[-1])  # type: ignore[attr-defined]
                error.machine = socket.gethostname()  # type: ignore[attr-defined]
        raise


def raise_if_unseen(error: FileNotFoundError) -> None:
    """Raise a WorkspaceError where the folder that a worker misses is there on this machine."""
    folder = getattr(error, "missing_folder", None)
    if folder is not None and Path(folder).exists():
        raise WorkspaceError(
            "A worker of the cluster does not see a folder that is there on this machine.",
            received=f"no {folder} on {getattr(error, 'machine', 'its machine')}",
            fix="Put the workspace and the data where all machines of the cluster see them under the same path.",
        ) from error.__cause__


def _work(
    number: int, job: bytes, limit_bytes: int | None, ledger: Any, surroundings: Surroundings
) -> bytes:
    surroundings.enter()
    if ledger is not None:
        ledger.begin.remote(number)
    return work(job, limit_bytes, partial(_tell, ledger, number))


def _tell(ledger: Any, number: int, reason: EyetuneError) -> None:
    load_ray().get(ledger.end.remote(number, reason), timeout=TELL_SECONDS)


def _check_numbers(num_workers: int | None, cpus_per_job: float, gpus_per_job: float) -> None:
    if num_workers is not None and num_workers < 1:
        raise UsageError(
            "The number of workers is too small.", expected="1 or more", received=num_workers
        )
    if not cpus_per_job > 0:
        raise UsageError(
            "A job needs a processor.", expected="CPUs per job above 0", received=cpus_per_job
        )
    if not gpus_per_job >= 0:
        raise UsageError(
            "GPUs per job must not be negative.", expected="0 or more", received=gpus_per_job
        )
