"""A HyperModel that keeps in build what its fit needs: each trial has its own value."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import distinct, fact, note, notes

x = np.ones((8, 3), "float32")
y = np.arange(8) % 2


class Remembering(keras_tuner.HyperModel):
    def build(self, hp):
        self.size = hp.Choice("size", [2, 4])
        self.units = hp.Choice("units", [1, 3])
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(self.units)])
        model.add(keras.layers.Dense(2, activation="softmax"))
        model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
        return model

    def fit(self, hp, model, *args, **kwargs):
        note("same", [self.size == hp.get("size"), self.units == model.layers[0].units])
        kwargs["batch_size"] = self.size
        return model.fit(*args, **kwargs)


tuner = keras_tuner.GridSearch(
    Remembering(), "loss", directory="results", project_name="remembering"
)
tuner.search(x, y, verbose=0)
fact("same", distinct(notes("same")))
fact("fits", len(notes("same")))
fact("trials", len(tuner.oracle.trials))
