"""Choosing and ordering runs by any of their figures or recipe values, as `eyetune runs` offers it."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from eyetune.errors import UsageError, nearest
from eyetune.records.run import RunRecord

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge, "<=": operator.le, "!=": operator.ne, "=": operator.eq, ">": operator.gt, "<": operator.lt,
}  # fmt: skip
_CONDITION = re.compile(r"\s*([\w.]+)\s*(>=|<=|!=|=|>|<)\s*(.*?)\s*")


def fields(run: RunRecord) -> dict[str, Any]:
    """Return everything that runs can be sorted and filtered by; recipe values have their paths.

    A figure that the run does not have is None, and so are accuracy and loss on validation images
    that it trained on: they say nothing about how good it is.
    """
    results = run.results
    on_validation = None if run.trained_on_validation else results
    return {
        "run": run.id,
        "name": run.name,
        "state": str(run.state),
        "created_at": run.created_at.isoformat(timespec="seconds"),
        "data": run.data.name,
        "seed": run.seed,
        "epochs": run.num_epochs_done,
        "parameters": run.network.parameters,
        "macs": run.network.macs,
        "multiply_adds": run.network.macs,
        "duration_seconds": run.duration_seconds,
        "images_per_second": run.images_per_second,
        "validation_accuracy": on_validation and on_validation.validation_accuracy,
        "validation_loss": on_validation and on_validation.validation_loss,
        "test_accuracy": results and results.test_accuracy,
        "test_loss": results and results.test_loss,
        "failure": run.failure and str(run.failure),
        "lab": run.lab_id,
        "study": run.study_id,
        "trained_on_validation": run.trained_on_validation,
        **run.recipe.values(),
    }


def choose(runs: Iterable[RunRecord], conditions: Sequence[str]) -> list[RunRecord]:
    """Keep the runs that meet all conditions, such as "validation_accuracy>0.7" or
    "optimizer.name=sgd".

    A run that lacks the figure does not meet the condition.

    Raises:
        UsageError: A condition cannot be read or names nothing that a run has.
    """
    kept = list(runs)
    for condition in conditions:
        match = _CONDITION.fullmatch(condition)
        if match is None:
            raise UsageError(
                "A filter cannot be read.",
                expected="FIELD, one of = != < <= > >=, and a value",
                received=condition,
                fix="For example: --filter 'validation_accuracy>0.7' --filter optimizer.name=sgd",
            )
        field, symbol, text = match.groups()
        _check_field(kept, field)
        kept = [run for run in kept if _meets(fields(run).get(field), _OPERATORS[symbol], text)]
    return kept


def order(runs: Iterable[RunRecord], field: str, *, descending: bool = False) -> list[RunRecord]:
    """Sort runs by a field; those that lack it come last.

    Raises:
        UsageError: No run has such a field.
    """
    known = list(runs)
    _check_field(known, field)
    having = [run for run in known if fields(run).get(field) is not None]
    lacking = [run for run in known if fields(run).get(field) is None]
    return sorted(having, key=lambda run: fields(run)[field], reverse=descending) + lacking


def _check_field(runs: Sequence[RunRecord], field: str) -> None:
    known = {name for run in runs for name in fields(run)}
    if runs and field not in known:
        raise UsageError(
            f"A run has no {field}.", received=field, fix=nearest(field, sorted(known))
        )


def _meets(value: Any, compare: Callable[[Any, Any], bool], text: str) -> bool:
    if value is None:
        return False
    if isinstance(value, bool):
        return compare(str(value).lower(), text.lower())
    if isinstance(value, int | float):
        try:
            return compare(float(value), float(text))
        except ValueError:
            raise UsageError(
                "A filter compares a number with text.", expected="a number", received=text
            ) from None
    return compare(str(value), text)
