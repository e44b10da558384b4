"""HyperModel.fit with arguments of its own, which search passes on."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

x = np.ones((12, 3), "float32")
y = np.arange(12) % 2


class OwnFit(keras_tuner.HyperModel):
    def build(self, hp):
        hp.Int("unused", 1, 9)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation="softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
        return model

    def fit(self, hp, model, x, y, factor, weights=None, **kwargs):
        note("own", [factor, weights, kwargs["epochs"], "verbose" in kwargs])
        history = model.fit(x, y, **kwargs)
        return {"score": factor * len(history.epoch)}


tuner = keras_tuner.RandomSearch(
    OwnFit(),
    keras_tuner.Objective("score", "max"),
    max_trials=2,
    directory="results",
    project_name="own",
)
tuner.search(x, y, factor=2.5, weights={"a": [1, 2]}, epochs=2, verbose=0)
fact("own", notes("own"))
fact("scores", [trial.score for trial in tuner.oracle.get_best_trials(2)])
