"""The public names of the package."""

# expected: same
# budget: small
import keras_tuner
from facts import fact

names = [
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
    "applications.HyperEfficientNet",
    "applications.HyperImageAugment",
    "applications.HyperResNet",
    "applications.HyperXception",
    "errors.FailedTrialError",
    "errors.FatalError",
    "errors.FatalRuntimeError",
    "errors.FatalTypeError",
    "errors.FatalValueError",
    "oracles.BayesianOptimizationOracle",
    "oracles.GridSearchOracle",
    "oracles.HyperbandOracle",
    "oracles.RandomSearchOracle",
    "tuners.BayesianOptimization",
    "tuners.GridSearch",
    "tuners.Hyperband",
    "tuners.RandomSearch",
    "tuners.SklearnTuner",
    "tuners.Tuner",
    "engine.hypermodel.HyperModel",
    "engine.hyperparameters.HyperParameters",
    "engine.hyperparameters.Choice",
    "engine.hyperparameters.Int",
    "engine.oracle.Objective",
    "engine.oracle.Oracle",
    "engine.trial.Trial",
    "engine.trial.TrialStatus",
    "engine.tuner.Tuner",
    "engine.base_tuner.BaseTuner",
]
for name in names:
    value = keras_tuner
    for part in name.split("."):
        value = getattr(value, part, None)
    fact(name, value is not None)
fact("version", keras_tuner.__version__)
