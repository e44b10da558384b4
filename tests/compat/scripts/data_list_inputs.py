"""Two inputs in a list, and a tuple of them for validation."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

rng = np.random.default_rng(0)
first = rng.normal(0, 1, (20, 3)).astype("float32")
second = rng.normal(0, 1, (20, 2)).astype("float32")
y = first.sum(axis=1) - second.sum(axis=1)


def build_model(hp):
    hp.Int("unused", 1, 9)
    inputs = [keras.Input((3,)), keras.Input((2,))]
    output = keras.layers.Dense(1, kernel_initializer="ones")(keras.layers.concatenate(inputs))
    model = keras.Model(inputs, output)
    model.compile(keras.optimizers.SGD(0.0), "mse")
    return model


watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: note("logs", logs))
tuner = keras_tuner.RandomSearch(
    build_model, "val_loss", max_trials=1, directory="results", project_name="list"
)
tuner.search(
    [first, second],
    y,
    validation_data=((first[:6], second[:6]), y[:6]),
    callbacks=[watch],
    verbose=0,
)
fact("logs", notes("logs"))
