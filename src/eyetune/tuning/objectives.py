"""Objectives and constraints of a study: read from texts, and computed for a trial."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, cast

from eyetune.errors import UsageError, nearest
from eyetune.records.study import Constraint, Direction, Objective
from eyetune.tuning.declared_options import texts_of
from eyetune.tuning.options import TuneOptions
from eyetune.values.history import Epoch, History, best_epoch, is_better_high

# Costs of a network that are known before any training; lower is better.
BEFORE_TRAINING = (
    "parameters",
    "trainable_parameters",
    "macs",
    "multiply_adds",
    "flash_bytes",
    "arena_bytes",
)
ON_A_BOARD = ("flash_bytes", "arena_bytes")  # they need the graph of the int8 network
SECONDS = "seconds"  # of training, known only after it
USUAL = ("val_accuracy", "val_loss", "accuracy", "loss")

_CONSTRAINT = re.compile(
    r"\s*([\w.]+)\s*(<=|>=|<|>)\s*([0-9][\d_]*(?:\.\d*)?(?:[eE][+-]?\d+)?)\s*([kKmMgG]i?[bB]?)?\s*"
)
_UNITS = {"": 1, "k": 1000, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}


def read_objective(text: str) -> Objective:
    """Read an objective: a name whose direction is known, or name:max or name:min.

    Raises:
        UsageError: It is empty, or its direction is neither max nor min.

    Example:
        >>> read_objective("val_accuracy")
        Objective(name='val_accuracy', direction='max')
        >>> read_objective("val_loss").direction, read_objective("val_auc:max").name
        ('min', 'val_auc')
    """
    name, _, direction = text.strip().partition(":")
    if not re.fullmatch(r"\w+", name) or direction not in ("", "max", "min"):
        names = ", ".join((*USUAL, *BEFORE_TRAINING))
        raise UsageError(
            "The objective is invalid.",
            expected=f"a name such as {names}, or name:max or name:min",
            received=text,
        )
    if not direction:
        is_cost = name in BEFORE_TRAINING or name == SECONDS
        direction = "min" if is_cost or not is_better_high(name) else "max"
    return Objective(name=name, direction=cast("Direction", direction))


def read_constraint(text: str) -> Constraint:
    """Read a constraint such as "parameters < 200000" or "flash_bytes <= 1.5MiB".

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
    limit = float(number.replace("_", "")) * _UNITS[(unit or "").lower().rstrip("b")]
    return Constraint(name=name, sign=cast('Literal["<", "<=", ">", ">="]', sign), limit=limit)


def objectives_of(options: TuneOptions) -> tuple[Objective, ...]:
    """Return the objectives that options name; none if they name none."""
    texts = texts_of("objective", options.objective)
    return tuple(read_objective(text) for text in texts)


def constraints_of(options: TuneOptions, board_name: str) -> tuple[Constraint, ...]:
    """Return the constraints of the options and the limits of the board."""
    texts = texts_of("constraints", options.constraints)
    constraints = [read_constraint(text) for text in texts]
    if board_name:
        from eyetune.device.boards.profiles import load_board

        profile = load_board(board_name)
        limits = (profile.max_model_bytes, profile.max_arena_bytes)
        for name, limit in zip(ON_A_BOARD, limits, strict=True):
            constraints.append(Constraint(name=name, sign="<=", limit=limit))
    return tuple(constraints)


def check_objective_names(objectives: tuple[Objective, ...]) -> None:
    """Refuse names that no recipe measures; what a model function measures is known later."""
    names = (*USUAL, *BEFORE_TRAINING, SECONDS)
    for objective in objectives:
        if objective.name not in names:
            raise UsageError(
                f"{objective.name} is not a known objective.",
                received=objective.name,
                fix=nearest(objective.name, names),
            )


def needs_footprint(objectives: Iterable[Objective], constraints: Iterable[Constraint]) -> bool:
    """Return whether any of them needs the memory of the network on a board."""
    names = {objective.name for objective in objectives}
    names |= {constraint.name for constraint in constraints}
    return not names.isdisjoint(ON_A_BOARD)


def values_of(
    objectives: Sequence[Objective],
    history: History,
    network: Mapping[str, float],
    *,
    seconds: float = 0.0,
) -> tuple[float, ...]:
    """Return the values of a trial's objectives.

    All metrics are those of one epoch: the best by the first metric, whose network is kept
    (`monitor_of`).

    Args:
        objectives: Objectives of the study.
        history: Epochs so far, at least one where an objective is a metric.
        network: Costs of the network by name.
        seconds: Time of training so far.

    Returns:
        A value for each objective.

    Raises:
        UsageError: A metric was not measured.
    """
    kept = _best(objectives, history, network)
    return tuple(_value(objective, kept, network, seconds) for objective in objectives)


def monitor_of(objectives: Sequence[Objective]) -> str:
    """Return the metric that chooses the best epoch of a trial.

    It is the first objective that training measures, with its direction appended where the name
    does not imply it; val_loss where there is none.

    Example:
        >>> monitor_of([read_objective("parameters"), read_objective("val_accuracy")])
        'val_accuracy'
        >>> monitor_of([])
        'val_loss'
        >>> monitor_of([read_objective("val_score:min")])
        'val_score:min'
    """
    metrics = [objective for objective in objectives if not _is_cost(objective)]
    if not metrics:
        return "val_loss"
    first = metrics[0]
    is_implied = is_better_high(first.name) == (first.direction == "max")
    return first.name if is_implied else f"{first.name}:{first.direction}"


def _is_cost(objective: Objective) -> bool:
    return objective.name in BEFORE_TRAINING or objective.name == SECONDS


def _best(
    objectives: Sequence[Objective], history: History, network: Mapping[str, float]
) -> Epoch | None:
    monitor = monitor_of(objectives)
    try:
        return best_epoch(history, monitor)
    except KeyError:
        name = monitor.partition(":")[0]
        raise _not_measured(name, [*USUAL, *history[0].others, *network, SECONDS]) from None


def _value(
    objective: Objective, kept: Epoch | None, network: Mapping[str, float], seconds: float
) -> float:
    if objective.name == SECONDS:
        return seconds
    if objective.name in network:
        return network[objective.name]
    try:
        return kept.value(objective.name) if kept is not None else float("nan")
    except KeyError:
        names = [*USUAL, *(kept.others if kept else ()), *BEFORE_TRAINING, SECONDS]
        raise _not_measured(objective.name, names) from None


def _not_measured(name: str, names: Sequence[str]) -> UsageError:
    return UsageError(
        f"Nothing measures the objective {name}.", received=name, fix=nearest(name, names)
    )


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
