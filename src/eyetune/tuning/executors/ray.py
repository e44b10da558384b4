"""Worker processes of a Ray cluster: several machines, their CPUs and GPUs.

It needs `pip install 'eyetune[ray]'`. Ray starts the processes, places the jobs and notices what
dies. The files of a study (checkpoints, progress) are in its workspace, and images are in the cache
or where EYETUNE_DATA says: each machine of the cluster must see these folders under the same path,
for example on a network file system. Each needs the same eyetune, Python and Ray.
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
from typing import Any, NoReturn, final

from eyetune.errors import (
    EyetuneError,
    OutOfMemoryError,
    TrainingError,
    UsageError,
    WorkspaceError,
)
from eyetune.tuning.executors.executor import (
    JOBS_PER_PROCESS,
    LESS_MEMORY,
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
from eyetune.tuning.executors.ray_cluster import capacity, connect, load_ray

SECONDS_BETWEEN_LOOKS = 0.25
LEDGER_SECONDS = 5.0  # how long to wait for an answer of the ledger
SHARED_VARIABLES = ("EYETUNE_CACHE", "EYETUNE_DATA")


@dataclass(frozen=True)
class WorkerEnvironment:
    """What a worker needs of the coordinating process to find the same modules and files.

    Attributes:
        variables: Names and values of environment variables.
        paths: Where Python looks for modules.
    """

    variables: tuple[tuple[str, str], ...]
    paths: tuple[str, ...]

    @staticmethod
    def of_this_process(gpus_per_job: float) -> WorkerEnvironment:
        """Return the environment of this process, for jobs with or without GPUs.

        Args:
            gpus_per_job: GPUs of each job; with 0 they are hidden, otherwise Ray chooses.
        """
        variables = [(name, os.environ[name]) for name in SHARED_VARIABLES if name in os.environ]
        if gpus_per_job == 0:
            variables.append(("CUDA_VISIBLE_DEVICES", ""))
        # TensorFlow reads it when it is loaded, which the first job does.
        log_level = os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3")
        variables.append(("TF_CPP_MIN_LOG_LEVEL", log_level))
        paths = tuple(str(Path(path).absolute()) for path in sys.path)
        return WorkerEnvironment(tuple(variables), paths)

    def enter(self) -> None:
        """Give this process, a worker, the same environment."""
        os.environ.update(self.variables)
        sys.path.extend(path for path in self.paths if path not in sys.path)


@dataclass(frozen=True)
class _SubmittedJob:
    """A job that was given to Ray.

    Attributes:
        number: Number of the job.
        future: Its result.
        limit_seconds: How long it may take; None for no limit.
        started_at: When it was first seen to be running (`time.monotonic`); None before that, and
            without a limit.
        is_late: Whether it was ended since it took too long.
        reports: Whether it reports to the ledger, since it has a limit.
    """

    number: int
    future: Future[Any]
    limit_seconds: float | None
    started_at: float | None = None
    is_late: bool = False
    reports: bool = False


class Ledger:
    """What jobs report before they end: that they have started, and why their process must end.

    A Ray actor.
    """

    def __init__(self) -> None:
        self._started: set[int] = set()
        self._reasons: dict[int, EyetuneError] = {}

    def start(self, job: int) -> None:
        """Note that a job has started."""
        self._started.add(job)

    def end(self, job: int, reason: EyetuneError) -> None:
        """Note why the process of a job ends."""
        self._reasons[job] = reason

    def started(self) -> frozenset[int]:
        """Return the jobs that have started and are not forgotten."""
        return frozenset(self._started)

    def forget(self, job: int) -> EyetuneError | None:
        """Forget a job that has ended, and return why its process ended, if it reported that."""
        self._started.discard(job)
        return self._reasons.pop(job, None)


@final
class RayExecutor(Executor):
    """Worker processes of a Ray cluster; a context manager.

    Every machine of the cluster must see the workspace, the cache of images and the data under the
    same paths.

    Args:
        num_workers: Number of jobs in parallel; default: as many as the cluster has cores for.
        address: `HOST:PORT` or `ray://HOST:PORT` of a cluster, `auto` for the one that this machine
            is part of; None for what RAY_ADDRESS names, or else a Ray of this machine alone that
            lasts as long as the executor.
        cpus_per_job: Cores that are reserved for each job, and its number of threads.
        gpus_per_job: GPUs that are reserved for each job; fractions are possible. With 0, jobs see
            none: TensorFlow takes all the memory of each GPU that it sees.
        jobs_per_process: Jobs after which a process is replaced.

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
        self._environment = WorkerEnvironment.of_this_process(gpus_per_job)
        self._numbers = itertools.count()
        self._ledger: Any = None
        self._submitted: dict[Any, _SubmittedJob] = {}
        self._changed = threading.Condition()
        self._is_over = False
        self._follower = threading.Thread(target=self._follow_jobs, name="eyetune-ray", daemon=True)
        self._follower.start()

    def submit(
        self,
        function: Callable[..., Result],
        *arguments: Any,
        limit_seconds: float | None = None,
        limit_bytes: int | None = None,
    ) -> Future[Result]:
        """Let a worker of the cluster call a function (see `Executor.submit`)."""
        reports = limit_seconds is not None or limit_bytes is not None
        if reports and self._ledger is None:
            self._ledger = self._new_ledger()
        number = next(self._numbers)
        ledger = self._ledger if reports else None
        job = pack(note_missing_folder, (function, *arguments))
        reference = self._work.remote(number, job, limit_bytes, ledger, self._environment)
        future: Future[Result] = Future()
        future.add_done_callback(lambda _: self._end(reference) if future.cancelled() else None)
        with self._changed:
            self._submitted[reference] = _SubmittedJob(
                number, future, limit_seconds, reports=reports
            )
            self._changed.notify_all()
        return future

    def close(self) -> None:
        """End the jobs, and disconnect from the cluster if this executor has connected to it."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
        self._follower.join()
        for reference, job in self._submitted.items():
            self._end(reference)
            if job.future.cancel():
                job.future.set_running_or_notify_cancel()  # wakes up who waits for it
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
        with suppress(Exception):  # the job or the cluster has ended
            self._ray.cancel(reference, force=True)

    def _follow_jobs(self) -> None:
        """Give futures their results and end late jobs, until the executor is closed."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._submitted or self._is_over)
                if self._is_over:
                    return
                references = list(self._submitted)
            try:
                done, _ = self._ray.wait(references, timeout=SECONDS_BETWEEN_LOOKS)
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
        started = self._ask_ledger(self._ledger.started) or frozenset()
        now = time.monotonic()
        for reference, job in list(self._submitted.items()):
            if job.limit_seconds is None or job.is_late:
                continue
            if job.started_at is None and job.number in started:
                self._submitted[reference] = replace(job, started_at=now)
            elif job.started_at is not None and now - job.started_at > job.limit_seconds:
                self._submitted[reference] = replace(job, is_late=True)
                self._end(reference)

    def _ask_ledger(self, question: Any, *arguments: Any) -> Any:
        """Return what the ledger answers; None where its machine cannot be reached."""
        with suppress(Exception):
            return self._ray.get(question.remote(*arguments), timeout=LEDGER_SECONDS)
        return None

    def _outcome(self, reference: Any, job: _SubmittedJob) -> Any:
        reason = self._ask_ledger(self._ledger.forget, job.number) if job.reports else None
        try:
            outcome = self._ray.get(reference)
        except Exception as error:
            if job.is_late:
                raise out_of_time(job.limit_seconds) from None
            raise_translated(error, reason)
        try:
            return unpack(outcome)
        except FileNotFoundError as error:
            raise_if_folder_is_missing(error)
            raise


def raise_translated(error: Exception, reason: EyetuneError | None) -> NoReturn:
    """Raise what an error of Ray means for a job.

    Args:
        error: Ray's error.
        reason: What the worker reported before it ended; None if it did not.
    """
    from ray import exceptions

    if reason is not None:
        raise reason from None
    if isinstance(error, exceptions.OutOfMemoryError):
        message = str(error).splitlines()[0]
        raise OutOfMemoryError(
            "A machine of the cluster ran out of memory.", received=message, fix=LESS_MEMORY
        ) from None
    # The errors of jobs come back as values: this one was raised before the job started.
    if isinstance(error, exceptions.RayTaskError):
        raise TrainingError(
            "A worker of the cluster could not start a job.",
            received=f"{type(error.cause).__name__}: {error.cause}",
            fix="Install the same eyetune and Python on all machines of the cluster.",
        ) from error.cause
    _lost(error)


def _lost(error: Exception) -> NoReturn:
    message = " ".join(str(error).split())[:200]
    raise worker_lost(f"{type(error).__name__}: {message}") from None


def note_missing_folder(function: Callable[..., Result], *arguments: Any) -> Result:
    """Call a function in a worker; where a folder of a file is missing, the error says which."""
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


def raise_if_folder_is_missing(error: FileNotFoundError) -> None:
    """Raise a WorkspaceError if a folder exists on this machine but not on a worker's."""
    folder = getattr(error, "missing_folder", None)
    if folder is not None and Path(folder).exists():
        raise WorkspaceError(
            "A machine of the cluster does not see a folder of this machine.",
            received=f"no {folder} on {getattr(error, 'machine', 'its machine')}",
            fix="Put workspace and data where all machines see them under the same path.",
        ) from error.__cause__


def _work(
    number: int, job: bytes, limit_bytes: int | None, ledger: Any, environment: WorkerEnvironment
) -> bytes:
    environment.enter()
    if ledger is not None:
        ledger.start.remote(number)
    return work(job, limit_bytes, partial(_leave_reason, ledger, number))


def _leave_reason(ledger: Any, number: int, reason: EyetuneError) -> None:
    load_ray().get(ledger.end.remote(number, reason), timeout=LEDGER_SECONDS)


def _check_numbers(num_workers: int | None, cpus_per_job: float, gpus_per_job: float) -> None:
    check_num_workers(num_workers)
    if not cpus_per_job > 0:
        raise UsageError(
            "cpus_per_job is out of its range.", expected="above 0", received=cpus_per_job
        )
    if not gpus_per_job >= 0:
        raise UsageError(
            "gpus_per_job is out of its range.", expected="0 or more", received=gpus_per_job
        )
