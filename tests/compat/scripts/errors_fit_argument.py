"""An argument that fit does not have: an error, before or after the trials."""

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
    model.add(keras.layers.Dense(2, activation="softmax"))
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


tuner = keras_tuner.RandomSearch(
    build_model, "val_accuracy", max_trials=4, directory="results", project_name="argument"
)
try:
    tuner.search(x, y, epoch=3, validation_data=(x, y), verbose=0)
except (RuntimeError, ValueError, TypeError):
    fact("refused", True)
