"""A subclass with a callback that cannot be copied: a ValueError at the search."""

# expected: same
import threading

import keras
import keras_tuner
import numpy as np
from facts import fact

x = np.ones((8, 3), "float32")
y = np.arange(8) % 2


class Locked(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()


def build_model(hp):
    hp.Int("unused", 1, 9)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True)
    return model


class Hooked(keras_tuner.RandomSearch):
    def on_epoch_end(self, trial, model, epoch, logs=None):
        fact("epoch", epoch)


tuner = Hooked(build_model, "loss", max_trials=9, directory="results", project_name="locked")
try:
    tuner.search(x, y, callbacks=[Locked()], verbose=0)
except ValueError:
    fact("refused", True)
