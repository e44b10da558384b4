"""The trainings of a trial: one, or several executions with different seeds, whose mean counts.

Each execution is a run of its own, with its own checkpoint. A trial has reached a rung when all of
them have; its result there is the mean of theirs, and its network is that of the best one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from types import MappingProxyType

from eyetune.analysis.ranking import comparable
from eyetune.errors import UsageError
from eyetune.records.study import Objective, StudyRecord, StudySettings
from eyetune.records.trial import Execution, Rung, TrialRecord, TrialState
from eyetune.tuning.objectives import is_measured
from eyetune.tuning.trials import cut_off, reached, run_id, rung_of
from eyetune.values.history import History
from eyetune.values.int8_accuracy import Int8Accuracy


def with_runs(study: StudyRecord, trial: TrialRecord) -> TrialRecord:
    """Return a trial whose network was built with the runs that train it: RUNNING.

    Args:
        study: The study. Its final training is one training in any case.
        trial: The trial.
    """
    settings = study.settings
    num_executions = 1 if trial.is_final else settings.schedule.executions
    if num_executions == 1:
        return trial.with_(state=TrialState.RUNNING, run=run_id(study.id, trial.number))
    executions = tuple(
        Execution(run=run_id(study.id, trial.number, seed), seed=seed)
        for seed in range(settings.seed, settings.seed + num_executions)
    )
    return trial.with_(state=TrialState.RUNNING, run=executions[0].run, executions=executions)


def arrived(
    settings: StudySettings,
    trial: TrialRecord,
    run: str,
    history: History,
    *,
    is_over: bool,
    int8: Int8Accuracy | None = None,
    returned: Mapping[str, float] = MappingProxyType({}),
) -> TrialRecord:
    """Return a trial after one of its runs was trained up to the epochs that were granted.

    It stays RUNNING with the same results as before as long as others of its runs are pending.

    Args:
        settings: Settings of the study.
        trial: The trial.
        run: Id of the run.
        history: All epochs of the run.
        is_over: Whether the run would train no further even if the trial was promoted.
        int8: Accuracy of the run's int8 network.
        returned: Metrics by name that a user's `fit` returned; they count instead of the epochs'.

    Raises:
        UsageError: Nothing measures an objective.
    """
    objectives = settings.objectives
    counted = settings.fit_of(trial.values).counted(history)
    if not trial.executions:
        return reached(
            objectives,
            trial,
            history,
            is_over=is_over,
            counted=counted,
            int8=int8,
            returned=returned,
        )
    seconds = _seconds(history)
    result = rung_of(
        objectives,
        trial.network,
        history,
        seconds=seconds,
        counted=counted,
        int8=int8,
        returned=returned,
    )
    changes = {
        "rung": trial.rung,
        "result": result,
        "epochs": len(history),
        "seconds": seconds,
        "is_over": is_over,
    }
    executions = tuple(
        execution.model_copy(update=changes) if execution.run == run else execution
        for execution in trial.executions
    )
    trial = trial.with_(executions=executions)
    return trial if trial.pending_runs else _combined(objectives, trial)


def _combined(objectives: Sequence[Objective], trial: TrialRecord) -> TrialRecord:
    """Return a trial that has reached its rung since all its executions have."""
    executions = trial.executions
    results = [execution.result for execution in executions if execution.result is not None]
    best = _best(objectives, results)
    is_over = all(execution.is_over for execution in executions)
    return trial.with_(
        state=TrialState.COMPLETE if is_over else TrialState.PAUSED,
        run=executions[best].run,
        epochs=max(execution.epochs for execution in executions),
        is_over=is_over,
        rungs=(*trial.rungs, _mean(results, best)),
        partial=None,
        seconds=sum(execution.seconds for execution in executions),
    )


def interrupted(
    settings: StudySettings, trial: TrialRecord, histories: Mapping[str, History]
) -> TrialRecord:
    """Return a trial whose training was stopped between two rungs, with its values so far.

    With several executions, these are the means of those that got furthest and of those that are
    over.

    Args:
        settings: Settings of the study.
        trial: The trial.
        histories: All epochs of its runs, by the run's id.
    """
    if not trial.executions:
        return cut_off(settings, trial, histories.get(trial.run or "", ()))
    trial = with_epochs(trial, histories)
    furthest = max(execution.epochs for execution in trial.executions)
    counted = [
        execution
        for execution in trial.executions
        if execution.epochs and (execution.epochs == furthest or execution.is_over)
    ]
    if not counted:
        return trial
    try:
        results = [
            rung_of(
                settings.objectives,
                trial.network,
                histories[execution.run],
                seconds=execution.seconds,
                counted=settings.fit_of(trial.values).counted(histories[execution.run]),
            )
            for execution in counted
        ]
    except UsageError:  # nothing measures an objective
        return trial
    best = _best(settings.objectives, results)
    return trial.with_(run=counted[best].run, partial=_mean(results, best))


def with_epochs(trial: TrialRecord, histories: Mapping[str, History]) -> TrialRecord:
    """Return a trial with the epochs that its runs have trained, and their time.

    Args:
        trial: The trial.
        histories: All epochs of its runs, by the run's id.
    """
    executions = tuple(
        execution.model_copy(
            update={
                "epochs": len(histories[execution.run]),
                "seconds": _seconds(histories[execution.run]),
            }
        )
        for execution in trial.executions
    )
    return trial.with_(
        executions=executions,
        epochs=max((len(history) for history in histories.values()), default=0),
        seconds=sum(_seconds(history) for history in histories.values()),
    )


def retry_seed(settings: StudySettings, trial: TrialRecord) -> int:
    """Return the seed of a training that repeats a failed one: no training of the trial had it."""
    return settings.seed + settings.schedule.executions + trial.retries


def with_retry(
    trial: TrialRecord, failed_run: str, retry: Execution, num_epochs: int
) -> TrialRecord:
    """Return a trial with a new run in place of one that failed.

    Args:
        trial: The trial.
        failed_run: Id of the run that failed.
        retry: The new one, which starts at its first epoch.
        num_epochs: Epochs that the failed run had trained.
    """
    executions = tuple(
        retry if execution.run == failed_run else execution for execution in trial.executions
    )
    trial = trial.with_(
        run=retry.run if trial.run == failed_run else trial.run,
        executions=executions,
        seconds=sum(execution.seconds for execution in executions),
        retries=trial.retries + 1,
        lost_epochs=trial.lost_epochs + num_epochs,
    )
    return trial if executions else trial.with_(epochs=0)


def is_invalid(trial: TrialRecord, run: str) -> bool:
    """Return whether the last result of a run of a trial is not a number."""
    by_run = {execution.run: execution.result for execution in trial.executions}
    result = by_run.get(run, trial.result)
    return result is not None and any(map(math.isnan, result.values))


def _mean(results: Sequence[Rung], best: int) -> Rung:
    """Return the mean of the results of executions, with the int8 accuracy of the best one."""
    by_execution = tuple(result.values for result in results)
    return Rung(
        epochs=max(result.epochs for result in results),
        values=tuple(map(_mean_value, zip(*by_execution, strict=True))),
        int8=results[best].int8,
        by_execution=by_execution,
    )


def _mean_value(values: Sequence[float]) -> float:
    """Return the mean of values; a cost of the network, which all share, stays as it is."""
    return values[0] if min(values) == max(values) else fmean(values)


def _best(objectives: Sequence[Objective], results: Sequence[Rung]) -> int:
    """Return the index of the result that is best by the objectives that training measures.

    Costs and the time of training do not count, and of equal results the first one is best.
    """

    def scores(index: int) -> tuple[float, ...]:
        pairs = zip(objectives, results[index].values, strict=True)
        return comparable(
            tuple(objective.oriented(value) for objective, value in pairs if is_measured(objective))
        )

    return max(range(len(results)), key=scores)


def _seconds(history: History) -> float:
    return sum(epoch.duration_seconds for epoch in history)
