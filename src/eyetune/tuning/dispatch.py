"""Runs that workers train now: handed over, listened to, tried again where a worker died, and
recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from eyetune.errors import EyetuneError, RunNotFoundError, WorkerLostError, WorkspaceError
from eyetune.recipe import Recipe
from eyetune.records import RunRecord, RunState, Workspace
from eyetune.training.job import Job, Outcome, ProgressLogReader, work_apart
from eyetune.tuning.executors import Executor
from eyetune.tuning.recording import job_of, record_failure, record_outcome
from eyetune.values.history import Epoch, Progress

MAX_TRIES = 3  # of a job whose worker died: once, and again at most twice
SECONDS_BETWEEN_LOOKS = 0.3
PATIENCE_SECONDS = 1.0


class Display(Protocol):
    """Where trainings are shown while they run."""

    def note(self, words: str) -> None:
        """Print a line about the whole."""

    def begin(self, key: str, label: str, num_epochs: int) -> None:
        """Show a training that begins, under a key of its own."""

    def on_news(self, key: str, news: Epoch | Progress) -> None:
        """Move a training's row."""

    def end(self, key: str, words: str) -> None:
        """Take a training's row away and print a line about how it ended."""


@dataclass(frozen=True)
class RunJob:
    """What a worker is to do for a run.

    Attributes:
        record: The run.
        label: What to call it.
        splits: What to classify with the trained network.
        stop_after: Epochs in all after which to stop for now (None: the recipe's end).
        conclude: Save the network and classify even where training is not over.
        limit_seconds: The worker is stopped when it takes longer.
        limit_bytes: The worker is stopped when it takes more memory.
    """

    record: RunRecord
    label: str
    splits: tuple[str, ...] = ("validation",)
    stop_after: int | None = None
    conclude: bool = False
    limit_seconds: float | None = None
    limit_bytes: int | None = None


@dataclass(frozen=True)
class Ended:
    """What came of an errand: its outcome, or why there is none; the run is as it is recorded now."""

    errand: RunJob
    record: RunRecord
    outcome: Outcome | None = None
    error: Exception | None = None


@dataclass
class _Active:
    errand: RunJob
    job: Job
    news: ProgressLogReader
    claim: ExitStack
    tries: int = 1
    told: set[int] = field(default_factory=set)


class Dispatcher:
    """Hands runs to the workers of an executor; this process is the only one that writes records.

    Args:
        place: Where runs are recorded.
        executor: Who works.
        display: Where it is shown.
        linear: Returns the accuracy of a linear classifier on a recipe's images, None where it says
            nothing.
    """

    def __init__(
        self,
        workspace: Workspace,
        executor: Executor,
        display: Display,
        linear: Callable[[Recipe], float | None] = lambda _: None,
    ) -> None:
        self._workspace = workspace
        self._executor = executor
        self._display = display
        self._linear = linear
        self._active: dict[Future[Outcome], _Active] = {}

    @property
    def num_active(self) -> int:
        """Runs that workers train now."""
        return len(self._active)

    def begin(self, errand: RunJob) -> None:
        """Hand a run to a worker; its threads are the worker's, whatever the run began with.

        Raises:
            RunBusyError: Another process is at work on the run.
        """
        record = errand.record
        claim = ExitStack()
        claim.enter_context(self._workspace.runs.claim(record.id, timeout_seconds=PATIENCE_SECONDS))
        self._workspace.runs.set_state(record.id, RunState.RUNNING)
        self._display.begin(
            record.id, errand.label, errand.stop_after or record.recipe.fit.total_epochs
        )
        job = job_of(
            self._workspace,
            record,
            splits=errand.splits,
            stop_after=errand.stop_after,
            conclude=errand.conclude,
        )
        one = _Active(
            errand,
            replace(job, threads=self._executor.threads),
            ProgressLogReader(self._workspace.runs.folder(record.id)),
            claim,
        )
        self._submit(one)

    def wait(
        self, *, also: Iterable[Future[Any]] = (), seconds: float = SECONDS_BETWEEN_LOOKS
    ) -> None:
        """Wait until something ends, but not for long.

        Args:
            also: Futures that end the wait too.
            seconds: How long to wait.
        """
        futures: list[Future[Any]] = [*self._active, *also]
        wait(futures, timeout=seconds, return_when=FIRST_COMPLETED)

    def look(self) -> list[Ended]:
        """Record the news, and return what has ended."""
        for one in self._active.values():
            self._tell(one)
        ended = []
        for future in [future for future in self._active if future.done()]:
            one = self._active[future]
            result = self._finish(one, future)
            del self._active[future]
            if result is None:
                self._submit(one)
            else:
                ended.append(result)
        return ended

    def pause(self) -> None:
        """Stop all that is under way; each run can be gone on with from its last whole epoch."""
        for future, one in self._active.items():
            future.cancel()
            with suppress(WorkspaceError):
                self._tell(one)
            one.claim.close()  # from now on a run that says RUNNING counts as paused
            with suppress(WorkspaceError, RunNotFoundError):
                if self._workspace.runs.get(one.errand.record.id).state is RunState.PAUSED:
                    self._workspace.runs.set_state(one.errand.record.id, RunState.PAUSED)
        self._active.clear()

    def _submit(self, one: _Active) -> None:
        errand = one.errand
        future = self._executor.submit(
            work_apart, one.job, limit_seconds=errand.limit_seconds, limit_bytes=errand.limit_bytes
        )
        self._active[future] = one

    def _tell(self, one: _Active) -> None:
        news = list(one.news.read())
        epochs = [
            epoch for epoch in news if isinstance(epoch, Epoch) and epoch.epoch not in one.told
        ]
        self._workspace.runs.save_epochs(one.errand.record.id, epochs)
        one.told |= {epoch.epoch for epoch in epochs}
        for each in news:
            self._display.on_news(one.errand.record.id, each)

    def _finish(self, one: _Active, future: Future[Outcome]) -> Ended | None:
        """Record what came of a job; None: its worker died, and it is to be tried again from its
        last checkpoint.
        """
        self._tell(one)
        run_id = one.errand.record.id
        try:
            outcome = self._executor.result(future)
        except WorkerLostError as error:
            if one.tries < MAX_TRIES:
                one.tries += 1
                words = f"its worker died ({error.received}); it goes on with another one"
                self._display.note(f"{one.errand.label}: {words}")
                one.news = ProgressLogReader(self._workspace.runs.folder(run_id))
                return None
            return self._close(
                one, Ended(one.errand, record_failure(self._workspace, run_id, error), error=error)
            )
        except (
            Exception
        ) as error:  # whatever a training raises is that run's failure and no other's
            return self._close(
                one, Ended(one.errand, record_failure(self._workspace, run_id, error), error=error)
            )
        self._workspace.runs.save_epochs(
            run_id, [epoch for epoch in outcome.history if epoch.epoch not in one.told]
        )
        recipe = one.errand.record.recipe
        record = record_outcome(
            self._workspace, one.errand.record, outcome, lambda: self._linear(recipe)
        )
        return self._close(one, Ended(one.errand, record, outcome))

    def _close(self, one: _Active, ended: Ended) -> Ended:
        one.news.close()
        one.claim.close()
        return ended


def first_line(error: BaseException | None) -> str:
    """Return the first line of what an error says."""
    words = error.what if isinstance(error, EyetuneError) else f"{type(error).__name__}: {error}"
    return words.splitlines()[0] if words else type(error).__name__
