"""optimizer, loss and metrics of the tuner replace those of the function."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (20, 4, 4, 3)).astype("float32")
y = np.arange(20) % 2


def build_model(hp):
    hp.Int("unused", 1, 9)
    initializer = keras.initializers.RandomNormal(stddev=0.5, seed=2)
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(2, activation="softmax", kernel_initializer=initializer))
    model.compile("adam", "mse")
    return model


watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: note("logs", logs))
tuner = keras_tuner.RandomSearch(
    build_model,
    "val_accuracy",
    max_trials=2,
    optimizer=keras.optimizers.SGD(0.0),
    loss="sparse_categorical_crossentropy",
    metrics=["accuracy"],
    directory="results",
    project_name="compile",
)
tuner.search(x, y, validation_data=(x, y), callbacks=[watch], verbose=0)
fact("logs", notes("logs"))
