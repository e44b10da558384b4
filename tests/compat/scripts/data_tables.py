"""A table of shape (N, 5), with values of any size."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

rng = np.random.default_rng(0)
x = rng.normal(0, 1, (32, 5)).astype("float32") * [1, 10, 100, 0.1, 1]
y = (x[:, 1] > 0).astype("int32")


def build_model(hp):
    hp.Choice("unused", ["a", "b", "c"])
    initializer = keras.initializers.RandomNormal(stddev=0.1, seed=3)
    model = keras.Sequential([keras.Input((5,))])
    model.add(keras.layers.Dense(4, activation="relu", kernel_initializer=initializer))
    model.add(keras.layers.Dense(2, activation="softmax", kernel_initializer=initializer))
    model.compile(
        keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: note("logs", logs))
tuner = keras_tuner.RandomSearch(
    build_model, "val_accuracy", max_trials=2, directory="results", project_name="table"
)
tuner.search(x, y, epochs=2, validation_split=0.25, callbacks=[watch], verbose=0)
fact("logs", notes("logs"))
