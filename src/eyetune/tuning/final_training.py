"""The final training of a study: its best network, trained for the rest of the time.

It is the study's last trial. One worker trains it with all cores, after the search has ended.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import wait

from eyetune.data import AnyDataset
from eyetune.errors import RecipeError
from eyetune.records import Workspace
from eyetune.records.study import StudyRecord, StudyState
from eyetune.records.trial import TrialRecord, TrialState
from eyetune.space.hyperparameters import Values
from eyetune.tuning.dispatch import SECONDS_BETWEEN_LOOKS, Dispatcher, EndedJob, first_line
from eyetune.tuning.endings import Ending
from eyetune.tuning.executors import Executor
from eyetune.tuning.inspections import Inspections
from eyetune.tuning.requests import StudyRequests
from eyetune.tuning.study_log import StudyDisplay, StudyLog
from eyetune.tuning.trial_runs import create_runs, training_job
from eyetune.tuning.trials import (
    cut_off,
    error_text,
    failed,
    inspected,
    reached,
    trial_recipe,
)

MAX_FINAL_EPOCHS = 400
# Time for the start of its worker, and for saving its network and predictions
START_SECONDS = 14.0
SAVING_SECONDS = 6.0
OVERHEAD_SECONDS = START_SECONDS + SAVING_SECONDS
MAX_TRIES = 3  # of final trainings, where they fail


def unfinished_final(trials: Sequence[TrialRecord]) -> TrialRecord | None:
    """Return the final training that was interrupted; None if there is none."""
    return next((trial for trial in trials if trial.is_final and trial.is_open), None)


def final_trial(number: int, values: Values, seconds: float) -> TrialRecord:
    """Return the record of a final training before it starts.

    Args:
        number: Its number.
        values: Its hyperparameters.
        seconds: Its time limit in seconds, above 0.
    """
    return TrialRecord(
        number=number,
        state=TrialState.WAITING,
        values=dict(values),
        epochs_granted=MAX_FINAL_EPOCHS,
        final_seconds=seconds,
    )


def train_final(
    record: StudyRecord,
    workspace: Workspace,
    executor: Executor,
    display: StudyDisplay,
    dataset: AnyDataset,
    trial: TrialRecord,
) -> StudyRecord:
    """Train the final trial of a study from its last checkpoint to its end, and record it.

    If it fails, this is recorded and shown: the study keeps the results of its search.

    Args:
        record: The study, with its wall time so far; the caller holds it.
        workspace: Where it is recorded.
        executor: Executor with one worker.
        display: Display of the study.
        dataset: Data of the study.
        trial: From `final_trial`, or as it was recorded when it was interrupted.

    Raises:
        KeyboardInterrupt: Ctrl-C, or a request to pause or stop; all whole epochs are recorded.
    """
    log = StudyLog(record, workspace, display)
    dispatcher = Dispatcher(workspace, executor, display)
    started_at = time.monotonic()

    def seconds() -> float:
        return record.seconds + time.monotonic() - started_at

    try:
        log.write(trial)
        log.save(StudyState.RUNNING, seconds())
        if trial.run is None:
            trial = _built(log, workspace, executor, dataset, trial, started_at + START_SECONDS)
            log.write(trial)
        if trial.run is not None:
            run = workspace.runs.get(trial.run)
            limits = record.settings.limits.model_copy(update={"seconds": None})
            settings = record.settings.model_copy(update={"limits": limits})
            dispatcher.begin(training_job(trial, run, settings))
            ended: list[EndedJob] = []
            requests = StudyRequests(workspace, record.id)
            while not ended:
                requests.raise_if_paused()
                if requests.take_stop():
                    raise KeyboardInterrupt
                dispatcher.wait()
                ended = dispatcher.collect()
                log.save_if_due(seconds())
            trial = _ended(log, workspace, trial, ended[0])
            log.write(trial)
            workspace.runs.drop_checkpoints(run.id)
    except BaseException:
        dispatcher.pause()
        history = workspace.runs.history(trial.run) if trial.run else ()
        log.write(cut_off(record.settings, trial, history))
        log.save(StudyState.PAUSED, seconds())
        raise
    if not trial.is_over:
        reason = first_line(ended[0].error) if trial.run is not None else _obstacle(trial)
        display.note(f"The final training, trial {trial.number}, failed: {reason}")
    log.save(StudyState.COMPLETE, seconds(), _ending(record))
    return workspace.studies.get(record.id)


def _obstacle(trial: TrialRecord) -> str:
    """Return why the network of a trial cannot be trained, in one line."""
    return (trial.error or "; ".join(trial.infeasible)).splitlines()[0]


def _ending(record: StudyRecord) -> Ending:
    """Return why the search ended."""
    return next((ending for ending in Ending if ending == record.ending), Ending.EXPLORED)


def _built(
    log: StudyLog,
    workspace: Workspace,
    executor: Executor,
    dataset: AnyDataset,
    trial: TrialRecord,
    expected_start: float,
) -> TrialRecord:
    """Return the trial with its run, once a worker has built its network; INFEASIBLE or FAILED
    without a run, where it cannot be trained.

    A worker that is ready before the expected start, by the monotonic clock, trains for longer, and
    one that is late for less, so that the time of the study is used and kept.
    """
    settings = log.record.settings
    try:
        recipe = trial_recipe(settings, trial)
    except RecipeError as error:
        return trial.with_(state=TrialState.FAILED, error=error_text(error))
    inspections = Inspections(executor, settings)
    inspections.start(trial.number, recipe)
    while not (results := inspections.collect()):
        wait(inspections.futures, timeout=SECONDS_BETWEEN_LOOKS)
    ((_, inspection),) = results
    if isinstance(inspection, Exception):
        return trial.with_(state=TrialState.FAILED, error=error_text(inspection))
    trial = inspected(settings, trial, inspection)
    if trial.state is not TrialState.WAITING:
        return trial
    seconds = trial.final_seconds + expected_start - time.monotonic()
    trial = trial.with_(final_seconds=max(seconds, trial.final_seconds / 2))
    return create_runs(workspace, log.record, trial, inspection, dataset, executor.threads)


def _ended(log: StudyLog, workspace: Workspace, trial: TrialRecord, ended: EndedJob) -> TrialRecord:
    """Return the trial after its training: COMPLETE or FAILED."""
    history = workspace.runs.history(trial.run or "")
    if ended.outcome is None:
        return failed(trial, history, ended.error or AssertionError())
    return reached(
        log.record.settings.objectives,
        trial,
        history,
        is_over=True,
        counted=history[ended.outcome.kept_epoch - 1 : ended.outcome.kept_epoch],
        int8=ended.outcome.int8,
    )
