"""Spaces as TOML: a table for each hyperparameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eyetune.errors import SpaceError, nearest
from eyetune.inputs import toml_text
from eyetune.inputs.limits import LimitExceededError, fix_for
from eyetune.space.hyperparameters import Choice, Range

_KNOWN = ("values", "ordered", "low", "high", "step", "sampling", "default", "when")


def read_toml(text: str, origin: str) -> list[dict[str, Any]]:
    """Return the tables of a TOML space as plain values of hyperparameters, in order.

    Args:
        text: A table for each hyperparameter, with `values`, or with `low` and `high`.
        origin: Where it comes from, for errors.

    Raises:
        SpaceError: It is not valid TOML, or a table has an unknown name.
    """
    try:
        tables = toml_text.parse(text)
    except ValueError as error:
        problem = "too large" if isinstance(error, LimitExceededError) else "not valid TOML"
        raise SpaceError(
            f"{origin} is {problem}.",
            received=error,
            fix=fix_for(error, "See https://toml.io for the notation."),
        ) from None
    return read_tables(tables, origin)


def read_tables(tables: Mapping[str, Any], origin: str) -> list[dict[str, Any]]:
    """Return the tables of a space as plain values of hyperparameters, in order.

    Args:
        tables: A table for each hyperparameter by its name, as they are in TOML.
        origin: Where they come from, for errors.

    Raises:
        SpaceError: A table has an unknown name.
    """
    return [_read(name, table, origin) for name, table in tables.items()]


def write_toml(hyperparameters: Sequence[Choice | Range]) -> str:
    """Return hyperparameters as TOML, as `read_toml` reads it."""
    import tomli_w

    return tomli_w.dumps({part.name: _table(part) for part in hyperparameters})


def _read(name: str, table: Any, origin: str) -> dict[str, Any]:
    """Return one table of a TOML space as plain values of a distribution."""
    if not isinstance(table, dict):
        raise SpaceError(
            f"{name:.100} in {origin} is not a table.",
            expected=f'["{name:.100}"], and below it values = [...], or low = ... and high = ...',
            received=f"{table!r:.100}",
        )
    unknown = [key for key in table if key not in _KNOWN]
    if unknown:  # a path without quotation marks makes tables within tables
        raise SpaceError(
            f"{origin} has an unknown name in {name:.100}.",
            received=f"{unknown[0]:.100}",
            fix=f"{nearest(unknown[0], _KNOWN)} "
            f'Put a path with dots in quotation marks: ["{name:.100}.{unknown[0]:.100}"].',
        )
    plain = {key: value for key, value in table.items() if key != "when"}
    when = table.get("when", {})
    if not isinstance(when, dict):
        raise SpaceError(
            f"when of {name:.100} in {origin} is not a table.",
            expected='the values of other hyperparameters, such as { "fit.batch_size" = [16] }',
            received=f"{when!r:.100}",
        )
    conditions = [
        {"parent": parent, "values": tuple(values if isinstance(values, list) else [values])}
        for parent, values in when.items()
    ]
    if "values" in plain:
        values = plain["values"]
        numbers = isinstance(values, list) and all(type(value) in (int, float) for value in values)
        plain = {
            "ordered": numbers and list(values) in (sorted(values), sorted(values, reverse=True)),
            **plain,
        }
        return {"kind": "choice", "name": name, "conditions": conditions, **plain}
    whole = all(isinstance(plain.get(key, 0), int) for key in ("low", "high", "step"))
    whole = whole and plain.get("sampling", "linear") != "reverse_log"
    return {"kind": "range", "name": name, "conditions": conditions, "whole": whole, **plain}


def _table(distribution: Choice | Range) -> dict[str, Any]:
    values = distribution.model_dump(
        exclude_defaults=True,
        exclude_none=True,
        exclude={"kind", "name", "conditions", "whole", "is_constant"},
    )
    when = {condition.parent: list(condition.values) for condition in distribution.conditions}
    return {**values, **({"when": when} if when else {})}
