"""What a user calls from Python and the command line calls for them.

This is the one place where data, training, records, analysis and pictures meet.
"""

from eyetune.api.climbing import lab
from eyetune.api.comparing import compare, open_run
from eyetune.api.deploying import Deployment, deploy
from eyetune.api.exporting import Export, export, open_export, verify
from eyetune.api.finding import find_learning_rate
from eyetune.api.fitting import FitCheck, fit_check
from eyetune.api.importing import import_keras_tuner, keras_tuner_metrics
from eyetune.api.keras_tuner import tune_with_keras_tuner
from eyetune.api.study import Study, open_study
from eyetune.api.training import resume, train
from eyetune.api.tuners import BayesianOptimization, GridSearch, Hyperband, RandomSearch
from eyetune.api.tuning import tune

__all__ = [
    "BayesianOptimization",
    "Deployment",
    "Export",
    "FitCheck",
    "GridSearch",
    "Hyperband",
    "RandomSearch",
    "Study",
    "compare",
    "deploy",
    "export",
    "find_learning_rate",
    "fit_check",
    "import_keras_tuner",
    "keras_tuner_metrics",
    "lab",
    "open_export",
    "open_run",
    "open_study",
    "resume",
    "train",
    "tune",
    "tune_with_keras_tuner",
    "verify",
]
