"""Two classes that differ by 0.001 can be told apart."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

y = np.arange(40) % 2
x = np.full((40, 4, 4, 1), 0.5, "float32") + 0.001 * y[:, None, None, None].astype("float32")


def build_model(hp):
    hp.Int("unused", 1, 9)
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.GlobalAveragePooling2D()])
    model.add(keras.layers.Rescaling(10000.0, offset=-5005.0))
    model.add(keras.layers.Dense(1, activation="sigmoid", kernel_initializer="ones"))
    model.compile(keras.optimizers.SGD(0.0), "binary_crossentropy", metrics=["accuracy"])
    return model


watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: note("logs", logs))
tuner = keras_tuner.RandomSearch(
    build_model, "val_accuracy", max_trials=1, directory="results", project_name="near"
)
tuner.search(x, y, validation_split=0.2, callbacks=[watch], verbose=0)
fact("logs", notes("logs"))
