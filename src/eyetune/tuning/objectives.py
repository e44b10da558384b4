"""What a study makes large or small, and the limits it keeps to: read from words, and computed for
a trial.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, cast

from eyetune.errors import UsageError, nearest
from eyetune.records.study import Constraint, Direction, Objective
from eyetune.values.history import Epoch, History, best_epoch, is_better_high

# What is known of a network before any training, all the better the smaller.
BEFORE_TRAINING = (
    "parameters",
    "trainable_parameters",
    "macs",
    "multiply_adds",
    "flash_bytes",
    "arena_bytes",
)
ON_A_BOARD = ("flash_bytes", "arena_bytes")  # which take a look at the int8 network's graph
SECONDS = "seconds"  # of training, which is known only after it
USUAL = ("val_accuracy", "val_loss", "accuracy", "loss")

_CONSTRAINT = re.compile(
    r"\s*([\w.]+)\s*(<=|>=|<|>)\s*([0-9][\d_]*(?:\.\d*)?(?:[eE][+-]?\d+)?)\s*([kKmMgG]i?[bB]?)?\s*"
)
_UNITS = {"": 1, "k": 1000, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}


def read_objective(word: str) -> Objective:
    """Read an objective: a name whose direction is known, or name:max or name:min.

    Raises:
        UsageError: It is empty, or its direction is neither max nor min.

    Example:
        >>> read_objective("val_accuracy"), read_objective("val_loss").direction, read_objective("val_auc:max").name
        (Objective(name='val_accuracy', direction='max'), 'min', 'val_auc')
    """
    name, _, direction = word.strip().partition(":")
    if not re.fullmatch(r"\w+", name) or direction not in ("", "max", "min"):
        raise UsageError(
            "An objective cannot be read.",
            expected=f"a name such as {', '.join((*USUAL, *BEFORE_TRAINING))}, or name:max or name:min",
            received=word,
        )
    small = name in BEFORE_TRAINING or name == SECONDS or not is_better_high(name)
    return Objective(
        name=name, direction=cast("Direction", direction or ("min" if small else "max"))
    )


def read_constraint(word: str) -> Constraint:
    """Read a constraint such as "parameters < 200000" or "flash_bytes <= 1.5MiB".

    Raises:
        UsageError: It cannot be read, or is about something that is not known before training.

    Example:
        >>> str(read_constraint("parameters<200k")), read_constraint("arena_bytes <= 100KiB").limit
        ('parameters < 200000', 102400.0)
    """
    match = _CONSTRAINT.fullmatch(word)
    if match is None:
        raise UsageError(
            "A constraint cannot be read.",
            expected='a name, one of < <= > >=, and a number, such as "parameters < 200000"',
            received=word,
        )
    name, sign, number, unit = match.groups()
    if name not in BEFORE_TRAINING:
        raise UsageError(
            f"{name} cannot be constrained: it is not known before training.",
            received=word,
            fix=f"{nearest(name, BEFORE_TRAINING)} What training measures can be an objective.",
        )
    limit = float(number.replace("_", "")) * _UNITS[(unit or "").lower().rstrip("b")]
    return Constraint(name=name, sign=cast('Literal["<", "<=", ">", ">="]', sign), limit=limit)


def needs_footprint(objectives: Iterable[Objective], constraints: Iterable[Constraint]) -> bool:
    """Tell whether any of them asks what the network takes on a board."""
    names = [one.name for one in objectives] + [one.name for one in constraints]
    return any(name in ON_A_BOARD for name in names)


def values_of(
    objectives: Sequence[Objective],
    history: History,
    network: Mapping[str, float],
    *,
    seconds: float = 0.0,
) -> tuple[float, ...]:
    """Return the objectives' values of a trial: all metrics of one epoch, the best by the first of
    them.

    It is the epoch whose network is kept (`monitor_of`).

    Args:
        objectives: Of the study.
        history: Epochs so far, at least one where an objective is a metric.
        network: What is known of the network before training.
        seconds: Of training so far.

    Raises:
        UsageError: A metric was not measured.
    """
    kept = _best(objectives, history, network)
    return tuple(_value(one, kept, network, seconds) for one in objectives)


def monitor_of(objectives: Sequence[Objective]) -> str:
    """Return the metric by which the best epoch of a trial is kept, its direction behind it where
    its name is silent.

    Example:
        >>> monitor_of([read_objective("parameters"), read_objective("val_accuracy")]), monitor_of([])
        ('val_accuracy', 'val_loss')
        >>> monitor_of([read_objective("val_score:min")])
        'val_score:min'
    """
    first = next((one for one in objectives if not _is_cost(one)), None)
    if first is None:
        return "val_loss"
    known = is_better_high(first.name) == (first.direction == "max")
    return first.name if known else f"{first.name}:{first.direction}"


def _is_cost(objective: Objective) -> bool:
    return objective.name in BEFORE_TRAINING or objective.name == SECONDS


def _best(
    objectives: Sequence[Objective], history: History, network: Mapping[str, float]
) -> Epoch | None:
    monitor = monitor_of(objectives)
    try:
        return best_epoch(history, monitor)
    except KeyError:
        known = [*USUAL, *history[0].others, *network, SECONDS]
        name = monitor.partition(":")[0]
        raise UsageError(
            f"Nothing measures the objective {name}.", received=name, fix=nearest(name, known)
        ) from None


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
        known = [*USUAL, *(kept.others if kept else ()), *BEFORE_TRAINING, SECONDS]
        raise UsageError(
            f"Nothing measures the objective {objective.name}.",
            received=objective.name,
            fix=nearest(objective.name, known),
        ) from None


def broken(
    constraints: Iterable[Constraint], network: Mapping[str, float]
) -> list[tuple[Constraint, float]]:
    """Return the constraints that a network breaks, each with how far (above 0)."""
    excesses = [(one, one.excess(network[one.name])) for one in constraints if one.name in network]
    return [(one, excess) for one, excess in excesses if excess > 0]
