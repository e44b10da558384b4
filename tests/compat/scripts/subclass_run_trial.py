"""A subclass whose run_trial builds and trains itself, and returns a number."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

rng = np.random.default_rng(0)
x = rng.normal(0, 1, (20, 3)).astype("float32")
y = x.sum(axis=1)


def build_model(hp):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(hp.Int("units", 1, 60))])
    model.add(keras.layers.Dense(1))
    model.compile("adam", "mse")
    return model


class MyTuner(keras_tuner.RandomSearch):
    def run_trial(self, trial, x, y, factor):
        hp = trial.hyperparameters
        model = self.hypermodel.build(hp)
        history = model.fit(x, y, batch_size=hp.Choice("batch_size", [5, 10]), verbose=0)
        note("score", history.history["loss"][-1] * factor)
        return history.history["loss"][-1] * factor


tuner = MyTuner(build_model, max_trials=2, directory="results", project_name="own")
tuner.search(x, y, factor=2.0)
scores = [trial.score for trial in tuner.oracle.get_best_trials(2)]
fact("scores", bool(np.allclose(scores, sorted(notes("score")))))
fact("names", [sorted(hp.values) for hp in tuner.get_best_hyperparameters(2)])
