"""The four oracles: which sampler and which scheduler of eyetune search.

They take the arguments of KerasTuner 1.4.8, by position and by name. Each tuner has one:
`RandomSearch(...)` is `Tuner(RandomSearchOracle(...), ...)`.
"""

from __future__ import annotations

from typing import Any, NoReturn

from eyetune.compat.keras_tuner.oracle import Oracle
from eyetune.errors import UsageError
from eyetune.tuning.schedulers.plans import hyperband_brackets

__all__ = [
    "BayesianOptimizationOracle",
    "GridSearchOracle",
    "HyperbandOracle",
    "RandomSearchOracle",
]


class UnsetNumber(float):
    """A default of KerasTuner that leaves the choice to eyetune.

    The same number given by a script is another object and means what it means in KerasTuner.
    """


KERAS_TUNER_ALPHA = UnsetNumber(1e-4)
KERAS_TUNER_BETA = UnsetNumber(2.6)


class RandomSearchOracle(Oracle):
    """Values are drawn at random.

    Args:
        objective: Name of a metric, a `keras_tuner.Objective`, or a list of them.
        max_trials: Number of trials; None for all combinations. Default: 10.
        seed: Random seed of suggestions and trainings. Default: 0.
        hyperparameters: See `Oracle`. Default: none.
        allow_new_entries: See `Oracle`. Default: True.
        tune_new_entries: See `Oracle`. Default: True.
        max_retries_per_trial: See `Oracle`. Default: 0.
        max_consecutive_failed_trials: See `Oracle`. Default: 3.

    Example:
        >>> RandomSearchOracle("val_accuracy:max", max_trials=5).tune_options()["sampler"]
        'random'
    """

    def __init__(
        self,
        objective: Any = None,
        max_trials: int | None = 10,
        seed: int | None = None,
        hyperparameters: Any = None,
        allow_new_entries: bool = True,
        tune_new_entries: bool = True,
        max_retries_per_trial: int = 0,
        max_consecutive_failed_trials: int = 3,
    ) -> None:
        super().__init__(
            objective,
            max_trials,
            hyperparameters,
            allow_new_entries,
            tune_new_entries,
            seed,
            max_retries_per_trial,
            max_consecutive_failed_trials,
        )

    def tune_options(self) -> dict[str, Any]:
        """Return the options of `eyetune.tune` that this oracle stands for."""
        return {**super().tune_options(), "sampler": "random"}


class BayesianOptimizationOracle(Oracle):
    """A Gaussian process suggests values.

    Without `alpha`, the process learns how noisy the objective is; without `beta`, the next values
    are those with the highest expected improvement. Given values mean what they mean in KerasTuner,
    also if they are its defaults.

    Args:
        objective: Name of a metric, or a `keras_tuner.Objective`; only one.
        max_trials: Number of trials; None for all combinations. Default: 10.
        num_initial_points: Number of random trials before the process learns. Default: 10.
        alpha: Variance of the noise of an objective of variance 1, above 0. Default: it is learned.
        beta: Number of standard deviations by which uncertain values are preferred, 0 or more.
            Default: the highest expected improvement is taken instead.
        seed: Random seed of suggestions and trainings. Default: 0.
        hyperparameters: See `Oracle`. Default: none.
        allow_new_entries: See `Oracle`. Default: True.
        tune_new_entries: See `Oracle`. Default: True.
        max_retries_per_trial: See `Oracle`. Default: 0.
        max_consecutive_failed_trials: See `Oracle`. Default: 3.

    Raises:
        UsageError: There are several objectives.
    """

    def __init__(
        self,
        objective: Any = None,
        max_trials: int | None = 10,
        num_initial_points: int | None = None,
        alpha: float = KERAS_TUNER_ALPHA,
        beta: float = KERAS_TUNER_BETA,
        seed: int | None = None,
        hyperparameters: Any = None,
        allow_new_entries: bool = True,
        tune_new_entries: bool = True,
        max_retries_per_trial: int = 0,
        max_consecutive_failed_trials: int = 3,
    ) -> None:
        if isinstance(objective, list | tuple) and len(objective) > 1:
            raise UsageError(
                "A Gaussian process optimizes one objective.",
                received=", ".join(str(single) for single in objective),
                fix="RandomSearch takes several objectives. To learn from all of them: "
                'eyetune.tune(..., objective=[...], sampler="tpe").',
            )
        super().__init__(
            objective,
            max_trials,
            hyperparameters,
            allow_new_entries,
            tune_new_entries,
            seed,
            max_retries_per_trial,
            max_consecutive_failed_trials,
        )
        self._num_initial_points = num_initial_points
        self._alpha = alpha
        self._beta = beta

    @property
    def num_initial_points(self) -> int | None:
        """The number of random trials before the process learns; None for 10."""
        return self._num_initial_points

    @property
    def alpha(self) -> float:
        """The variance of the noise; KerasTuner's default, 1e-4, if it is learned."""
        return float(self._alpha)

    @property
    def beta(self) -> float:
        """The preference for uncertain values; KerasTuner's default, 2.6, if it was not given."""
        return float(self._beta)

    @property
    def gpr(self) -> NoReturn:
        """Refuse: a process is fitted to the records for each suggestion.

        Raises:
            UsageError: Always.
        """
        raise UsageError(
            "eyetune keeps no regressor between suggestions.",
            fix="Fit one to tuner.study.to_dataframe().",
        )

    def tune_options(self) -> dict[str, Any]:
        """Return the options of `eyetune.tune` that this oracle stands for."""
        return {
            **super().tune_options(),
            "sampler": "gp",
            "initial_points": self._num_initial_points,
            "gp_alpha": None if isinstance(self._alpha, UnsetNumber) else self._alpha,
            "gp_beta": None if isinstance(self._beta, UnsetNumber) else self._beta,
        }


class GridSearchOracle(Oracle):
    """Every combination of values once, in random order; a continuous range needs a step.

    Args:
        objective: Name of a metric, a `keras_tuner.Objective`, or a list of them.
        max_trials: Number of trials; None for all combinations. Default: None.
        seed: Random seed of suggestions and trainings. Default: 0.
        hyperparameters: See `Oracle`. Default: none.
        allow_new_entries: See `Oracle`. Default: True.
        tune_new_entries: See `Oracle`. Default: True.
        max_retries_per_trial: See `Oracle`. Default: 0.
        max_consecutive_failed_trials: See `Oracle`. Default: 3.
    """

    def __init__(
        self,
        objective: Any = None,
        max_trials: int | None = None,
        seed: int | None = None,
        hyperparameters: Any = None,
        allow_new_entries: bool = True,
        tune_new_entries: bool = True,
        max_retries_per_trial: int = 0,
        max_consecutive_failed_trials: int = 3,
    ) -> None:
        super().__init__(
            objective,
            max_trials,
            hyperparameters,
            allow_new_entries,
            tune_new_entries,
            seed,
            max_retries_per_trial,
            max_consecutive_failed_trials,
        )

    def tune_options(self) -> dict[str, Any]:
        """Return the options of `eyetune.tune` that this oracle stands for."""
        return {**super().tune_options(), "sampler": "grid"}


class HyperbandOracle(Oracle):
    """Random values, and brackets of KerasTuner's sizes; no epoch is trained twice.

    Args:
        objective: Name of a metric, a `keras_tuner.Objective`, or a list of them.
        max_epochs: Epochs of a trial that is promoted to the last round, 1 or more. Default: 100.
        factor: One trial in `factor` is promoted to the next round, above 1. Default: 3.
        hyperband_iterations: Number of times that all brackets are run, 1 or more. Default: 1.
        seed: Random seed of suggestions and trainings. Default: 0.
        hyperparameters: See `Oracle`. Default: none.
        allow_new_entries: See `Oracle`. Default: True.
        tune_new_entries: See `Oracle`. Default: True.
        max_retries_per_trial: See `Oracle`. Default: 0.
        max_consecutive_failed_trials: See `Oracle`. Default: 3.

    Raises:
        UsageError: A number is out of its range.
    """

    def __init__(
        self,
        objective: Any = None,
        max_epochs: int = 100,
        factor: float = 3,
        hyperband_iterations: int = 1,
        seed: int | None = None,
        hyperparameters: Any = None,
        allow_new_entries: bool = True,
        tune_new_entries: bool = True,
        max_retries_per_trial: int = 0,
        max_consecutive_failed_trials: int = 3,
    ) -> None:
        if not isinstance(hyperband_iterations, int) or hyperband_iterations < 1:
            raise UsageError(
                "hyperband_iterations is out of its range.",
                expected="1 or more",
                received=f"hyperband_iterations={hyperband_iterations}",
                fix='To limit the time: eyetune.tune(..., scheduler="hyperband", seconds=3600)',
            )
        super().__init__(
            objective,
            None,
            hyperparameters,
            allow_new_entries,
            tune_new_entries,
            seed,
            max_retries_per_trial,
            max_consecutive_failed_trials,
        )
        self._max_epochs = max_epochs
        self._factor = factor
        self._hyperband_iterations = hyperband_iterations

    @property
    def max_epochs(self) -> int:
        """The number of epochs of a trial that is promoted to the last round."""
        return self._max_epochs

    @property
    def min_epochs(self) -> int:
        """The number of epochs below which there is no round: 1."""
        return 1

    @property
    def factor(self) -> float:
        """One trial in `factor` is promoted."""
        return self._factor

    @property
    def hyperband_iterations(self) -> int:
        """The number of times that all brackets are run."""
        return self._hyperband_iterations

    def tune_options(self) -> dict[str, Any]:
        """Return the options of `eyetune.tune` that this oracle stands for."""
        options = {
            **super().tune_options(),
            "sampler": "random",
            "scheduler": "hyperband",
            "max_epochs": self._max_epochs,
            "factor": self._factor,
        }
        if self._hyperband_iterations > 1:
            brackets = hyperband_brackets(self._max_epochs, self._factor)
            num_trials = sum(plan.places[0] for plan in brackets)
            options["trials"] = self._hyperband_iterations * num_trials
        return options
