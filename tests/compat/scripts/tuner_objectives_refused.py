"""Objectives whose direction is unknown, and other invalid ones, are errors at construction."""

# expected: same
import keras
import keras_tuner
from facts import fact


def build_model(hp):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(hp.Int("units", 1, 3))])
    model.compile("sgd", "mse")
    return model


def refused(objective):
    try:
        keras_tuner.RandomSearch(build_model, objective, directory="results")
    except (TypeError, ValueError):
        return True
    return False


fact("unknown direction", refused("val_perplexity"))
fact("no name", refused(3))
fact("in a list", refused(["val_loss", "val_perplexity"]))
