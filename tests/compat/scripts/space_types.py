"""The types of the values that a function gets: int, float, str, bool."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import distinct, fact, note, notes

x = np.ones((8, 2, 2, 1), "float32")
y = np.arange(8) % 2


def build_model(hp):
    values = [
        hp.Int("units", 2, 6),
        hp.Float("rate", 0.0, 0.5),
        hp.Choice("number", [1, 2, 3]),
        hp.Choice("real", [0.5, 1.5]),
        hp.Choice("text", ["relu", "tanh"]),
        hp.Boolean("flag"),
        hp.Boolean("other flag", default=True),
        hp.Fixed("constant", 7),
        hp.Choice("booleans", [True, False]),
    ]
    note("types", [type(value).__name__ for value in values])
    model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(2, activation="softmax"))
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True)
    return model


tuner = keras_tuner.RandomSearch(
    build_model, "val_accuracy", max_trials=4, directory="results", project_name="types"
)
tuner.search(x, y, validation_data=(x, y), verbose=0)
fact("types", distinct(notes("types")))
space = tuner.get_best_hyperparameters()[0].space
fact("space", [[type(entry).__name__, entry.name] for entry in space])
fact("defaults", [entry.default for entry in space])
