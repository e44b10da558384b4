"""tune_new_entries=False: hyperparameters that are not preset keep their defaults."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import distinct, fact, note, notes

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (12, 4, 4, 3)).astype("float32")
y = np.arange(12) % 2


def build_model(hp):
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()])
    units = hp.Int("units", 2, 60, default=11)
    model.add(keras.layers.Dense(units, activation="relu"))
    model.add(keras.layers.Dense(2, activation="softmax"))
    note("units", units)
    rate = hp.Choice("rate", [0.1, 0.01, 0.001])
    model.compile(
        keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


known = keras_tuner.HyperParameters()
known.Choice("rate", [0.5, 0.25, 0.125])
tuner = keras_tuner.RandomSearch(
    build_model,
    "val_accuracy",
    max_trials=3,
    hyperparameters=known,
    tune_new_entries=False,
    directory="results",
    project_name="preset",
)
tuner.search(x, y, validation_data=(x, y), verbose=0)
fact("units", distinct(notes("units")))
found = tuner.get_best_hyperparameters(5)
fact("rates", all(hp.get("rate") in (0.5, 0.25, 0.125) for hp in found))
fact("trials", len(found))
