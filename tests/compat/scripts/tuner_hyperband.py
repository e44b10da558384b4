"""Hyperband with positional arguments: it trains the epochs of its brackets, each once."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (24, 4, 4, 3)).astype("float32")
y = np.arange(24) % 2


def build_model(hp):
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(hp.Int("units", 2, 60), activation="relu"))
    model.add(keras.layers.Dense(2, activation="softmax"))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: note("epoch", epoch))
tuner = keras_tuner.Hyperband(
    build_model, "val_accuracy", 4, 3, 1, 7, directory="results", project_name="hyperband"
)
tuner.search(x, y, epochs=50, validation_data=(x, y), callbacks=[watch], verbose=0)
fact("epochs", sorted(notes("epoch")))
best = tuner.get_best_hyperparameters()[0]
fact("has epochs", "tuner/epochs" in best.values and "tuner/initial_epoch" in best.values)
fact("epochs in range", 1 <= best.get("tuner/epochs") <= 4)
fact("remaining", tuner.remaining_trials)
