"""The samplers behind one seam: each suggests values for a trial, and none suggests what is known
already.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any, final

from eyetune.errors import UsageError
from eyetune.records.study import Objective, SamplerName
from eyetune.space.encoding import axes
from eyetune.space.space import Space, Value, Values
from eyetune.tuning.samplers.draws import Draw, quasi_random_draw, random_draw, shuffled_points
from eyetune.tuning.samplers.optuna_sampler import OptunaSampler, Outcome

ONE_OBJECTIVE: tuple[SamplerName, ...] = ("gp", "cma-es")
ANY_OBJECTIVES: tuple[SamplerName, ...] = ("tpe", "nsga2", "random", "quasi-random", "grid")
FORESEEABLE: tuple[SamplerName, ...] = ("random", "quasi-random", "grid")  # hang on no results

MAX_ASKED = 8  # how often a learning sampler may come up with what is known before chance decides
MAX_DRAWN = 50  # how often chance may, before the points that are left are looked for


@dataclass(frozen=True)
class Suggestion:
    """What a trial is to try.

    Attributes:
        values: Of the hyperparameters that count.
        state: JSON values that the sampler wants to have back with the trial when a study goes on
            (`Sampler.add`).
    """

    values: dict[str, Value]
    state: dict[str, Any] = field(default_factory=dict)


@final
class Sampler:
    """A sampler by name; what it knows is what it was told.

    A suggestion hangs on the seed, on the number of its trial, and on what was suggested, told and
    added before: a sampler that is made anew from the records suggests what the old one would have.
    Those of random, quasi-random and grid hang on no results, and on nothing but the trials with
    lower numbers.

    - random: at random, each value on its scale.
    - quasi-random: a scrambled Sobol sequence.
    - grid: every combination once, in an order of chance.
    - tpe: tree-structured Parzen estimators (Optuna's): what is frequent among the good trials and
      rare among the rest. Hyperparameters are looked at together, those with conditions in groups.
    - gp: a Gaussian process and expected improvement, for few, costly trials.
    - cma-es: covariance matrix adaptation (Optuna's), for numbers that always count; other
      hyperparameters (unordered choices, and those with conditions) are drawn at random.
    - nsga2: a genetic algorithm (Optuna's) for several objectives.

    Args:
        name: Of the sampler.
        space: What may be suggested.
        objectives: What trials are judged by, in the order of the values that are told.
        seed: Of all chance.

    Raises:
        UsageError: The sampler knows one objective only, and there are several.
        SpaceError: A grid of a space that has no end of values.

    Example:
        >>> from eyetune.space.space import Choice
        >>> space = Space.make([Choice(name="units", values=(32, 64, 128), ordered=True)])
        >>> sampler = Sampler("random", space, [Objective(name="val_accuracy", direction="max")], seed=0)
        >>> tried = []
        >>> while (suggestion := sampler.suggest(len(tried))) is not None:
        ...     sampler.tell(len(tried), (suggestion.values["units"] / 256,))
        ...     tried.append(suggestion.values["units"])
        >>> sorted(tried)
        [32, 64, 128]
    """

    def __init__(
        self, name: SamplerName, space: Space, objectives: Sequence[Objective], *, seed: int
    ) -> None:
        if name in ONE_OBJECTIVE and len(objectives) > 1:
            raise UsageError(
                f"The sampler {name} knows one objective only.",
                received=", ".join(one.name for one in objectives),
                fix=f"Choose one of {', '.join(ANY_OBJECTIVES)}; of these, tpe and nsga2 learn from all objectives.",
            )
        self._name = name
        self._objectives = tuple(objectives)
        self._seed = seed
        self._first: dict[
            str, int
        ] = {}  # the lowest number that each known combination was tried under
        self._learner: OptunaSampler | None = None
        self._set_space(space)
        if name == "grid":
            self._all_points()
        elif name not in FORESEEABLE:
            self._learner = OptunaSampler(name, space, objectives, seed=seed)

    def _set_space(self, space: Space) -> None:
        self._space = space
        draw = quasi_random_draw if self._name == "quasi-random" else random_draw
        self._draw: Draw = partial(draw, space, axes(space), self._seed)
        self._points: list[dict[str, Value]] | None = None
        self._place, self._number = (
            0,
            -1,
        )  # all points before this place were known to the trial of this number

    def suggest(self, number: int) -> Suggestion | None:
        """Suggest values for a trial, which counts as running until it is told.

        Args:
            number: Of the trial, 0 or more.

        Returns:
            The suggestion; None: every combination of a finite space is known.
        """
        suggestion = self._learned(number) if self._learner is not None else self._foreseen(number)
        if suggestion is not None:
            self._remember(number, suggestion.values)
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
        return next(
            (Suggestion(one) for one in self._candidates(number) if self._is_new(number, one)), None
        )

    def _candidates(self, number: int) -> Iterator[dict[str, Value]]:
        if self._name != "grid":
            yield from (self._draw(number, attempt) for attempt in range(MAX_DRAWN))
            if self._space.size() is None:
                return
        points = self._all_points()
        if number < self._number:
            self._place = 0
        self._number = number
        for place in range(self._place, len(points)):
            self._place = place
            yield points[place]

    def _all_points(self) -> list[dict[str, Value]]:
        if self._points is None:
            self._points = shuffled_points(self._space, self._seed)
        return self._points

    def _is_new(self, number: int, values: Values) -> bool:
        first = self._first.get(self._space.key(values))
        return first is None or (first >= number and self._name in FORESEEABLE)

    def _remember(self, number: int, values: Values) -> None:
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
        """Take in what came of a trial that was suggested or added; what is told of it again is
        passed over.

        Args:
            number: Of the trial.
            values: Of the objectives; None, or not a number: it failed.
            excess: How far each constraint is exceeded, at most 0 where it is met.
            infeasible: Whether it breaks constraints and was not trained.
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
        """Take in a trial from the records, or a run from before the study (under a number below 0,
        each its own).

        Trials are added in the order in which they were suggested.

        Args:
            number: Of the trial.
            values: Of its hyperparameters. Those that lie between steps count as the nearest; a
                trial with one that has no place in the space is not tried again, but nothing is
                learned from it.
            objectives: Values of the objectives; None: it failed, is infeasible, or is running.
            running: Whether it will be told later.
            state: What came with its suggestion.
            excess: As for `tell`.
            infeasible: As for `tell`.
        """
        self._remember(number, values)
        if self._learner is not None:
            outcome = None if running else Outcome.of(objectives, excess, infeasible)
            self._learner.add(number, values, outcome, state)

    def grow(self, space: Space) -> None:
        """Let hyperparameters that appeared late join; known trials have none of them.

        Args:
            space: The space with the new ones after those that it had.
        """
        self._set_space(space)
        if self._name == "grid":
            self._all_points()
        if self._learner is not None:
            self._learner.grow(space)
