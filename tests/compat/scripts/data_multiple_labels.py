"""Several labels per sample: sigmoid outputs and rows with more than one 1."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (20, 6, 6, 1)).astype("float32")
y = rng.integers(0, 2, (20, 4)).astype("float32")


def build_model(hp):
    hp.Int("unused", 1, 9)
    initializer = keras.initializers.RandomNormal(stddev=0.5, seed=2)
    model = keras.Sequential([keras.Input((6, 6, 1)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(4, activation="sigmoid", kernel_initializer=initializer))
    model.compile(keras.optimizers.SGD(0.0), "binary_crossentropy", metrics=["binary_accuracy"])
    return model


watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: note("logs", logs))
tuner = keras_tuner.RandomSearch(
    build_model, "val_binary_accuracy", max_trials=1, directory="results", project_name="labels"
)
tuner.search(x, y, validation_data=(x, y), callbacks=[watch], verbose=0)
fact("logs", notes("logs"))
