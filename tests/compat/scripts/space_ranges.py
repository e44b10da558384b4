"""The ranges of the space that is returned: bounds, steps, sampling, choices."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import fact

x = np.ones((8, 2, 2, 1), "float32")
y = np.arange(8) % 2


def build_model(hp):
    hp.Int("a", 1, 9, step=4)
    hp.Int("b", 2, 64, step=2, sampling="log", default=8)
    hp.Int("c", 1, 1000, sampling="log")
    hp.Float("d", 0.1, 0.9)
    hp.Float("e", 0.0, 1.0, step=0.25)
    hp.Float("f", 1e-4, 1e-1, sampling="log")
    hp.Float("g", 1.0, 100.0, sampling="reverse_log")
    hp.Choice("h", ["x", "y"], default="y")
    hp.Choice("i", [4, 2, 1], ordered=False)
    model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(2, activation="softmax"))
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True)
    return model


tuner = keras_tuner.RandomSearch(
    build_model, "val_accuracy", max_trials=8, directory="results", project_name="ranges"
)
tuner.search(x, y, validation_data=(x, y), verbose=0)
found = tuner.get_best_hyperparameters(8)
allowed = {
    "a": {1, 5, 9},
    "b": {2, 4, 8, 16, 32, 64},
    "e": {0, 0.25, 0.5, 0.75, 1.0},
    "i": {4, 2, 1},
}
for name, values in allowed.items():
    fact(f"{name} allowed", all(hp.get(name) in values for hp in found))
bounds = {"c": (1, 1000), "d": (0.1, 0.9), "f": (1e-4, 1e-1), "g": (1.0, 100.0)}
for name, (low, high) in bounds.items():
    fact(f"{name} allowed", all(low <= hp.get(name) <= high for hp in found))
for entry in found[0].space:
    config = entry.get_config()
    config.pop("conditions")
    config["default"] = entry.default
    fact(f"config of {entry.name}", config)
