"""Renamed keys of JSON values: written under both names, read under either one.

What users and their scripts read must stay valid, so the earlier name of a key is never dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import SerializerFunctionWrapHandler, model_serializer, model_validator

from eyetune.values.json_model import JsonModel

EARLIER_NAMES = {"macs": "multiply_adds", "macs_by_kind": "multiply_adds_by_kind"}


def with_earlier_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with each renamed key under its earlier name too.

    Example:
        >>> with_earlier_names({"macs": 7})
        {'macs': 7, 'multiply_adds': 7}
    """
    earlier = {old: values[new] for new, old in EARLIER_NAMES.items() if new in values}
    return {**values, **earlier}


def with_current_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with each renamed key under its current name only.

    Example:
        >>> with_current_names({"multiply_adds": 7})
        {'macs': 7}
    """
    current = {
        new: values[old]
        for new, old in EARLIER_NAMES.items()
        if old in values and new not in values
    }
    earlier_names = EARLIER_NAMES.values()
    others = {name: value for name, value in values.items() if name not in earlier_names}
    return {**others, **current}


class RenamedKeys(JsonModel):
    """A value whose renamed keys are read under either name and written under both."""

    @model_validator(mode="before")
    @classmethod
    def _read_either(cls, values: Any) -> Any:
        return with_current_names(values) if isinstance(values, Mapping) else values

    @model_serializer(mode="wrap")
    def _write_both(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return with_earlier_names(handler(self))
