"""KerasTuner's tuners: `kt.Hyperband(...)` in a script can be replaced by `et.Hyperband(...)`.

They take the arguments of KerasTuner 1.4.8, by position and by name, and return the same values.
The search is a study: it trains in parallel, is recorded, and resumes when the script runs again.

See https://keras.io/keras_tuner/api/tuners/.
"""

from __future__ import annotations

from typing import Any

from eyetune.compat.keras_tuner.oracles import (
    KERAS_TUNER_ALPHA,
    KERAS_TUNER_BETA,
    BayesianOptimizationOracle,
    GridSearchOracle,
    HyperbandOracle,
    RandomSearchOracle,
)
from eyetune.compat.keras_tuner.tuner import Tuner
from eyetune.errors import UsageError

__all__ = [
    "BayesianOptimization",
    "GridSearch",
    "Hyperband",
    "RandomSearch",
    "SklearnTuner",
    "Tuner",
]


class Hyperband(Tuner):
    """Replaces KerasTuner's Hyperband: brackets of the same sizes, and no epoch is trained twice.

    Args:
        hypermodel: A `build_model(hp)` or a `keras_tuner.HyperModel`.
        objective: Name of a metric, a `keras_tuner.Objective`, or a list of them.
        max_epochs: Epochs of a trial that is promoted to the last round. Default: 100.
        factor: One trial in `factor` is promoted to the next round. Default: 3.
        hyperband_iterations: Number of times that all brackets are run, 1 or more. Default: 1.
        seed: Random seed of suggestions and trainings. Default: 0.
        hyperparameters: A `keras_tuner.HyperParameters` whose entries replace those of the same
            name. Default: none.
        tune_new_entries: Whether other hyperparameters are searched too; otherwise they have their
            defaults. Default: True.
        allow_new_entries: Whether the model function may use other hyperparameters. Default: True.
        max_retries_per_trial: How often a trial that failed is tried again. Default: 0.
        max_consecutive_failed_trials: Number of trials that fail one after the other before the
            search ends. Default: 3.
        kwargs: Other arguments of `Tuner`, such as directory, project_name and workers.

    Source: Li et al. 2018, https://jmlr.org/papers/v18/16-558.html;
        https://keras.io/keras_tuner/api/tuners/hyperband/

    Example:
        >>> tuner = Hyperband(lambda hp: ..., objective="val_accuracy", max_epochs=10, factor=3)
        >>> tuner.search(x, y, epochs=50, validation_split=0.2)  # doctest: +SKIP
        >>> tuner.get_best_hyperparameters()[0].values           # doctest: +SKIP
        >>> tuner.oracle.get_best_trials(3)[0].score             # doctest: +SKIP
    """

    def __init__(
        self,
        hypermodel: Any = None,
        objective: Any = None,
        max_epochs: int = 100,
        factor: float = 3,
        hyperband_iterations: int = 1,
        seed: int | None = None,
        hyperparameters: Any = None,
        tune_new_entries: bool = True,
        allow_new_entries: bool = True,
        max_retries_per_trial: int = 0,
        max_consecutive_failed_trials: int = 3,
        **kwargs: Any,
    ) -> None:
        oracle = HyperbandOracle(
            objective,
            max_epochs=max_epochs,
            factor=factor,
            hyperband_iterations=hyperband_iterations,
            seed=seed,
            hyperparameters=hyperparameters,
            tune_new_entries=tune_new_entries,
            allow_new_entries=allow_new_entries,
            max_retries_per_trial=max_retries_per_trial,
            max_consecutive_failed_trials=max_consecutive_failed_trials,
        )
        super().__init__(oracle, hypermodel, **kwargs)


class RandomSearch(Tuner):
    """Replaces KerasTuner's RandomSearch: values are drawn at random.

    Args:
        hypermodel: A `build_model(hp)` or a `keras_tuner.HyperModel`.
        objective: Name of a metric, a `keras_tuner.Objective`, or a list of them.
        max_trials: Number of trials; None for all combinations. Default: 10.
        seed: Random seed of suggestions and trainings. Default: 0.
        hyperparameters: A `keras_tuner.HyperParameters` whose entries replace those of the same
            name. Default: none.
        tune_new_entries: Whether other hyperparameters are searched too; otherwise they have their
            defaults. Default: True.
        allow_new_entries: Whether the model function may use other hyperparameters. Default: True.
        max_retries_per_trial: How often a trial that failed is tried again. Default: 0.
        max_consecutive_failed_trials: Number of trials that fail one after the other before the
            search ends. Default: 3.
        kwargs: Other arguments of `Tuner`, such as directory, project_name and workers.

    Source: https://keras.io/keras_tuner/api/tuners/random/
    """

    def __init__(
        self,
        hypermodel: Any = None,
        objective: Any = None,
        max_trials: int | None = 10,
        seed: int | None = None,
        hyperparameters: Any = None,
        tune_new_entries: bool = True,
        allow_new_entries: bool = True,
        max_retries_per_trial: int = 0,
        max_consecutive_failed_trials: int = 3,
        **kwargs: Any,
    ) -> None:
        oracle = RandomSearchOracle(
            objective,
            max_trials=max_trials,
            seed=seed,
            hyperparameters=hyperparameters,
            tune_new_entries=tune_new_entries,
            allow_new_entries=allow_new_entries,
            max_retries_per_trial=max_retries_per_trial,
            max_consecutive_failed_trials=max_consecutive_failed_trials,
        )
        super().__init__(oracle, hypermodel, **kwargs)

    @property
    def seed(self) -> int:
        """The random seed of suggestions and trainings."""
        return self.oracle.seed


class BayesianOptimization(Tuner):
    """Replaces KerasTuner's BayesianOptimization: a Gaussian process suggests values.

    Args:
        hypermodel: A `build_model(hp)` or a `keras_tuner.HyperModel`.
        objective: Name of a metric, or a `keras_tuner.Objective`; only one.
        max_trials: Number of trials; None for all combinations. Default: 10.
        num_initial_points: Number of random trials before the process learns. Default: 10.
        alpha: Variance of the noise of an objective of variance 1, above 0. Default: it is learned.
        beta: Number of standard deviations by which uncertain values are preferred, 0 or more.
            Default: the highest expected improvement is taken instead.
        seed: Random seed of suggestions and trainings. Default: 0.
        hyperparameters: A `keras_tuner.HyperParameters` whose entries replace those of the same
            name. Default: none.
        tune_new_entries: Whether other hyperparameters are searched too; otherwise they have their
            defaults. Default: True.
        allow_new_entries: Whether the model function may use other hyperparameters. Default: True.
        max_retries_per_trial: How often a trial that failed is tried again. Default: 0.
        max_consecutive_failed_trials: Number of trials that fail one after the other before the
            search ends. Default: 3.
        kwargs: Other arguments of `Tuner`, such as directory, project_name and workers.

    Source: https://keras.io/keras_tuner/api/tuners/bayesian/
    """

    def __init__(
        self,
        hypermodel: Any = None,
        objective: Any = None,
        max_trials: int | None = 10,
        num_initial_points: int | None = None,
        alpha: float = KERAS_TUNER_ALPHA,
        beta: float = KERAS_TUNER_BETA,
        seed: int | None = None,
        hyperparameters: Any = None,
        tune_new_entries: bool = True,
        allow_new_entries: bool = True,
        max_retries_per_trial: int = 0,
        max_consecutive_failed_trials: int = 3,
        **kwargs: Any,
    ) -> None:
        oracle = BayesianOptimizationOracle(
            objective,
            max_trials=max_trials,
            num_initial_points=num_initial_points,
            alpha=alpha,
            beta=beta,
            seed=seed,
            hyperparameters=hyperparameters,
            tune_new_entries=tune_new_entries,
            allow_new_entries=allow_new_entries,
            max_retries_per_trial=max_retries_per_trial,
            max_consecutive_failed_trials=max_consecutive_failed_trials,
        )
        super().__init__(oracle, hypermodel, **kwargs)


class GridSearch(Tuner):
    """Replaces KerasTuner's GridSearch: every combination; a continuous range needs a step.

    Args:
        hypermodel: A `build_model(hp)` or a `keras_tuner.HyperModel`.
        objective: Name of a metric, a `keras_tuner.Objective`, or a list of them.
        max_trials: Number of trials; None for all combinations. Default: None.
        seed: Random seed of suggestions and trainings. Default: 0.
        hyperparameters: A `keras_tuner.HyperParameters` whose entries replace those of the same
            name. Default: none.
        tune_new_entries: Whether other hyperparameters are searched too; otherwise they have their
            defaults. Default: True.
        allow_new_entries: Whether the model function may use other hyperparameters. Default: True.
        max_retries_per_trial: How often a trial that failed is tried again. Default: 0.
        max_consecutive_failed_trials: Number of trials that fail one after the other before the
            search ends. Default: 3.
        kwargs: Other arguments of `Tuner`, such as directory, project_name and workers.

    Source: https://keras.io/keras_tuner/api/tuners/grid/
    """

    def __init__(
        self,
        hypermodel: Any = None,
        objective: Any = None,
        max_trials: int | None = None,
        seed: int | None = None,
        hyperparameters: Any = None,
        tune_new_entries: bool = True,
        allow_new_entries: bool = True,
        max_retries_per_trial: int = 0,
        max_consecutive_failed_trials: int = 3,
        **kwargs: Any,
    ) -> None:
        oracle = GridSearchOracle(
            objective,
            max_trials=max_trials,
            seed=seed,
            hyperparameters=hyperparameters,
            tune_new_entries=tune_new_entries,
            allow_new_entries=allow_new_entries,
            max_retries_per_trial=max_retries_per_trial,
            max_consecutive_failed_trials=max_consecutive_failed_trials,
        )
        super().__init__(oracle, hypermodel, **kwargs)


class SklearnTuner:
    """Refused: eyetune trains Keras models.

    Raises:
        UsageError: Always.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
        raise UsageError(
            "eyetune trains Keras models, not those of scikit-learn.",
            received="SklearnTuner",
            fix="Keep keras_tuner.SklearnTuner for them.",
        )
