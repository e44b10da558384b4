"""Bayesian optimization with a Gaussian process; it imports Optuna, so it is imported late.

Optuna's own GPSampler needs torch, which is larger than all other dependencies together.
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
NEIGHBORS = 50  # of each of the best trials
BEST_TRIALS = 10

Floats = NDArray[np.float64]
Numbers = dict[str, Any]


@final
class GaussianProcess(BaseSampler):
    """Fits a Gaussian process and suggests the candidate that promises most.

    The kernel is Matern with a length scale for each hyperparameter. Categories are one-hot;
    inactive hyperparameters lie in the middle. Objectives are replaced by the normal scores of
    their ranks, so that a few bad trials do not flatten all others. A running trial counts with its
    predicted value, an infeasible one as the worst. Candidates are random, and near the best
    trials; the one with the highest expected improvement is suggested.

    Args:
        space: Space of the values.
        axes: Its hyperparameters as numbers.
        start_up: Number of random trials before it learns.
        seed: Random seed.
        alpha: Variance of the noise of the normal scores. Default: it is learned.
        beta: Suggest the candidate with the lowest mean minus `beta` standard deviations instead.
            Default: the expected improvement.

    Source: Snoek, Larochelle and Adams, 2012, Practical Bayesian Optimization (arXiv:1206.2944).
    """

    def __init__(
        self,
        space: Space,
        axes: Axes,
        start_up: int,
        seed: int,
        *,
        alpha: float | None = None,
        beta: float | None = None,
    ) -> None:
        self._space, self._axes, self._start_up, self._seed = space, axes, start_up, seed
        self._alpha, self._beta = alpha, beta
        self._random = np.random.default_rng(seed)
        self._random_sampler = RandomSampler(seed)

    def infer_relative_search_space(
        self,
        study: Study,  # noqa: ARG002
        trial: FrozenTrial,  # noqa: ARG002
    ) -> dict[str, BaseDistribution]:
        """Return all hyperparameters: which are active is decided together."""
        return {name: axis.distribution() for name, axis in self._axes.items()}

    def sample_relative(
        self,
        study: Study,
        trial: FrozenTrial,
        search_space: dict[str, BaseDistribution],  # noqa: ARG002
    ) -> Numbers:
        """Suggest numbers; none while too few trials are finished."""
        others = [
            other for other in study.get_trials(deepcopy=False) if other.number != trial.number
        ]
        is_finished = (TrialState.COMPLETE, TrialState.PRUNED)
        finished = [other for other in others if other.state in is_finished]
        if len(finished) < self._start_up:
            return {}
        losses = _losses(finished, study.direction)
        running = [
            other.params for other in others if other.state == TrialState.RUNNING and other.params
        ]
        best = [finished[index].params for index in np.argsort(losses)[:BEST_TRIALS]]
        candidates = self._candidates(best)
        points = self._encode([other.params for other in finished])
        targets = _normal_scores(losses)
        # One thread: the matrices are small, and the cores are busy with trainings.
        with threadpool_limits(1):
            index = self._best(points, targets, self._encode(running), self._encode(candidates))
        return candidates[index]

    def sample_independent(
        self, study: Study, trial: FrozenTrial, name: str, distribution: BaseDistribution
    ) -> Any:
        """Draw at random."""
        return self._random_sampler.sample_independent(study, trial, name, distribution)

    def _best(self, points: Floats, targets: Floats, running: Floats, candidates: Floats) -> int:
        """Return the index of the candidate that promises most."""
        lengths = Matern(np.ones(points.shape[1]), (0.1, 30.0), nu=2.5)
        kernel = ConstantKernel(1.0, (0.05, 20.0)) * lengths
        noise: dict[str, float] = {}
        if self._alpha is None:
            kernel += WhiteKernel(1e-2, (1e-5, 1.0))
        else:
            noise["alpha"] = self._alpha
        seed = self._seed % 2**31
        process = GaussianProcessRegressor(kernel, random_state=seed, **noise).fit(points, targets)
        if len(running):
            points = np.vstack([points, running])
            targets = np.concatenate([targets, process.predict(running)])
            process = GaussianProcessRegressor(process.kernel_, optimizer=None, **noise).fit(
                points, targets
            )
        mean, deviation = process.predict(candidates, return_std=True)
        if self._beta is not None:
            promise = self._beta * deviation - mean
        else:
            gain = float(process.predict(points).min()) - mean
            deviation = np.maximum(deviation, 1e-9)
            share = gain / deviation
            promise = gain * norm.cdf(share) + deviation * norm.pdf(share)
        tried = {point.tobytes() for point in points}
        promise[[point.tobytes() in tried for point in candidates]] = -np.inf
        return int(np.argmax(promise))

    def _candidates(self, best: Sequence[Numbers]) -> list[Numbers]:
        candidates = [self._anywhere() for _ in range(RANDOM_CANDIDATES)]
        for numbers in best:
            candidates += [self._near(numbers) for _ in range(NEIGHBORS)]
        return [self._active(candidate) for candidate in candidates]

    def _anywhere(self) -> Numbers:
        shares = self._random.random(len(self._axes)).tolist()
        return {
            name: axis.at(share)
            for (name, axis), share in zip(self._axes.items(), shares, strict=True)
        }

    def _near(self, numbers: Numbers) -> Numbers:
        """Move one number, and each other one sometimes; newly active ones get a random number."""
        moved = {**self._anywhere(), **numbers}
        names = list(self._axes)
        always = names[self._random.integers(len(names))]
        for name, axis in self._axes.items():
            if name != always and self._random.random() > 1 / len(names):
                continue
            share = self._random.random()
            if axis.kind != "category":
                share = axis.share(moved[name]) + self._random.normal(scale=0.2)
            moved[name] = axis.at(min(max(share, 0.0), 1.0))
        return moved

    def _active(self, numbers: Numbers) -> Numbers:
        if not any(part.conditions for part in self._space.distributions):
            return numbers
        values = self._space.active(
            {name: self._axes[name].value(number) for name, number in numbers.items()}
        )
        return {name: numbers[name] for name in values}

    def _encode(self, trials: Sequence[Numbers]) -> Floats:
        columns = []
        for name, axis in self._axes.items():
            column = [numbers.get(name) for numbers in trials]
            if axis.kind == "category":
                columns += [
                    [float(number == category) for number in column]
                    for category in range(len(axis.values))
                ]
            else:
                columns.append([0.5 if number is None else axis.share(number) for number in column])
        return np.array(columns, dtype=float).T


def _losses(trials: Sequence[FrozenTrial], direction: StudyDirection) -> Floats:
    sign = -1.0 if direction == StudyDirection.MAXIMIZE else 1.0
    losses = []
    for trial in trials:
        is_infeasible = trial.state == TrialState.PRUNED
        losses.append(np.inf if is_infeasible else sign * (trial.value or 0.0))
    return np.array(losses)


def _normal_scores(losses: Floats) -> Floats:
    """Return the quantile of a normal distribution at the rank of each loss."""
    return np.asarray(norm.ppf((rankdata(losses) - 0.5) / len(losses)))
