"""Optuna samplers that are given the search space instead of inferring it; imported late.

Optuna's CMA-ES and NSGA-II search all trials for the hyperparameters that these share. That takes
most of the time in a long study. In a space with conditions they also find fewer and fewer, and
from then on CMA-ES draws everything at random.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from typing import Any, final

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import CmaEsSampler, NSGAIISampler
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState

Distributions = dict[str, BaseDistribution]


class _KnownSpace:
    """The hyperparameters that a sampler handles together; it draws the others at random."""

    def __init__(self, known: Distributions, **settings: Any) -> None:
        super().__init__(**settings)
        self._known = known

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> Distributions:  # noqa: ARG002
        return self._known


@final
class CmaEs(_KnownSpace, CmaEsSampler):
    """Covariance matrix adaptation.

    Source: Hansen, 2016, The CMA Evolution Strategy (arXiv:1604.00772).
    """


@final
class Nsga2(_KnownSpace, NSGAIISampler):
    """Non-dominated sorting.

    Source: Deb et al., 2002, A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II.
    """


@final
class SelectiveStorage(InMemoryStorage):
    """Trials in memory, of which a sampler sees some.

    Args:
        shown: Returns the numbers of those that it sees; None for all.
    """

    def __init__(self, shown: Callable[[], Iterable[int] | None]) -> None:
        super().__init__()
        self._shown = shown

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """Return the trials that are shown, in order."""
        # None is ever WAITING, and Optuna asks for those before each suggestion.
        if states == (TrialState.WAITING,):
            return []
        trials = super().get_all_trials(study_id, deepcopy=deepcopy)
        shown = self._shown()
        if shown is not None:
            trials = [trials[number] for number in shown]
        if states is not None:
            trials = [trial for trial in trials if trial.state in states]
        return trials
