"""Simulated studies that trackers follow, and a tracker that remembers its calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from eyetune.recipe import Recipe
from eyetune.records import Workspace
from eyetune.records.study import Budget, SchedulerSettings, StudyRecord, StudySettings, StudyState
from eyetune.space.presets import recipe_space
from eyetune.testing.datasets import tiny_dataset
from eyetune.testing.simulated_executor import SimulatedExecutor, quick_curve
from eyetune.tracking.follow import RecordsFollower, follow
from eyetune.tracking.tracker import Metrics, Tracked, TrackedEnd, Tracker
from eyetune.tuning.objectives import read_constraint, read_objective
from eyetune.tuning.search import search


class Recorder(Tracker):
    """Remembers its calls as pairs of a method and what it got."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []

    def begin(self, item: Tracked) -> None:
        self.calls.append(("begin", item))

    def log_epoch(self, item: Tracked, epoch: int, metrics: Metrics) -> None:
        self.calls.append(("log_epoch", (item, epoch, metrics)))

    def end(self, item: Tracked, end: TrackedEnd) -> None:
        self.calls.append(("end", (item, end)))

    def catch_up(self, item: Tracked, end: TrackedEnd | None) -> None:
        self.calls.append(("catch_up", (item, end)))

    def close(self) -> None:
        self.calls.append(("close", None))

    def of(self, method: str) -> list[Any]:
        """Return what the calls of a method got, in order."""
        return [got for name, got in self.calls if name == method]

    @property
    def epochs(self) -> list[tuple[str, int]]:
        """The logged epochs, with the ids of their items, in order."""
        return [(item.id, epoch) for item, epoch, _ in self.of("log_epoch")]

    @property
    def ends(self) -> dict[str, TrackedEnd]:
        """How each item ended last, by id."""
        return {item.id: end for item, end in self.of("end")}


class Interruption:
    """A display that interrupts a study after some states of trials."""

    def __init__(self, after: int | None = None) -> None:
        self.left = after

    def note(self, text: str) -> None: ...

    def begin(self, key: str, label: str, num_epochs: int) -> None: ...

    def on_progress_log(self, key: str, entry: Any) -> None: ...

    def end(self, key: str, text: str) -> None: ...

    def on_trial(self, trial: Any) -> None:  # noqa: ARG002
        if self.left is None:
            return
        self.left -= 1
        if self.left < 0:
            self.left = None
            raise KeyboardInterrupt


@contextmanager
def followed(
    workspace: Workspace, *trackers: Tracker, warnings: list[str] | None = None
) -> Iterator[RecordsFollower]:
    """Follow the records; warnings are added to a list, or are not expected."""
    received: list[str] = []
    try:
        with follow(workspace, trackers, received.append) as follower:
            yield follower
    finally:
        if warnings is None:
            assert received == []
        else:
            warnings += received


def failing_curve(recipe: Recipe, epoch: int) -> float:
    """Return a simulated accuracy; low learning rates fail in their second epoch."""
    if epoch == 2 and recipe.optimizer.learning_rate < 1e-3:
        raise RuntimeError("out of luck")
    return quick_curve(recipe, epoch)


class UnluckySeed:
    """What trainings gain by their seeds; those with the seed 0 fail in their third epoch."""

    def __init__(self) -> None:
        self._num_epochs = 0

    def __call__(self, seed: int) -> float:
        self._num_epochs += seed == 0
        if seed == 0 and self._num_epochs % 3 == 0:
            raise RuntimeError("an unlucky seed")
        return seed / 100


def new_study(workspace: Workspace, **options: Any) -> StudyRecord:
    """Record a study of recipes with 6 trials of 4 epochs, or as the options say."""
    start = recipe_space("lab", Recipe().with_(fit__epochs=4))
    values: dict[str, Any] = {
        "recipe": start.recipe,
        "space": start.space,
        "objectives": (read_objective("val_accuracy"),),
        "constraints": tuple(map(read_constraint, options.pop("constraints", ()))),
        "schedule": SchedulerSettings(
            name=options.pop("schedule", "full"),
            max_epochs=4,
            executions=options.pop("executions", 1),
        ),
        "sampler": "random",
        "budget": Budget(trials=6),
        **options,
    }
    return workspace.studies.create("study", StudySettings(**values))


def run_study(
    workspace: Workspace,
    record: StudyRecord,
    trackers: Sequence[Tracker],
    *,
    interrupt_after: int | None = None,
    warnings: list[str] | None = None,
    **simulation: Any,
) -> StudyRecord:
    """Run or resume a study with simulated trainings, until it ends or is interrupted."""
    with (
        suppress(KeyboardInterrupt),
        followed(workspace, *trackers, warnings=warnings),
        SimulatedExecutor(2, **simulation) as executor,
        workspace.studies.claim(record.id),
    ):
        record = record.model_copy(update={"state": StudyState.RUNNING})
        workspace.studies.save(record)
        search(record, workspace, executor, Interruption(interrupt_after), tiny_dataset())
    return workspace.studies.get(record.id)
