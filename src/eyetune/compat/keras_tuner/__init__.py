"""KerasTuner's public interface, for scripts in which one line changes.

    >>> import eyetune.compat.keras_tuner as keras_tuner     # instead of: import keras_tuner
    >>> tuner = keras_tuner.RandomSearch(..., max_trials=5)  # doctest: +SKIP

Tuners and oracles are eyetune's: they search in parallel and record everything. `HyperParameters`,
`HyperModel`, `Objective`, the applications and the errors are KerasTuner's own. What eyetune cannot
do is refused with a reason and a way round. docs/keras-tuner.md lists all names.

Names are imported when they are first used: importing this package loads no Keras.
"""

import importlib
import typing

if typing.TYPE_CHECKING:
    from keras_tuner import HyperModel, HyperParameters, Objective, synchronized

    from eyetune.compat.keras_tuner import applications, engine, errors, oracles, tuners
    from eyetune.compat.keras_tuner.oracle import Oracle
    from eyetune.compat.keras_tuner.tuner import Tuner
    from eyetune.compat.keras_tuner.tuners import (
        BayesianOptimization,
        GridSearch,
        Hyperband,
        RandomSearch,
        SklearnTuner,
    )

_MODULES = ("applications", "engine", "errors", "oracles", "tuners")
_MODULE_OF_NAME = {
    "BayesianOptimization": "eyetune.compat.keras_tuner.tuners",
    "GridSearch": "eyetune.compat.keras_tuner.tuners",
    "HyperModel": "keras_tuner",
    "HyperParameters": "keras_tuner",
    "Hyperband": "eyetune.compat.keras_tuner.tuners",
    "Objective": "keras_tuner",
    "Oracle": "eyetune.compat.keras_tuner.oracle",
    "RandomSearch": "eyetune.compat.keras_tuner.tuners",
    "SklearnTuner": "eyetune.compat.keras_tuner.tuners",
    "Tuner": "eyetune.compat.keras_tuner.tuner",
    "synchronized": "keras_tuner",
}

__all__ = [
    "BayesianOptimization",
    "GridSearch",
    "HyperModel",
    "HyperParameters",
    "Hyperband",
    "Objective",
    "Oracle",
    "RandomSearch",
    "SklearnTuner",
    "Tuner",
    "applications",
    "engine",
    "errors",
    "oracles",
    "synchronized",
    "tuners",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used."""
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("keras-tuner")
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _MODULE_OF_NAME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULE_OF_NAME[name]), name)


def __dir__() -> list[str]:
    """Return the public names, for completion."""
    return [*__all__, "__version__"]
