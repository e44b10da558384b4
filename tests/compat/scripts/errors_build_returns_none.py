"""A function that forgets to return its model: the search ends with a TypeError or ValueError."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import fact

x = np.ones((8, 2, 2, 1), "float32")
y = np.arange(8) % 2


def build_model(hp):
    model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(hp.Int("units", 2, 60)))
    model.compile("sgd", "mse")


try:
    tuner = keras_tuner.RandomSearch(
        build_model, "val_loss", max_trials=2, directory="results", project_name="none"
    )
    tuner.search(x, y, validation_data=(x, y), verbose=0)
except (TypeError, ValueError):
    fact("refused", True)
