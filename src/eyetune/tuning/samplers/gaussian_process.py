"""Bayesian optimization with a Gaussian process; imported only where it is used, since it builds on
Optuna.

Optuna's own GPSampler needs torch, which weighs more than everything else here together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from scipy.stats import norm, rankdata
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from threadpoolctl import threadpool_limits

from eyetune.space.encoding import Axes
from eyetune.space.space import Space

RANDOM_CANDIDATES = 1000
NEIGHBOURS = 50  # of each of the best trials
BEST_TRIALS = 10

Floats = NDArray[np.float64]
Numbers = dict[str, Any]


@final
class GaussianProcess(BaseSampler):
    """Fits a Gaussian process to the trials and suggests the candidate of most expected
    improvement.

    A Matern kernel with a length of its own for each hyperparameter; categories are one-hot;
    hyperparameters that do not count lie in the middle. Values of the objective go by their rank,
    on the scale of a normal distribution, so that a few trials that went wrong do not flatten all
    others. A trial that is running counts as if it came out as predicted, an infeasible one as the
    worst. Candidates are drawn at random and around the best trials.

    Source: Snoek, Larochelle and Adams, 2012, Practical Bayesian Optimization (arXiv:1206.2944).
    """

    def __init__(self, space: Space, axes: Axes, start_up: int, seed: int) -> None:
        self._space, self._axes, self._start_up, self._seed = space, axes, start_up, seed
        self._chance = np.random.default_rng(seed)
        self._at_random = RandomSampler(seed)

    def infer_relative_search_space(
        self,
        study: Study,  # noqa: ARG002
        trial: FrozenTrial,  # noqa: ARG002
    ) -> dict[str, BaseDistribution]:
        """Return all hyperparameters: whether one counts is decided with the others."""
        return {name: axis.distribution() for name, axis in self._axes.items()}

    def sample_relative(
        self,
        study: Study,
        trial: FrozenTrial,
        search_space: dict[str, BaseDistribution],  # noqa: ARG002
    ) -> Numbers:
        """Suggest numbers; none while too few trials are finished."""
        known = [one for one in study.get_trials(deepcopy=False) if one.number != trial.number]
        finished = [one for one in known if one.state in (TrialState.COMPLETE, TrialState.PRUNED)]
        if len(finished) < self._start_up:
            return {}
        losses = _losses(finished, study.direction)
        running = [one.params for one in known if one.state == TrialState.RUNNING and one.params]
        candidates = self._candidates(
            [finished[place].params for place in np.argsort(losses)[:BEST_TRIALS]]
        )
        points, targets = self._encode([one.params for one in finished]), _normal_scores(losses)
        with threadpool_limits(
            1
        ):  # the matrices are small, and the processors have trainings to do
            return candidates[
                self._best(points, targets, self._encode(running), self._encode(candidates))
            ]

    def sample_independent(
        self, study: Study, trial: FrozenTrial, name: str, distribution: BaseDistribution
    ) -> Any:
        """Draw at random."""
        return self._at_random.sample_independent(study, trial, name, distribution)

    def _best(self, points: Floats, targets: Floats, running: Floats, candidates: Floats) -> int:
        """Return the place of the candidate whose improvement on the lowest prediction is expected
        to be largest.
        """
        lengths = Matern(np.ones(points.shape[1]), (0.1, 30.0), nu=2.5)
        kernel = ConstantKernel(1.0, (0.05, 20.0)) * lengths + WhiteKernel(1e-2, (1e-5, 1.0))
        process = GaussianProcessRegressor(kernel, random_state=self._seed % 2**31).fit(
            points, targets
        )
        if len(running):
            points = np.vstack([points, running])
            targets = np.concatenate([targets, process.predict(running)])
            process = GaussianProcessRegressor(process.kernel_, optimizer=None).fit(points, targets)
        mean, deviation = process.predict(candidates, return_std=True)
        lowest = float(process.predict(points).min())
        gain = lowest - mean
        deviation = np.maximum(deviation, 1e-9)
        expected = gain * norm.cdf(gain / deviation) + deviation * norm.pdf(gain / deviation)
        known = {point.tobytes() for point in points}
        expected[[point.tobytes() in known for point in candidates]] = -np.inf
        return int(np.argmax(expected))

    def _candidates(self, best: Sequence[Numbers]) -> list[Numbers]:
        found = [self._anywhere() for _ in range(RANDOM_CANDIDATES)]
        found += [self._near(one) for one in best for _ in range(NEIGHBOURS)]
        return [self._active(one) for one in found]

    def _anywhere(self) -> Numbers:
        shares = self._chance.random(len(self._axes)).tolist()
        return {
            name: axis.at(share)
            for (name, axis), share in zip(self._axes.items(), shares, strict=True)
        }

    def _near(self, numbers: Numbers) -> Numbers:
        """Move one number, and each other one now and then; those that begin to count get any
        number.
        """
        moved = {**self._anywhere(), **numbers}
        names = list(self._axes)
        always = names[self._chance.integers(len(names))]
        for name, axis in self._axes.items():
            if name != always and self._chance.random() > 1 / len(names):
                continue
            share = self._chance.random()
            if axis.kind != "category":
                share = axis.share(moved[name]) + self._chance.normal(scale=0.2)
            moved[name] = axis.at(min(max(share, 0.0), 1.0))
        return moved

    def _active(self, numbers: Numbers) -> Numbers:
        if not any(one.conditions for one in self._space.distributions):
            return numbers
        values = self._space.active(
            {name: self._axes[name].value(number) for name, number in numbers.items()}
        )
        return {name: numbers[name] for name in values}

    def _encode(self, trials: Sequence[Numbers]) -> Floats:
        columns = []
        for name, axis in self._axes.items():
            column = [one.get(name) for one in trials]
            if axis.kind == "category":
                columns += [
                    [float(number == place) for number in column]
                    for place in range(len(axis.values))
                ]
            else:
                columns.append([0.5 if number is None else axis.share(number) for number in column])
        return np.array(columns, dtype=float).T


def _losses(trials: Sequence[FrozenTrial], direction: StudyDirection) -> Floats:
    sign = -1.0 if direction == StudyDirection.MAXIMIZE else 1.0
    return np.array(
        [np.inf if one.state == TrialState.PRUNED else sign * (one.value or 0.0) for one in trials]
    )


def _normal_scores(losses: Floats) -> Floats:
    """Return the value of a normal distribution at each one's rank."""
    return np.asarray(norm.ppf((rankdata(losses) - 0.5) / len(losses)))
