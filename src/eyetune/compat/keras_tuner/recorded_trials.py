"""Recorded trials as trials of KerasTuner that cannot be changed; it imports Keras: import it late.

As in KerasTuner, the metrics of a trial are those of one epoch: the best by the objective.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from keras_tuner.engine.trial import Trial, TrialStatus

from eyetune.api.study import Study
from eyetune.compat.keras_tuner.hyperparameters import hyperparameters_of_trial, trial_id
from eyetune.errors import UsageError
from eyetune.records.study import Objective
from eyetune.records.trial import TrialRecord, TrialState
from eyetune.records.trial_metrics import EpochMetrics, read_trial_metrics
from eyetune.tuning.objectives import monitor_of
from eyetune.values.history import Epoch, History, best_epoch

STATUS = {
    TrialState.WAITING: TrialStatus.RUNNING,
    TrialState.RUNNING: TrialStatus.RUNNING,
    TrialState.PAUSED: TrialStatus.COMPLETED,
    TrialState.COMPLETE: TrialStatus.COMPLETED,
    TrialState.STOPPED: TrialStatus.COMPLETED,
    TrialState.INFEASIBLE: TrialStatus.FAILED,
    TrialState.FAILED: TrialStatus.FAILED,
}
EPOCH_METRICS = ("loss", "accuracy", "val_loss", "val_accuracy")

MetricsTracker: Any = type(Trial(None).metrics)


class RecordedMetrics(MetricsTracker):  # type: ignore[misc]
    """The metrics of the best epoch of a trial.

    Args:
        values: Values by the names of the metrics.
        step: Index of the epoch, from 0.
        objectives: The objectives, whose directions are known.
    """

    def __init__(
        self, values: Mapping[str, float], step: int, objectives: Sequence[Objective]
    ) -> None:
        self._is_recorded = False
        super().__init__()
        directions = {objective.name: objective.direction for objective in objectives}
        for name, value in values.items():
            self.register(name, directions.get(name))
            self.update(name, value, step)
        self._is_recorded = True

    def register(self, name: str, direction: str | None = None) -> None:
        """Refuse to add a metric to a recorded trial."""
        self._check()
        super().register(name, direction)

    def update(self, name: str, value: float, step: int = 0) -> Any:
        """Refuse to add a value to a recorded trial."""
        self._check()
        return super().update(name, value, step)

    def set_history(self, name: str, observations: Any) -> None:
        """Refuse to add values to a recorded trial."""
        self._check()
        super().set_history(name, observations)

    def _check(self) -> None:
        if self._is_recorded:
            raise UsageError(
                "The metrics of a recorded trial cannot be changed.",
                fix="Return more metrics from HyperModel.fit.",
            )


class RecordedTrial(Trial):  # type: ignore[misc]
    """A trial from the records.

    Args:
        study: Its study.
        record: Its record.
        measured: The metrics of its best epoch, by name.
        best_step: Index of that epoch, from 0.
        max_trials: Number of trials of the search, for the width of its id.
    """

    def __init__(
        self,
        study: Study,
        record: TrialRecord,
        measured: Mapping[str, float],
        best_step: int,
        max_trials: int | None,
    ) -> None:
        message = record.error or "\n".join(record.infeasible) or None
        super().__init__(
            hyperparameters_of_trial(study.record, record),
            trial_id(record.number, max_trials),
            STATUS[record.state],
            message,
        )
        objectives = study.record.settings.objectives
        named = zip(objectives, record.objectives or (), strict=False)
        counting = {objective.name: value for objective, value in named}
        self._executions = () if record.result is None else record.result.by_execution
        self._spread = () if record.result is None else record.result.spread
        self.best_step = best_step
        self.score = score_of(objectives, record.objectives)
        self.metrics = RecordedMetrics({**measured, **counting}, best_step, objectives)
        self._is_recorded = True

    def summary(self) -> None:
        """Print the trial as KerasTuner does, and the spread of several executions."""
        super().summary()
        if self._spread:
            count = len(self._executions)
            print(f"Standard deviation of {count} executions: {self._spread[0]:.6g}")

    def __setattr__(self, name: str, value: Any) -> None:
        if vars(self).get("_is_recorded"):
            raise UsageError(
                f"The {name} of a recorded trial cannot be changed.",
                received=f"{name}={value!r:.60}",
                fix="Copy what you need: trial.hyperparameters.copy(), trial.get_state().",
            )
        super().__setattr__(name, value)


def best_first(study: Study) -> list[TrialRecord]:
    """Return all trials of a study in KerasTuner's order: the best first, those that failed last.

    Args:
        study: The study.
    """
    trials = study.trials
    ranked = [
        trial for trial in study.best(len(trials)) if STATUS[trial.state] == TrialStatus.COMPLETED
    ]
    numbers = {trial.number for trial in ranked}
    return [*ranked, *(trial for trial in trials if trial.number not in numbers)]


def recorded_trials(study: Study, max_trials: int | None) -> list[RecordedTrial]:
    """Return all trials of a study in their order."""
    runs = [run for record in study.trials for run in record.runs]
    histories = study.workspace.runs.histories(runs)
    rows = read_trial_metrics(study.folder)  # of trials without runs
    objectives = study.record.settings.objectives
    trials = []
    for record in study.trials:
        if record.number in rows:
            measured, best_step = _best_row(objectives, rows[record.number])
        else:
            executions = [histories[run] for run in record.runs]
            measured, best_step = _best_epochs(objectives, executions)
        trials.append(RecordedTrial(study, record, measured, best_step, max_trials))
    return trials


def _best_row(objectives: Sequence[Objective], rows: EpochMetrics) -> tuple[dict[str, float], int]:
    """Return the metrics of the best epoch by the first objective, and the index of the epoch."""
    first = objectives[0]

    def score(entry: tuple[int, dict[str, float]]) -> float:
        value = first.oriented(entry[1].get(first.name, math.nan))
        return -math.inf if math.isnan(value) else value

    epoch, row = max(rows, key=score)
    return row, epoch - 1


def _best_epochs(
    objectives: Sequence[Objective], executions: Sequence[History]
) -> tuple[dict[str, float], int]:
    """Return the metrics of the best epoch and its index: the means of all executions."""
    best = [epoch for history in executions if (epoch := _best_epoch(objectives, history))]
    if not best:
        return {}, 0
    rows = [_metrics(epoch) for epoch in best]
    names = dict.fromkeys(name for row in rows for name in row)
    means = {name: fmean(row[name] for row in rows if name in row) for name in names}
    return means, int(fmean(epoch.epoch - 1 for epoch in best))


def _best_epoch(objectives: Sequence[Objective], history: History) -> Epoch | None:
    try:
        return best_epoch(history, monitor_of(objectives))
    except KeyError:  # the objective was measured after the last epoch only, or never
        return history[-1]


def _metrics(epoch: Epoch) -> dict[str, float]:
    usual = {name: getattr(epoch, name) for name in EPOCH_METRICS}
    return {name: value for name, value in {**usual, **epoch.others}.items() if value is not None}


def score_of(objectives: Sequence[Objective], values: Sequence[float] | None) -> float | None:
    """Return the value of the objective; of several, the sum, those to maximize negative."""
    if values is None:
        return None
    if len(objectives) == 1:
        return values[0]
    return -sum(
        objective.oriented(value) for objective, value in zip(objectives, values, strict=True)
    )
