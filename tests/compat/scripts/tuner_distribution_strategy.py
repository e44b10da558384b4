"""distribution_strategy with the one device of this machine."""

# expected: same
import keras
import keras_tuner
import numpy as np
import tensorflow as tf
from facts import fact, note, notes

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (20, 4, 4, 3)).astype("float32")
y = np.arange(20) % 2


def build_model(hp):
    hp.Int("unused", 1, 9)
    initializer = keras.initializers.RandomNormal(stddev=0.5, seed=2)
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(2, activation="softmax", kernel_initializer=initializer))
    model.compile(
        keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: note("logs", logs))
tuner = keras_tuner.RandomSearch(
    build_model,
    "val_accuracy",
    max_trials=1,
    distribution_strategy=tf.distribute.OneDeviceStrategy("/cpu:0"),
    directory="results",
    project_name="strategy",
)
tuner.search(x, y, validation_data=(x, y), callbacks=[watch], verbose=0)
fact("logs", notes("logs"))
