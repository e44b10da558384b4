"""name_scope prefixes names; the same name in two scopes is two hyperparameters."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import fact

x = np.ones((8, 2, 2, 1), "float32")
y = np.arange(8) % 2


def dense(hp, model, name):
    with hp.name_scope(name):
        with hp.name_scope("dense"):
            model.add(keras.layers.Dense(hp.Int("units", 2, 5)))
        if hp.Boolean("dropout"):
            model.add(keras.layers.Dropout(0.1))


def build_model(hp):
    model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()])
    dense(hp, model, "first")
    dense(hp, model, "second")
    model.add(keras.layers.Dense(2, activation="softmax"))
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True)
    return model


tuner = keras_tuner.RandomSearch(
    build_model, "val_accuracy", max_trials=2, directory="results", project_name="scopes"
)
tuner.search(x, y, validation_data=(x, y), verbose=0)
best = tuner.get_best_hyperparameters()[0]
fact("names", sorted(best.values))
fact("contains", ["first/dense/units" in best, "units" in best])
fact("get", best.get("second/dense/units") == best["second/dense/units"])
