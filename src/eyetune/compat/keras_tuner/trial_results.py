"""What a trial of KerasTuner may return, as metrics.

`Tuner.run_trial` and `HyperModel.fit` return a number, a dictionary of metrics, what `model.fit`
returns, or a list of these, one for each execution, whose means count.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from statistics import fmean
from typing import Any

from eyetune.compat.keras_tuner.arguments import WITHOUT_OBJECTIVE
from eyetune.errors import ArgumentTypeError, UsageError, nearest
from eyetune.records.study import Objective

RETURNED = "a number, a dictionary of metrics, the result of model.fit, or a list of these"


@dataclass(frozen=True)
class TrialResult:
    """The metrics of a trial.

    Attributes:
        metrics: Those that count, by name: of the best epoch, or the means of several executions.
        best_step: Index of the best epoch, from 0; 0 where epochs are not known.
        epochs: The metrics of each epoch; one row where epochs are not known.
        by_execution: The values of the objectives in each of several executions; empty for one.
    """

    metrics: Mapping[str, float]
    best_step: int
    epochs: tuple[Mapping[str, float], ...]
    by_execution: tuple[tuple[float, ...], ...] = ()

    def values(self, objectives: Sequence[Objective]) -> tuple[float, ...]:
        """Return the values of the objectives."""
        return tuple(self.metrics[objective.name] for objective in objectives)


def read_result(returned: Any, objectives: Sequence[Objective], method: str) -> TrialResult:
    """Return the metrics in what a trial returned.

    Args:
        returned: What it returned.
        objectives: Objectives of the search; the first one chooses the best epoch.
        method: Name of the method that returned it, for errors.

    Raises:
        ArgumentTypeError: It is nothing that a trial may return.
        UsageError: An objective is not among the metrics, or there are several and it is a number.

    Example:
        >>> loss = Objective(name="loss", direction="min")
        >>> read_result({"loss": 2, "error": 0.5}, [loss], "run_trial").metrics
        {'loss': 2.0, 'error': 0.5}
        >>> read_result([2.0, 4.0], [loss], "run_trial").values([loss])
        (3.0,)
    """
    if not isinstance(returned, list):
        return _single(returned, objectives, method)
    if not returned:
        raise _wrong_type(returned, method)
    results = [read_result(each, objectives, method) for each in returned]
    if len(results) == 1:
        return results[0]
    names = dict.fromkeys(name for result in results for name in result.metrics)
    metrics = {
        name: fmean(result.metrics[name] for result in results if name in result.metrics)
        for name in names
    }
    step = int(fmean(result.best_step for result in results))
    by_execution = tuple(result.values(objectives) for result in results)
    return TrialResult(metrics, step, (metrics,), by_execution)


def _single(returned: Any, objectives: Sequence[Objective], method: str) -> TrialResult:
    if isinstance(returned, Real) and not isinstance(returned, bool):
        if len(objectives) > 1:
            raise UsageError(
                f"{method} returned one number, but there are several objectives.",
                expected=", ".join(objective.name for objective in objectives),
                received=f"{float(returned):g}",
                fix="Return a dictionary with a value for each objective.",
            )
        metrics = {objectives[0].name: float(returned)}
        return TrialResult(metrics, 0, (metrics,))
    if isinstance(returned, Mapping):
        metrics = {str(name): float(value) for name, value in returned.items()}
        _check_objectives(metrics, objectives, method)
        return TrialResult(metrics, 0, (metrics,))
    if isinstance(getattr(returned, "history", None), Mapping):
        return _of_history(returned.history, objectives, method)
    raise _wrong_type(returned, method)


def _of_history(
    columns: Mapping[str, Sequence[float]], objectives: Sequence[Objective], method: str
) -> TrialResult:
    """Return the metrics of the best epoch of Keras's `History.history`."""
    _check_objectives(columns, objectives, method)
    num_epochs = max(map(len, columns.values()))
    rows = [
        {name: float(values[epoch]) for name, values in columns.items() if epoch < len(values)}
        for epoch in range(num_epochs)
    ]

    def score(epoch: int) -> float:
        first = objectives[0]
        value = first.oriented(rows[epoch].get(first.name, math.nan))
        return -math.inf if math.isnan(value) else value

    best = max(range(num_epochs), key=score)
    return TrialResult(rows[best], best, tuple(rows))


def _check_objectives(
    metrics: Mapping[str, Any], objectives: Sequence[Objective], method: str
) -> None:
    for objective in objectives:
        if objective.name == WITHOUT_OBJECTIVE and WITHOUT_OBJECTIVE not in metrics:
            raise UsageError(
                f"{method} returned metrics, but the tuner has no objective.",
                expected="one number, which is minimized",
                received=", ".join(metrics),
                fix='Name one of them: objective=keras_tuner.Objective("val_loss", "min").',
            )
        if objective.name not in metrics:
            raise UsageError(
                f"{method} did not return the objective {objective.name}.",
                expected=objective.name,
                received=", ".join(metrics) or "no metrics",
                fix=nearest(objective.name, list(metrics)),
            )


def _wrong_type(returned: Any, method: str) -> ArgumentTypeError:
    fix = f"Return the metrics from {method}." if returned is None else None
    return ArgumentTypeError(
        f"{method} did not return metrics.",
        expected=RETURNED,
        received=f"{type(returned).__name__}: {returned!r:.60}",
        fix=fix,
    )


def read_reports(
    reports: Sequence[tuple[int, Mapping[str, float]]], objectives: Sequence[Objective]
) -> TrialResult:
    """Return the metrics of the best step that a trial reported by `oracle.update_trial`.

    Args:
        reports: Steps and their metrics.
        objectives: Objectives of the search.

    Raises:
        UsageError: An objective is not among the metrics of that step.

    Example:
        >>> loss = Objective(name="loss", direction="min")
        >>> read_reports([(0, {"loss": 3.0}), (1, {"loss": 2.0})], [loss]).best_step
        1
    """
    first = objectives[0]
    named = [(step, metrics) for step, metrics in reports if first.name in metrics]
    step, metrics = max(named, key=lambda report: first.oriented(report[1][first.name]))
    _check_objectives(metrics, objectives, "oracle.update_trial")
    return TrialResult(metrics, step, tuple(metrics for _, metrics in reports))
