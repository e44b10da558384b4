"""The results of a trial as text and as JSON values, each estimate with its uncertainty."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from eyetune.analysis.metrics import wilson_interval
from eyetune.records.study import Objective
from eyetune.records.trial import Execution, Rung, TrialRecord
from eyetune.values.int8_accuracy import Int8Accuracy
from eyetune.values.renamed_keys import with_current_names

TIMES = ("latency_ms", "fps")  # predicted, for an image on the board
_INT8 = "int8_accuracy"


def result_texts(
    objectives: Sequence[Objective], trial: TrialRecord, rung: Rung | None = None
) -> list[str]:
    """Return the values of a trial's objectives as text, each estimate with its uncertainty.

    A predicted time has the range of the board's cost model, and an int8 accuracy the 95% interval
    of its images. The mean of several executions has their standard deviation.

    Args:
        objectives: The study's objectives.
        trial: The trial.
        rung: The rung whose values are returned. Default: the last result.

    Example:
        >>> from eyetune.records.trial import TrialState
        >>> rung = Rung(epochs=1, values=(0.9, 222.2), int8=Int8Accuracy(900, 1000, "simulated"))
        >>> costs = {"latency_ms": 222.2, "latency_error_ms": 77.8}
        >>> trial = TrialRecord(
        ...     number=0, state=TrialState.COMPLETE, values={}, rungs=(rung,), network=costs
        ... )
        >>> objectives = (
        ...     Objective(name="int8_accuracy", direction="max"),
        ...     Objective(name="latency_ms", direction="min"),
        ... )
        >>> result_texts(objectives, trial)
        ['90.00% (88.0 to 91.7)', '222 ± 78 ms']
    """
    last = rung or trial.result
    if last is None:
        return []
    spreads = last.spread or (0.0,) * len(last.values)
    int8 = None if last.by_execution else last.int8
    return [
        _with_uncertainty(objective.name, value, trial.network, int8, spread)
        for objective, value, spread in zip(objectives, last.values, spreads, strict=False)
    ]


def objectives_text(objectives: Sequence[Objective], trial: TrialRecord) -> str:
    """Return the objectives of a trial in one line; "" if it has no result."""
    named = zip(objectives, result_texts(objectives, trial), strict=False)
    return " and ".join(f"{objective.name} {text}" for objective, text in named)


def uncertainty_notes(
    objectives: Sequence[Objective], trials: Sequence[TrialRecord]
) -> dict[str, str]:
    """Return how certain the objectives are that are estimates, by their names.

    Args:
        objectives: The study's objectives.
        trials: Its trials.

    Example:
        >>> from eyetune.records.trial import TrialState
        >>> costs = {"latency_ms": 222.2, "latency_error_ms": 77.8}
        >>> trial = TrialRecord(number=0, state=TrialState.COMPLETE, values={}, network=costs)
        >>> uncertainty_notes((Objective(name="latency_ms", direction="min"),), [trial])
        {'latency_ms': 'predicted, ± 35%'}
    """
    notes = {}
    for index, objective in enumerate(objectives):
        parts = []
        if objective.name in TIMES:
            parts.append(_time_note(trials))
        elif any(any(trial.result.spread[index : index + 1]) for trial in trials if trial.result):
            parts.append(_spread_note(trials))
        if objective.name == _INT8:
            parts.append(_int8_note(trials))
        notes[objective.name] = "; ".join(filter(None, parts))
    return {name: note for name, note in notes.items() if note}


def cost_texts(trial: TrialRecord) -> dict[str, str]:
    """Return the costs of a trial's network as text, by their names; times have their errors.

    Example:
        >>> from eyetune.records.trial import TrialState
        >>> costs = {"flash_bytes": 93_408, "latency_ms": 222.2, "latency_error_ms": 77.8}
        >>> trial = TrialRecord(number=0, state=TrialState.COMPLETE, values={}, network=costs)
        >>> cost_texts(trial)
        {'flash_bytes': '93,408', 'latency_ms': '222 ± 78 ms'}
    """
    network = with_current_names(trial.network)
    return {
        name: _with_uncertainty(name, value, network, None, 0.0)
        if name in TIMES
        else f"{value:,.10g}"
        for name, value in network.items()
        if name != "latency_error_ms"
    }


def trial_json(trial: TrialRecord, objectives: Sequence[Objective]) -> dict[str, Any]:
    """Return a trial as JSON values, with its objectives by their names.

    `spread` has the standard deviations of the objectives among several executions, and `kept` says
    which execution the network of the trial is from.

    Args:
        trial: The trial.
        objectives: The study's objectives.
    """
    names = [objective.name for objective in objectives]
    values = dict(zip(names, trial.objectives or (), strict=False))
    return {
        "trial": trial.number,
        "state": str(trial.state),
        "run": trial.run,
        "hyperparameters": trial.all_values,
        "unused": list(trial.unused),
        **values,
        "epochs": trial.epochs,
        "epochs_trained": trial.epochs_trained,
        "bracket": trial.bracket,
        "rungs": [_rung_json(rung) for rung in trial.rungs],
        "int8": int8_json(trial.int8),
        "spread": dict(zip(names, trial.result.spread if trial.result else (), strict=False)),
        "executions": [_execution_json(trial, execution, names) for execution in trial.executions],
        "retries": trial.retries,
        "network": trial.network,
        "infeasible": list(trial.infeasible),
        "infeasible_reasons": [reason.model_dump() for reason in trial.infeasible_reasons],
        "error": trial.error,
        "seconds": round(trial.seconds, 3),
        "final": trial.is_final,
    }


def int8_json(int8: Int8Accuracy | None) -> dict[str, Any] | None:
    """Return an int8 accuracy as JSON values, with its 95% interval; None for None."""
    if int8 is None:
        return None
    return {
        "int8_accuracy": int8.accuracy,
        "interval": list(wilson_interval(int8.num_correct, int8.num_images)),
        "validation_images": int8.num_images,
        "interpreter": int8.interpreter,
    }


def int8_text(int8: Int8Accuracy) -> str:
    """Return an int8 accuracy with its 95% interval, in percent.

    Example:
        >>> int8_text(Int8Accuracy(900, 1000, "simulated"))
        '90.00% (88.0 to 91.7)'
    """
    low, high = wilson_interval(int8.num_correct, int8.num_images)
    return f"{int8.accuracy:.2%} ({100 * low:.1f} to {100 * high:.1f})"


def latency_text(milliseconds: float, error: float) -> str:
    """Return the predicted time for one image with its error, both in milliseconds.

    Example:
        >>> latency_text(222.3, 77.8), latency_text(3.42, 1.2)
        ('222 ± 78 ms', '3.4 ± 1.2 ms')
    """
    return f"{_time(milliseconds)} ± {_time(error)} ms"


def fps_text(milliseconds: float, error: float) -> str:
    """Return the frames per second that follow from a predicted time, with their range.

    Args:
        milliseconds: Time for one image, above 0.
        error: Error of the time in milliseconds, less than the time.

    Example:
        >>> fps_text(222.3, 77.8)
        '4.5 (3.3 to 6.9)'
    """
    slowest, fastest = 1000 / (milliseconds + error), 1000 / (milliseconds - error)
    return f"{_time(1000 / milliseconds)} ({_time(slowest)} to {_time(fastest)})"


def metric_text(name: str, value: float) -> str:
    """Return the value of an objective as text.

    Args:
        name: Name of the objective.
        value: Its value: accuracies are shares from 0 to 1, sizes are in bytes.

    Example:
        >>> metric_text("val_accuracy", 0.71234), metric_text("val_loss", 0.812345)
        ('71.23%', '0.8123')
        >>> metric_text("flash_bytes", 120_000), metric_text("seconds", 12.34)
        ('117.2 KiB', '12.3 s')
        >>> metric_text("latency_ms", 222.4), metric_text("fps", 4.4964)
        ('222 ms', '4.5')
    """
    if math.isnan(value):
        return "NaN"
    if is_share(name) and abs(value) <= 1:
        return f"{value:.2%}"
    if name.endswith("_bytes") and value >= 1024:
        return f"{value / 2**20:.2f} MiB" if value >= 2**20 else f"{value / 2**10:.1f} KiB"
    if name == "seconds":
        return f"{value:,.1f} s"
    if name in TIMES:
        return f"{_time(value)} ms" if name == "latency_ms" else _time(value)
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:.4g}"


def is_share(name: str) -> bool:
    """Return whether a metric is a share, shown in percent, judged by its name."""
    return "accuracy" in name


def spread_text(name: str, value: float, spread: float) -> str:
    """Return the standard deviation of an objective as text, in the unit of `metric_text`.

    Args:
        name: Name of the objective.
        value: Its mean.
        spread: Its standard deviation.

    Example:
        >>> spread_text("val_accuracy", 0.71, 0.00417), spread_text("val_loss", 0.8, 0.0123)
        ('0.42', '0.012')
    """
    is_percentage = is_share(name) and abs(value) <= 1
    return f"{100 * spread:.2f}" if is_percentage else f"{spread:,.2g}"


def _with_uncertainty(
    name: str,
    value: float,
    network: Mapping[str, float],
    int8: Int8Accuracy | None,
    spread: float,
) -> str:
    if name == _INT8 and int8 is not None:
        return int8_text(int8)
    error = network.get("latency_error_ms")
    if name in TIMES and error is not None:
        text = latency_text if name == "latency_ms" else fps_text
        return text(network["latency_ms"], error)
    has_spread = spread > 0 and math.isfinite(spread)
    return metric_text(name, value) + (
        f" ± {spread_text(name, value, spread)}" if has_spread else ""
    )


def _time(value: float) -> str:
    """Return a time or rate in digits that its accuracy justifies."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


def _time_note(trials: Sequence[TrialRecord]) -> str:
    shares = [
        trial.network["latency_error_ms"] / trial.network["latency_ms"]
        for trial in trials
        if trial.network.get("latency_error_ms") and trial.network.get("latency_ms")
    ]
    if not shares:
        return ""
    low, high = f"{100 * min(shares):.0f}", f"{100 * max(shares):.0f}"
    return f"predicted, ± {low}%" if low == high else f"predicted, ± {low} to {high}%"


def _spread_note(trials: Sequence[TrialRecord]) -> str:
    """Return which means the trials have; a trial that was cut off may have fewer executions."""
    num_executions = max(len(trial.executions) for trial in trials)
    return f"mean of {num_executions} executions ± their standard deviation"


def _int8_note(trials: Sequence[TrialRecord]) -> str:
    measured = [rung.int8 for trial in trials for rung in trial.rungs if rung.int8 is not None]
    if not measured:
        return ""
    intervals = [wilson_interval(int8.num_correct, int8.num_images) for int8 in measured]
    half_width = max((high - low) / 2 for low, high in intervals)
    num_images = max(int8.num_images for int8 in measured)
    return f"{num_images:,} validation images, ± {100 * half_width:.1f} points"


def _execution_json(
    trial: TrialRecord, execution: Execution, names: Sequence[str]
) -> dict[str, Any]:
    result = execution.result
    return {
        "run": execution.run,
        "seed": execution.seed,
        "epochs": execution.epochs,
        "seconds": round(execution.seconds, 3),
        **dict(zip(names, result.values if result else (), strict=False)),
        "int8": int8_json(result.int8 if result else None),
        "kept": execution.run == trial.run,
    }


def _rung_json(rung: Rung) -> dict[str, Any]:
    return {
        "epochs": rung.epochs,
        "values": list(rung.values),
        "int8": int8_json(rung.int8),
        "by_execution": [list(values) for values in rung.by_execution],
    }
