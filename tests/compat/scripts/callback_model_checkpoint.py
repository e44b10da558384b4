"""ModelCheckpoint writes a file that can be loaded after the search."""

# expected: same
# budget: small
import os

import keras
import keras_tuner
import numpy as np
from facts import fact

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (24, 4, 4, 3)).astype("float32")
y = np.arange(24) % 2


def build_model(hp):
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(hp.Int("units", 2, 60)))
    model.add(keras.layers.Dense(2, activation="softmax"))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


save = keras.callbacks.ModelCheckpoint("checkpoints/model.{epoch:02d}.keras")
tuner = keras_tuner.RandomSearch(
    build_model, "val_accuracy", max_trials=2, directory="results", project_name="checkpoint"
)
tuner.search(x, y, epochs=2, validation_data=(x, y), callbacks=[save], verbose=0)
fact("files", sorted(os.listdir("checkpoints")))
model = keras.models.load_model("checkpoints/model.02.keras")
fact("metrics", sorted(model.evaluate(x, y, verbose=0, return_dict=True)))
