"""get_best_hyperparameters for more trials than have a result: failed ones come last."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import fact

x = np.ones((8, 3), "float32")
y = np.arange(8) % 2


def build_model(hp):
    units = hp.Choice("units", [1, 2, 3, 4])
    if units == 3:
        raise keras_tuner.errors.FailedTrialError("too many units")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True)
    return model


tuner = keras_tuner.GridSearch(build_model, "loss", directory="results", project_name="failed")
tuner.search(x, y, verbose=0)
found = [hp.get("units") for hp in tuner.get_best_hyperparameters(9)]
fact("units", sorted(found))
fact("last", found[-1])
fact("without", 3 in [hp.get("units") for hp in tuner.get_best_hyperparameters(3)])
