"""A trial whose loss is not a number fails; the others count."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import fact

x = np.ones((8, 2, 2, 1), "float32")
y = np.arange(8) % 2


def build_model(hp):
    kind = hp.Choice("kind", ["a", "b", "c"])
    model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()])
    model.add(keras.layers.Rescaling(float("nan") if kind == "b" else 1.0))
    model.add(keras.layers.Dense(2, activation="softmax"))
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True)
    return model


tuner = keras_tuner.GridSearch(build_model, "val_loss", directory="results", project_name="nan")
tuner.search(x, y, validation_data=(x, y), verbose=0)
trials = tuner.oracle.trials.values()
fact("states", sorted([trial.hyperparameters.get("kind"), trial.status] for trial in trials))
fact("best", tuner.get_best_hyperparameters()[0].get("kind") in ("a", "c"))
