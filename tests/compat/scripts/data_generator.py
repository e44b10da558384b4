"""A Python generator without an end, with steps_per_epoch."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes


def batches():
    while True:
        x = np.linspace(-1, 1, 12).reshape(4, 3).astype("float32")
        yield x, 3 * x.sum(axis=1, keepdims=True)


def build_model(hp):
    hp.Int("unused", 1, 9)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    return model


watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: note("logs", logs))
x = np.linspace(-1, 1, 12).reshape(4, 3).astype("float32")
tuner = keras_tuner.RandomSearch(
    build_model, "val_loss", max_trials=2, directory="results", project_name="generator"
)
tuner.search(
    batches(),
    steps_per_epoch=3,
    epochs=1,
    validation_data=(x, 2 * x.sum(axis=1, keepdims=True)),
    callbacks=[watch],
    verbose=0,
)
fact("logs", notes("logs"))
