"""hyperparameters replaces ranges of the function; Fixed makes a constant of one."""

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
    model.add(
        keras.layers.Dense(hp.Int("units", 2, 60), activation=hp.Choice("kind", ["relu", "tanh"]))
    )
    model.add(keras.layers.Dense(2, activation="softmax"))
    rate = hp.Float("rate", 1e-5, 1e-1, sampling="log")
    note("rate", rate)
    model.compile(
        keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


known = keras_tuner.HyperParameters()
known.Fixed("rate", 0.003)
known.Int("units", 7, 9)
tuner = keras_tuner.RandomSearch(
    build_model,
    "val_accuracy",
    max_trials=3,
    hyperparameters=known,
    directory="results",
    project_name="preset",
)
tuner.search(x, y, validation_data=(x, y), verbose=0)
fact("rates", distinct(notes("rate")))
found = tuner.get_best_hyperparameters(5)
fact("units", all(7 <= hp.get("units") <= 9 for hp in found))
fact("names", [sorted(hp.values) for hp in found])
