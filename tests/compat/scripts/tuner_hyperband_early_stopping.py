"""Hyperband with EarlyStopping: promoted trials continue at the epoch after their last one."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (24, 4, 4, 3)).astype("float32")
y = np.arange(24) % 2


def build_model(hp):
    hp.Int("unused", 1, 1000)
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(2, activation="softmax", kernel_initializer="zeros"))
    model.compile(
        keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


watch = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: note("epoch", epoch))
stop = keras.callbacks.EarlyStopping(monitor="loss", patience=10)
tuner = keras_tuner.Hyperband(
    build_model,
    objective="val_accuracy",
    max_epochs=3,
    factor=2,
    hyperband_iterations=1,
    directory="results",
    project_name="hyperband",
)
tuner.search(x, y, validation_data=(x, y), callbacks=[stop, watch], verbose=0)
fact("epochs", sorted(notes("epoch")))
