"""Choices with one value, and constants: the types that the space has before and after."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import fact

x = np.ones((8, 2, 2, 1), "float32")
y = np.arange(8) % 2


def build_model(hp):
    model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()])
    hp.Choice("numbers", [3])
    hp.Choice("unordered", [3], ordered=False)
    hp.Fixed("text constant", "adam")
    hp.Fixed("number constant", 0.5)
    hp.Choice("texts", ["relu", "tanh"])
    model.add(keras.layers.Dense(2, activation=hp.Choice("text", ["softmax"])))
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True)
    return model


def kinds(hp):
    return [[type(entry).__name__, entry.name, entry.get_config()] for entry in hp.space]


tuner = keras_tuner.RandomSearch(
    build_model, "val_accuracy", max_trials=2, directory="results", project_name="single"
)
fact("before", kinds(tuner.oracle.get_space()))
tuner.search(x, y, validation_data=(x, y), verbose=0)
fact("after", kinds(tuner.oracle.hyperparameters))
fact("best", kinds(tuner.get_best_hyperparameters()[0]))
fact("trial", kinds(tuner.oracle.get_best_trials()[0].hyperparameters))
