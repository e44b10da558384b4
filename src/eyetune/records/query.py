"""Choosing and sorting runs by any of their figures or recipe values."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from eyetune.errors import UsageError, nearest
from eyetune.records.run import RunRecord

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    "=": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}
_CONDITION = re.compile(r"\s*([\w.]+)\s*(>=|<=|!=|=|>|<)\s*(.*?)\s*")


def figures(run: RunRecord) -> dict[str, Any]:
    """Return the values of a run that are not part of its recipe, by the names of their fields.

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
        "note": run.note or None,
        "tags": list(run.tags) or None,
    }


def choose(runs: Iterable[RunRecord], conditions: Sequence[str]) -> list[RunRecord]:
    """Return the runs that meet all conditions.

    A run that lacks the figure does not meet the condition.

    Args:
        runs: The runs to choose from.
        conditions: For example "validation_accuracy>0.7" or "optimizer.name=sgd".

    Raises:
        UsageError: A condition is malformed, or names no field of a run.
    """
    if not conditions:
        return list(runs)
    rows = [(run, _fields(run)) for run in runs]
    names = _names(fields for _, fields in rows)
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
        _check_field(field, names)
        compare = _OPERATORS[symbol]
        rows = [(run, fields) for run, fields in rows if _meets(fields.get(field), compare, text)]
    return [run for run, _ in rows]


def order(runs: Iterable[RunRecord], field: str, *, descending: bool = False) -> list[RunRecord]:
    """Return the runs sorted by a field; those that lack it come last.

    Raises:
        UsageError: No run has such a field.
    """
    listed = list(runs)
    # The values of a recipe take far longer to collect, and are rarely what runs are sorted by.
    read = figures if listed and field in figures(listed[0]) else _fields
    rows = [(run, read(run)) for run in listed]
    _check_field(field, _names(fields for _, fields in rows))
    with_value = [row for row in rows if row[1].get(field) is not None]
    without_value = [row for row in rows if row[1].get(field) is None]
    with_value.sort(key=lambda row: _comparable(row[1][field]), reverse=descending)
    return [run for run, _ in [*with_value, *without_value]]


def _comparable(value: Any) -> tuple[bool, Any]:
    """Return a value that can be compared with others: numbers come before texts."""
    return (False, value) if isinstance(value, int | float) else (True, str(value))


def _fields(run: RunRecord) -> dict[str, Any]:
    """Return the figures of a run, and the values of its recipe, if it has one, by their paths."""
    return figures(run) | (run.own_recipe.values() if run.own_recipe else {})


def _names(rows: Iterable[dict[str, Any]]) -> Collection[str]:
    return sorted({name for fields in rows for name in fields})


def _check_field(field: str, names: Collection[str]) -> None:
    if names and field not in names:
        raise UsageError(
            f"A run has no field {field}.",
            received=field,
            fix=nearest(field, names, listed_by="eyetune runs --json"),
        )


def _meets_one(values: Sequence[str], compare: Callable[[Any, Any], bool], text: str) -> bool:
    """Return whether one of several values is a text, or none of them."""
    if compare is operator.ne:
        return text not in values
    return any(compare(value, text) for value in values)


def _meets(value: Any, compare: Callable[[Any, Any], bool], text: str) -> bool:
    if value is None:
        return False
    if isinstance(value, list):
        return _meets_one(value, compare, text)
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
