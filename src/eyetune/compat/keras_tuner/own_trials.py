"""A search whose trials a tuner runs itself, in this process: `run_trial` of a user's subclass.

Suggestions, records, resume and progress are those of every study. A trial is what `run_trial`
makes of it, so it has no run: the metrics of its epochs are in a file of the study, and its network
is where the tuner has put it.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from eyetune.compat.keras_tuner.hyperparameters import hyperparameters_of_trial, trial_id
from eyetune.compat.keras_tuner.recorded_trials import score_of
from eyetune.compat.keras_tuner.trial_results import TrialResult, read_reports, read_result
from eyetune.errors import AbandonedTrialError, FatalTrialError, TrainingError, UsageError
from eyetune.models.model_function import space_of
from eyetune.models.model_function.tracebacks import failed, their_traceback
from eyetune.recipe import Recipe
from eyetune.records.study import (
    Budget,
    Limits,
    Objective,
    SchedulerSettings,
    StudyRecord,
    StudySettings,
    StudyState,
)
from eyetune.records.trial import Rung, TrialRecord, TrialState
from eyetune.records.trial_metrics import read_trial_metrics, write_trial_metrics
from eyetune.space.space import Space
from eyetune.training.backend import preserve_random_state
from eyetune.tuning.budget import BudgetTracker
from eyetune.tuning.declared_options import budget_of, recorded_section
from eyetune.tuning.failures import FailureGuard
from eyetune.tuning.objectives import objectives_of
from eyetune.tuning.options import TuneOptions
from eyetune.tuning.planner import TrialPlanner
from eyetune.tuning.recording import versions
from eyetune.tuning.study_log import StudyDisplay, StudyLog
from eyetune.tuning.trials import with_unsearched

if TYPE_CHECKING:
    from eyetune.compat.keras_tuner.tuner import Tuner

ENGINE = "tuner-subclass"
DATA_NAME = "data of run_trial"


@dataclass(frozen=True)
class Arguments:
    """The arguments of `search`, which `run_trial` gets.

    Attributes:
        positional: Those by position.
        named: Those by name.
    """

    positional: tuple[Any, ...]
    named: Mapping[str, Any]


def own_settings(tuner: Tuner, options: TuneOptions, space: Space) -> StudySettings:
    """Return the settings of a new study of this kind.

    Args:
        tuner: The tuner.
        options: Its options, with `max_epochs`.
        space: The space as far as it is known before the first trial.
    """
    schedule = recorded_section(options, "schedule", SchedulerSettings)
    budget = budget_of(options)
    is_planned = schedule.name == "hyperband" and budget == Budget()
    return StudySettings(
        recipe=Recipe().with_({"fit.epochs": schedule.max_epochs}),
        space=space,
        objectives=objectives_of(options),
        sampler=options.sampler or "random",
        schedule=schedule.model_copy(update={"iterations": 1 if is_planned else None}),
        budget=budget,
        limits=own_limits(tuner),
        seed=options.seed or 0,
        workers=0,
        tune_new_entries=options.tune_new_entries is not False,
        engine=ENGINE,
    )


def own_limits(tuner: Tuner) -> Limits:
    """Return what follows when trials of a tuner fail."""
    return Limits(
        retries=tuner.oracle.max_retries_per_trial,
        consecutive_failures=tuner.oracle.max_consecutive_failed_trials,
    )


def create_study(tuner: Tuner, options: TuneOptions, space: Space) -> StudyRecord:
    """Record a new study of this kind.

    Raises:
        UsageError: The name is taken.
    """
    return tuner.workspace.studies.create(
        tuner.project_name,
        own_settings(tuner, options, space),
        data_name=DATA_NAME,
        versions=versions(),
    )


def search_own_trials(
    tuner: Tuner, record: StudyRecord, arguments: Arguments, display: StudyDisplay
) -> StudyRecord:
    """Run or resume a study until it ends, and return it; the caller holds it.

    Args:
        tuner: The tuner whose methods run the trials.
        record: The study.
        arguments: The arguments of `search`.
        display: Display of the study.

    Raises:
        UsageError: A trial returned something else than metrics with the objective.
        FatalTrialError: The user's code ended the study.
        TooManyFailuresError: Too many trials in a row failed.
        KeyboardInterrupt: Ctrl-C; all trials that have ended are recorded.
    """
    return _OwnSearch(tuner, record, arguments, display).run()


@final
class _OwnSearch:
    """A running study: suggests values, lets the tuner try them, and records the results."""

    def __init__(
        self, tuner: Tuner, record: StudyRecord, arguments: Arguments, display: StudyDisplay
    ) -> None:
        settings = record.settings
        self._tuner = tuner
        self._settings = settings
        self._arguments = arguments
        self._workspace = tuner.workspace
        self._log = StudyLog(record, tuner.workspace, display)
        self._display = display
        self._budget = BudgetTracker(settings.budget, settings.objectives[0], record.seconds)
        self._planner = TrialPlanner(record, self._budget)
        self._waiting = deque(self._planner.restore(self._log))
        self._failures = FailureGuard(
            settings.limits.consecutive_failures,
            has_result=any(trial.rungs for trial in self._log),
            has_feasible=True,
        )
        self._metrics = read_trial_metrics(tuner.workspace.studies.folder(record.id))

    def run(self) -> StudyRecord:
        """Search until the study ends, and finish it."""
        record = self._log.record.model_copy(update={"state": StudyState.RUNNING, "ending": ""})
        self._workspace.studies.save(record)
        try:
            self._tuner.on_search_begin()
            while (trial := self._next()) is not None:
                self._try(trial)
                self._failures.raise_if_hopeless(record.name)
                self._log.save_if_due(self._budget.seconds)
            self._tuner.on_search_end()
        except BaseException:
            self._log.save(StudyState.PAUSED, self._budget.seconds)
            raise
        ending = self._planner.ending
        paused = [trial for trial in self._log if trial.state is TrialState.PAUSED]
        self._log.write(*(trial.with_(state=TrialState.STOPPED) for trial in paused))
        self._log.save(StudyState.COMPLETE, self._budget.seconds, ending)
        return self._workspace.studies.get(record.id)

    def _next(self) -> TrialRecord | None:
        """Return the trial that is tried next, up to the epochs that it is granted."""
        self._tuner.pre_create_trial()
        if self._waiting:
            return self._log[self._waiting.popleft()]
        while True:
            promotion = self._planner.next_promotion(lambda number: self._log[number].epochs)
            if promotion is None:
                if not self._closes():
                    return None
            elif promotion.trial is not None:
                return self._planner.promote(self._log[promotion.trial], promotion)
            else:
                trial = self._planner.start_trial(self._log.next_number, promotion)
                if trial is not None:
                    return trial

    def _closes(self) -> bool:
        """Let trials that wait for new ones continue without them; return whether that helps."""
        done = None if self._planner.no_more_trials is None else self._planner.close()
        if done is None:
            return False
        self._stop(done)
        return True

    def _stop(self, numbers: frozenset[int]) -> None:
        """Record that paused trials will not be promoted."""
        trials = [self._log[number] for number in sorted(numbers)]
        paused = [trial for trial in trials if trial.state is TrialState.PAUSED]
        self._log.write(*(trial.with_(state=TrialState.STOPPED) for trial in paused))

    # One trial.

    def _try(self, trial: TrialRecord) -> None:
        """Run a trial up to the epochs that it is granted; again where it may be repeated."""
        trial = trial.with_(state=TrialState.RUNNING)
        self._log.write(trial)
        while True:
            running = self._running_trial(trial)
            self._tuner.on_trial_begin(running)
            started_at = time.perf_counter()
            result, error = self._run(running, trial)
            trial = trial.with_(seconds=trial.seconds + time.perf_counter() - started_at)
            is_repeated = error is not None and self._may_repeat(trial, error)
            trial = self._with_values(trial, running.hyperparameters)
            if error is None:
                assert result is not None
                self._reach(trial, result)
            elif not is_repeated:
                self._fail(trial, error)
            self._tuner.on_trial_end(running)
            if not is_repeated:
                return
            trial = trial.with_(retries=trial.retries + 1)
            self._log.write(trial)

    def _running_trial(self, trial: TrialRecord) -> Any:
        """Return a trial as `run_trial` gets it, in KerasTuner's class."""
        from keras_tuner.engine.trial import Trial

        name = trial_id(trial.number, self._tuner.oracle.max_trials)
        return Trial(hyperparameters_of_trial(self._log.record, trial), name)

    def _run(self, running: Any, trial: TrialRecord) -> tuple[TrialResult | None, Exception | None]:
        """Call `run_trial`; return its result, or the error by which it failed."""
        objectives = self._settings.objectives
        with preserve_random_state():
            _set_seed(self._settings.seed, trial)
            reports = self._tuner.follow(running.trial_id)
            try:
                returned = self._tuner.run_trial(
                    running, *self._arguments.positional, **self._arguments.named
                )
            except Exception as error:  # any exception is a failure of this trial only
                failure = failed("The trial raised an exception.", error)
                if isinstance(failure, FatalTrialError):
                    raise
                is_abandoned = isinstance(failure, AbandonedTrialError)
                running.status = "FAILED" if is_abandoned else "INVALID"
                running.message = their_traceback(error)
                return None, failure
        if any(objectives[0].name in metrics for _, metrics in reports):
            result = read_reports(reports, objectives)
        else:
            result = read_result(returned, objectives, f"{type(self._tuner).__name__}.run_trial")
        values = result.values(objectives)
        if any(map(math.isnan, values)):
            running.status = "INVALID"
            return None, TrainingError("The objective of the trial is not a number.")
        _complete(running, result, objectives)
        return result, None

    def _may_repeat(self, trial: TrialRecord, error: Exception) -> bool:
        retries = self._settings.limits.retries or 0
        return trial.retries < retries and not isinstance(error, AbandonedTrialError)

    def _with_values(self, trial: TrialRecord, hyperparameters: Any) -> TrialRecord:
        """Return a trial with the values that it used, and search new hyperparameters too."""
        space = space_of(hyperparameters)
        used = {
            distribution.name: hyperparameters.values[distribution.name]
            for distribution in space.distributions
            if hyperparameters.is_active(distribution.name)
        }
        if self._settings.tune_new_entries and self._log.extend_space(space):
            self._planner.extend_space(self._log.record.space)
        known = self._log.record.space.names
        if not self._tuner.oracle.allow_new_entries and not used.keys() <= set(known):
            raise UsageError(
                "run_trial uses hyperparameters that were not given.",
                expected=f"{', '.join(known)}, with allow_new_entries=False",
                received=", ".join(name for name in used if name not in known),
                fix="Add them to the hyperparameters of the tuner, or leave allow_new_entries out.",
            )
        values = {name: value for name, value in used.items() if name in known}
        more = {name: value for name, value in used.items() if name not in known}
        self._planner.remember(trial.number, values)
        return with_unsearched(
            trial.with_(values=values, more_values=more), space, self._log.record.space
        )

    def _reach(self, trial: TrialRecord, result: TrialResult) -> None:
        settings = self._settings
        is_over = trial.epochs_granted >= settings.schedule.max_epochs
        rung = Rung(
            epochs=trial.epochs_granted,
            values=result.values(settings.objectives),
            by_execution=result.by_execution,
        )
        self._note_metrics(trial, result)
        trial = trial.with_(
            state=TrialState.COMPLETE if is_over else TrialState.PAUSED,
            epochs=trial.epochs_granted,
            is_over=is_over,
            rungs=(*trial.rungs, rung),
        )
        self._failures.note_result()
        self._planner.accept()
        done = self._planner.report(trial)
        if trial.number in done and trial.state is TrialState.PAUSED:
            trial = trial.with_(state=TrialState.STOPPED)
        self._log.write(trial)
        self._stop(done - {trial.number})
        self._planner.tell(self._log[number] for number in sorted({trial.number, *done}))

    def _fail(self, trial: TrialRecord, error: Exception) -> None:
        trial = trial.with_(state=TrialState.FAILED, error=str(error))
        done = self._planner.report(trial)
        self._log.write(trial)
        self._stop(done - {trial.number})
        self._planner.tell([trial])
        self._failures.add(trial, error)

    def _note_metrics(self, trial: TrialRecord, result: TrialResult) -> None:
        start = trial.epochs
        rows = [row for row in self._metrics.get(trial.number, []) if row[0] <= start]
        rows += [(start + index, dict(row)) for index, row in enumerate(result.epochs, start=1)]
        self._metrics[trial.number] = rows
        write_trial_metrics(self._workspace.studies.folder(self._log.record.id), self._metrics)


def _complete(running: Any, result: TrialResult, objectives: Sequence[Objective]) -> None:
    """Show the result of a trial in KerasTuner's object of it."""
    directions = {objective.name: objective.direction for objective in objectives}
    for name, value in result.metrics.items():
        if not running.metrics.exists(name):
            running.metrics.register(name, directions.get(name))
            running.metrics.update(name, value, result.best_step)
    running.status = "COMPLETED"
    running.score = score_of(objectives, result.values(objectives))
    running.best_step = result.best_step


def _set_seed(seed: int, trial: TrialRecord) -> None:
    """Make the random numbers of a trial depend on the seed, the trial and its part alone."""
    import keras
    import numpy as np

    entropy = [seed, trial.number, trial.epochs, trial.retries]
    keras.utils.set_random_seed(int(np.random.SeedSequence(entropy).generate_state(1)[0]))
