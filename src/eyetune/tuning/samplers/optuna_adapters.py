"""Optuna's parts, told what they would have to find out; imported only where it is used, since it
builds on Optuna.

Optuna's CMA-ES and NSGA-II look through all trials for the hyperparameters that these share. That
takes most of the time in a long study. In a space with conditions they also find ever fewer, and
once that happens, CMA-ES draws everything at random for the rest of the study.
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
    """The hyperparameters that a sampler looks at together; any others it draws at random."""

    def __init__(self, known: Distributions, **settings: Any) -> None:
        super().__init__(**settings)
        self._known = known

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> Distributions:  # noqa: ARG002
        return self._known


@final
class CmaEs(_KnownSpace, CmaEsSampler):
    """Covariance matrix adaptation. Source: Hansen, 2016, The CMA Evolution Strategy
    (arXiv:1604.00772).
    """


@final
class Nsga2(_KnownSpace, NSGAIISampler):
    """Non-dominated sorting. Source: Deb et al., 2002, A Fast and Elitist Multiobjective Genetic
    Algorithm: NSGA-II.
    """


@final
class SelectiveStorage(InMemoryStorage):
    """Trials in memory, of which a sampler sees some.

    Args:
        shown: Returns which of them, by their numbers; None: all.
    """

    def __init__(self, shown: Callable[[], Iterable[int] | None]) -> None:
        super().__init__()
        self._shown = shown

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """Return the trials that are shown, in order."""
        if states == (
            TrialState.WAITING,
        ):  # which none ever is; Optuna asks for them before each question
            return []
        trials = super().get_all_trials(study_id, deepcopy=deepcopy)
        places = self._shown()
        chosen = trials if places is None else [trials[place] for place in places]
        return chosen if states is None else [one for one in chosen if one.state in states]
