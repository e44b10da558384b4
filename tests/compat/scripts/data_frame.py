"""A pandas DataFrame of features and a Series of targets."""

# expected: same
import keras
import keras_tuner
import numpy as np
import pandas as pd
from facts import fact, note, notes

rng = np.random.default_rng(0)
frame = pd.DataFrame(rng.normal(0, 1, (20, 3)), columns=["a", "b", "c"])
target = frame["a"] + frame["b"]


def build_model(hp):
    hp.Int("unused", 1, 9)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    return model


watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: note("logs", logs))
tuner = keras_tuner.RandomSearch(
    build_model, "val_loss", max_trials=1, directory="results", project_name="frame"
)
tuner.search(frame, target, validation_split=0.25, callbacks=[watch], verbose=0)
fact("logs", notes("logs"))
