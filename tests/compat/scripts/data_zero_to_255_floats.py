"""Floating point images from 0 to 255 are not scaled."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

rng = np.random.default_rng(0)
x = rng.uniform(0, 255, (20, 6, 6, 3)).astype("float32")
y = np.arange(20) % 2


def build_model(hp):
    hp.Int("unused", 1, 9)
    initializer = keras.initializers.RandomNormal(stddev=0.001, seed=2)
    model = keras.Sequential([keras.Input((6, 6, 3)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(2, activation="softmax", kernel_initializer=initializer))
    model.compile(
        keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: note("logs", logs))
tuner = keras_tuner.RandomSearch(
    build_model, "val_accuracy", max_trials=1, directory="results", project_name="images"
)
tuner.search(x, y, validation_split=0.5, callbacks=[watch], verbose=0)
fact("logs", notes("logs"))
