"""Failed trials are in the oracle and in results_summary, with their error."""

# expected: same
import contextlib
import io

import keras
import keras_tuner
import numpy as np
from facts import fact

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (12, 4, 4, 3)).astype("float32")
y = np.arange(12) % 2


class Picky(keras_tuner.HyperModel):
    def build(self, hp):
        model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()])
        model.add(keras.layers.Dense(hp.Choice("units", [2, 3, 4])))
        model.add(keras.layers.Dense(2, activation="softmax"))
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    def fit(self, hp, model, *args, **kwargs):
        if hp.get("units") == 3:
            raise ValueError("three is unlucky")
        return model.fit(*args, **kwargs)


tuner = keras_tuner.GridSearch(Picky(), "val_loss", directory="results", project_name="failed")
tuner.search(x, y, validation_data=(x, y), verbose=0)
trials = list(tuner.oracle.trials.values())
fact("states", sorted(trial.status for trial in trials))
failed = next(trial for trial in trials if trial.status == "FAILED")
fact("value", failed.hyperparameters.get("units"))
fact("message", "three is unlucky" in failed.message)
fact("score", failed.score)
stream = io.StringIO()
with contextlib.redirect_stdout(stream):
    tuner.results_summary()
fact("summary", "three is unlucky" in stream.getvalue())
fact("best", [trial.status for trial in tuner.oracle.get_best_trials(3)])
