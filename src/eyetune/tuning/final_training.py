"""The final training of a study: its best network, trained for the rest of the time.

It is the study's last trial. One worker trains it with all cores, after the search has ended.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from eyetune.data import Dataset
from eyetune.errors import TrainingError
from eyetune.records import Workspace
from eyetune.records.study import Limits, StudyRecord, StudyState, TrialRecord, TrialState
from eyetune.space.hyperparameters import Values
from eyetune.tuning.dispatch import Dispatcher, EndedJob
from eyetune.tuning.endings import Ending
from eyetune.tuning.executors import Executor
from eyetune.tuning.inspections import Inspections
from eyetune.tuning.study_log import StudyDisplay, StudyLog
from eyetune.tuning.trial_runs import create_run, training_job
from eyetune.tuning.trials import cut_off, failed, inspected, reached, trial_recipe

MAX_FINAL_EPOCHS = 400
# Time for the start of its worker and for saving its network and predictions
OVERHEAD_SECONDS = 20.0


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
    dataset: Dataset,
    trial: TrialRecord,
) -> StudyRecord:
    """Train the final trial of a study from its last checkpoint to its end, and record it.

    Args:
        record: The study, with its wall time so far; the caller holds it.
        workspace: Where it is recorded.
        executor: Executor with one worker.
        display: Display of the study.
        dataset: Images of the study.
        trial: From `final_trial`, or as it was recorded when it was interrupted.

    Raises:
        TrainingError: The training failed.
        KeyboardInterrupt: Ctrl-C; all whole epochs are recorded.
    """
    log = StudyLog(record, workspace, display)
    dispatcher = Dispatcher(workspace, executor, display)
    started_at = time.monotonic()

    def seconds() -> float:
        return record.seconds + time.monotonic() - started_at

    log.write(trial)
    log.save(StudyState.RUNNING, seconds())
    try:
        if trial.run is None:
            trial = _built(log, workspace, executor, dataset, trial)
        run = workspace.runs.get(trial.run or "")
        limits = record.settings.limits.model_copy(update={"seconds": None})
        dispatcher.begin(training_job(trial, run, Limits.model_validate(limits)))
        ended: list[EndedJob] = []
        while not ended:
            dispatcher.wait()
            ended = dispatcher.collect()
            log.save_if_due(seconds())
    except BaseException:
        dispatcher.pause()
        history = workspace.runs.history(trial.run) if trial.run else ()
        log.write(cut_off(record.settings.objectives, trial, history))
        log.save(StudyState.PAUSED, seconds())
        raise
    _record_end(log, workspace, trial, ended[0])
    log.save(StudyState.COMPLETE, seconds(), Ending.EXPLORED)
    return workspace.studies.get(record.id)


def _built(
    log: StudyLog,
    workspace: Workspace,
    executor: Executor,
    dataset: Dataset,
    trial: TrialRecord,
) -> TrialRecord:
    """Return the trial with its run, once a worker has built its network."""
    settings = log.record.settings
    inspections = Inspections(executor, settings)
    inspections.start(trial.number, trial_recipe(settings, trial))
    while True:
        results = inspections.collect()
        if results:
            break
        time.sleep(0.05)
    inspection = results[0][1]
    if isinstance(inspection, Exception):
        raise inspection
    trial = inspected(settings, trial, inspection)
    if trial.state is not TrialState.WAITING:
        log.write(trial)
        raise TrainingError(
            f"The final training of study {log.record.name} cannot start.",
            received=trial.error or "; ".join(trial.infeasible),
        )
    run = create_run(workspace, log.record, trial, inspection, dataset, executor.threads)
    trial = trial.with_(state=TrialState.RUNNING, run=run.id)
    log.write(trial)
    return trial


def _record_end(log: StudyLog, workspace: Workspace, trial: TrialRecord, ended: EndedJob) -> None:
    history = workspace.runs.history(trial.run or "")
    if ended.outcome is None:
        error = ended.error or AssertionError()
        log.write(failed(trial, history, error))
        raise error
    log.write(reached(log.record.settings.objectives, trial, history, is_over=True))
