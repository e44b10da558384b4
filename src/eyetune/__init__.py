"""eyetune tunes image classifiers until they are as accurate as they can be and still fit the board.

    >>> import eyetune as et
    >>> run = et.train(et.Recipe(), data="cifar10")  # doctest: +SKIP
    >>> run.plot()                                   # doctest: +SKIP

Names are imported when they are first used: `import eyetune` loads no Keras.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eyetune import techniques
    from eyetune.api import (
        BayesianOptimization,
        Deployment,
        Export,
        FitCheck,
        GridSearch,
        Hyperband,
        RandomSearch,
        Study,
        compare,
        deploy,
        export,
        find_learning_rate,
        fit_check,
        import_keras_tuner,
        keras_tuner_metrics,
        lab,
        open_export,
        open_run,
        open_study,
        resume,
        train,
        tune,
        tune_with_keras_tuner,
        verify,
    )
    from eyetune.data import Dataset, Split, load
    from eyetune.device.boards import boards
    from eyetune.errors import EyetuneError
    from eyetune.labs import Lab, open_lab
    from eyetune.recipe import Recipe
    from eyetune.records import Workspace
    from eyetune.reporting import write_report
    from eyetune.run import Run
    from eyetune.space import Space
    from eyetune.training.backend import start_keras

_HOMES = {
    "BayesianOptimization": "eyetune.api",
    "Dataset": "eyetune.data",
    "Deployment": "eyetune.api",
    "Export": "eyetune.api",
    "EyetuneError": "eyetune.errors",
    "FitCheck": "eyetune.api",
    "GridSearch": "eyetune.api",
    "Hyperband": "eyetune.api",
    "Lab": "eyetune.labs",
    "RandomSearch": "eyetune.api",
    "Recipe": "eyetune.recipe",
    "Run": "eyetune.run",
    "Space": "eyetune.space",
    "Split": "eyetune.data",
    "Study": "eyetune.api",
    "Workspace": "eyetune.records",
    "boards": "eyetune.device.boards",
    "compare": "eyetune.api",
    "deploy": "eyetune.api",
    "export": "eyetune.api",
    "find_learning_rate": "eyetune.api",
    "fit_check": "eyetune.api",
    "import_keras_tuner": "eyetune.api",
    "keras_tuner_metrics": "eyetune.api",
    "lab": "eyetune.api",
    "load": "eyetune.data",
    "open_export": "eyetune.api",
    "open_lab": "eyetune.labs",
    "open_run": "eyetune.api",
    "open_study": "eyetune.api",
    "resume": "eyetune.api",
    "start_keras": "eyetune.training.backend",
    "train": "eyetune.api",
    "tune": "eyetune.api",
    "tune_with_keras_tuner": "eyetune.api",
    "verify": "eyetune.api",
    "write_report": "eyetune.reporting",
}
_ROOMS = ("techniques",)

__all__ = [
    "BayesianOptimization",
    "Dataset",
    "Deployment",
    "Export",
    "EyetuneError",
    "FitCheck",
    "GridSearch",
    "Hyperband",
    "Lab",
    "RandomSearch",
    "Recipe",
    "Run",
    "Space",
    "Split",
    "Study",
    "Workspace",
    "boards",
    "compare",
    "deploy",
    "export",
    "find_learning_rate",
    "fit_check",
    "import_keras_tuner",
    "keras_tuner_metrics",
    "lab",
    "load",
    "open_export",
    "open_lab",
    "open_run",
    "open_study",
    "resume",
    "start_keras",
    "techniques",
    "train",
    "tune",
    "tune_with_keras_tuner",
    "verify",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("eyetune")
    if name in _ROOMS:
        return importlib.import_module(f"eyetune.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'eyetune' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
