"""A callback that cannot be copied: a ValueError at the search."""

# expected: same
import threading

import keras
import keras_tuner
import numpy as np
from facts import fact

x = np.ones((8, 2, 2, 1), "float32")
y = np.arange(8) % 2


class Locked(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()


def build_model(hp):
    model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(hp.Int("units", 2, 60)))
    model.add(keras.layers.Dense(2, activation="softmax"))
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


tuner = keras_tuner.RandomSearch(
    build_model, "val_accuracy", max_trials=2, directory="results", project_name="locked"
)
try:
    tuner.search(x, y, validation_data=(x, y), callbacks=[Locked()], verbose=0)
except ValueError:
    fact("refused", True)
