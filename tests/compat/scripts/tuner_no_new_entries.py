"""allow_new_entries=False: a hyperparameter that is not preset is an error."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import fact

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (12, 4, 4, 3)).astype("float32")
y = np.arange(12) % 2


def build_model(hp):
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(hp.Int("units", 2, 60), activation="relu"))
    model.add(keras.layers.Dense(2, activation="softmax"))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def search(known, name):
    tuner = keras_tuner.RandomSearch(
        build_model,
        "val_accuracy",
        max_trials=2,
        hyperparameters=known,
        allow_new_entries=False,
        directory="results",
        project_name=name,
    )
    tuner.search(x, y, validation_data=(x, y), verbose=0)
    return sorted(hp.get("units") for hp in tuner.get_best_hyperparameters(5))


known = keras_tuner.HyperParameters()
known.Int("units", 5, 6)
fact("accepted", search(known, "all"))
known = keras_tuner.HyperParameters()
known.Choice("rate", [0.5, 0.25])
try:
    search(known, "some")
except (RuntimeError, ValueError):
    fact("refused", True)
