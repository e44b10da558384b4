"""TensorBoard writes its logs per trial, with the hyperparameters (HParams)."""

# expected: same
# budget: small
import pathlib

import keras
import keras_tuner
import numpy as np
from facts import fact

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (24, 4, 4, 3)).astype("float32")
y = np.arange(24) % 2


def build_model(hp):
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(hp.Int("units", 2, 60, step=2)))
    model.add(keras.layers.Dropout(hp.Float("rate", 0.1, 0.2)))
    model.add(keras.layers.Dense(2, activation="softmax"))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def tags_of(folder):
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    return {
        value.tag
        for path in folder.rglob("events.out.*")
        for event in EventFileLoader(str(path)).Load()
        for value in event.summary.value
    }


tuner = keras_tuner.RandomSearch(
    build_model, "val_accuracy", max_trials=2, directory="results", project_name="tensorboard"
)
tuner.search(
    x,
    y,
    epochs=1,
    validation_data=(x, y),
    callbacks=[keras.callbacks.TensorBoard("logs")],
    verbose=0,
)
folders = sorted(path for path in pathlib.Path("logs").iterdir() if path.is_dir())
fact("folders", len(folders))
for folder in folders:
    tags = tags_of(folder)
    fact("scalars", ["epoch_loss" in tags, "epoch_accuracy" in tags])
    fact("hparams", sorted(tag for tag in tags if "hparams" in tag))
