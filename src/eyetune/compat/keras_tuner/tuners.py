"""KerasTuner's tuners: `kt.Hyperband(...)` in a script can be replaced by `et.Hyperband(...)`.

They take KerasTuner's arguments and return the same values. The search is a study: it trains in
parallel, is recorded, and resumes when the script runs again.

See https://keras.io/keras_tuner/api/tuners/.
"""

from __future__ import annotations

from typing import Any, final

from eyetune.compat.keras_tuner.tuner import Tuner
from eyetune.errors import UsageError
from eyetune.tuning.schedulers.plans import hyperband_brackets


@final
class Hyperband(Tuner):
    """Replaces KerasTuner's Hyperband: brackets of the same sizes, and no epoch is trained twice.

    Args:
        hypermodel: A `build_model(hp)` or a `keras_tuner.HyperModel`.
        objective: Name of a metric, a `keras_tuner.Objective`, or a list of them.
        max_epochs: Epochs of a trial that is promoted to the last round. Default: 100.
        factor: One trial in `factor` is promoted to the next round. Default: 3.
        hyperband_iterations: Number of times that all brackets are run, 1 or more. Default: 1.
        others: Other arguments of `Tuner`.

    Source: Li et al. 2018, https://jmlr.org/papers/v18/16-558.html;
        https://keras.io/keras_tuner/api/tuners/hyperband/

    Example:
        >>> tuner = Hyperband(lambda hp: ..., objective="val_accuracy", max_epochs=10, factor=3)
        >>> tuner.search(x, y, epochs=50, validation_split=0.2)  # doctest: +SKIP
        >>> tuner.get_best_hyperparameters()[0].values           # doctest: +SKIP
    """

    def __init__(
        self,
        hypermodel: Any = None,
        objective: Any = None,
        max_epochs: int = 100,
        factor: float = 3,
        hyperband_iterations: int = 1,
        **others: Any,
    ) -> None:
        if not isinstance(hyperband_iterations, int) or hyperband_iterations < 1:
            raise UsageError(
                "hyperband_iterations is out of its range.",
                expected="1 or more",
                received=f"hyperband_iterations={hyperband_iterations}",
                fix='To limit the time: eyetune.tune(..., scheduler="hyperband", seconds=3600)',
            )
        settings: dict[str, Any] = {"scheduler": "hyperband", "sampler": "random"}
        settings |= {"max_epochs": max_epochs, "factor": factor}
        if hyperband_iterations > 1:
            brackets = hyperband_brackets(max_epochs, factor)
            settings["trials"] = hyperband_iterations * sum(plan.places[0] for plan in brackets)
        super().__init__(hypermodel, objective, settings, **others)


@final
class RandomSearch(Tuner):
    """Replaces KerasTuner's RandomSearch: values are drawn at random.

    Args:
        hypermodel: A `build_model(hp)` or a `keras_tuner.HyperModel`.
        objective: Name of a metric, a `keras_tuner.Objective`, or a list of them.
        max_trials: Number of trials. Default: 10.
        others: Other arguments of `Tuner`.

    Source: https://keras.io/keras_tuner/api/tuners/random/
    """

    def __init__(
        self, hypermodel: Any = None, objective: Any = None, max_trials: int = 10, **others: Any
    ) -> None:
        super().__init__(
            hypermodel, objective, {"sampler": "random", "trials": max_trials}, **others
        )


@final
class BayesianOptimization(Tuner):
    """Replaces KerasTuner's BayesianOptimization: a Gaussian process suggests values.

    Args:
        hypermodel: A `build_model(hp)` or a `keras_tuner.HyperModel`.
        objective: Name of a metric, a `keras_tuner.Objective`, or a list of them.
        max_trials: Number of trials. Default: 10.
        others: Other arguments of `Tuner`.

    Source: https://keras.io/keras_tuner/api/tuners/bayesian/
    """

    def __init__(
        self, hypermodel: Any = None, objective: Any = None, max_trials: int = 10, **others: Any
    ) -> None:
        super().__init__(hypermodel, objective, {"sampler": "gp", "trials": max_trials}, **others)


@final
class GridSearch(Tuner):
    """Replaces KerasTuner's GridSearch: every combination; a continuous range needs a step.

    Args:
        hypermodel: A `build_model(hp)` or a `keras_tuner.HyperModel`.
        objective: Name of a metric, a `keras_tuner.Objective`, or a list of them.
        max_trials: Number of trials. Default: every combination.
        others: Other arguments of `Tuner`.

    Source: https://keras.io/keras_tuner/api/tuners/grid/
    """

    def __init__(
        self,
        hypermodel: Any = None,
        objective: Any = None,
        max_trials: int | None = None,
        **others: Any,
    ) -> None:
        super().__init__(hypermodel, objective, {"sampler": "grid", "trials": max_trials}, **others)
