"""The search of a study: suggestions out, results in, until its budget is spent.

Everything that happens is recorded before the next thing happens, so a search that was killed goes
on where it was: the schedule and the sampler are made anew and told what is recorded.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from concurrent.futures import Future
from typing import Protocol

from eyetune.data import Dataset
from eyetune.errors import (
    RecipeError,
    RunBusyError,
    RunNotFoundError,
    TrainingError,
    UsageError,
    WorkerLostError,
)
from eyetune.records import RunRecord, RunState, Workspace
from eyetune.records.study import StudyRecord, StudySettings, StudyState, TrialRecord, TrialState
from eyetune.training.job import Inspection, inspect_apart
from eyetune.tuning.budget import OUT_OF_TIME, BudgetTracker
from eyetune.tuning.dispatch import MAX_TRIES, Dispatcher, Display, Ended, RunJob, first_line
from eyetune.tuning.executors import Executor
from eyetune.tuning.objectives import needs_footprint
from eyetune.tuning.prior_runs import Seed
from eyetune.tuning.recording import describe, versions
from eyetune.tuning.retention import MODELS_KEPT, ModelRetention
from eyetune.tuning.samplers import Sampler
from eyetune.tuning.schedulers import Promotion, Scheduler, make_scheduler
from eyetune.tuning.trials import (
    cut_off,
    excesses,
    failed,
    inspected,
    reached,
    run_id,
    scores,
    trial_recipe,
    words_of,
)

MAX_FAILURES = 5  # in a row and from the start: then it is not the trials, it is the study
MAX_INFEASIBLE = 300  # in a row
MAX_UNBUILT = 20  # in a row
SECONDS_BETWEEN_SAVES = 5.0


class StudyDisplay(Display, Protocol):
    """Where a study is shown while it runs."""

    def on_trial(self, trial: TrialRecord) -> None:
        """Show where a trial stands now."""


def search(
    record: StudyRecord,
    workspace: Workspace,
    executor: Executor,
    display: StudyDisplay,
    dataset: Dataset,
    seeds: tuple[Seed, ...] = (),
) -> StudyRecord:
    """Do a study, or go on with it, until its budget is spent; the caller holds it
    (`Studies.claim`).

    Raises:
        TrainingError: Every trial fails.
        KeyboardInterrupt: Ctrl-C; all whole epochs are recorded.
    """
    under_way = _Search(record, workspace, executor, display, dataset, seeds)
    return under_way.run()


class _Search:
    """A study under way. What is recorded is the truth; the rest is made of it."""

    def __init__(
        self,
        record: StudyRecord,
        workspace: Workspace,
        executor: Executor,
        display: StudyDisplay,
        dataset: Dataset,
        seeds: tuple[Seed, ...],
    ) -> None:
        self.record, self.workspace, self.executor, self.display = (
            record,
            workspace,
            executor,
            display,
        )
        self.settings: StudySettings = record.settings
        self.dataset = dataset
        self.trials = {trial.number: trial for trial in workspace.studies.trials(record.id)}
        self.dispatcher = Dispatcher(workspace, executor, display)
        self.retention = ModelRetention(workspace, self.settings.objectives)
        self.schedule, self.sampler = self._schedule(), self._sampler(seeds)
        self.waiting: deque[int] = deque()  # of an earlier sitting, to be gone on with first
        self.inspecting: dict[Future[tuple[Inspection, ...]], int] = {}
        self.lost_inspections: Counter[int] = Counter()
        self.running: dict[str, int] = {}
        self.saved_at = time.monotonic()
        self.budget = BudgetTracker(
            self.settings.budget, self.settings.objectives[0], record.seconds
        )
        self.failures: list[TrialRecord] = []  # of this sitting
        self.infeasible = self.unbuilt = 0  # in a row
        self.is_exhausted = self.is_closed = False
        self.has_result = any(trial.rungs for trial in self.trials.values())
        self._restore()

    # From the records.

    def _schedule(self) -> Scheduler:
        asked, budget = self.settings.schedule, self.settings.budget
        return make_scheduler(
            asked.name,
            max_epochs=asked.max_epochs,
            min_epochs=asked.min_epochs,
            factor=asked.factor,
            num_trials=budget.trials,
            iterations=asked.iterations,
        )

    def _sampler(self, seeds: tuple[Seed, ...]) -> Sampler:
        settings, record = self.settings, self.record
        sampler = Sampler(settings.sampler, record.space, settings.objectives, seed=settings.seed)
        for number, one in enumerate(seeds, start=1):
            sampler.add(-number, one.values, one.objectives)
        return sampler

    def _restore(self) -> None:
        for number, trial in sorted(self.trials.items()):
            self.sampler.add(number, trial.values, None, running=True, state=trial.sampler_state)
            self._tell_sampler(trial)
            if self._is_replaced(trial):
                continue
            by_rung: list[tuple[float, ...] | None] = [
                scores(self.settings.objectives, rung.values) for rung in trial.rungs
            ]
            failed = trial.state is TrialState.FAILED
            stopped = trial.state is TrialState.STOPPED
            granted = trial.rung if failed or trial.is_open else max(len(by_rung) - 1, 0)
            if failed:
                by_rung = [*by_rung[:granted], None]
            self.schedule.restore(number, trial.bracket, granted, by_rung, is_stopped=stopped)
            self.budget.release(trial)
            if trial.state in (TrialState.WAITING, TrialState.RUNNING):
                self.waiting.append(number)
                self.budget.promise(trial)
            self.retention.note(trial)
        for trial in self.trials.values():
            self.retention.tidy(trial)
        self.retention.sweep()

    @staticmethod
    def _is_replaced(trial: TrialRecord) -> bool:
        return trial.state is TrialState.INFEASIBLE or (
            trial.state is TrialState.FAILED and trial.run is None
        )

    # The loop.

    def run(self) -> StudyRecord:
        """Search until an end is reached, then see to the best network."""
        ending = ""
        try:
            while not ending:
                ending = self.budget.ending(self.retention.best)
                if not ending:
                    self._hand_out()
                    self._collect()
                    self._raise_if_all_fail()  # once they are recorded
                    ending = self._nothing_left()
                self._save()
            self._leave()
            return self._finish(ending)
        except BaseException:
            self._leave()
            self._save(StudyState.PAUSED)
            raise

    def _nothing_left(self) -> str:
        if self.running or self.inspecting or self.waiting or self._next_grant() is not None:
            return ""
        ending = self._no_more_trials()
        if ending and not self.is_closed:
            self._close()
            return ""
        if ending:
            return ending
        if self.settings.budget.epochs is not None and self.schedule.next() is not None:
            return "the epochs are spent"
        return "all trials are done"

    def _no_more_trials(self) -> str:
        """Say why no new trial can be begun; an empty word where one can."""
        if self.is_exhausted:
            return "every combination has been tried"
        if self.infeasible >= MAX_INFEASIBLE:
            return f"{self.infeasible} suggestions in a row break a constraint"
        if self.unbuilt >= MAX_UNBUILT:
            return f"the networks of {self.unbuilt} trials in a row could not be built"
        return ""

    def _close(self) -> None:
        """Let those that waited for others go on without them."""
        self.is_closed = True
        with self.workspace.transaction():
            self._keep(*self._stopped(self.schedule.close()))
        self.retention.sweep()

    @property
    def num_busy(self) -> int:
        """Jobs that workers do now."""
        return len(self.running) + len(self.inspecting)

    def _next_grant(self) -> Promotion | None:
        """Return what the schedule grants next, where the budget allows it."""
        grant = self.schedule.next()
        if grant is None:
            return None
        if grant.trial is None and self._no_more_trials():
            return None
        done = 0 if grant.trial is None else self.trials[grant.trial].epochs
        return grant if self.budget.allows(grant.epochs - done) else None

    def _hand_out(self) -> None:
        while self.num_busy < self.executor.num_workers:
            if self.waiting:
                self._go_on(self.trials[self.waiting.popleft()])
                continue
            grant = self._next_grant()
            if grant is None:
                return
            if grant.trial is None:
                self._begin(grant)
            else:
                self._promote(grant)

    def _begin(self, grant: Promotion) -> None:
        """Suggest a new trial, and let its network be built."""
        number = len(self.trials)
        suggestion = self.sampler.suggest(number)
        if suggestion is None:
            self.is_exhausted = True
            return
        self.schedule.start(number, grant)
        trial = TrialRecord(
            number=number,
            state=TrialState.WAITING,
            values=suggestion.values,
            sampler_state=suggestion.state,
            bracket=grant.bracket,
            rung=grant.rung,
            epochs_granted=grant.epochs,
        )
        self.budget.promise(trial)
        self._keep(trial)
        self._inspect(trial)

    def _promote(self, grant: Promotion) -> None:
        """Let a trial that paused go on; one that had stopped early is at its next rung already."""
        trial = self.trials[grant.trial if grant.trial is not None else 0]
        self.schedule.start(trial.number, grant)
        granted = trial.with_(
            state=TrialState.RUNNING, rung=grant.rung, epochs_granted=grant.epochs
        )
        if trial.is_over:
            self._reach(granted.with_(epochs_granted=trial.epochs), is_over=True)
            return
        self.budget.promise(granted)
        self._keep(granted)
        self._train(granted)

    def _go_on(self, trial: TrialRecord) -> None:
        """Go on with a trial of an earlier sitting."""
        if trial.run is None:
            self._inspect(trial)
        else:
            self._train(trial)

    # A trial's way.

    def _inspect(self, trial: TrialRecord) -> None:
        try:
            recipe = trial_recipe(self.settings, trial)
        except RecipeError as error:
            reason = str(error).splitlines()[0]
            self._reject(trial.with_(state=TrialState.INFEASIBLE, infeasible=(reason,)))
            return
        footprint = needs_footprint(self.settings.objectives, self.settings.constraints)
        limits = self.settings.limits
        future = self.executor.submit(
            inspect_apart,
            (recipe,),
            self.executor.threads,
            (),
            footprint,
            limit_seconds=limits.seconds,
            limit_bytes=limits.memory_bytes,
        )
        self.inspecting[future] = trial.number

    def _reject(self, trial: TrialRecord) -> None:
        """Record a trial that will not be trained, and give its place in the schedule to another."""
        self.schedule.replace(trial.number)
        self.budget.release(trial)
        if trial.state is TrialState.INFEASIBLE:
            self.infeasible += 1
        else:
            self.unbuilt += 1
            self.failures.append(trial)
        self._keep(trial)
        self._tell_sampler(trial)

    def _raise_if_all_fail(self) -> None:
        if not self.has_result and len(self.failures) >= MAX_FAILURES:
            last = self.failures[-1]
            raise TrainingError(
                f"The first {len(self.failures)} trials all failed.",
                received=last.error.splitlines()[0] if last.error else "",
                fix=f"eyetune study {self.record.name} --trial {last.number} shows the whole error.",
            )

    def _inspected(self, number: int, future: Future[tuple[Inspection, ...]]) -> None:
        trial = self.trials[number]
        try:
            (inspection,) = self.executor.result(future)
        except Exception as error:
            self.lost_inspections[number] += isinstance(error, WorkerLostError)
            if isinstance(error, WorkerLostError) and self.lost_inspections[number] < MAX_TRIES:
                self._inspect(trial)
                return
            # Its worker dies of it again and again: too large a network, for one.
            self._reject(trial.with_(state=TrialState.FAILED, error=words_of(error)))
            return
        trial = inspected(self.settings, trial, inspection)
        if trial.state is not TrialState.WAITING:
            self._reject(trial)
            return
        self.infeasible = self.unbuilt = 0
        if self.settings.tune_new_entries:
            self._grow(inspection)
        recipe = trial_recipe(self.settings, trial)
        assert inspection.network is not None
        run = self.workspace.runs.create(
            recipe=recipe,
            data=describe(self.dataset),
            network=inspection.network,
            seed=self.settings.seed,
            precision=inspection.precision,
            threads=self.executor.threads,
            name=f"{self.record.name}/{number}",
            versions=versions(),
            state=RunState.WAITING,
            run_id=run_id(self.record.id, number),
        )
        self._keep(trial.with_(state=TrialState.RUNNING, run=run.id))
        self.waiting.appendleft(number)  # it is handed out once all this is on record

    def _grow(self, seen: Inspection) -> None:
        """Let hyperparameters that have appeared join the space."""
        grown = self.record.space.merge(seen.space)
        if grown is not self.record.space:
            self.record = self.record.model_copy(update={"space": grown})
            self.sampler.grow(grown)
            self.is_exhausted = False
            self.saved_at = 0.0  # the next save is due

    def _train(self, trial: TrialRecord) -> None:
        try:
            run = self.workspace.runs.get(trial.run or "")
            total = run.recipe.fit.total_epochs
            stop_after = trial.epochs_granted if trial.epochs_granted < total else None
            self.dispatcher.begin(self._errand(trial, run, stop_after=stop_after))
        except (
            RunBusyError,
            RunNotFoundError,
        ) as error:  # another process has it, or it was purged
            self._fail(trial, error)
            return
        self.running[run.id] = trial.number

    def _errand(
        self, trial: TrialRecord, run: RunRecord, *, stop_after: int | None, conclude: bool = False
    ) -> RunJob:
        limits = self.settings.limits
        return RunJob(
            run,
            f"trial {trial.number}",
            stop_after=stop_after,
            conclude=conclude,
            limit_seconds=limits.seconds,
            limit_bytes=limits.memory_bytes,
        )

    def _collect(self) -> None:
        """Wait for whatever ends next, and see to it; what follows from it is recorded at once or
        not at all.
        """
        self.dispatcher.wait(also=self.inspecting)
        with self.workspace.transaction():
            for ended in self.dispatcher.look():
                self._ended(ended)
            for future in [future for future in self.inspecting if future.done()]:
                self._inspected(self.inspecting.pop(future), future)
        self.retention.sweep()

    def _ended(self, ended: Ended) -> None:
        trial = self.trials[self.running.pop(ended.record.id)]
        outcome = ended.outcome
        if outcome is None:
            self._fail(trial, ended.error or AssertionError())
            return
        seen = {
            name: value
            for name, value in outcome.hyperparameters.items()
            if name not in trial.values
        }
        trial = trial.with_(more_values={**trial.more_values, **seen})
        if self.settings.tune_new_entries and outcome.space.distributions:
            self._grow(Inspection(None, "float32", space=outcome.space))
        self._reach(trial, is_over=outcome.is_over)

    def _reach(self, trial: TrialRecord, *, is_over: bool) -> None:
        """Record that a trial has reached its rung, and let schedule and sampler know."""
        assert trial.run is not None
        history = self.workspace.runs.history(trial.run)
        try:
            trial = reached(self.settings.objectives, trial, history, is_over=is_over)
        except UsageError as error:  # nothing measures an objective
            self._fail(trial, error)
            return
        self.has_result = True
        assert trial.objectives is not None
        out = self.schedule.report(trial.number, scores(self.settings.objectives, trial.objectives))
        self.trials[trial.number] = trial
        self.budget.release(trial)
        self.retention.note(trial)
        self._keep(
            trial, *self._stopped(out - {trial.number}), *self._stopped(out & {trial.number})
        )
        self._tell_sampler(self.trials[trial.number])
        for number in out - {trial.number}:
            self._tell_sampler(self.trials[number])

    def _stopped(self, numbers: frozenset[int]) -> list[TrialRecord]:
        """Return the trials that have no chance any more, as they are recorded from now on."""
        paused = [self.trials[number] for number in sorted(numbers)]
        return [
            trial.with_(state=TrialState.STOPPED)
            for trial in paused
            if trial.state is TrialState.PAUSED
        ]

    def _fail(self, trial: TrialRecord, error: Exception) -> None:
        trial = failed(trial, self.workspace.runs.history(trial.run or ""), error)
        self.budget.release(trial)
        out = self.schedule.report(trial.number, None)
        self._keep(trial, *self._stopped(out - {trial.number}))
        self._tell_sampler(trial)
        self.failures.append(trial)

    def _tell_sampler(self, trial: TrialRecord) -> None:
        """Tell the sampler what came of a trial, once; what it is told later it passes over.

        With halving and median, where a trial may wait to the end of the study, that is what it was
        worth at the first rung, which all reach; else what it was worth when nothing more would
        come of it.
        """
        at_first_rung = self.settings.schedule.name in ("halving", "median") and bool(trial.rungs)
        if trial.is_open and not at_first_rung:
            return
        infeasible = trial.state is TrialState.INFEASIBLE
        values = trial.rungs[0].values if at_first_rung else trial.objectives
        values = (
            None
            if infeasible or (trial.state is TrialState.FAILED and not at_first_rung)
            else values
        )
        excess = excesses(self.settings, trial) if infeasible else ()
        self.sampler.tell(trial.number, values, excess=excess, infeasible=infeasible)

    # ModelRetention.

    def _keep(self, *changed: TrialRecord) -> None:
        """Record trials, and set aside the checkpoints that nobody needs any more."""
        for trial in changed:
            self.trials[trial.number] = trial
        latest = {trial.number: self.trials[trial.number] for trial in changed}
        self.workspace.studies.save_trials(self.record.id, latest.values())
        for trial in latest.values():
            self.display.on_trial(trial)
            if trial.state is TrialState.STOPPED and trial.run is not None:
                self.workspace.runs.set_state(trial.run, RunState.STOPPED)
            self.retention.tidy(trial)

    def _save(self, state: StudyState = StudyState.RUNNING, ending: str = "") -> None:
        if state is StudyState.RUNNING and time.monotonic() - self.saved_at < SECONDS_BETWEEN_SAVES:
            return
        self.saved_at = time.monotonic()
        update = {"seconds": self.budget.seconds, "state": state, "ending": ending}
        self.workspace.studies.save(self.record.model_copy(update=update))

    def _leave(self) -> None:
        """Stop what is under way; its whole epochs are recorded."""
        for future in self.inspecting:
            future.cancel()
        self.inspecting.clear()
        numbers = list(self.running.values())
        self.running.clear()
        self.dispatcher.pause()
        under_way = [self.trials[number] for number in numbers]
        objectives = self.settings.objectives
        changed = [
            cut_off(objectives, trial, self.workspace.runs.history(trial.run or ""))
            for trial in under_way
        ]
        for trial in changed:
            self.budget.release(trial)
            self.retention.note(trial)
        with self.workspace.transaction():
            self._keep(*changed)

    def _finish(self, ending: str) -> StudyRecord:
        """Make the best network usable, and record the end; after a limited time what was under way
        can go on.
        """
        self._conclude(1 if ending == OUT_OF_TIME else MODELS_KEPT)
        if ending != OUT_OF_TIME:
            paused = [trial for trial in self.trials.values() if trial.state is TrialState.PAUSED]
            with self.workspace.transaction():
                self._keep(*(trial.with_(state=TrialState.STOPPED) for trial in paused))
            self.retention.sweep()
        self._save(StudyState.COMPLETE, ending)
        return self.workspace.studies.get(self.record.id)

    def _conclude(self, most: int) -> None:
        """Save network and predictions of the best trials that were not trained to their end."""
        for trial in self.retention.front[:most]:
            run = self.workspace.runs.get(trial.run or "")
            if run.results is None and trial.epochs:
                self.dispatcher.begin(
                    self._errand(trial, run, stop_after=trial.epochs, conclude=True)
                )
        while self.dispatcher.num_active:
            self.dispatcher.wait()
            for ended in self.dispatcher.look():
                if ended.error is not None:
                    self.display.note(
                        f"{ended.errand.label} has no network: {first_line(ended.error)}"
                    )
