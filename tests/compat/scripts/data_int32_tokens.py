"""Sequences of token numbers (int32) and an Embedding."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

rng = np.random.default_rng(0)
x = rng.integers(0, 1000, (24, 10), dtype=np.int32)
y = (x[:, 0] > 500).astype("float32")


def build_model(hp):
    hp.Int("unused", 1, 9)
    initializer = keras.initializers.RandomNormal(seed=4)
    model = keras.Sequential([keras.Input((10,), dtype="int32")])
    model.add(keras.layers.Embedding(1000, 4, embeddings_initializer=initializer))
    model.add(keras.layers.GlobalAveragePooling1D())
    model.add(keras.layers.Dense(1, activation="sigmoid", kernel_initializer=initializer))
    model.compile(keras.optimizers.SGD(0.0), "binary_crossentropy", metrics=["accuracy"])
    return model


watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: note("logs", logs))
tuner = keras_tuner.RandomSearch(
    build_model, "val_accuracy", max_trials=1, directory="results", project_name="tokens"
)
tuner.search(x, y, validation_data=(x[:8], y[:8]), callbacks=[watch], verbose=0)
fact("logs", notes("logs"))
