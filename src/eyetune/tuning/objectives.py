"""Objectives and constraints of a study: read from texts, and computed for a trial."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Literal, cast

from eyetune.errors import UsageError, nearest
from eyetune.records.study import Constraint, Direction, Objective
from eyetune.tuning.declared_options import texts_of
from eyetune.tuning.options import TuneOptions
from eyetune.values.history import Epoch, History, best_epoch, is_better_high
from eyetune.values.int8_accuracy import Int8Accuracy

# Costs of a network that are known before any training.
BEFORE_TRAINING = (
    "parameters",
    "trainable_parameters",
    "macs",
    "multiply_adds",
    "flash_bytes",
    "arena_bytes",
    "latency_ms",
    "fps",
)
_BOARD_LIMITS = ("flash_bytes", "arena_bytes")
_PREDICTED_TIMES = ("latency_ms", "fps")  # they need a board with a cost model
_FROM_FOOTPRINT = (*_BOARD_LIMITS, *_PREDICTED_TIMES)
SECONDS = "seconds"  # of training, known only after it
INT8_ACCURACY = "int8_accuracy"  # of the int8 network, measured at each rung
_MORE_IS_BETTER = ("fps",)  # of the costs
USUAL = ("val_accuracy", "val_loss", "accuracy", "loss")

_CONSTRAINT = re.compile(
    r"\s*([\w.]+)\s*(<=|>=|<|>)\s*([0-9][\d_]*(?:\.\d*)?(?:[eE][+-]?\d+)?)\s*([a-zA-Z]*)\s*"
)
_SIZES = {"": 1, "k": 1000, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}
_COUNT_UNITS = _SIZES | {f"{size}b": factor for size, factor in _SIZES.items() if size}
_TIME_UNITS = {"latency_ms": {"": 1, "ms": 1, "s": 1000}, "fps": {"": 1, "fps": 1}}


def read_objective(text: str) -> Objective:
    """Read an objective: a name whose direction is known, or name:max or name:min.

    Raises:
        UsageError: It is empty, or its direction is neither max nor min.

    Example:
        >>> read_objective("val_accuracy")
        Objective(name='val_accuracy', direction='max')
        >>> read_objective("val_loss").direction, read_objective("val_auc:max").name
        ('min', 'val_auc')
        >>> read_objective("latency_ms").direction, read_objective("fps").direction
        ('min', 'max')
    """
    name, _, direction = text.strip().partition(":")
    if not re.fullmatch(r"\w+", name) or direction not in ("", "max", "min"):
        names = ", ".join((*USUAL, INT8_ACCURACY, *BEFORE_TRAINING))
        raise UsageError(
            "The objective is invalid.",
            expected=f"a name such as {names}, or name:max or name:min",
            received=text,
        )
    if not direction:
        is_cost = name in (*BEFORE_TRAINING, SECONDS) and name not in _MORE_IS_BETTER
        direction = "min" if is_cost or not is_better_high(name) else "max"
    return Objective(name=name, direction=cast("Direction", direction))


def read_constraint(text: str) -> Constraint:
    """Read a constraint such as "parameters < 200k", "flash_bytes <= 1.5MiB" or "latency_ms < 200".

    Raises:
        UsageError: It is invalid, or its name is not known before training.

    Example:
        >>> str(read_constraint("parameters<200k")), read_constraint("arena_bytes <= 100KiB").limit
        ('parameters < 200000', 102400.0)
    """
    match = _CONSTRAINT.fullmatch(text)
    if match is None:
        raise UsageError(
            "The constraint is invalid.",
            expected='a name, one of < <= > >=, and a number, such as "parameters < 200000"',
            received=text,
        )
    name, sign, number, unit = match.groups()
    if name not in BEFORE_TRAINING:
        raise UsageError(
            f"{name} cannot be a constraint: it is not known before training.",
            received=text,
            fix=f"{nearest(name, BEFORE_TRAINING)} A metric of training can be an objective.",
        )
    units = _TIME_UNITS.get(name, _COUNT_UNITS)
    if unit.lower() not in units:
        raise UsageError(
            "The unit of the constraint is invalid.",
            expected=f"a number without a unit, or with one of {', '.join(filter(None, units))}",
            received=text,
        )
    limit = float(number.replace("_", "")) * units[unit.lower()]
    if not math.isfinite(limit):
        raise UsageError(
            "The limit of the constraint is too large.",
            expected="a finite number",
            received=text,
        )
    return Constraint(name=name, sign=cast('Literal["<", "<=", ">", ">="]', sign), limit=limit)


def objectives_of(options: TuneOptions) -> tuple[Objective, ...]:
    """Return the objectives that options name; none if they name none."""
    texts = texts_of("objective", options.objective)
    return tuple(read_objective(text) for text in texts)


def constraints_of(options: TuneOptions, board_name: str) -> tuple[Constraint, ...]:
    """Return the constraints that options name, with the limits of a board.

    Args:
        options: What is asked for.
        board_name: The board, or "".

    Raises:
        UsageError: A constraint or the board is not valid.
    """
    texts = texts_of("constraints", options.constraints)
    constraints = [read_constraint(text) for text in texts]
    if options.fps is not None:
        constraints.append(_fps_constraint(options.fps))
    if board_name:
        from eyetune.device.boards.profiles import load_board

        profile = load_board(board_name)
        limits = (profile.max_model_bytes, profile.max_arena_bytes)
        for name, limit in zip(_BOARD_LIMITS, limits, strict=True):
            constraints.append(Constraint(name=name, sign="<=", limit=limit))
    return tuple(constraints)


def _fps_constraint(fps: float) -> Constraint:
    """Return the constraint that the option `fps` stands for."""
    is_number = isinstance(fps, int | float) and not isinstance(fps, bool)
    if not is_number or not 0 < fps < math.inf:
        raise UsageError(
            "fps is out of its range.", expected="a number above 0", received=repr(fps)
        )
    return Constraint(name="fps", sign=">=", limit=fps)


def check_board(
    objectives: Iterable[Objective], constraints: Iterable[Constraint], board_name: str
) -> None:
    """Refuse objectives and constraints that cannot be computed with a board, or without one.

    Args:
        objectives: Objectives of the study.
        constraints: Constraints of the study.
        board_name: The board, or "".

    Raises:
        UsageError: One of them needs a board, a board whose time can be predicted, or TensorFlow.
    """
    names = _names(objectives, constraints)
    for name in (*_PREDICTED_TIMES, INT8_ACCURACY):
        if name in names and not board_name:
            raise UsageError(
                f"{name} needs a board.",
                expected="the name of a board, or the path of a .toml file that describes one",
                received="no board",
                fix="Name the board that the network is for, for example --board esp-eye.",
            )
    for name in _PREDICTED_TIMES:
        if name in names:
            _check_cost_model(name, board_name)
    backend = os.environ.get("KERAS_BACKEND") or "tensorflow"
    if INT8_ACCURACY in names and backend != "tensorflow":
        raise UsageError(
            f"{INT8_ACCURACY} needs Keras on TensorFlow, which converts the networks.",
            expected="KERAS_BACKEND=tensorflow",
            received=f"KERAS_BACKEND={backend}",
            fix="Set KERAS_BACKEND=tensorflow.",
        )


def _check_cost_model(name: str, board_name: str) -> None:
    from eyetune.device.boards.profiles import boards, load_board

    profile = load_board(board_name)
    if profile.cost is None:
        with_cost = ", ".join(board.name for board in boards() if board.cost is not None)
        raise UsageError(
            f"{name} cannot be predicted for {profile.title}, whose profile has no cost model.",
            expected=f"a board with a cost model, such as {with_cost}",
            received=board_name,
            fix="Add a section [cost] to the profile (docs/board.md), or leave "
            f"{name} out: macs is a rough measure of the time.",
        )


def _names(objectives: Iterable[Objective], constraints: Iterable[Constraint]) -> set[str]:
    return {objective.name for objective in objectives} | {
        constraint.name for constraint in constraints
    }


def check_objective_names(objectives: Iterable[Objective]) -> None:
    """Refuse names that no recipe measures; what a model function measures is known later."""
    names = (*USUAL, INT8_ACCURACY, *BEFORE_TRAINING, SECONDS)
    for objective in objectives:
        if objective.name not in names:
            raise UsageError(
                f"{objective.name} is not a known objective.",
                received=objective.name,
                fix=nearest(objective.name, names),
            )


def needs_footprint(objectives: Iterable[Objective], constraints: Iterable[Constraint]) -> bool:
    """Return whether any of them needs the graph of the int8 network."""
    return not _names(objectives, constraints).isdisjoint(_FROM_FOOTPRINT)


def is_measured(objective: Objective) -> bool:
    """Return whether training measures an objective: it is no cost of the network or of training.

    Example:
        >>> is_measured(read_objective("int8_accuracy")), is_measured(read_objective("macs"))
        (True, False)
    """
    return objective.name not in (*BEFORE_TRAINING, SECONDS)


def measures_int8(objectives: Iterable[Objective]) -> bool:
    """Return whether the accuracy of int8 networks is an objective."""
    return INT8_ACCURACY in _names(objectives, ())


def values_of(
    objectives: Sequence[Objective],
    history: History,
    network: Mapping[str, float],
    *,
    seconds: float = 0.0,
    int8: Int8Accuracy | None = None,
    returned: Mapping[str, float] = MappingProxyType({}),
) -> tuple[float, ...]:
    """Return the values of a trial's objectives.

    All metrics are those of one epoch: the best by the first metric, whose network is kept
    (`monitor_of`). The int8 network is made from it, too. What a user's own `fit` returned counts
    instead.

    Args:
        objectives: Objectives of the study.
        history: Epochs so far, at least one where an objective is a metric.
        network: Costs of the network by name.
        seconds: Time of training so far.
        int8: Accuracy of the int8 network; None if it was not measured.
        returned: Metrics by name that a user's `fit` returned at its end.

    Returns:
        A value for each objective.

    Raises:
        UsageError: A metric was not measured.
    """
    known = {**network, SECONDS: seconds, **returned}
    if int8 is not None:
        known[INT8_ACCURACY] = int8.accuracy
    if all(objective.name in returned for objective in objectives):
        return tuple(known[objective.name] for objective in objectives)
    kept = _best(objectives, history, network)
    return tuple(_value(objective, kept, known) for objective in objectives)


def monitor_of(objectives: Sequence[Objective]) -> str:
    """Return the metric that chooses the best epoch of a trial.

    It is the first objective that each epoch measures, with its direction appended where the name
    does not imply it. Where there is none, it is val_accuracy if the accuracy of int8 networks is
    an objective, else val_loss.

    Example:
        >>> monitor_of([read_objective("parameters"), read_objective("val_accuracy")])
        'val_accuracy'
        >>> monitor_of([]), monitor_of([read_objective("int8_accuracy")])
        ('val_loss', 'val_accuracy')
        >>> monitor_of([read_objective("val_score:min")])
        'val_score:min'
    """
    others = (*BEFORE_TRAINING, SECONDS, INT8_ACCURACY)
    metrics = [objective for objective in objectives if objective.name not in others]
    if not metrics:
        return "val_accuracy" if measures_int8(objectives) else "val_loss"
    first = metrics[0]
    is_implied = is_better_high(first.name) == (first.direction == "max")
    return first.name if is_implied else f"{first.name}:{first.direction}"


def _best(
    objectives: Sequence[Objective], history: History, network: Mapping[str, float]
) -> Epoch | None:
    monitor = monitor_of(objectives)
    try:
        return best_epoch(history, monitor)
    except KeyError:
        name = monitor.partition(":")[0]
        raise _not_measured(name, [*USUAL, *history[0].others, *network, SECONDS]) from None


def _value(objective: Objective, kept: Epoch | None, known: Mapping[str, float]) -> float:
    if objective.name in known:
        return known[objective.name]
    try:
        return kept.value(objective.name) if kept is not None else float("nan")
    except KeyError:
        names = [*USUAL, *(kept.others if kept else ()), *BEFORE_TRAINING, SECONDS]
        raise _not_measured(objective.name, names) from None


def _not_measured(name: str, names: Sequence[str]) -> UsageError:
    fix = (
        f"{nearest(name, names)} What a fit of your own returns is known at its end: use the "
        "scheduler full (RandomSearch) for it, or log it in each epoch."
    )
    if name in ("loss", "accuracy"):
        fix = f'Return it from your train_step, as in {{"{name}": {name}}}, or choose another.'
    return UsageError(f"Nothing measures the objective {name}.", received=name, fix=fix)


def is_feasible(
    constraints: Sequence[Constraint], max_parameters: int | None, network: Mapping[str, float]
) -> bool:
    """Return whether a network meets all limits of a study.

    Args:
        constraints: Constraints of the study.
        max_parameters: Most parameters of a network; None for no limit.
        network: Costs of the network by name.
    """
    if max_parameters is not None and network["parameters"] > max_parameters:
        return False
    return not violations(constraints, network)


def violations(
    constraints: Iterable[Constraint], network: Mapping[str, float]
) -> list[tuple[Constraint, float]]:
    """Return the constraints that a network violates, each with its excess (above 0).

    Args:
        constraints: Constraints of the study.
        network: Costs of the network by name; constraints of other names are ignored.
    """
    violated = []
    for constraint in constraints:
        if constraint.name in network:
            excess = constraint.excess(network[constraint.name])
            if excess > 0:
                violated.append((constraint, excess))
    return violated
