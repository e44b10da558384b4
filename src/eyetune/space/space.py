"""A space: the hyperparameters of a study, with their values and conditions.

A space is plain data. It is discovered from a user's `build_model(hp)`, or written as TOML for
recipes, with a table for each hyperparameter:

    >>> space = Space.from_toml('''
    ... ["optimizer.learning_rate"]
    ... values = [1e-2, 1e-3, 1e-4]
    ... ["model.blocks.count"]
    ... low = 1
    ... high = 3
    ... ["model.blocks.2.filters"]
    ... low = 32
    ... high = 128
    ... step = 32
    ... when = { "model.blocks.count" = [3] }
    ... ''')
    >>> space.defaults()
    {'optimizer.learning_rate': 0.01, 'model.blocks.count': 1}
    >>> space.size()
    18
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pydantic
from pydantic import model_validator

from eyetune.errors import SpaceError
from eyetune.inputs.limits import TEXT_BYTES, fix_for
from eyetune.inputs.regular_file import read_text
from eyetune.recipe.changes import value_text
from eyetune.space.hyperparameters import (
    MAX_POINTS,
    Choice,
    Distribution,
    Range,
    SpacePart,
    Value,
    Values,
)
from eyetune.space.toml import read_toml, write_toml

MAX_SHOWN = 200  # characters of a wrong value in an error


class Space(SpacePart):
    """Hyperparameters in order; each comes after those that its conditions name.

    Raises:
        SpaceError: From `make`, `from_toml` and `load`: a name or a value cannot be used.

    Example:
        >>> import eyetune as et
        >>> space = et.Space.from_toml('"fit.batch_size" = {values = [16, 32]}')
        >>> space.distributions[0].name
        'fit.batch_size'
    """

    distributions: tuple[Distribution, ...] = ()

    @model_validator(mode="after")
    def _parents_come_first(self) -> Self:
        names: set[str] = set()
        for hyperparameter in self.distributions:
            name = hyperparameter.name
            if name in names:
                raise ValueError(f"{name} is defined twice")
            for condition in hyperparameter.conditions:
                if condition.parent not in names:
                    raise ValueError(f"{name} depends on {condition.parent}, which must precede it")
            names.add(name)
        return self

    @classmethod
    def make(cls, distributions: Any, *, origin: str = "the space") -> Space:
        """Return a space of distributions, or of plain values of them.

        Args:
            distributions: The hyperparameters in order.
            origin: Where they come from, for errors.

        Raises:
            SpaceError: A name or a value cannot be used.
        """
        try:
            return cls.model_validate({"distributions": tuple(distributions)})
        except pydantic.ValidationError as error:
            raise _explain(error, origin) from None

    @classmethod
    def from_toml(cls, text: str, *, origin: str = "the space") -> Space:
        """Read a space from TOML.

        Args:
            text: A table for each hyperparameter, with `values`, or with `low` and `high`.
            origin: Where it comes from, for errors.

        Raises:
            SpaceError: It is not valid, or a name or a value cannot be used.
        """
        return cls.make(read_toml(text, origin), origin=origin)

    @classmethod
    def load(cls, path: str | Path) -> Space:
        """Read a space from a TOML file.

        Raises:
            SpaceError: It cannot be read or used.
        """
        try:
            text = read_text(Path(path), TEXT_BYTES)
        except (OSError, ValueError) as error:
            raise SpaceError(
                f"The space {path} cannot be read.", received=error, fix=fix_for(error)
            ) from None
        return cls.from_toml(text, origin=str(path))

    def to_toml(self) -> str:
        """Return the space as TOML, as `from_toml` reads it."""
        return write_toml(self.distributions)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the hyperparameters, in order."""
        return tuple(distribution.name for distribution in self.distributions)

    def __len__(self) -> int:
        return len(self.distributions)

    def __getitem__(self, name: str) -> Choice | Range:
        return next(
            distribution for distribution in self.distributions if distribution.name == name
        )

    def active(self, values: Values) -> dict[str, Value]:
        """Return the active values: those of hyperparameters whose conditions are all met.

        Example:
            >>> from eyetune.space import Choice, Condition, Range, Space
            >>> space = Space.make([
            ...     Choice(name="kind", values=("cnn", "mlp")),
            ...     Range(name="units", low=8, high=64, whole=True,
            ...           conditions=(Condition(parent="kind", values=("mlp",)),)),
            ... ])
            >>> space.active({"kind": "cnn", "units": 32})
            {'kind': 'cnn'}
            >>> space.active({"kind": "mlp", "units": 32})
            {'kind': 'mlp', 'units': 32}
        """
        kept: dict[str, Value] = {}
        for distribution in self.distributions:
            if distribution.name in values and _is_active(distribution, kept):
                kept[distribution.name] = values[distribution.name]
        return kept

    def complete(self, values: Values) -> dict[str, Value]:
        """Return the active values, with defaults for missing ones."""
        kept: dict[str, Value] = {}
        for distribution in self.distributions:
            if _is_active(distribution, kept):
                kept[distribution.name] = values.get(distribution.name, distribution.default)
        return kept

    def defaults(self) -> dict[str, Value]:
        """Return the default values of the hyperparameters that are active with them."""
        return self.complete({})

    def contains(self, values: Values) -> bool:
        """Return whether these are values of this space: all active ones and no others."""
        return dict(values) == self.active(values) == self.complete(values) and all(
            self[name].contains(value) for name, value in values.items()
        )

    def key(self, values: Values) -> str:
        """Return a text that is equal for equal active values."""
        return json.dumps(self.active(values), sort_keys=True)

    def points(self) -> Iterator[dict[str, Value]]:
        """Yield every combination of values once, the last hyperparameter changing fastest.

        Raises:
            SpaceError: A hyperparameter has infinitely many values.
        """
        infinite = [
            distribution.name for distribution in self.distributions if distribution.grid() is None
        ]
        if infinite:
            raise SpaceError(
                f"{infinite[0]} has infinitely many values.",
                expected="a step, or a list of values",
                fix="Give it a step, or choose another sampler than grid.",
            )
        yield from self._points_from(0, {})

    def _points_from(self, index: int, chosen: dict[str, Value]) -> Iterator[dict[str, Value]]:
        if index == len(self.distributions):
            yield dict(chosen)
            return
        distribution = self.distributions[index]
        if not _is_active(distribution, chosen):
            yield from self._points_from(index + 1, chosen)
            return
        for value in distribution.grid() or ():
            yield from self._points_from(index + 1, {**chosen, distribution.name: value})

    def size(self) -> int | None:
        """Return the number of combinations; None where it is infinite or above MAX_POINTS."""
        if any(distribution.grid() is None for distribution in self.distributions):
            return None
        if not any(distribution.conditions for distribution in self.distributions):
            count = math.prod(len(distribution.grid() or ()) for distribution in self.distributions)
            return count if count <= MAX_POINTS else None
        counted = 0
        for _ in self.points():
            counted += 1
            if counted > MAX_POINTS:
                return None
        return counted

    def merge(self, other: Space) -> Space:
        """Return this space with the new hyperparameters of another one; the others stay."""
        new = [
            distribution
            for distribution in other.distributions
            if distribution.name not in self.names
        ]
        return Space(distributions=(*self.distributions, *new)) if new else self

    def difference(self, other: Space) -> tuple[str, ...]:
        """Return the differences from another space as sentences, regardless of the order.

        Example:
            >>> one = Space.make([Choice(name="units", values=(32, 64))])
            >>> one.difference(Space.make([Choice(name="units", values=(32, 128))]))
            ('units: 32, 64 became 32, 128',)
        """
        mine = {distribution.name: _text(distribution) for distribution in self.distributions}
        theirs = {distribution.name: _text(distribution) for distribution in other.distributions}
        gone = [f"{name} is gone" for name in mine if name not in theirs]
        new = [f"{name} is new: {text}" for name, text in theirs.items() if name not in mine]
        changed = [
            f"{name}: {text} became {theirs[name]}"
            for name, text in mine.items()
            if name in theirs and theirs[name] != text
        ]
        return (*changed, *gone, *new)

    def on_the_edge(self, values: Values) -> dict[str, str]:
        """Return the values that are at an end of their range, by name, and at which end.

        Better values may lie beyond it.
        """
        edges = {name: self[name].edge(value) for name, value in self.active(values).items()}
        return {name: edge for name, edge in edges.items() if edge}


def describe(distribution: Choice | Range) -> str:
    """Return the values of a hyperparameter as a text, without its conditions.

    Example:
        >>> describe(Range(name="units", low=32, high=128, step=32, whole=True))
        '32 to 128 in steps of 32'
    """
    if isinstance(distribution, Choice):
        return ", ".join(map(value_text, distribution.values))
    text = f"{distribution.low:g} to {distribution.high:g}"
    if distribution.sampling == "linear":
        return text if distribution.step is None else f"{text} in steps of {distribution.step:g}"
    if distribution.step is not None:
        text = f"{text}, each {distribution.step:g} times the last"
    return f"{text} ({distribution.sampling.replace('_', ' ')})"


def _text(distribution: Choice | Range) -> str:
    conditions = "; ".join(
        f"while {condition.parent} is {' or '.join(map(value_text, condition.values))}"
        for condition in distribution.conditions
    )
    return f"{describe(distribution)} {conditions}".strip()


def _is_active(distribution: Choice | Range, chosen: Values) -> bool:
    return all(condition.holds(chosen) for condition in distribution.conditions)


def _explain(error: pydantic.ValidationError, origin: str) -> SpaceError:
    """Return the first of pydantic's errors as one that names the hyperparameter."""
    first = error.errors()[0]
    origin = origin[0].upper() + origin[1:]
    parts = [str(part) for part in first["loc"][1:] if part not in ("choice", "range")]
    path = ".".join(parts)[:MAX_SHOWN]
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error":
        return SpaceError(f"{origin} cannot be used: {message:.{2 * MAX_SHOWN}}.")
    return SpaceError(
        f"{origin} has a value that cannot be used, at {path}.",
        expected=message,
        received=f"{first['input']!s:.{MAX_SHOWN}}",
    )
