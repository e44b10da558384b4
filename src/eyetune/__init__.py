"""eyetune tunes image classifiers so that they are accurate and fit a microcontroller board.

    >>> import eyetune as et
    >>> run = et.train(et.Recipe(), data="cifar10")  # doctest: +SKIP
    >>> run.plot()                                   # doctest: +SKIP

The names in `__all__` are the public interface. Everything else may change without notice. Names
are imported when they are first used: `import eyetune` loads no Keras.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eyetune import errors, techniques
    from eyetune.api.callback import Callback
    from eyetune.api.compare import compare
    from eyetune.api.data_check import DataCheck, data_check
    from eyetune.api.deploy import Deployment, deploy
    from eyetune.api.evaluate_file import evaluate_file
    from eyetune.api.export import Export, export, open_export
    from eyetune.api.export_model import export_model
    from eyetune.api.fit_check import FitCheck, fit_check, fit_checks
    from eyetune.api.gap import gap
    from eyetune.api.lab import Lab, lab, open_lab
    from eyetune.api.lr_find import find_learning_rate
    from eyetune.api.predict import predict
    from eyetune.api.report import write_report
    from eyetune.api.run import Run, open_run
    from eyetune.api.set_aside import undo_check
    from eyetune.api.shrink import Shrunk, resume_shrink, shrink
    from eyetune.api.study import Study, open_study
    from eyetune.api.train import resume, train
    from eyetune.api.trust import trust_function
    from eyetune.api.tune import tune
    from eyetune.api.unknown import UnknownOptions
    from eyetune.api.verify import verify
    from eyetune.api.verify_file import verify_file
    from eyetune.compat.keras_tuner.importing import import_keras_tuner, keras_tuner_metrics
    from eyetune.compat.keras_tuner.own_search import tune_with_keras_tuner
    from eyetune.compat.keras_tuner.tuners import (
        BayesianOptimization,
        GridSearch,
        Hyperband,
        RandomSearch,
    )
    from eyetune.data import Dataset, Split, load
    from eyetune.device.boards.profiles import boards
    from eyetune.errors import EyetuneError
    from eyetune.recipe import Recipe
    from eyetune.records import Workspace
    from eyetune.space.portfolio import portfolio_recipe
    from eyetune.space.space import Space
    from eyetune.tracking.mlflow_tracker import MlflowTracker
    from eyetune.tracking.tensorboard_tracker import TensorBoardTracker
    from eyetune.tracking.tracker import Tracked, TrackedEnd, Tracker
    from eyetune.training.backend import start_keras

_MODULE_OF_NAME = {
    "BayesianOptimization": "eyetune.compat.keras_tuner.tuners",
    "Callback": "eyetune.api.callback",
    "DataCheck": "eyetune.api.data_check",
    "Dataset": "eyetune.data",
    "Deployment": "eyetune.api.deploy",
    "Export": "eyetune.api.export",
    "EyetuneError": "eyetune.errors",
    "FitCheck": "eyetune.api.fit_check",
    "GridSearch": "eyetune.compat.keras_tuner.tuners",
    "Hyperband": "eyetune.compat.keras_tuner.tuners",
    "Lab": "eyetune.api.lab",
    "MlflowTracker": "eyetune.tracking.mlflow_tracker",
    "RandomSearch": "eyetune.compat.keras_tuner.tuners",
    "Recipe": "eyetune.recipe",
    "Run": "eyetune.api.run",
    "Shrunk": "eyetune.api.shrink",
    "Space": "eyetune.space.space",
    "Split": "eyetune.data",
    "Study": "eyetune.api.study",
    "TensorBoardTracker": "eyetune.tracking.tensorboard_tracker",
    "Tracked": "eyetune.tracking.tracker",
    "TrackedEnd": "eyetune.tracking.tracker",
    "Tracker": "eyetune.tracking.tracker",
    "UnknownOptions": "eyetune.api.unknown",
    "Workspace": "eyetune.records",
    "boards": "eyetune.device.boards.profiles",
    "compare": "eyetune.api.compare",
    "data_check": "eyetune.api.data_check",
    "deploy": "eyetune.api.deploy",
    "evaluate_file": "eyetune.api.evaluate_file",
    "export": "eyetune.api.export",
    "export_model": "eyetune.api.export_model",
    "find_learning_rate": "eyetune.api.lr_find",
    "fit_check": "eyetune.api.fit_check",
    "fit_checks": "eyetune.api.fit_check",
    "gap": "eyetune.api.gap",
    "import_keras_tuner": "eyetune.compat.keras_tuner.importing",
    "keras_tuner_metrics": "eyetune.compat.keras_tuner.importing",
    "lab": "eyetune.api.lab",
    "load": "eyetune.data",
    "open_export": "eyetune.api.export",
    "open_lab": "eyetune.api.lab",
    "open_run": "eyetune.api.run",
    "open_study": "eyetune.api.study",
    "portfolio_recipe": "eyetune.space.portfolio",
    "predict": "eyetune.api.predict",
    "resume": "eyetune.api.train",
    "resume_shrink": "eyetune.api.shrink",
    "shrink": "eyetune.api.shrink",
    "start_keras": "eyetune.training.backend",
    "train": "eyetune.api.train",
    "trust_function": "eyetune.api.trust",
    "tune": "eyetune.api.tune",
    "tune_with_keras_tuner": "eyetune.compat.keras_tuner.own_search",
    "undo_check": "eyetune.api.set_aside",
    "verify": "eyetune.api.verify",
    "verify_file": "eyetune.api.verify_file",
    "write_report": "eyetune.api.report",
}
_MODULES = ("errors", "techniques")

__all__ = [
    "BayesianOptimization",
    "Callback",
    "DataCheck",
    "Dataset",
    "Deployment",
    "Export",
    "EyetuneError",
    "FitCheck",
    "GridSearch",
    "Hyperband",
    "Lab",
    "MlflowTracker",
    "RandomSearch",
    "Recipe",
    "Run",
    "Shrunk",
    "Space",
    "Split",
    "Study",
    "TensorBoardTracker",
    "Tracked",
    "TrackedEnd",
    "Tracker",
    "UnknownOptions",
    "Workspace",
    "boards",
    "compare",
    "data_check",
    "deploy",
    "errors",
    "evaluate_file",
    "export",
    "export_model",
    "find_learning_rate",
    "fit_check",
    "fit_checks",
    "gap",
    "import_keras_tuner",
    "keras_tuner_metrics",
    "lab",
    "load",
    "open_export",
    "open_lab",
    "open_run",
    "open_study",
    "portfolio_recipe",
    "predict",
    "resume",
    "resume_shrink",
    "shrink",
    "start_keras",
    "techniques",
    "train",
    "trust_function",
    "tune",
    "tune_with_keras_tuner",
    "undo_check",
    "verify",
    "verify_file",
    "write_report",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("eyetune")
    if name in _MODULES:
        return importlib.import_module(f"eyetune.{name}")
    if name not in _MODULE_OF_NAME:
        raise AttributeError(f"module 'eyetune' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULE_OF_NAME[name]), name)


def load_ipython_extension(_: Any) -> None:
    """Draw the curves of running trainings below the cell: `%load_ext eyetune`."""
    importlib.import_module("eyetune.report.progress.live_curves").enable()


def unload_ipython_extension(_: Any) -> None:
    """Draw no more curves: `%unload_ext eyetune`."""
    importlib.import_module("eyetune.report.progress.live_curves").enable(is_enabled=False)


def __dir__() -> list[str]:
    """Return the public names, for completion."""
    return [*__all__, "__version__"]
