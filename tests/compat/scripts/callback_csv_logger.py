"""CSVLogger with append=True collects the epochs of all trials."""

# expected: same
import csv

import keras
import keras_tuner
import numpy as np
from facts import fact

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (24, 4, 4, 3)).astype("float32")
y = np.arange(24) % 2


def build_model(hp):
    hp.Int("unused", 1, 9)
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(2, activation="softmax"))
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


tuner = keras_tuner.RandomSearch(
    build_model, "val_accuracy", max_trials=2, directory="results", project_name="csv"
)
log = keras.callbacks.CSVLogger("log.csv", append=True)
tuner.search(x, y, epochs=2, validation_data=(x, y), callbacks=[log], verbose=0)
with open("log.csv", newline="") as stream:
    rows = list(csv.DictReader(stream))
fact("columns", sorted(rows[0]))
fact("epochs", [row["epoch"] for row in rows])
