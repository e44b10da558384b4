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
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import pydantic
from pydantic import BaseModel, ConfigDict, Field, model_validator

from eyetune.errors import SpaceError, nearest

Value = bool | int | float | str
Values = Mapping[str, Value]
Sampling = Literal["linear", "log", "reverse_log"]

MAX_POINTS = 1_000_000  # a larger space counts as infinite


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Condition(_Part):
    """A hyperparameter is active only while another one has one of these values."""

    parent: str
    values: tuple[Value, ...]

    def holds(self, values: Values) -> bool:
        """Return whether it is met; it is not where the other hyperparameter is inactive."""
        return self.parent in values and values[self.parent] in self.values


class Choice(_Part):
    """A hyperparameter with a list of values.

    Attributes:
        name: Name of the hyperparameter.
        values: Its values, at least one, all of one type.
        ordered: Whether neighbors in the list are similar, like sorted numbers.
        default: Its default value. Default: the first.
        conditions: It is active while all of them hold.
    """

    kind: Literal["choice"] = "choice"
    name: str = Field(min_length=1)
    values: tuple[Value, ...] = Field(min_length=1)
    ordered: bool = False
    default: Value = Field(
        default_factory=lambda checked: checked["values"][0] if "values" in checked else 0
    )
    conditions: tuple[Condition, ...] = ()

    @model_validator(mode="after")
    def _default_is_a_value(self) -> Self:
        if self.default not in self.values:
            raise ValueError(
                f"the default of {self.name}, {self.default!r}, is not one of its values"
            )
        return self

    def grid(self) -> tuple[Value, ...] | None:
        """Return all values in order."""
        return self.values

    def contains(self, value: Value) -> bool:
        """Return whether it is one of the values."""
        is_bool = isinstance(value, bool)  # which equals a number
        return any(
            value == listed and is_bool == isinstance(listed, bool) for listed in self.values
        )

    def edge(self, value: Value) -> str:
        """Return at which end of ordered values one is: "first", "last" or ""."""
        if not self.ordered or len(self.values) < 3 or value not in self.values:
            return ""
        return {0: "first", len(self.values) - 1: "last"}.get(self.values.index(value), "")


class Range(_Part):
    """A number between two ends, both included.

    Attributes:
        name: Name of the hyperparameter.
        low: The lowest value.
        high: The highest value; steps may not reach it.
        step: Difference between two values where sampling is linear, else their ratio; None for
            every whole number, or any number.
        sampling: What is uniformly distributed: the values, their logarithms, or the logarithms of
            their distances from the upper end.
        whole: Whether values are whole numbers.
        default: Its default value. Default: the lowest.
        conditions: It is active while all of them hold.
    """

    kind: Literal["range"] = "range"
    name: str = Field(min_length=1)
    low: int | float
    high: int | float
    step: int | float | None = None
    sampling: Sampling = "linear"
    whole: bool
    default: int | float = Field(default_factory=lambda checked: checked.get("low", 0))
    conditions: tuple[Condition, ...] = ()

    @model_validator(mode="after")
    def _ends_and_step_make_sense(self) -> Self:
        if self.low > self.high:
            raise ValueError(
                f"{self.name} has a lower end, {self.low}, above its upper end, {self.high}"
            )
        if self.sampling != "linear" and self.low <= 0:
            raise ValueError(
                f"{self.name} has logarithmic sampling, so its low must be above 0, not {self.low}"
            )
        least = 0 if self.sampling == "linear" else 1
        if self.step is not None and self.step <= least:
            raise ValueError(f"{self.name} needs a step above {least}, not {self.step}")
        return self

    def grid(self) -> tuple[Value, ...] | None:
        """Return all values in order; None where they are infinite or more than MAX_POINTS."""
        if self.low == self.high:
            return (int(self.low) if self.whole else float(self.low),)
        step = 1 if self.step is None and self.whole and self.sampling == "linear" else self.step
        if step is None:
            return tuple(range(int(self.low), int(self.high) + 1)) if self._is_countable() else None
        count = self._steps(step) + 1
        if count > MAX_POINTS:
            return None
        return tuple(dict.fromkeys(self._at(index, count - 1, step) for index in range(count)))

    def _is_countable(self) -> bool:
        return self.whole and self.high - self.low < MAX_POINTS

    def _steps(self, step: float) -> int:
        if self.sampling == "linear":
            return math.floor((self.high - self.low) / step + 1e-8)
        return math.floor(math.log(self.high / self.low, step) + 1e-8)

    def _at(self, index: int, last: int, step: float) -> Value:
        if self.sampling == "linear":
            value = self.low + index * step
        elif self.sampling == "log":
            value = self.low * math.pow(step, index)
        else:
            value = self.high + self.low - self.low * math.pow(step, last - index)
        return int(value) if self.whole else float(value)

    def contains(self, value: Value) -> bool:
        """Return whether a value is in the range and of the right type; steps are ignored."""
        if isinstance(value, bool | str) or (self.whole and value != int(value)):
            return False
        return self.low <= value <= self.high

    def edge(self, value: Value) -> str:
        """Return at which end of the range a value is: "lowest", "highest" or ""."""
        grid = self.grid()
        if grid is not None and len(grid) < 3:
            return ""
        lowest, highest = (grid[0], grid[-1]) if grid is not None else (self.low, self.high)
        if value == lowest:
            return "lowest"
        return "highest" if value == highest else ""


Distribution = Annotated[Choice | Range, Field(discriminator="kind")]


class Space(_Part):
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
        try:
            tables = tomllib.loads(text)
        except (ValueError, RecursionError) as error:
            raise SpaceError(
                f"{origin} is not valid TOML.",
                received=error,
                fix="See https://toml.io for the notation.",
            ) from None
        return cls.make(
            [_read(name, table, origin) for name, table in tables.items()], origin=origin
        )

    @classmethod
    def load(cls, path: str | Path) -> Space:
        """Read a space from a TOML file.

        Raises:
            SpaceError: It cannot be read or used.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SpaceError(f"The space {path} cannot be read.", received=error) from None
        return cls.from_toml(text, origin=str(path))

    def to_toml(self) -> str:
        """Return the space as TOML, as `from_toml` reads it."""
        import tomli_w

        return tomli_w.dumps(
            {distribution.name: _table(distribution) for distribution in self.distributions}
        )

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
        texts = [
            str(value).lower() if isinstance(value, bool) else str(value)
            for value in distribution.values
        ]
        return ", ".join(texts)
    text = f"{distribution.low:g} to {distribution.high:g}"
    if distribution.sampling == "linear":
        return text if distribution.step is None else f"{text} in steps of {distribution.step:g}"
    if distribution.step is not None:
        text = f"{text}, each {distribution.step:g} times the last"
    return f"{text} ({distribution.sampling.replace('_', ' ')})"


def _text(distribution: Choice | Range) -> str:
    conditions = "; ".join(
        f"while {condition.parent} is {' or '.join(map(str, condition.values))}"
        for condition in distribution.conditions
    )
    return f"{describe(distribution)} {conditions}".strip()


def _is_active(distribution: Choice | Range, chosen: Values) -> bool:
    return all(condition.holds(chosen) for condition in distribution.conditions)


_KNOWN = ("values", "ordered", "low", "high", "step", "sampling", "default", "when")


def _read(name: str, table: Any, origin: str) -> dict[str, Any]:
    """Return one table of a TOML space as plain values of a distribution."""
    if not isinstance(table, dict):
        raise SpaceError(
            f"{name} in {origin} is not a table.",
            expected=f'["{name}"], and below it values = [...], or low = ... and high = ...',
            received=repr(table),
        )
    unknown = [key for key in table if key not in _KNOWN]
    if unknown:  # a path without quotation marks makes tables within tables
        raise SpaceError(
            f"{origin} has an unknown name in {name}.",
            received=unknown[0],
            fix=f"{nearest(unknown[0], _KNOWN)} "
            f'Put a path with dots in quotation marks: ["{name}.{unknown[0]}"].',
        )
    plain = {key: value for key, value in table.items() if key != "when"}
    conditions = [
        {"parent": parent, "values": tuple(values if isinstance(values, list) else [values])}
        for parent, values in table.get("when", {}).items()
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
        exclude_defaults=True, exclude_none=True, exclude={"kind", "name", "conditions", "whole"}
    )
    when = {condition.parent: list(condition.values) for condition in distribution.conditions}
    return {**values, **({"when": when} if when else {})}


def _explain(error: pydantic.ValidationError, origin: str) -> SpaceError:
    """Return the first of pydantic's errors as one that names the hyperparameter."""
    first = error.errors()[0]
    origin = origin[0].upper() + origin[1:]
    path = ".".join(str(part) for part in first["loc"][1:] if part not in ("choice", "range"))
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error":
        return SpaceError(f"{origin} cannot be used: {message}.")
    return SpaceError(
        f"{origin} has a value that cannot be used, at {path}.",
        expected=message,
        received=first["input"],
    )
