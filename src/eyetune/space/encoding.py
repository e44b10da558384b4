"""Hyperparameters as samplers see them: axes of plain numbers, and how values map to them.

Ordered choices and ranges with steps are represented by the index in the list of values, because
Optuna's logarithmic distributions do not support steps and its categories have no order. Values
with a logarithmic scale from the upper end are mirrored.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from eyetune.space.hyperparameters import Choice, Range, Value, Values
from eyetune.space.space import Space

if TYPE_CHECKING:
    import optuna

Kind = Literal["category", "index", "number"]


@dataclass(frozen=True)
class Axis:
    """One hyperparameter as numbers from `low` to `high`, both included.

    Attributes:
        name: Name of the hyperparameter.
        kind: "category" and "index" number their `values` from 0; neighbors are similar for
            "index" only. A "number" is the value itself.
        low: The smallest number.
        high: The largest.
        whole: Whether only whole numbers count.
        log: Whether they are spread over logarithms.
        mirrored: Whether the order is reversed: value = low + high - number.
        values: The values that categories and indices represent.

    Example:
        >>> axis = Axis.of(Range(name="units", low=8, high=64, step=2, sampling="log", whole=True))
        >>> axis.values, axis.number(32), axis.value(0)
        ((8, 16, 32, 64), 2, 8)
    """

    name: str
    kind: Kind
    low: int | float
    high: int | float
    whole: bool = True
    log: bool = False
    mirrored: bool = False
    values: tuple[Value, ...] = ()

    @classmethod
    def of(cls, distribution: Choice | Range) -> Axis:
        """Return the axis of a hyperparameter."""
        if isinstance(distribution, Choice):
            values = tuple({json.dumps(value): value for value in distribution.values}.values())
            return cls(
                distribution.name,
                "index" if distribution.ordered else "category",
                0,
                len(values) - 1,
                values=values,
            )
        if distribution.step is not None and (grid := distribution.grid()) is not None:
            return cls(distribution.name, "index", 0, len(grid) - 1, values=grid)
        log, mirrored = distribution.sampling != "linear", distribution.sampling == "reverse_log"
        return cls(
            distribution.name,
            "number",
            distribution.low,
            distribution.high,
            whole=distribution.whole,
            log=log,
            mirrored=mirrored,
        )

    def value(self, number: float) -> Value:
        """Return the value that a number represents."""
        if self.kind != "number":
            return self.values[int(number)]
        value = self.low + self.high - number if self.mirrored else number
        value = min(max(value, self.low), self.high)  # rounding must not leave the range
        return int(value) if self.whole else float(value)

    def number(self, value: Value) -> int | float | None:
        """Return the number of a value or the nearest step, or None if it is not on the axis."""
        if self.kind == "number":
            if isinstance(value, bool | str) or not self.low <= value <= self.high:
                return None
            number = self.low + self.high - value if self.mirrored else value
            return int(number) if self.whole else min(max(float(number), self.low), self.high)
        for index, listed in enumerate(self.values):
            if listed == value and isinstance(listed, bool) == isinstance(value, bool):
                return index
        return self._nearest(value)

    def _nearest(self, value: Value) -> int | None:
        numbers = [float(listed) for listed in self.values if not isinstance(listed, bool | str)]
        if (
            self.kind == "category"
            or isinstance(value, bool | str)
            or len(numbers) < len(self.values)
        ):
            return None
        if not min(numbers) <= value <= max(numbers):
            return None
        return min(range(len(numbers)), key=lambda index: abs(numbers[index] - value))

    def at(self, share: float) -> int | float:
        """Return the number at a share of the axis, 0 to 1; whole numbers have equal parts."""
        if not self.log:
            number = self.low + share * (self.high - self.low + self.whole)
            return min(math.floor(number), int(self.high)) if self.whole else number
        margin = 0.5 if self.whole else 0.0
        low, high = math.log(self.low - margin), math.log(self.high + margin)
        number = math.exp(low + share * (high - low))
        return min(max(round(number) if self.whole else number, self.low), self.high)

    def share(self, number: float) -> float:
        """Return the position of a number on the axis, 0 to 1."""
        if self.low == self.high:
            return 0.5
        if self.log:
            return math.log(number / self.low) / math.log(self.high / self.low)
        return (number - self.low) / (self.high - self.low)

    def distribution(self) -> optuna.distributions.BaseDistribution:
        """Return the axis as a distribution of Optuna."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        if self.kind == "category":
            return CategoricalDistribution(range(len(self.values)))
        if self.whole:
            return IntDistribution(int(self.low), int(self.high), log=self.log)
        return FloatDistribution(self.low, self.high, log=self.log)

    def suggest(self, trial: optuna.Trial) -> int | float:
        """Ask Optuna for a number."""
        if self.kind == "category":
            return int(trial.suggest_categorical(self.name, range(len(self.values))))
        if self.whole:
            return trial.suggest_int(self.name, int(self.low), int(self.high), log=self.log)
        return trial.suggest_float(self.name, self.low, self.high, log=self.log)


Axes = Mapping[str, Axis]


def axes(space: Space) -> dict[str, Axis]:
    """Return the axis of each hyperparameter of a space, in its order."""
    return {distribution.name: Axis.of(distribution) for distribution in space.distributions}


def numbers(space: Space, axes: Axes, values: Values) -> dict[str, int | float] | None:
    """Return the active values as numbers; None where one of them is not in the space."""
    numbers_by_name: dict[str, int | float] = {}
    for name, value in space.active(values).items():
        number = axes[name].number(value)
        if number is None:
            return None
        numbers_by_name[name] = number
    return numbers_by_name


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Hide Optuna's log and its warnings about experimental parts from users."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import optuna  # in a notebook without widgets it warns too

        verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        try:
            yield
        finally:
            optuna.logging.set_verbosity(verbosity)
