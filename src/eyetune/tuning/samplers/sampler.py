"""All samplers behind one interface; none of them suggests the same values twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any, final

from eyetune.errors import UsageError
from eyetune.records.study import Objective, SamplerName, SamplerSettings
from eyetune.space.encoding import axes
from eyetune.space.hyperparameters import Value, Values
from eyetune.space.space import Space
from eyetune.tuning.samplers.draws import Draw, quasi_random_draw, random_draw, shuffled_points
from eyetune.tuning.samplers.optuna_sampler import OptunaSampler, Outcome

ONE_OBJECTIVE: tuple[SamplerName, ...] = ("gp", "cma-es")
ANY_OBJECTIVES: tuple[SamplerName, ...] = ("tpe", "nsga2", "random", "quasi-random", "grid")
FORESEEABLE: tuple[SamplerName, ...] = ("random", "quasi-random", "grid")  # independent of results

OWN_RULES = SamplerSettings()
MAX_ASKED = 8  # attempts of a learning sampler at new values, before random ones are drawn
MAX_DRAWN = 50  # attempts at new random values, before the remaining points are enumerated


@dataclass(frozen=True)
class Suggestion:
    """The values that a trial is to try.

    Attributes:
        values: Values of the active hyperparameters.
        state: JSON values that the sampler needs again with the trial when a study is resumed
            (`Sampler.add`).
    """

    values: dict[str, Value]
    state: dict[str, Any] = field(default_factory=dict)


def any_values(_: Values) -> bool:
    """Accept all values."""
    return True


@final
class Sampler:
    """A sampler by name.

    A suggestion depends on the seed, on the number of its trial, and on the earlier calls of
    `suggest`, `tell` and `add`: a sampler that is rebuilt from the records suggests the same. With
    random, quasi-random and grid it depends on no results, and only on trials with lower numbers.

    - random: random values, each on its scale.
    - quasi-random: a scrambled Sobol sequence.
    - grid: every combination once, in random order.
    - tpe: tree-structured Parzen estimators (Optuna's): values that are frequent among the good
      trials and rare among the others. Hyperparameters are modeled together, those with conditions
      in groups.
    - gp: a Gaussian process and expected improvement, for few, costly trials.
    - cma-es: covariance matrix adaptation (Optuna's), for numbers that are always active; other
      hyperparameters (unordered choices, and those with conditions) are drawn at random.
    - nsga2: a genetic algorithm (Optuna's) for several objectives.

    Args:
        name: Name of the sampler.
        space: Space of the values.
        objectives: Objectives of the trials, in the order of the values of `tell`.
        seed: Random seed.
        works: Returns whether values can be trained at all; others are not suggested.
        settings: How it learns. Default: as it decides.

    Raises:
        UsageError: The sampler optimizes one objective only, and there are several.
        SpaceError: The sampler is grid and the space is infinite.

    Example:
        >>> from eyetune.space.hyperparameters import Choice
        >>> space = Space.make([Choice(name="units", values=(32, 64, 128), ordered=True)])
        >>> accuracy = Objective(name="val_accuracy", direction="max")
        >>> sampler = Sampler("random", space, [accuracy], seed=0)
        >>> tried = []
        >>> while (suggestion := sampler.suggest(len(tried))) is not None:
        ...     sampler.tell(len(tried), (suggestion.values["units"] / 256,))
        ...     tried.append(suggestion.values["units"])
        >>> sorted(tried)
        [32, 64, 128]
    """

    def __init__(
        self,
        name: SamplerName,
        space: Space,
        objectives: Sequence[Objective],
        *,
        seed: int,
        works: Callable[[Values], bool] = any_values,
        settings: SamplerSettings = OWN_RULES,
    ) -> None:
        if name in ONE_OBJECTIVE and len(objectives) > 1:
            raise UsageError(
                f"The sampler {name} optimizes one objective only.",
                received=", ".join(objective.name for objective in objectives),
                fix=f"Choose one of {', '.join(ANY_OBJECTIVES)}. "
                "Of these, tpe and nsga2 learn from all objectives.",
            )
        self._name = name
        self._objectives = tuple(objectives)
        self._seed = seed
        self._works = works
        self._first: dict[str, int] = {}  # lowest number of the trials with each combination
        self._learner: OptunaSampler | None = None
        self._set_space(space)
        if name == "grid":
            self._all_points()
        elif name not in FORESEEABLE:
            self._learner = OptunaSampler(name, space, objectives, seed=seed, settings=settings)

    def _set_space(self, space: Space) -> None:
        self._space = space
        draw = quasi_random_draw if self._name == "quasi-random" else random_draw
        self._draw: Draw = partial(draw, space, axes(space), self._seed)
        self._points: list[dict[str, Value]] | None = None
        # All points before this index had been tried when this trial was suggested.
        self._index = 0
        self._number = -1

    def suggest(self, number: int) -> Suggestion | None:
        """Suggest values for a trial, which counts as running until `tell` gets its result.

        Args:
            number: Number of the trial, 0 or more.

        Returns:
            The suggestion; None where every working combination of a finite space has been tried.
        """
        suggestion = self._learned(number) if self._learner is not None else self._foreseen(number)
        if suggestion is not None:
            self.remember(number, suggestion.values)
        return suggestion

    def _learned(self, number: int) -> Suggestion | None:
        assert self._learner is not None
        for attempt in range(MAX_ASKED):
            values = self._learner.ask(number, attempt)
            if self._is_new(number, values):
                return Suggestion(values, self._learner.accept(number, values))
        other = self._foreseen(number)
        if other is None:
            self._learner.refuse()
            return None
        return Suggestion(other.values, self._learner.replace(number, other.values))

    def _foreseen(self, number: int) -> Suggestion | None:
        for values in self._candidates(number):
            if self._is_new(number, values):
                return Suggestion(values)
        return None

    def _candidates(self, number: int) -> Iterator[dict[str, Value]]:
        if self._name != "grid":
            yield from (self._draw(number, attempt) for attempt in range(MAX_DRAWN))
            if self._space.size() is None:
                return
        points = self._all_points()
        if number < self._number:
            self._index = 0
        self._number = number
        for index in range(self._index, len(points)):
            self._index = index
            yield points[index]

    def _all_points(self) -> list[dict[str, Value]]:
        if self._points is None:
            self._points = shuffled_points(self._space, self._seed)
        return self._points

    def _is_new(self, number: int, values: Values) -> bool:
        first = self._first.get(self._space.key(values))
        is_new = first is None or (first >= number and self._name in FORESEEABLE)
        return is_new and self._works(values)

    def remember(self, number: int, values: Values) -> None:
        """Do not suggest these values for a trial with a higher number.

        Args:
            number: Number of the trial that has them.
            values: Values of its hyperparameters.
        """
        key = self._space.key(values)
        self._first[key] = min(number, self._first.get(key, number))

    def tell(
        self,
        number: int,
        values: Sequence[float] | None,
        *,
        excess: Sequence[float] = (),
        infeasible: bool = False,
    ) -> None:
        """Take in the result of a trial that was suggested or added; later results are ignored.

        Args:
            number: Number of the trial.
            values: Values of the objectives; None, or not a number, where it failed.
            excess: How far each constraint is exceeded; at most 0 where it is met.
            infeasible: Whether it violates constraints and was not trained.
        """
        if self._learner is not None:
            self._learner.tell(number, Outcome.of(values, excess, infeasible))

    def add(
        self,
        number: int,
        values: Values,
        objectives: Sequence[float] | None,
        *,
        running: bool = False,
        state: Mapping[str, Any] = MappingProxyType({}),
        excess: Sequence[float] = (),
        infeasible: bool = False,
    ) -> None:
        """Take in a trial from the records, or a run from before the study.

        Trials are added in the order in which they were suggested.

        Args:
            number: Number of the trial; a run gets a number of its own below 0.
            values: Values of its hyperparameters. A value between two steps counts as the nearer
                one. A trial with a value outside the space is not tried again, but nothing is
                learned from it.
            objectives: Values of the objectives; None if it failed, is infeasible, or is running.
            running: Whether `tell` will get its result later.
            state: The state that came with its suggestion.
            excess: How far each constraint is exceeded; at most 0 where it is met.
            infeasible: Whether it violates constraints and was not trained.
        """
        self.remember(number, values)
        if self._learner is not None:
            outcome = None if running else Outcome.of(objectives, excess, infeasible)
            self._learner.add(number, values, outcome, state)

    def grow(self, space: Space) -> None:
        """Search more hyperparameters; earlier trials have none of the new ones.

        Args:
            space: The space with the new hyperparameters after the earlier ones.
        """
        self._set_space(space)
        if self._name == "grid":
            self._all_points()
        if self._learner is not None:
            self._learner.grow(space)
