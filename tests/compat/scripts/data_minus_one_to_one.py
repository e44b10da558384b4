"""Images from -1 to 1 arrive unchanged."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

rng = np.random.default_rng(0)
x = rng.uniform(-1, 1, (24, 8, 8, 1)).astype("float32")
y = keras.utils.to_categorical(np.arange(24) % 2, 2)


def build_model(hp):
    hp.Int("unused", 1, 9)
    initializer = keras.initializers.RandomNormal(stddev=0.5, seed=2)
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(2, activation="softmax", kernel_initializer=initializer))
    model.compile(keras.optimizers.SGD(0.0), "categorical_crossentropy", metrics=["accuracy"])
    return model


watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: note("logs", logs))
tuner = keras_tuner.RandomSearch(
    build_model, "val_accuracy", max_trials=1, directory="results", project_name="images"
)
tuner.search(x[:16], y[:16], validation_data=(x[16:], y[16:]), callbacks=[watch], verbose=0)
fact("logs", notes("logs"))
