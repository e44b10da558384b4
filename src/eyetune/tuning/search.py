"""The search of a study: suggestions out, results in, until its budget is used up.

Everything is recorded before the next step, so a search that was killed can be resumed: scheduler
and sampler are rebuilt from the records.
"""

from __future__ import annotations

from collections import deque
from typing import final

from eyetune.data import Dataset
from eyetune.errors import RecipeError, RunBusyError, RunNotFoundError, UsageError
from eyetune.records import Workspace
from eyetune.records.study import (
    InfeasibleReason,
    StudyRecord,
    StudySettings,
    StudyState,
    TrialRecord,
    TrialState,
)
from eyetune.space.hyperparameters import Values
from eyetune.space.space import Space
from eyetune.training.job import Inspection
from eyetune.tuning.budget import BudgetTracker
from eyetune.tuning.copied_callbacks import CopiesReport
from eyetune.tuning.dispatch import Dispatcher, EndedJob, first_line
from eyetune.tuning.endings import Ending
from eyetune.tuning.executors import Executor
from eyetune.tuning.exploration import look_ahead
from eyetune.tuning.failures import EarlyFailures
from eyetune.tuning.image_limits import works
from eyetune.tuning.inspections import Inspections
from eyetune.tuning.planner import TrialPlanner, is_replaced
from eyetune.tuning.prior_runs import Seed
from eyetune.tuning.retention import MODELS_KEPT, ModelRetention
from eyetune.tuning.schedulers import Promotion
from eyetune.tuning.study_log import StudyDisplay, StudyLog
from eyetune.tuning.trial_runs import concluding_job, create_run, training_job
from eyetune.tuning.trials import (
    cut_off,
    error_text,
    failed,
    inspected,
    reached,
    trial_recipe,
    with_hyperparameters,
)
from eyetune.values.int8_accuracy import Int8Accuracy


def search(
    record: StudyRecord,
    workspace: Workspace,
    executor: Executor,
    display: StudyDisplay,
    dataset: Dataset,
    seeds: tuple[Seed, ...] = (),
) -> StudyRecord:
    """Run or resume a study until it ends, and return it; the caller holds it (`Studies.claim`).

    Args:
        record: The study.
        workspace: Where it is recorded.
        executor: Executor of the trainings.
        display: Display of the study.
        dataset: Images of the study.
        seeds: Runs that the sampler knows from the start.

    Raises:
        TrainingError: The first trials all fail.
        BoardError: The board can run none of the first networks.
        KeyboardInterrupt: Ctrl-C; all whole epochs are recorded.
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
        dataset: Dataset,
        seeds: tuple[Seed, ...],
    ) -> None:
        settings = record.settings
        self._settings: StudySettings = settings
        self._workspace = workspace
        self._executor = executor
        self._display = display
        self._dataset = dataset
        self._log = StudyLog(record, workspace, display)
        self._budget = BudgetTracker(settings.budget, settings.objectives[0], record.seconds)
        self._retention = ModelRetention(workspace, settings.objectives)
        self._planner = TrialPlanner(record, self._budget, seeds, self._works)
        self._inspections = Inspections(executor, settings)
        self._dispatcher = Dispatcher(workspace, executor, display)
        self._copies_report = CopiesReport()
        self._running: dict[str, int] = {}  # numbers of the trials that are trained, by run
        # Trials that are handed out before anything else: those of an earlier invocation, and those
        # whose network has just been built.
        self._waiting: deque[int] = deque(self._planner.restore(self._log))
        self._failures = EarlyFailures(
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
                ending = self._budget.ending(self._retention.best) or self._ending_by_outlook()
                if ending is None:
                    self._hand_out()
                    self._collect()
                    self._failures.raise_if_all_failed(self._log.record.name)
                    ending = self._ending_when_idle()
                self._log.save_if_due(self._budget.seconds)
            self._leave()
            return self._finish(ending)
        except BaseException:
            self._leave()
            self._log.save(StudyState.PAUSED, self._budget.seconds)
            raise

    def _ending_by_outlook(self) -> Ending | None:
        """Return why the search ends where a final training follows; None while it goes on.

        It does not end before a network is known to meet the study's constraints.
        """
        is_known = any(trial.run is not None for trial in self._log)
        if not (self._settings.final_training and is_known):
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
        is_busy = self._running or len(self._inspections) or self._waiting
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
        is_recipe = not self._settings.has_function
        return works(self._settings.recipe, values, self._dataset) if is_recipe else True

    # Starting jobs.

    def _next_promotion(self) -> Promotion | None:
        return self._planner.next_promotion(lambda number: self._log[number].epochs)

    def _hand_out(self) -> None:
        """Start jobs on all idle workers, as long as there are any."""
        while len(self._running) + len(self._inspections) < self._executor.num_workers:
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
        trial = self._planner.start_trial(len(self._log), promotion)
        if trial is not None:
            self._write(trial)
            self._inspect(trial)

    def _promote(self, trial: TrialRecord, promotion: Promotion) -> None:
        promoted = self._planner.promote(trial, promotion)
        if trial.is_over:  # it stopped early, so it is at its next rung already
            self._reach(promoted.with_(epochs_granted=trial.epochs), is_over=True)
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
        try:
            run = self._workspace.runs.get(trial.run or "")
            self._dispatcher.begin(training_job(trial, run, self._settings))
        except (RunBusyError, RunNotFoundError) as error:
            # Another process is training it, or it was deleted.
            self._fail(trial, error)
            return
        self._running[run.id] = trial.number

    # Processing results.

    def _collect(self) -> None:
        """Wait for the next results; each is recorded together with its consequences."""
        self._dispatcher.wait(also=self._inspections.futures)
        with self._workspace.transaction():
            for ended in self._dispatcher.collect():
                self._take_training(ended)
            for number, inspection in self._inspections.collect():
                self._take_inspection(self._log[number], inspection)
        self._retention.sweep()

    def _take_inspection(self, trial: TrialRecord, inspection: Inspection | Exception) -> None:
        if isinstance(inspection, Exception):
            self._reject(trial.with_(state=TrialState.FAILED, error=error_text(inspection)))
            return
        trial = inspected(self._settings, trial, inspection)
        if trial.state is not TrialState.WAITING:
            self._reject(trial)
            return
        self._planner.accept()
        self._failures.note_feasible()
        self._extend_space(inspection.space)
        run = create_run(
            self._workspace,
            self._log.record,
            trial,
            inspection,
            self._dataset,
            self._executor.threads,
        )
        self._write(trial.with_(state=TrialState.RUNNING, run=run.id))
        self._waiting.appendleft(trial.number)  # started after all of this is recorded

    def _extend_space(self, space: Space) -> None:
        """Search the hyperparameters that have appeared too, unless the space is fixed."""
        if self._settings.tune_new_entries and self._log.extend_space(space):
            self._planner.extend_space(self._log.record.space)

    def _take_training(self, ended: EndedJob) -> None:
        trial = self._log[self._running.pop(ended.record.id)]
        outcome = ended.outcome
        if outcome is None:
            self._fail(trial, ended.error or AssertionError())
            return
        if not self._executor.is_in_process:
            self._copies_report.add(outcome.changed_copies)
        self._extend_space(outcome.space)
        trial = with_hyperparameters(trial, outcome.hyperparameters)
        self._reach(trial, is_over=outcome.is_over, int8=outcome.int8)

    def _reach(
        self, trial: TrialRecord, *, is_over: bool, int8: Int8Accuracy | None = None
    ) -> None:
        """Record that a trial has reached its rung, and what follows for the others."""
        assert trial.run is not None
        history = self._workspace.runs.history(trial.run)
        try:
            trial = reached(self._settings.objectives, trial, history, is_over=is_over, int8=int8)
        except UsageError as error:  # nothing measures an objective
            self._fail(trial, error)
            return
        self._failures.note_result()
        done = self._planner.report(trial)
        self._retention.note(trial)
        if trial.number in done and trial.state is TrialState.PAUSED:
            trial = trial.with_(state=TrialState.STOPPED)
        self._write(trial, *self._stopped(done - {trial.number}))
        self._planner.tell([trial])
        self._planner.tell(self._log[number] for number in done - {trial.number})

    def _fail(self, trial: TrialRecord, error: Exception) -> None:
        trial = failed(trial, self._workspace.runs.history(trial.run or ""), error)
        done = self._planner.report(trial)
        self._write(trial, *self._stopped(done - {trial.number}))
        self._planner.tell([trial])
        self._failures.add(trial)

    def _reject(self, trial: TrialRecord) -> None:
        """Record a trial that will not be trained, and let another one take its place."""
        self._planner.reject(trial)
        self._failures.add(trial)
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
        trials = [self._log[number] for number in self._running.values()]
        self._running.clear()
        self._dispatcher.pause()
        changed = []
        for trial in trials:
            history = self._workspace.runs.history(trial.run or "")
            changed.append(cut_off(self._settings.objectives, trial, history))
        for trial in changed:
            self._budget.release(trial)
            self._retention.note(trial)
        with self._workspace.transaction():
            self._write(*changed)

    def _finish(self, ending: Ending) -> StudyRecord:
        """Make the best networks usable and record the end.

        When the time is up there is time for one network, and paused trials stay resumable.
        """
        is_out_of_time = ending in (Ending.OUT_OF_TIME, Ending.EXPLORED)
        self._conclude(1 if is_out_of_time else MODELS_KEPT)
        if not is_out_of_time:
            paused = [trial for trial in self._log if trial.state is TrialState.PAUSED]
            with self._workspace.transaction():
                self._write(*(trial.with_(state=TrialState.STOPPED) for trial in paused))
            self._retention.sweep()
        self._log.save(StudyState.COMPLETE, self._budget.seconds, ending)
        return self._workspace.studies.get(self._log.record.id)

    def _conclude(self, max_models: int) -> None:
        """Save network and predictions of the best trials that were not trained to their end."""
        for trial in self._retention.front[:max_models]:
            run = self._workspace.runs.get(trial.run or "")
            if run.results is None and trial.epochs:
                self._dispatcher.begin(concluding_job(trial, run, self._settings.limits))
        while self._dispatcher.num_active:
            self._dispatcher.wait()
            for ended in self._dispatcher.collect():
                if ended.error is not None:
                    message = f"{ended.job.label} has no network: {first_line(ended.error)}"
                    self._display.note(message)
