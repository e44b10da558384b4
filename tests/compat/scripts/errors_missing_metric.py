"""An objective that the model does not measure: an error, before or after its trials."""

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
    build_model,
    keras_tuner.Objective("val_auc", "max"),
    max_trials=4,
    directory="results",
    project_name="missing",
)
try:
    tuner.search(x, y, validation_data=(x, y), verbose=0)
except (RuntimeError, ValueError, KeyError):
    fact("refused", True)
