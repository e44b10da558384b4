"""Trains many recipes with workers, except those that are recorded already."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import final

from eyetune.data import Dataset
from eyetune.errors import RunBusyError, WorkerLostError, WorkspaceError
from eyetune.recipe import Recipe
from eyetune.records import RunRecord, RunState, Workspace
from eyetune.report.progress.training_progress import WorkersDisplay
from eyetune.training.job import Inspection, inspect_apart
from eyetune.tuning.dispatch import Dispatcher, EndedJob, RunJob, first_line
from eyetune.tuning.executors import Executor
from eyetune.tuning.load_images import ImageLoader
from eyetune.tuning.recording import describe, linear_baseline, versions
from eyetune.tuning.references import resolve, teacher_file

# A training that takes this many times as long as the longest before it hangs.
LIMIT_FACTOR = 50
MIN_LIMIT_SECONDS = 3600.0
MAX_INSPECTED_AT_ONCE = 8

PlanKey = tuple[str, int]


@dataclass(frozen=True)
class Plan:
    """A training to be done.

    Attributes:
        label: Name in the display.
        recipe: Recipe to train.
        seed: Random seed.
        splits: Splits to classify with the trained network; test only once every choice is made.
    """

    label: str
    recipe: Recipe
    seed: int
    splits: tuple[str, ...] = ("validation",)


@dataclass(frozen=True)
class Done:
    """The end of a plan.

    Attributes:
        plan: The plan.
        run: The run as it is recorded; None where none was started.
        reason: Why there is no complete run; "" where there is one.
        was_recorded: Whether it had been trained before.
        is_out_of_time: Whether it was not started since the time was up.
    """

    plan: Plan
    run: RunRecord | None
    reason: str = ""
    was_recorded: bool = False
    is_out_of_time: bool = False


@final
class Runner:
    """Trains plans with the workers of an executor, and records and shows them.

    Args:
        workspace: Where runs are recorded; this process is the only one that writes there.
        executor: Executor of the trainings.
        display: Display of the trainings.
        lab_id: Id of the lab that the runs belong to. Default: none.
    """

    def __init__(
        self,
        workspace: Workspace,
        executor: Executor,
        display: WorkersDisplay,
        *,
        lab_id: str | None = None,
    ) -> None:
        self._workspace = workspace
        self._executor = executor
        self._display = display
        self._lab_id = lab_id
        self._dispatcher = Dispatcher(workspace, executor, display, self._linear_baseline)
        self._images = ImageLoader(progress=False)
        self._longest_seconds = 0.0

    def dataset(self, recipe: Recipe) -> Dataset:
        """Return the images of a recipe; those of an equal data section are loaded once."""
        return self._images.load_images(recipe)

    def train(
        self,
        plans: Sequence[Plan],
        *,
        may_start: Callable[[], bool] = lambda: True,
        on_done: Callable[[Done], None] = lambda _: None,
    ) -> list[Done]:
        """Train what has not been trained before.

        Args:
            plans: What to train; equal plans are trained once.
            may_start: Called before each training; once it returns False, no other is started.
            on_done: Called with each plan that was not trained before, when it ends.

        Returns:
            The end of each plan, in their order. A training that fails does not stop the others.
        """
        resolved = [self._resolved(plan) for plan in plans]
        unique = {_key(plan): plan for plan in resolved}
        recorded = {key: self._recorded_run(plan) for key, plan in unique.items()}
        done: dict[PlanKey, Done] = {}
        missing: list[Plan] = []
        new: list[Plan] = []
        for key, plan in unique.items():
            run = recorded[key]
            if run is not None and run.is_over:
                done[key] = _done_before(plan, run)
                continue
            missing.append(plan)
            if run is None:
                new.append(plan)
        self._display.expect(len(missing), len(done))
        inspections = self._inspect([plan.recipe for plan in new])
        inspection_of = dict(zip(map(_key, new), inspections, strict=True))
        queue: deque[tuple[Plan, RunRecord | Inspection]] = deque()
        for plan in missing:
            queue.append((plan, recorded[_key(plan)] or inspection_of[_key(plan)]))
        for ended in self._work_off(queue, may_start, on_done):
            done[_key(ended.plan)] = ended
        return [
            replace(done[_key(plan)], plan=given)
            for given, plan in zip(plans, resolved, strict=True)
        ]

    def knows(self, plans: Sequence[Plan]) -> bool:
        """Return whether all plans have been trained before."""
        runs = [self._recorded_run(self._resolved(plan)) for plan in plans]
        return all(run is not None and run.is_over for run in runs)

    def _resolved(self, plan: Plan) -> Plan:
        return replace(plan, recipe=resolve(plan.recipe, self._workspace))

    def _recorded_run(self, plan: Plan) -> RunRecord | None:
        """Return the run of a plan that has ended, or else one that can be resumed."""
        fingerprint = self.dataset(plan.recipe).fingerprint
        complete: list[RunRecord] = []
        diverged: list[RunRecord] = []
        unfinished: list[RunRecord] = []
        for run in self._workspace.runs.same(plan.recipe, fingerprint, plan.seed):
            if run.state is RunState.COMPLETE and self._has_predictions(run, plan):
                complete.append(run)
            if run.diverged:  # it would diverge again
                diverged.append(run)
            if run.state in (RunState.WAITING, RunState.PAUSED):
                unfinished.append(run)
        return next(iter([*reversed(complete), *diverged, *unfinished]), None)

    def _has_predictions(self, run: RunRecord, plan: Plan) -> bool:
        predictions = self._workspace.predictions
        try:
            return all(predictions.load(run.id, split) is not None for split in plan.splits)
        except WorkspaceError:  # a damaged file: the plan is trained again
            return False

    def _inspect(self, recipes: Sequence[Recipe]) -> list[Inspection]:
        """Build every network, untrained, before any is trained: failures then cost nothing."""
        if len(recipes) > MAX_INSPECTED_AT_ONCE:
            self._display.note(f"Checking that {len(recipes)} networks can be built ...")
        # Each worker gets a part, so that all of them load Keras now and not at their first job.
        size = math.ceil(len(recipes) / self._executor.num_workers)
        size = max(1, min(MAX_INSPECTED_AT_ONCE, size))
        parts = [recipes[start : start + size] for start in range(0, len(recipes), size)]
        futures = [self._submit_inspection(part) for part in parts]
        inspections: list[Inspection] = []
        for part, future in zip(parts, futures, strict=True):
            inspections += self._inspected(part, future)
        return inspections

    def _inspected(
        self, recipes: Sequence[Recipe], future: Future[tuple[Inspection, ...]]
    ) -> list[Inspection]:
        """Return the inspections; where the worker died, the recipes are built one at a time."""
        try:
            return list(future.result())
        except WorkerLostError as error:
            if len(recipes) == 1:
                return [Inspection(None, "float32", error)]
        inspections: list[Inspection] = []
        for recipe in recipes:
            inspections += self._inspected([recipe], self._submit_inspection([recipe]))
        return inspections

    def _submit_inspection(self, recipes: Sequence[Recipe]) -> Future[tuple[Inspection, ...]]:
        teachers = tuple(teacher_file(self._workspace, recipe) for recipe in recipes)
        threads = self._executor.threads
        return self._executor.submit(inspect_apart, tuple(recipes), threads, teachers)

    def _create(self, plan: Plan, inspection: Inspection) -> RunRecord:
        assert inspection.network is not None
        return self._workspace.runs.create(
            recipe=plan.recipe,
            data=describe(self.dataset(plan.recipe)),
            network=inspection.network,
            seed=plan.seed,
            precision=inspection.precision,
            threads=self._executor.threads,
            name=plan.label,
            versions=versions(),
            state=RunState.WAITING,
            lab_id=self._lab_id,
        )

    def _work_off(
        self,
        queue: deque[tuple[Plan, RunRecord | Inspection]],
        may_start: Callable[[], bool],
        on_done: Callable[[Done], None],
    ) -> list[Done]:
        finished: list[Done] = []
        active: dict[str, Plan] = {}

        def finish(done: Done) -> None:
            self._show(done)
            finished.append(done)
            on_done(done)

        try:
            while queue or active:
                while queue and len(active) < self._executor.num_workers:
                    plan, origin = queue.popleft()
                    started = self._start(plan, origin, may_start)
                    if isinstance(started, Done):
                        finish(started)
                    else:
                        active[started.id] = plan
                self._dispatcher.wait()
                for ended in self._dispatcher.collect():
                    finish(self._done(active.pop(ended.record.id), ended))
        finally:
            self._dispatcher.pause()  # whatever happened, unfinished runs can be resumed
        return finished

    def _start(
        self, plan: Plan, origin: RunRecord | Inspection, may_start: Callable[[], bool]
    ) -> RunRecord | Done:
        """Start the training of a plan, from an unfinished run or from the network just built."""
        if isinstance(origin, Inspection) and origin.network is None:
            return Done(plan, None, f"cannot be trained: {first_line(origin.error)}")
        if not may_start():
            return Done(plan, None, "out of time", is_out_of_time=True)
        record = self._create(plan, origin) if isinstance(origin, Inspection) else origin
        limit = None
        if self._longest_seconds:
            limit = max(MIN_LIMIT_SECONDS, LIMIT_FACTOR * self._longest_seconds)
        try:
            self._dispatcher.begin(RunJob(record, plan.label, plan.splits, limit_seconds=limit))
        except RunBusyError as error:
            return Done(plan, record, first_line(error))
        return record

    def _done(self, plan: Plan, ended: EndedJob) -> Done:
        if ended.error is not None:
            return Done(plan, ended.record, f"failed: {first_line(ended.error)}")
        self._longest_seconds = max(self._longest_seconds, ended.record.duration_seconds)
        return Done(plan, ended.record)

    def _show(self, done: Done) -> None:
        text = done.reason
        run = done.run
        if not text and run is not None and run.results is not None:
            split, accuracy = "validation", run.results.validation_accuracy
            if run.results.test_accuracy is not None:
                split, accuracy = "test", run.results.test_accuracy
            assert accuracy is not None  # the networks of a lab are classifiers
            text = f"{accuracy:.2%} on {split}, {run.duration_seconds:.1f} s"
        self._display.end(run.id if run else "", f"{done.plan.label}: {text}")

    def _linear_baseline(self, recipe: Recipe) -> float | None:
        return linear_baseline(self.dataset(recipe), self._display.note)


def _done_before(plan: Plan, run: RunRecord) -> Done:
    reason = ""
    if run.diverged:
        reason = f"failed: {(run.error or '').splitlines()[0]}"
    return Done(plan, run, reason, was_recorded=True)


def _key(plan: Plan) -> PlanKey:
    return plan.recipe.fingerprint, plan.seed
