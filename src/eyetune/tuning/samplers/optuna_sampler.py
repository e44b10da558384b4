"""Suggestions that are learned from results: Optuna's samplers through ask and tell, on a study in
memory.

The sampler is made anew for each question, with a seed that hangs on the number of the trial, so it
keeps nothing. What Optuna itself notes down with its trials and its study goes into the records
with the trial that it came with.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self, final

from eyetune.records.study import Objective, SamplerName
from eyetune.space.encoding import axes, numbers, quiet_optuna
from eyetune.space.space import Space, Value, Values
from eyetune.tuning.samplers.draws import generator

if TYPE_CHECKING:
    import optuna

START_UP_TRIALS = 10  # at random, before tpe and gp learn
CANDIDATES = 24  # of which tpe takes the best
# Time goes with the trials that are learned from (tpe), or with their cube (gp). Beyond so many,
# these are the best and the newest, half and half: tpe never takes more than 25 trials for good
# ones, and weighs old ones little.
MAX_TRIALS: Mapping[SamplerName, int] = MappingProxyType({"tpe": 500, "gp": 200})


@dataclass(frozen=True)
class Outcome:
    """What came of a trial.

    Attributes:
        values: Of the objectives; None where it failed or is infeasible.
        excess: How far each constraint is exceeded.
        infeasible: Whether it breaks constraints.
    """

    values: tuple[float, ...] | None
    excess: tuple[float, ...] = ()
    infeasible: bool = False

    @classmethod
    def of(cls, values: Sequence[float] | None, excess: Sequence[float], infeasible: bool) -> Self:
        """Sort out what was told: one that is not a number is none."""
        told = (
            None
            if values is None or infeasible or any(map(math.isnan, values))
            else tuple(map(float, values))
        )
        known = tuple(float(one) for one in excess if not math.isnan(one))
        if infeasible and not any(one > 0 for one in known):
            known = (*known, 1.0)
        return cls(told, known, infeasible)

    @property
    def constraints(self) -> dict[str, float]:
        """The excesses by a name, as Optuna takes them."""
        return {str(place): one for place, one in enumerate(self.excess)}

    @property
    def filed(self) -> str:
        """The state that Optuna files it under: from pruned trials it learns that constraints were
        broken.
        """
        if self.infeasible:
            return "PRUNED"
        return "FAIL" if self.values is None else "COMPLETE"


@dataclass(frozen=True)
class _Asked:
    """A question that was neither accepted nor refused yet."""

    trial: optuna.Trial
    skipped: int  # questions before it, for the same trial
    noted: Mapping[str, Any]  # what Optuna had noted down with the study before the first of them


@final
class OptunaSampler:
    """One of Optuna's samplers, or the Gaussian process, with the study that it learns from."""

    def __init__(
        self, name: SamplerName, space: Space, objectives: Sequence[Objective], *, seed: int
    ) -> None:
        import optuna
        from optuna.study import StudyDirection

        from eyetune.tuning.samplers.optuna_adapters import SelectiveStorage

        self._name, self._seed = name, seed
        self._signs = [-1.0 if one.direction == "max" else 1.0 for one in objectives]
        self._ranking: list[list[tuple[float, int]]] = [
            [] for _ in objectives
        ]  # losses and places, best first
        self._storage = SelectiveStorage(self._shown)
        with quiet_optuna():
            directions = [
                StudyDirection.MAXIMIZE if sign < 0 else StudyDirection.MINIMIZE
                for sign in self._signs
            ]
            self._study = optuna.create_study(storage=self._storage, directions=directions)
        self._id = self._storage.get_study_id_from_name(self._study.study_name)
        self._count = 0  # of the trials in Optuna's study, those that were thrown away included
        self._places: dict[
            int, int
        ] = {}  # of running trials: by their number, that in Optuna's study
        self._asked: _Asked | None = None
        self._begun: list[
            int
        ] = []  # numbers in Optuna's study of all trials that were not thrown away
        self._always: frozenset[str] | None = None  # hyperparameters that every one of these has
        self.grow(space)

    def grow(self, space: Space) -> None:
        """Ask for the hyperparameters of this space from now on."""
        self._space, self._axes = space, axes(space)
        self._distributions = {name: axis.distribution() for name, axis in self._axes.items()}

    def ask(self, number: int, attempt: int) -> dict[str, Value]:
        """Suggest values; those of the question before are thrown away if they were not accepted."""
        with quiet_optuna():
            noted = self._noted() if self._asked is None else self._asked.noted
            skipped = self._throw_away()
            self._study.sampler = self._make(number, attempt)
            trial = self._study.ask()
            self._count += 1
            self._asked = _Asked(trial, skipped, noted)
            values: dict[str, Value] = {}
            for one in self._space.distributions:
                if all(condition.holds(values) for condition in one.conditions):
                    axis = self._axes[one.name]
                    values[one.name] = axis.value(axis.suggest(trial))
        return values

    def accept(self, number: int, values: Values) -> dict[str, Any]:
        """Let the trial begin with the values that were suggested; return what is to be recorded
        with it.
        """
        assert self._asked is not None
        if (
            numbers(self._space, self._axes, values) != self._asked.trial.params
        ):  # mirrored: the way back rounds
            return self.replace(number, values)
        asked, self._asked = self._asked, None
        return self._begin(number, asked.trial.number, asked.skipped, asked.noted)

    def replace(self, number: int, values: Values) -> dict[str, Any]:
        """Let the trial begin with other values, in the place of those that were suggested."""
        assert self._asked is not None
        asked = self._asked
        with quiet_optuna():
            attributes = self._attributes(
                asked.trial.number
            )  # a child counts in its generation, whatever its genes
            skipped = self._throw_away()
            self._insert(values, None, attributes)
        return self._begin(number, self._count - 1, skipped, asked.noted)

    def refuse(self) -> None:
        """Throw away the values that were suggested: the trial does not begin."""
        with quiet_optuna():
            self._throw_away()

    def _throw_away(self) -> int:
        """End the question that is open, if one is; return how many there were. Samplers pass over
        failed trials.
        """
        asked, self._asked = self._asked, None
        if asked is None:
            return 0
        self._study.tell(asked.trial.number, state=_state("FAIL"))
        return asked.skipped + 1

    def _begin(
        self, number: int, place: int, skipped: int, noted: Mapping[str, Any]
    ) -> dict[str, Any]:
        self._places[number] = place
        self._meet(place)
        study = {name: value for name, value in self._noted().items() if noted.get(name) != value}
        state = {"skipped": skipped, "trial": self._attributes(place), "study": study}
        return {name: value for name, value in state.items() if value}

    def tell(self, number: int, outcome: Outcome) -> None:
        """Take in what came of a trial."""
        import optuna

        place = self._places.pop(number, None)
        if place is None:  # it has no place in the space
            return
        with quiet_optuna():
            if outcome.excess:
                trial = optuna.Trial(self._study, self._identity(place))
                for name, value in outcome.constraints.items():
                    trial.set_constraint(name, value)
            self._study.tell(place, outcome.values, state=_state(outcome.filed))
        self._rank(place, outcome)

    def add(
        self, number: int, values: Values, outcome: Outcome | None, state: Mapping[str, Any]
    ) -> None:
        """Take in a trial with what was recorded with it; without an outcome it is running."""
        with quiet_optuna():
            for _ in range(
                state.get("skipped", 0)
            ):  # so that each trial gets the number in Optuna's study that it had
                self._append("FAIL")
            for name, value in state.get("study", {}).items():
                self._storage.set_study_system_attr(self._id, name, value)
            placed = self._insert(values, outcome, state.get("trial", {}))
        if not placed:
            return
        place = self._count - 1
        self._meet(place)
        if outcome is None:
            self._places[number] = place
        else:
            self._rank(place, outcome)

    def _insert(
        self, values: Values, outcome: Outcome | None, attributes: Mapping[str, Any]
    ) -> bool:
        placed = numbers(self._space, self._axes, values)
        if placed is None:
            self._append("FAIL")
            return False
        self._append(
            "RUNNING" if outcome is None else outcome.filed,
            params=placed,
            distributions={name: self._distributions[name] for name in placed},
            values=None if outcome is None else outcome.values,
            system_attrs=dict(attributes),
            constraints=None if outcome is None else outcome.constraints,
        )
        return True

    def _append(self, state: str, **parts: Any) -> None:
        from optuna.trial import create_trial

        self._study.add_trial(create_trial(state=_state(state), **parts))
        self._count += 1

    def _rank(self, place: int, outcome: Outcome) -> None:
        if outcome.values is not None and self._name in MAX_TRIALS:
            for ranking, sign, value in zip(
                self._ranking, self._signs, outcome.values, strict=True
            ):
                bisect.insort(ranking, (sign * value, place))

    def _meet(self, place: int) -> None:
        names = frozenset(self._trial(place).params)
        self._always = names if self._always is None else self._always & names
        self._begun.append(place)

    def _shown(self) -> Iterable[int] | None:
        """Choose the trials to learn from: the best by each objective, those that run, and the
        newest.
        """
        most = MAX_TRIALS.get(self._name)
        if most is None or len(self._begun) <= most:
            return None
        best = {
            place
            for ranking in self._ranking
            for _, place in ranking[: most // 2 // len(self._ranking)]
        }
        chosen = best.union(self._places.values())
        others = (place for place in reversed(self._begun) if place not in chosen)
        return sorted(chosen.union(islice(others, max(0, most - len(chosen)))))

    def _identity(self, place: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self._id, place)

    def _trial(self, place: int) -> optuna.trial.FrozenTrial:
        return self._storage.get_trial(self._identity(place))

    def _attributes(self, place: int) -> dict[str, Any]:
        return dict(self._trial(place).system_attrs)

    def _noted(self) -> dict[str, Any]:
        return dict(self._storage.get_study_system_attrs(self._id))

    def _make(self, number: int, attempt: int) -> optuna.samplers.BaseSampler:
        """Make the sampler for one question; each further attempt is less greedy."""
        import optuna

        seed = int(generator(self._seed, number, attempt).integers(2**32))
        if self._name == "tpe":
            return optuna.samplers.TPESampler(
                n_startup_trials=START_UP_TRIALS,
                n_ei_candidates=max(1, CANDIDATES >> attempt),
                multivariate=True,
                group=True,
                constant_liar=True,
                seed=seed,
            )
        if self._name == "gp":
            from eyetune.tuning.samplers.gaussian_process import GaussianProcess

            return GaussianProcess(self._space, self._axes, START_UP_TRIALS, seed)
        from eyetune.tuning.samplers.optuna_adapters import CmaEs, Nsga2

        shared = self._shared()
        if self._name == "nsga2":
            return Nsga2(shared, seed=seed)
        ordered = {name: one for name, one in shared.items() if self._axes[name].kind != "category"}
        return CmaEs(ordered, seed=seed, warn_independent_sampling=False)

    def _shared(self) -> dict[str, optuna.distributions.BaseDistribution]:
        """Return the hyperparameters that every trial has, but for those that leave no choice."""
        free = (one.name for one in self._space.distributions if not one.conditions)
        names = sorted(name for name in free if self._always is None or name in self._always)
        return {
            name: self._distributions[name]
            for name in names
            if not self._distributions[name].single()
        }


def _state(name: str) -> optuna.trial.TrialState:
    from optuna.trial import TrialState

    return TrialState[name]
