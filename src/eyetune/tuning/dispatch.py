"""Runs that workers train: started, followed, retried if a worker dies, and recorded."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, final

from eyetune.device.export.int8_accuracy import Int8Task
from eyetune.errors import EyetuneError, RunNotFoundError, WorkerLostError, WorkspaceError
from eyetune.recipe import Recipe
from eyetune.records import RunRecord, RunState, Workspace
from eyetune.training.job import Job, Outcome, work_apart
from eyetune.training.progress_log import ProgressLogReader, followed
from eyetune.tuning.executors import Executor
from eyetune.tuning.recording import job_of, record_failure, record_outcome
from eyetune.values.history import Epoch, Progress

MAX_TRIES = 3  # of a job whose worker dies
SECONDS_BETWEEN_LOOKS = 0.3
SECONDS_TO_CLAIM = 1.0


class Display(Protocol):
    """Where trainings are shown while they run."""

    def note(self, text: str, /) -> None:
        """Print a line about all trainings."""

    def begin(self, key: str, label: str, num_epochs: int) -> None:
        """Show a training that begins, under a key of its own."""

    def on_progress_log(self, key: str, entry: Epoch | Progress) -> None:
        """Update a training's row."""

    def end(self, key: str, text: str, /) -> None:
        """Remove a training's row and print a line about its end."""


@dataclass(frozen=True)
class RunJob:
    """A run, and the part of its training that a worker is to do.

    Attributes:
        record: The run.
        label: Name in the display.
        splits: Splits to classify with the trained network.
        stop_after: Total epochs after which to pause; None for the recipe's end.
        conclude: Save the network and classify even where training is not over.
        limit_seconds: The worker is stopped when it takes longer; None for no limit.
        limit_bytes: The worker is stopped when it takes more memory; None for no limit.
        int8: How to measure the accuracy of the int8 network in the end; None: it is not measured.
        log_name: Subfolder of the logs of a user's TensorBoard callback. Default: the run's id.
    """

    record: RunRecord
    label: str
    splits: tuple[str, ...] = ("validation",)
    stop_after: int | None = None
    conclude: bool = False
    limit_seconds: float | None = None
    limit_bytes: int | None = None
    int8: Int8Task | None = None
    log_name: str = ""


@dataclass(frozen=True)
class EndedJob:
    """A job that ended.

    Attributes:
        job: The job.
        record: Its run, as it is recorded now.
        outcome: What the worker returned; None where it failed.
        error: Why it failed; None where it did not.
    """

    job: RunJob
    record: RunRecord
    outcome: Outcome | None = None
    error: Exception | None = None


@dataclass
class _ActiveJob:
    run_job: RunJob
    job: Job
    progress_log: ProgressLogReader
    claim: ExitStack
    num_tries: int = 1
    recorded_epochs: dict[int, Epoch] = field(default_factory=dict)

    @property
    def run_id(self) -> str:
        return self.run_job.record.id


@final
class Dispatcher:
    """Hands runs to the workers of an executor; this process is the only one that writes records.

    Args:
        workspace: Where runs are recorded.
        executor: Executor of the trainings.
        display: Display of the trainings.
        linear_accuracy: Returns the accuracy of a linear classifier on a recipe's images; None
            where it means nothing.
    """

    def __init__(
        self,
        workspace: Workspace,
        executor: Executor,
        display: Display,
        linear_accuracy: Callable[[Recipe], float | None] = lambda _: None,
    ) -> None:
        self._workspace = workspace
        self._executor = executor
        self._display = display
        self._linear_accuracy = linear_accuracy
        self._active: dict[Future[Outcome], _ActiveJob] = {}

    @property
    def num_active(self) -> int:
        """Number of runs that workers are training."""
        return len(self._active)

    def begin(self, run_job: RunJob) -> None:
        """Hand a run to a worker, with the worker's threads.

        Raises:
            RunBusyError: Another process is training the run.
        """
        record = run_job.record
        runs = self._workspace.runs
        claim = ExitStack()
        claim.enter_context(runs.claim(record.id, timeout_seconds=SECONDS_TO_CLAIM))
        runs.set_state(record.id, RunState.RUNNING)
        num_epochs = run_job.stop_after or record.recipe.fit.total_epochs
        self._display.begin(record.id, run_job.label, num_epochs)
        job = job_of(
            self._workspace,
            record,
            splits=run_job.splits,
            stop_after=run_job.stop_after,
            conclude=run_job.conclude,
        )
        job = replace(
            job, threads=self._executor.threads, int8=run_job.int8, log_name=run_job.log_name
        )
        progress_log = ProgressLogReader(runs.folder(record.id))
        self._submit(_ActiveJob(run_job, job, progress_log, claim))

    def wait(
        self, *, also: Iterable[Future[Any]] = (), seconds: float = SECONDS_BETWEEN_LOOKS
    ) -> None:
        """Wait until a job ends, but not for long.

        Args:
            also: Futures that end the wait too.
            seconds: How long to wait.
        """
        futures: list[Future[Any]] = [*self._active, *also]
        wait(futures, timeout=seconds, return_when=FIRST_COMPLETED)

    def collect(self) -> list[EndedJob]:
        """Record the progress of all jobs, and return those that have ended."""
        for active in self._active.values():
            self._record_progress(active)
        ended = []
        for future in [future for future in self._active if future.done()]:
            active = self._active[future]
            ended_job = self._finish(active, future)
            del self._active[future]
            if ended_job is None:
                self._submit(active)
            else:
                ended.append(ended_job)
        return ended

    def pause(self, run_ids: Container[str] | None = None) -> None:
        """Stop jobs; each run can be resumed from its last whole epoch.

        Args:
            run_ids: Ids of the runs to stop. Default: all.
        """
        for future, active in list(self._active.items()):
            if run_ids is not None and active.run_id not in run_ids:
                continue
            future.cancel()
            with suppress(WorkspaceError):
                self._record_progress(active)
            active.claim.close()  # from now on a run that is recorded as RUNNING counts as paused
            with suppress(WorkspaceError, RunNotFoundError):
                if self._workspace.runs.get(active.run_id).state is RunState.PAUSED:
                    self._workspace.runs.set_state(active.run_id, RunState.PAUSED)
            del self._active[future]

    def _submit(self, active: _ActiveJob) -> None:
        # In this process, the training is over when `submit` returns.
        with followed(lambda: self._record_progress(active)):
            future = self._executor.submit(
                work_apart,
                active.job,
                limit_seconds=active.run_job.limit_seconds,
                limit_bytes=active.run_job.limit_bytes,
            )
        self._active[future] = active

    def _record_progress(self, active: _ActiveJob) -> None:
        entries = list(active.progress_log.read())
        epochs = [entry for entry in entries if isinstance(entry, Epoch)]
        self._save_epochs(active, epochs)
        for entry in entries:
            self._display.on_progress_log(active.run_id, entry)

    def _save_epochs(self, active: _ActiveJob, epochs: Iterable[Epoch]) -> None:
        """Record the epochs that are not recorded yet, or have more metrics by now.

        What a user's `fit` returns is added to the last epoch.
        """
        recorded = active.recorded_epochs
        new = [
            epoch
            for epoch in epochs
            if epoch.epoch not in recorded
            or epoch.others.keys() != recorded[epoch.epoch].others.keys()
        ]
        self._workspace.runs.save_epochs(active.run_id, new)
        active.recorded_epochs |= {epoch.epoch: epoch for epoch in new}

    def _finish(self, active: _ActiveJob, future: Future[Outcome]) -> EndedJob | None:
        """Record the end of a job; None where its worker died and it is tried again."""
        self._record_progress(active)
        try:
            outcome = future.result()
        except WorkerLostError as error:
            if active.num_tries < MAX_TRIES:
                self._prepare_retry(active, error)
                return None
            return self._fail(active, error)
        except Exception as error:  # any exception of a training is a failure of this run only
            return self._fail(active, error)
        self._save_epochs(active, outcome.history)
        recipe = active.run_job.record.recipe
        record = record_outcome(
            self._workspace,
            active.run_job.record,
            outcome,
            lambda: self._linear_accuracy(recipe),
        )
        return self._close(active, EndedJob(active.run_job, record, outcome))

    def _prepare_retry(self, active: _ActiveJob, error: WorkerLostError) -> None:
        active.num_tries += 1
        self._display.note(
            f"{active.run_job.label}: its worker died ({error.received}); another one continues"
        )
        active.progress_log = ProgressLogReader(self._workspace.runs.folder(active.run_id))

    def _fail(self, active: _ActiveJob, error: Exception) -> EndedJob:
        record = record_failure(self._workspace, active.run_id, error)
        return self._close(active, EndedJob(active.run_job, record, error=error))

    def _close(self, active: _ActiveJob, ended: EndedJob) -> EndedJob:
        active.progress_log.close()
        active.claim.close()
        return ended


def first_line(error: BaseException | None) -> str:
    """Return the first line of an error's message."""
    text = error.message if isinstance(error, EyetuneError) else f"{type(error).__name__}: {error}"
    return text.splitlines()[0] if text else type(error).__name__
