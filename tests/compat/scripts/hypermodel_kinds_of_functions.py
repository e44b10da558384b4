"""Model functions that are no plain functions: partial, method, lambda, callable object."""

# expected: same
import functools

import keras
import keras_tuner
import numpy as np
from facts import fact

x = np.ones((8, 3), "float32")
y = np.arange(8) % 2


def build_model(hp, units):
    hp.Int("unused", 1, 9)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(units)])
    model.add(keras.layers.Dense(2, activation="softmax"))
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True)
    return model


class Builder:
    def __init__(self, units):
        self.units = units

    def build_it(self, hp):
        return build_model(hp, self.units)

    def __call__(self, hp):
        return build_model(hp, self.units)


functions = {
    "partial": functools.partial(build_model, units=3),
    "method": Builder(4).build_it,
    "lambda": lambda hp: build_model(hp, 5),
    "object": Builder(6),
}
for name, function in functions.items():
    tuner = keras_tuner.RandomSearch(
        function, "loss", max_trials=1, directory="results", project_name=name
    )
    tuner.search(x, y, verbose=0)
    fact(name, tuner.get_best_models()[0].layers[0].units)
