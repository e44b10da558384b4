"""The hyperparameters of a space: choices and ranges, and the conditions for them to apply."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Value = bool | int | float | str
Values = Mapping[str, Value]
Sampling = Literal["linear", "log", "reverse_log"]

MAX_POINTS = 1_000_000  # a larger space counts as infinite


def setting_text(value: Value) -> str:
    """Return the value of a hyperparameter as text.

    Example:
        >>> setting_text(True), setting_text(0.00012345678), setting_text("relu")
        ('true', '0.0001235', 'relu')
    """
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.4g}" if isinstance(value, float) else str(value)


class SpacePart(BaseModel):
    """An immutable value that refuses unknown names and infinite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Condition(SpacePart):
    """A hyperparameter is active only while another one has one of these values."""

    parent: str
    values: tuple[Value, ...] = Field(min_length=1)

    def holds(self, values: Values) -> bool:
        """Return whether it is met; it is not where the other hyperparameter is inactive."""
        return self.parent in values and values[self.parent] in self.values


class Choice(SpacePart):
    """A hyperparameter with a list of values.

    Attributes:
        name: Name of the hyperparameter.
        values: Its values, at least one, all of one type.
        ordered: Whether neighbors in the list are similar, like sorted numbers.
        default: Its default value. Default: the first.
        conditions: It is active while all of them hold.
        is_constant: Whether it is a constant of a model function (KerasTuner's `Fixed`), rather
            than a choice that has one value only.
    """

    kind: Literal["choice"] = "choice"
    name: str = Field(min_length=1)
    values: tuple[Value, ...] = Field(min_length=1)
    ordered: bool = False
    default: Value = Field(
        default_factory=lambda checked: checked["values"][0] if "values" in checked else 0
    )
    conditions: tuple[Condition, ...] = ()
    is_constant: bool = False

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


class Range(SpacePart):
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
