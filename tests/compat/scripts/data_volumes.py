"""Volumes with five axes, and targets that are images: an autoencoder of a kind."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (12, 3, 6, 6, 1)).astype("float32")
y = x.mean(axis=1)


def build_model(hp):
    hp.Int("unused", 1, 9)
    model = keras.Sequential([keras.Input((3, 6, 6, 1))])
    model.add(keras.layers.Conv3D(1, (3, 1, 1), kernel_initializer="ones"))
    model.add(keras.layers.Reshape((6, 6, 1)))
    model.compile(keras.optimizers.SGD(0.0), "mse", metrics=["mae"])
    return model


watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: note("logs", logs))
tuner = keras_tuner.RandomSearch(
    build_model, "val_mae", max_trials=1, directory="results", project_name="volumes"
)
tuner.search(x, y, validation_split=0.5, callbacks=[watch], verbose=0)
fact("logs", notes("logs"))
