"""Suggestions learned from results: Optuna's samplers through ask and tell, on a study in memory.

A sampler is created for each suggestion, with a seed that depends on the number of the trial, so it
has no state. The attributes that Optuna itself stores with its trials and its study are recorded
with the trial that they came with.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self, final

from eyetune.records.study import Objective, SamplerName, SamplerSettings
from eyetune.space.encoding import axes, numbers, quiet_optuna
from eyetune.space.hyperparameters import Value, Values
from eyetune.space.space import Space
from eyetune.tuning.samplers.draws import generator

if TYPE_CHECKING:
    import optuna

START_UP_TRIALS = 10  # random ones, before tpe and gp learn
CANDIDATES = 24  # of which tpe takes the best
# Time grows with the number of trials to learn from (tpe), or with its cube (gp). Beyond these
# numbers, they learn from the best and the newest, half and half: tpe never takes more than 25
# trials as good ones, and gives old ones little weight.
MAX_TRIALS: Mapping[SamplerName, int] = MappingProxyType({"tpe": 500, "gp": 200})


@dataclass(frozen=True)
class Outcome:
    """The result of a trial, as samplers take it.

    Attributes:
        values: Values of the objectives; None where it failed or is infeasible.
        excess: How far each constraint is exceeded.
        infeasible: Whether it violates constraints.
    """

    values: tuple[float, ...] | None
    excess: tuple[float, ...] = ()
    infeasible: bool = False

    @classmethod
    def of(cls, values: Sequence[float] | None, excess: Sequence[float], infeasible: bool) -> Self:
        """Return a result; a value that is not a number counts as a failure."""
        objectives: tuple[float, ...] | None = None
        if values is not None and not infeasible and not any(map(math.isnan, values)):
            objectives = tuple(map(float, values))
        excesses = tuple(float(value) for value in excess if not math.isnan(value))
        if infeasible and not any(value > 0 for value in excesses):
            excesses = (*excesses, 1.0)
        return cls(objectives, excesses, infeasible)

    @property
    def constraints(self) -> dict[str, float]:
        """The excesses by name, as Optuna takes them."""
        return {str(index): value for index, value in enumerate(self.excess)}

    @property
    def state_name(self) -> str:
        """Optuna's state for it; from pruned trials Optuna learns about constraints."""
        if self.infeasible:
            return "PRUNED"
        return "FAIL" if self.values is None else "COMPLETE"


@dataclass(frozen=True)
class _Pending:
    """A suggestion that was neither accepted nor refused yet.

    Attributes:
        trial: Optuna's trial.
        skipped: Number of suggestions before it for the same trial.
        study_attributes: Optuna's attributes of the study before the first of them.
    """

    trial: optuna.Trial
    skipped: int
    study_attributes: Mapping[str, Any]


@final
class OptunaSampler:
    """One of Optuna's samplers, or the Gaussian process, with the trials that it learns from.

    An index is the number of a trial in Optuna's study, where discarded suggestions count too.
    """

    def __init__(
        self,
        name: SamplerName,
        space: Space,
        objectives: Sequence[Objective],
        *,
        seed: int,
        settings: SamplerSettings,
    ) -> None:
        import optuna
        from optuna.study import StudyDirection

        from eyetune.tuning.samplers.optuna_adapters import SelectiveStorage

        self._name, self._seed, self._settings = name, seed, settings
        self._signs = [-1.0 if objective.direction == "max" else 1.0 for objective in objectives]
        # Losses and indexes for each objective, the best first.
        self._ranking: list[list[tuple[float, int]]] = [[] for _ in objectives]
        self._storage = SelectiveStorage(self._shown)
        with quiet_optuna():
            directions = [
                StudyDirection.MAXIMIZE if sign < 0 else StudyDirection.MINIMIZE
                for sign in self._signs
            ]
            self._study = optuna.create_study(storage=self._storage, directions=directions)
        self._id = self._storage.get_study_id_from_name(self._study.study_name)
        self._count = 0  # trials in Optuna's study
        self._running: dict[int, int] = {}  # indexes of running trials, by their numbers
        self._pending: _Pending | None = None
        self._started: list[int] = []  # indexes of all trials that were not discarded
        self._common_names: frozenset[str] | None = None  # hyperparameters that all of these have
        self.grow(space)

    def grow(self, space: Space) -> None:
        """Suggest values of this space from now on."""
        self._space, self._axes = space, axes(space)
        self._distributions = {name: axis.distribution() for name, axis in self._axes.items()}

    def ask(self, number: int, attempt: int) -> dict[str, Value]:
        """Suggest values; an earlier suggestion that was not accepted is discarded."""
        with quiet_optuna():
            study_attributes = (
                self._study_attributes()
                if self._pending is None
                else self._pending.study_attributes
            )
            skipped = self._discard()
            self._study.sampler = self._new_sampler(number, attempt)
            trial = self._study.ask()
            self._count += 1
            self._pending = _Pending(trial, skipped, study_attributes)
            values: dict[str, Value] = {}
            for part in self._space.distributions:
                if all(condition.holds(values) for condition in part.conditions):
                    axis = self._axes[part.name]
                    values[part.name] = axis.value(axis.suggest(trial))
        return values

    def accept(self, number: int, values: Values) -> dict[str, Any]:
        """Start a trial with the values that were suggested.

        Returns:
            What is to be recorded with the trial.
        """
        assert self._pending is not None
        # Values on a mirrored axis may be rounded on the way back.
        if numbers(self._space, self._axes, values) != self._pending.trial.params:
            return self.replace(number, values)
        pending, self._pending = self._pending, None
        return self._start(number, pending.trial.number, pending.skipped, pending.study_attributes)

    def replace(self, number: int, values: Values) -> dict[str, Any]:
        """Start a trial with other values instead of those that were suggested.

        Returns:
            What is to be recorded with the trial.
        """
        assert self._pending is not None
        pending = self._pending
        with quiet_optuna():
            # The replacement belongs to the same generation of a genetic algorithm.
            attributes = self._attributes(pending.trial.number)
            skipped = self._discard()
            self._insert(values, None, attributes)
        return self._start(number, self._count - 1, skipped, pending.study_attributes)

    def refuse(self) -> None:
        """Discard the values that were suggested: the trial does not start."""
        with quiet_optuna():
            self._discard()

    def _discard(self) -> int:
        """Discard the pending suggestion, if any, as a failed trial, which samplers ignore.

        Returns:
            The number of suggestions that were discarded for this trial.
        """
        pending, self._pending = self._pending, None
        if pending is None:
            return 0
        self._study.tell(pending.trial.number, state=_state("FAIL"))
        return pending.skipped + 1

    def _start(
        self, number: int, index: int, skipped: int, study_attributes: Mapping[str, Any]
    ) -> dict[str, Any]:
        self._running[number] = index
        self._note_started(index)
        study = {
            name: value
            for name, value in self._study_attributes().items()
            if study_attributes.get(name) != value
        }
        state = {"skipped": skipped, "trial": self._attributes(index), "study": study}
        return {name: value for name, value in state.items() if value}

    def tell(self, number: int, outcome: Outcome) -> None:
        """Take in the result of a trial."""
        import optuna

        index = self._running.pop(number, None)
        if index is None:  # its values are not in the space
            return
        with quiet_optuna():
            if outcome.excess:
                trial = optuna.Trial(self._study, self._trial_id(index))
                for name, value in outcome.constraints.items():
                    trial.set_constraint(name, value)
            self._study.tell(index, outcome.values, state=_state(outcome.state_name))
        self._rank(index, outcome)

    def add(
        self, number: int, values: Values, outcome: Outcome | None, state: Mapping[str, Any]
    ) -> None:
        """Take in a trial with the state recorded with it; without an outcome it is running."""
        with quiet_optuna():
            # Each trial gets the index in Optuna's study that it had.
            for _ in range(state.get("skipped", 0)):
                self._append("FAIL")
            for name, value in state.get("study", {}).items():
                self._storage.set_study_system_attr(self._id, name, value)
            mapped = self._insert(values, outcome, state.get("trial", {}))
        if not mapped:
            return
        index = self._count - 1
        self._note_started(index)
        if outcome is None:
            self._running[number] = index
        else:
            self._rank(index, outcome)

    def _insert(
        self, values: Values, outcome: Outcome | None, attributes: Mapping[str, Any]
    ) -> bool:
        mapped = numbers(self._space, self._axes, values)
        if mapped is None:
            self._append("FAIL")
            return False
        self._append(
            "RUNNING" if outcome is None else outcome.state_name,
            params=mapped,
            distributions={name: self._distributions[name] for name in mapped},
            values=None if outcome is None else outcome.values,
            system_attrs=dict(attributes),
            constraints=None if outcome is None else outcome.constraints,
        )
        return True

    def _append(self, state: str, **parts: Any) -> None:
        from optuna.trial import create_trial

        self._study.add_trial(create_trial(state=_state(state), **parts))
        self._count += 1

    def _rank(self, index: int, outcome: Outcome) -> None:
        if outcome.values is not None and self._name in MAX_TRIALS:
            for ranking, sign, value in zip(
                self._ranking, self._signs, outcome.values, strict=True
            ):
                bisect.insort(ranking, (sign * value, index))

    def _note_started(self, index: int) -> None:
        names = frozenset(self._trial(index).params)
        self._common_names = names if self._common_names is None else self._common_names & names
        self._started.append(index)

    def _shown(self) -> Iterable[int] | None:
        """Choose the trials to learn from: the best by each objective, the running, the newest."""
        max_trials = MAX_TRIALS.get(self._name)
        if max_trials is None or len(self._started) <= max_trials:
            return None
        best = {
            index
            for ranking in self._ranking
            for _, index in ranking[: max_trials // 2 // len(self._ranking)]
        }
        chosen = best.union(self._running.values())
        others = (index for index in reversed(self._started) if index not in chosen)
        return sorted(chosen.union(islice(others, max(0, max_trials - len(chosen)))))

    def _trial_id(self, index: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self._id, index)

    def _trial(self, index: int) -> optuna.trial.FrozenTrial:
        return self._storage.get_trial(self._trial_id(index))

    def _attributes(self, index: int) -> dict[str, Any]:
        return dict(self._trial(index).system_attrs)

    def _study_attributes(self) -> dict[str, Any]:
        return dict(self._storage.get_study_system_attrs(self._id))

    def _new_sampler(self, number: int, attempt: int) -> optuna.samplers.BaseSampler:
        """Return the sampler for one suggestion; each further attempt is less greedy."""
        import optuna

        seed = int(generator(self._seed, number, attempt).integers(2**32))
        start_up = self._settings.initial_points or START_UP_TRIALS
        if self._name == "tpe":
            return optuna.samplers.TPESampler(
                n_startup_trials=start_up,
                n_ei_candidates=max(1, CANDIDATES >> attempt),
                multivariate=True,
                group=True,
                constant_liar=True,
                seed=seed,
            )
        if self._name == "gp":
            from eyetune.tuning.samplers.gaussian_process import GaussianProcess

            return GaussianProcess(
                self._space,
                self._axes,
                start_up,
                seed,
                alpha=self._settings.alpha,
                beta=self._settings.beta,
            )
        from eyetune.tuning.samplers.optuna_adapters import CmaEs, Nsga2

        shared = self._shared()
        if self._name == "nsga2":
            return Nsga2(shared, seed=seed)
        if self._name != "cma-es":
            raise ValueError(f"There is no Optuna sampler for {self._name}.")
        ordered = {
            name: distribution
            for name, distribution in shared.items()
            if self._axes[name].kind != "category"
        }
        return CmaEs(ordered, seed=seed, warn_independent_sampling=False)

    def _shared(self) -> dict[str, optuna.distributions.BaseDistribution]:
        """Return the hyperparameters that every trial has and that have several values."""
        free = [part.name for part in self._space.distributions if not part.conditions]
        names = sorted(
            name for name in free if self._common_names is None or name in self._common_names
        )
        return {
            name: self._distributions[name]
            for name in names
            if not self._distributions[name].single()
        }


def _state(name: str) -> optuna.trial.TrialState:
    from optuna.trial import TrialState

    return TrialState[name]
