"""Training many recipes with workers: what is recorded already is found, the rest is trained and
recorded.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace

from eyetune.data import Dataset
from eyetune.errors import RunBusyError, WorkerLostError, WorkspaceError
from eyetune.recipe import Recipe
from eyetune.records import RunRecord, RunState, Workspace
from eyetune.report.progress.training_progress import WorkersDisplay
from eyetune.training.job import Inspection, inspect_apart
from eyetune.training.load_data import load_data
from eyetune.tuning.dispatch import Dispatcher, EndedJob, RunJob, first_line
from eyetune.tuning.executors import Executor
from eyetune.tuning.recording import describe, linear_baseline, versions
from eyetune.tuning.references import resolve, teacher_file

OUT_OF_TIME = "out of time"
LIMIT_FACTOR = (
    50  # a training may take so many times as long as the longest before it: then it hangs
)
MIN_LIMIT_SECONDS = 3600.0
INSPECTED_AT_ONCE = 8


@dataclass(frozen=True)
class Plan:
    """A training to be done.

    Attributes:
        label: What to call it.
        recipe: What to train.
        seed: Of everything random.
        splits: What to classify with the trained network; test only where every choice is made.
    """

    label: str
    recipe: Recipe
    seed: int
    splits: tuple[str, ...] = ("validation",)


@dataclass(frozen=True)
class Done:
    """What became of a plan.

    Attributes:
        plan: The plan.
        run: The run as it is recorded; None where none was begun.
        reason: Why there is no complete run ("" where there is one).
        found: Whether it had been trained before.
        is_out_of_time: Whether it was not begun because `may_start` said no.
    """

    plan: Plan
    run: RunRecord | None
    reason: str = ""
    found: bool = False
    is_out_of_time: bool = False


class Runner:
    """Trains plans with the workers of an executor, records all, and shows all in one display.

    Args:
        place: Where runs are recorded; this process is the only one that writes there.
        executor: Who works.
        display: Where it is shown.
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
        self._lab_id = lab_id
        self._executor = executor
        self._display = display
        self._dispatcher = Dispatcher(workspace, executor, display, self._linear_baseline)
        self._datasets: dict[str, Dataset] = {}
        self._longest_seconds = 0.0

    def dataset(self, recipe: Recipe) -> Dataset:
        """Load the images of a recipe; those of the same data section once."""
        key = recipe.data.model_dump_json()
        if key not in self._datasets:
            self._datasets[key] = load_data(recipe)
        return self._datasets[key]

    def train(
        self,
        plans: Sequence[Plan],
        *,
        may_start: Callable[[], bool] = lambda: True,
        on_done: Callable[[Done], None] = lambda _: None,
    ) -> list[Done]:
        """Train what has not been trained before.

        Args:
            plans: What to train; equal ones are trained once.
            may_start: Asked before each training; once it says no, the plans that are left are not
                begun.
            on_done: Called with what became of each plan that was not trained before, as it ends.

        Returns:
            What became of each plan, in their order. A training that fails does not stop the
            others.
        """
        asked, plans = (
            plans,
            [replace(plan, recipe=resolve(plan.recipe, self._workspace)) for plan in plans],
        )
        wanted = {_key(plan): plan for plan in plans}
        found = {key: self._found(plan) for key, plan in wanted.items()}
        outcomes = {
            key: _done_before(wanted[key], run)
            for key, run in found.items()
            if run is not None and run.is_over
        }
        missing = {key: plan for key, plan in wanted.items() if key not in outcomes}
        self._display.expect(len(missing), len(outcomes))
        new = [plan for key, plan in missing.items() if found[key] is None]
        inspections = dict(
            zip(map(_key, new), self._inspect([plan.recipe for plan in new]), strict=True)
        )
        queue = deque((plan, found[key] or inspections[key]) for key, plan in missing.items())
        for done in self._work_off(queue, may_start, on_done):
            outcomes[_key(done.plan)] = done
        return [
            replace(outcomes[_key(plan)], plan=one) for one, plan in zip(asked, plans, strict=True)
        ]

    def knows(self, plans: Sequence[Plan]) -> bool:
        """Tell whether all of these have been trained before."""
        found = [
            self._found(replace(plan, recipe=resolve(plan.recipe, self._workspace)))
            for plan in plans
        ]
        return all(run is not None and run.is_over for run in found)

    def _found(self, plan: Plan) -> RunRecord | None:
        """Return the run of a plan that is over already, or else one that can be gone on with."""
        same = self._workspace.runs.same(
            plan.recipe, self.dataset(plan.recipe).fingerprint, plan.seed
        )
        complete = [
            run
            for run in same
            if run.state is RunState.COMPLETE and self._has_predictions(run, plan)
        ]
        diverged = [run for run in same if run.diverged]  # it would again
        unfinished = [run for run in same if run.state in (RunState.WAITING, RunState.PAUSED)]
        return next(iter([*reversed(complete), *diverged, *unfinished]), None)

    def _has_predictions(self, run: RunRecord, plan: Plan) -> bool:
        try:
            return all(
                self._workspace.predictions.load(run.id, split) is not None for split in plan.splits
            )
        except WorkspaceError:  # damaged: it is trained again
            return False

    def _inspect(self, recipes: Sequence[Recipe]) -> list[Inspection]:
        """Build every network, untrained, before any is trained: what cannot be built costs
        nothing.
        """
        if len(recipes) > INSPECTED_AT_ONCE:
            self._display.note(
                f"Building {len(recipes)} networks, untrained, to see whether each can be ..."
            )
        # Every worker gets a part, so that all of them load Keras at once and not when their first
        # training comes.
        size = max(1, min(INSPECTED_AT_ONCE, math.ceil(len(recipes) / self._executor.num_workers)))
        parts = [recipes[start : start + size] for start in range(0, len(recipes), size)]
        futures = [self._submit_inspection(tuple(part)) for part in parts]
        return [
            one
            for part, future in zip(parts, futures, strict=True)
            for one in self._inspected(part, future)
        ]

    def _inspected(
        self, recipes: Sequence[Recipe], future: Future[tuple[Inspection, ...]]
    ) -> list[Inspection]:
        """Return what became of an inspection; where a worker died of it, the recipes are built one
        at a time.
        """
        try:
            inspections: tuple[Inspection, ...] = future.result()
            return list(inspections)
        except WorkerLostError as error:
            if len(recipes) == 1:
                return [Inspection(None, "float32", error)]
        return [
            one
            for recipe in recipes
            for one in self._inspected([recipe], self._submit_inspection((recipe,)))
        ]

    def _submit_inspection(self, recipes: tuple[Recipe, ...]) -> Future[tuple[Inspection, ...]]:
        teachers = tuple(teacher_file(self._workspace, recipe) for recipe in recipes)
        return self._executor.submit(inspect_apart, recipes, self._executor.threads, teachers)

    def _create(self, plan: Plan, inspection: Inspection) -> RunRecord:
        assert inspection.network is not None
        dataset = self.dataset(plan.recipe)
        return self._workspace.runs.create(
            recipe=plan.recipe,
            data=describe(dataset),
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

        def end(done: Done) -> None:
            finished.append(self._end(done))
            on_done(done)

        try:
            while queue or active:
                while queue and len(active) < self._executor.num_workers:
                    plan, start = queue.popleft()
                    begun = self._begin(plan, start, may_start)
                    if isinstance(begun, Done):
                        end(begun)
                    else:
                        active[begun.id] = plan
                self._dispatcher.wait()
                for ended in self._dispatcher.collect():
                    end(self._done(active.pop(ended.record.id), ended))
        finally:
            self._dispatcher.pause()  # whatever ended us: what was under way can be gone on with
        return finished

    def _begin(
        self, plan: Plan, start: RunRecord | Inspection, may_start: Callable[[], bool]
    ) -> RunRecord | Done:
        if isinstance(start, Inspection) and start.network is None:
            return Done(plan, None, f"cannot be trained: {first_line(start.error)}")
        if not may_start():
            return Done(plan, None, OUT_OF_TIME, is_out_of_time=True)
        record = self._create(plan, start) if isinstance(start, Inspection) else start
        limit = (
            max(MIN_LIMIT_SECONDS, LIMIT_FACTOR * self._longest_seconds)
            if self._longest_seconds
            else None
        )
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

    def _end(self, done: Done) -> Done:
        words = done.reason
        if not done.reason and done.run is not None and done.run.results is not None:
            results = done.run.results
            share = (
                results.validation_accuracy
                if results.test_accuracy is None
                else results.test_accuracy
            )
            split = "validation" if results.test_accuracy is None else "test"
            words = f"{share:.2%} on {split}, {done.run.duration_seconds:.1f} s"
        self._display.end(done.run.id if done.run else "", f"{done.plan.label}: {words}")
        return done

    def _linear_baseline(self, recipe: Recipe) -> float | None:
        return linear_baseline(self.dataset(recipe), self._display.note)


def _done_before(plan: Plan, run: RunRecord) -> Done:
    return Done(
        plan,
        run,
        f"failed: {(run.error or '').splitlines()[0]}" if run.diverged else "",
        found=True,
    )


def _key(plan: Plan) -> tuple[str, int]:
    return plan.recipe.fingerprint, plan.seed
