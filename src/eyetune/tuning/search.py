"""The search of a study: suggestions out, results in, until its budget is used up.

Everything is recorded before the next step, so a search that was killed can be resumed: scheduler
and sampler are rebuilt from the records.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import final

from eyetune.data import AnyDataset, Dataset
from eyetune.errors import (
    AbandonedTrialError,
    FatalTrialError,
    OutOfTimeError,
    RecipeError,
    RunBusyError,
    RunNotFoundError,
    UsageError,
)
from eyetune.records import RunRecord, RunState, Workspace
from eyetune.records.study import StudyRecord, StudySettings, StudyState
from eyetune.records.trial import InfeasibleReason, TrialRecord, TrialState
from eyetune.space.hyperparameters import Values
from eyetune.space.space import Space
from eyetune.training.job import Inspection
from eyetune.tuning.budget import BudgetTracker
from eyetune.tuning.dispatch import Dispatcher, EndedJob, first_line
from eyetune.tuning.endings import Ending
from eyetune.tuning.executions import arrived, interrupted, is_invalid, with_epochs
from eyetune.tuning.executors import Executor
from eyetune.tuning.exploration import look_ahead
from eyetune.tuning.failures import FailureGuard
from eyetune.tuning.image_limits import works
from eyetune.tuning.inspections import Inspections
from eyetune.tuning.planner import TrialPlanner, is_replaced
from eyetune.tuning.prior_runs import Seed
from eyetune.tuning.requests import StudyRequests
from eyetune.tuning.retention import MODELS_KEPT, ModelRetention
from eyetune.tuning.schedulers import Promotion
from eyetune.tuning.study_log import StudyDisplay, StudyLog
from eyetune.tuning.trial_runs import concluding_job, create_retry, create_runs, training_job
from eyetune.tuning.trials import (
    error_text,
    inspected,
    reached_again,
    trial_recipe,
    with_hyperparameters,
    with_unsearched,
)
from eyetune.tuning.user_code_warnings import UserCodeWarnings


def search(
    record: StudyRecord,
    workspace: Workspace,
    executor: Executor,
    display: StudyDisplay,
    dataset: AnyDataset,
    seeds: tuple[Seed, ...] = (),
) -> StudyRecord:
    """Run or resume a study until it ends, and return it; the caller holds it (`Studies.claim`).

    Args:
        record: The study.
        workspace: Where it is recorded.
        executor: Executor of the trainings.
        display: Display of the study.
        dataset: Data of the study.
        seeds: Runs that the sampler knows from the start.

    Raises:
        FatalTrialError: The user's code ended the study.
        TooManyFailuresError: Too many trials in a row failed, or the first ones all did.
        BoardError: The board can run none of the first networks.
        KeyboardInterrupt: Ctrl-C, or a request to pause; all whole epochs are recorded.
    """
    return _Search(record, workspace, executor, display, dataset, seeds).run()


@final
class _Search:
    """A running study: hands trials to workers and takes in their results."""

    def __init__(
        self,
        record: StudyRecord,
        workspace: Workspace,
        executor: Executor,
        display: StudyDisplay,
        dataset: AnyDataset,
        seeds: tuple[Seed, ...],
    ) -> None:
        settings = record.settings
        self._settings: StudySettings = settings
        self._workspace = workspace
        self._executor = executor
        self._display = display
        self._dataset = dataset
        self._log = StudyLog(record, workspace, display)
        self._budget = BudgetTracker(
            settings.budget,
            settings.objectives[0],
            record.seconds,
            settings.schedule.executions,
        )
        self._retention = ModelRetention(workspace, settings.objectives)
        self._planner = TrialPlanner(record, self._budget, seeds, self._works)
        self._requests = StudyRequests(workspace, record.id)
        self._inspections = Inspections(executor, settings)
        self._dispatcher = Dispatcher(workspace, executor, display)
        self._warnings = UserCodeWarnings()
        self._running: dict[str, int] = {}  # numbers of the trials that are trained, by run
        # Runs that wait for an idle worker, with the numbers of their trials.
        self._queue: deque[tuple[int, str]] = deque()
        # Trials that are handed out before new ones: those of an earlier invocation, and those
        # whose network has just been built.
        self._waiting: deque[int] = deque(self._planner.restore(self._log))
        self._failures = FailureGuard(
            settings.limits.consecutive_failures,
            has_result=any(trial.rungs for trial in self._log),
            has_feasible=any(trial.run is not None for trial in self._log),
        )
        for trial in self._log:
            if not is_replaced(trial):
                self._retention.note(trial)
        for trial in self._log:
            self._retention.tidy(trial)
        self._retention.sweep()

    def run(self) -> StudyRecord:
        """Search until the study ends, and finish it."""
        ending: Ending | None = None
        try:
            while ending is None:
                self._requests.raise_if_paused()
                ending = self._ending_now()
                if ending is None:
                    self._hand_out()
                    self._collect()
                    self._failures.raise_if_hopeless(self._log.record.name)
                    ending = self._ending_when_idle()
                self._log.save_if_due(self._budget.seconds)
            self._leave()
            return self._finish(ending)
        except BaseException:
            self._leave()
            self._log.save(StudyState.PAUSED, self._budget.seconds)
            raise

    def _ending_now(self) -> Ending | None:
        """Return why the study ends now; None while it goes on."""
        if self._requests.take_stop():
            return Ending.STOPPED
        return self._budget.ending(self._retention.best) or self._ending_by_outlook()

    def _ending_by_outlook(self) -> Ending | None:
        """Return why the search ends where a final training follows; None while it goes on.

        It does not end before a network is known to meet the study's constraints.
        """
        if not self._settings.final_training:
            return None
        if all(trial.run is None for trial in self._log):
            return None
        view = look_ahead(
            self._settings,
            list(self._log),
            self._dataset,
            num_workers=self._executor.num_workers,
            seconds=self._budget.seconds,
        )
        return None if view is None or view.explores else Ending.EXPLORED

    def _ending_when_idle(self) -> Ending | None:
        """Return why the study ends where nothing is running or allowed; None while there is."""
        is_busy = self._running or len(self._inspections) or self._queue or self._waiting
        if is_busy or self._next_promotion() is not None:
            return None
        if self._planner.no_more_trials is not None:
            done = self._planner.close()
            if done is not None:  # trials that waited for new ones may continue now
                with self._workspace.transaction():
                    self._write(*self._stopped(done))
                self._retention.sweep()
                return None
        return self._planner.ending

    def _works(self, values: Values) -> bool:
        if self._settings.has_function or not isinstance(self._dataset, Dataset):
            return True
        return works(self._settings.recipe, values, self._dataset)

    # Starting jobs.

    def _next_promotion(self) -> Promotion | None:
        def epochs_trained(number: int) -> int:
            trial = self._log[number]
            return trial.epochs_trained - trial.lost_epochs

        return self._planner.next_promotion(epochs_trained)

    def _hand_out(self) -> None:
        """Start jobs on all idle workers, as long as there are any."""
        while len(self._running) + len(self._inspections) < self._executor.num_workers:
            if self._queue:
                self._begin(*self._queue.popleft())
                continue
            if self._waiting:
                self._continue(self._log[self._waiting.popleft()])
                continue
            promotion = self._next_promotion()
            if promotion is None:
                return
            if promotion.trial is None:
                self._start_trial(promotion)
            else:
                self._promote(self._log[promotion.trial], promotion)

    def _start_trial(self, promotion: Promotion) -> None:
        number = self._log.next_number
        requested = None
        if not self._planner.is_start(number):
            requested = self._requests.next_trial(self._log.record.space)
        values = requested.hyperparameters if requested is not None else None
        trial = self._planner.start_trial(number, promotion, values)
        if trial is None:
            return
        with self._workspace.transaction():
            self._write(trial)
            if requested is not None:
                self._requests.remove(requested)
        self._inspect(trial)

    def _promote(self, trial: TrialRecord, promotion: Promotion) -> None:
        promoted = self._planner.promote(trial, promotion)
        if trial.is_over:  # it stopped early, so it is at its next rung already
            self._reach(reached_again(promoted))
            return
        self._write(promoted)
        self._train(promoted)

    def _continue(self, trial: TrialRecord) -> None:
        if trial.run is None:
            self._inspect(trial)
        else:
            self._train(trial)

    def _inspect(self, trial: TrialRecord) -> None:
        try:
            recipe = trial_recipe(self._settings, trial)
        except RecipeError as error:
            reason = InfeasibleReason(rule=error.message, text=error.message)
            self._reject(trial.with_(state=TrialState.INFEASIBLE, infeasible_reasons=(reason,)))
            return
        self._inspections.start(trial.number, recipe)

    def _train(self, trial: TrialRecord) -> None:
        """Queue the runs of a trial that are to be trained up to the epochs that it is granted."""
        self._queue += [(trial.number, run) for run in trial.pending_runs]

    def _begin(self, number: int, run_id: str) -> None:
        trial = self._log[number]
        try:
            run = self._workspace.runs.get(run_id)
            self._dispatcher.begin(training_job(trial, run, self._settings))
        except (RunBusyError, RunNotFoundError) as error:
            # Another process is training it, or it was deleted.
            self._fail(trial, error)
            return
        self._running[run_id] = number

    # Processing results.

    def _collect(self) -> None:
        """Wait for the next results; each is recorded together with its consequences."""
        self._dispatcher.wait(also=self._inspections.futures)
        with self._workspace.transaction():
            for ended in self._dispatcher.collect():
                number = self._running.pop(ended.record.id, None)
                if number is not None:  # its trial has not failed meanwhile
                    self._take_training(self._log[number], ended)
            for number, inspection in self._inspections.collect():
                self._take_inspection(self._log[number], inspection)
        self._retention.sweep()

    def _take_inspection(self, trial: TrialRecord, inspection: Inspection | Exception) -> None:
        error = inspection if isinstance(inspection, Exception) else inspection.error
        if error is not None:
            if self._may_repeat(trial, error):
                trial = trial.with_(retries=trial.retries + 1)
                self._write(trial)
                self._waiting.append(trial.number)
            else:
                failed = trial.with_(state=TrialState.FAILED, error=error_text(error))
                self._reject(failed, error)
            return
        assert isinstance(inspection, Inspection)
        trial = inspected(self._settings, trial, inspection)
        trial = with_unsearched(trial, inspection.space, self._log.record.space)
        if trial.state is not TrialState.WAITING:
            self._reject(trial)
            return
        self._planner.accept()
        self._failures.note_feasible()
        self._extend_space(inspection.space)
        trial = create_runs(
            self._workspace,
            self._log.record,
            trial,
            inspection,
            self._dataset,
            self._executor.threads,
        )
        self._write(trial)
        self._waiting.appendleft(trial.number)  # started after all of this is recorded

    def _extend_space(self, space: Space) -> None:
        """Search the hyperparameters that have appeared too, unless the space is fixed."""
        if self._settings.tune_new_entries and self._log.extend_space(space):
            self._planner.extend_space(self._log.record.space)

    def _take_training(self, trial: TrialRecord, ended: EndedJob) -> None:
        run, outcome = ended.record, ended.outcome
        if outcome is None:
            self._fail_or_repeat(trial, run, ended.error or AssertionError())
            return
        self._warnings.add(outcome, is_in_process=self._executor.is_in_process)
        self._extend_space(outcome.space)
        trial = with_hyperparameters(trial, outcome.hyperparameters)
        trial = with_unsearched(trial, outcome.space, self._log.record.space)
        history = self._workspace.runs.history(run.id)
        try:
            after = arrived(
                self._settings,
                trial,
                run.id,
                history,
                is_over=outcome.is_over,
                int8=outcome.int8,
                returned=outcome.returned,
            )
        except UsageError as error:  # nothing measures an objective
            self._fail(trial, error)
            return
        may_repeat = self._may_repeat(trial) and self._budget.allows(run.num_epochs_done)
        if may_repeat and is_invalid(after, run.id):
            self._repeat(trial, run, "its result is not a number")
            return
        if after.pending_runs:
            self._write(after)
        else:
            self._reach(after)

    def _reach(self, trial: TrialRecord) -> None:
        """Record that a trial has reached its rung, and what follows for the others."""
        self._failures.note_result()
        done = self._planner.report(trial)
        self._retention.note(trial)
        if trial.number in done and trial.state is TrialState.PAUSED:
            trial = trial.with_(state=TrialState.STOPPED)
        self._write(trial, *self._stopped(done - {trial.number}))
        self._planner.tell([trial])
        self._planner.tell(self._log[number] for number in done - {trial.number})

    def _fail_or_repeat(self, trial: TrialRecord, run: RunRecord, error: Exception) -> None:
        if self._may_repeat(trial, error) and self._budget.allows(run.num_epochs_done):
            self._repeat(trial, run, first_line(error))
        else:
            self._fail(trial, error)

    def _may_repeat(self, trial: TrialRecord, error: Exception | None = None) -> bool:
        """Return whether a trial that failed is tried again; one that took too long is not."""
        is_final = isinstance(error, AbandonedTrialError | FatalTrialError | OutOfTimeError)
        return not is_final and trial.retries < (self._settings.limits.retries or 0)

    def _repeat(self, trial: TrialRecord, run: RunRecord, reason: str) -> None:
        """Let a new run take the place of a run that failed."""
        repeated, new_run = create_retry(self._workspace, self._log.record, trial, run)
        self._budget.promise(repeated)
        self._write(repeated)
        self._retention.discard(run.id)
        if run.state is RunState.PAUSED:
            self._workspace.runs.set_state(run.id, RunState.STOPPED)
        self._queue.append((trial.number, new_run))
        self._display.end(run.id, f"trial {trial.number} is trained again: {reason}")

    def _fail(self, trial: TrialRecord, error: Exception) -> None:
        """Record that a trial failed, and stop its other executions."""
        self._queue = deque(entry for entry in self._queue if entry[0] != trial.number)
        running = [run for run, number in self._running.items() if number == trial.number]
        for run in running:
            del self._running[run]
        self._dispatcher.pause(running)
        for run in trial.runs if trial.executions else ():
            with suppress(RunNotFoundError):
                if self._workspace.runs.get(run).state in (RunState.WAITING, RunState.PAUSED):
                    self._workspace.runs.set_state(run, RunState.STOPPED)
        trial = with_epochs(trial, self._workspace.runs.histories(trial.runs))
        trial = trial.with_(state=TrialState.FAILED, error=error_text(error))
        done = self._planner.report(trial)
        self._write(trial, *self._stopped(done - {trial.number}))
        self._planner.tell([trial])
        self._failures.add(trial, error)

    def _reject(self, trial: TrialRecord, error: Exception | None = None) -> None:
        """Record a trial that will not be trained, and let another one take its place."""
        self._planner.reject(trial)
        self._failures.add(trial, error)
        self._write(trial)

    def _stopped(self, numbers: frozenset[int]) -> list[TrialRecord]:
        """Return the paused trials among these as STOPPED: they will not be promoted."""
        trials = [self._log[number] for number in sorted(numbers)]
        paused = [trial for trial in trials if trial.state is TrialState.PAUSED]
        return [trial.with_(state=TrialState.STOPPED) for trial in paused]

    def _write(self, *changed: TrialRecord) -> None:
        for trial in self._log.write(*changed):
            self._retention.tidy(trial)

    # The end.

    def _leave(self) -> None:
        """Stop what is running; its whole epochs are recorded."""
        self._inspections.cancel()
        numbers = {*self._running.values(), *(number for number, _ in self._queue)}
        trials = [self._log[number] for number in sorted(numbers)]
        self._running.clear()
        self._queue.clear()
        self._dispatcher.pause()
        changed = []
        for trial in trials:
            histories = self._workspace.runs.histories(trial.runs)
            changed.append(interrupted(self._settings, trial, histories))
        for trial in changed:
            self._budget.release(trial)
            self._retention.note(trial)
        with self._workspace.transaction():
            self._write(*changed)

    def _finish(self, ending: Ending) -> StudyRecord:
        """Make the best networks usable and record the end.

        When the time is up, or someone stops it, there is time for one network, and paused trials
        stay resumable.
        """
        is_cut_off = ending in (Ending.OUT_OF_TIME, Ending.EXPLORED, Ending.STOPPED)
        self._conclude(1 if is_cut_off else MODELS_KEPT)
        if not is_cut_off:
            paused = [trial for trial in self._log if trial.state is TrialState.PAUSED]
            with self._workspace.transaction():
                self._write(*(trial.with_(state=TrialState.STOPPED) for trial in paused))
            self._retention.sweep()
        self._log.save(StudyState.COMPLETE, self._budget.seconds, ending)
        return self._workspace.studies.get(self._log.record.id)

    def _conclude(self, max_models: int) -> None:
        """Save network and predictions of the best trials that were not trained to their end."""
        for trial in self._retention.front[:max_models]:
            try:
                run = self._workspace.runs.get(trial.run or "")
                if run.results is None and trial.epochs:
                    self._dispatcher.begin(concluding_job(trial, run, self._settings.limits))
            except (RunBusyError, RunNotFoundError) as error:
                # Another process is training it, or it was deleted: the study ends without it.
                self._display.note(f"Trial {trial.number} has no network: {error.message}")
        while self._dispatcher.num_active:
            self._dispatcher.wait()
            for ended in self._dispatcher.collect():
                if ended.error is not None:
                    message = f"{ended.job.label} has no network: {first_line(ended.error)}"
                    self._display.note(message)
