"""A tuner without a hypermodel and without an objective: run_trial returns a number."""

# expected: same
# budget: small
import keras_tuner
import numpy as np
from facts import fact


class Quadratic(keras_tuner.RandomSearch):
    def run_trial(self, trial, *args, **kwargs):
        x = trial.hyperparameters.Float("x", min_value=-1.0, max_value=1.0)
        return x * x + 1


tuner = Quadratic(
    max_trials=20, overwrite=True, directory="results", project_name="black_box", seed=1
)
tuner.search()
trials = tuner.oracle.get_best_trials(20)
fact("trials", len(trials))
x = np.array([trial.hyperparameters.get("x") for trial in trials])
fact("scores", bool(np.allclose([trial.score for trial in trials], x**2 + 1)))
fact("best first", bool(np.all(np.diff(x**2) >= 0)))
fact("best", abs(tuner.get_best_hyperparameters(1)[0].get("x")) == min(abs(x)))
