"""validation_split takes the last samples; sample weights are split with them."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

x = np.arange(20).reshape(20, 1).astype("float32")
y = np.zeros(20, "float32")


def build_model(hp):
    hp.Int("unused", 1, 9)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(0.0), "mae")
    return model


watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: note("logs", logs))
tuner = keras_tuner.RandomSearch(
    build_model, "val_loss", max_trials=2, directory="results", project_name="split"
)
tuner.search(
    x, y, sample_weight=np.arange(20) / 10, validation_split=0.31, callbacks=[watch], verbose=0
)
fact("logs", notes("logs"))
