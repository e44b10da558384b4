"""More trials than there are values, and a function without hyperparameters."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import fact

x = np.ones((8, 3), "float32")
y = np.arange(8) % 2


def build_model(hp):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True)
    return model


def build_with_choices(hp):
    hp.Boolean("one")
    return build_model(hp)


for function in (build_model, build_with_choices):
    tuner = keras_tuner.RandomSearch(
        function, "loss", max_trials=9, seed=1, directory="results", project_name=function.__name__
    )
    tuner.search(x, y, verbose=0)
    fact(function.__name__, len(tuner.oracle.trials))
    fact(f"values of {function.__name__}", len(tuner.get_best_hyperparameters(9)))
