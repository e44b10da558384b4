"""A search of the same name with more trials trains the missing ones only."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (12, 4, 4, 3)).astype("float32")
y = np.arange(12) % 2


def build_model(hp):
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(hp.Int("units", 2, 60)))
    model.add(keras.layers.Dense(2, activation="softmax"))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


for max_trials in (2, 4):
    watch = keras.callbacks.LambdaCallback(on_train_begin=lambda logs: note("training"))
    tuner = keras_tuner.RandomSearch(
        build_model, "val_accuracy", max_trials=max_trials, directory="results", project_name="more"
    )
    fact(f"remaining of {max_trials}", tuner.remaining_trials)
    tuner.search(x, y, validation_data=(x, y), callbacks=[watch], verbose=0)
    fact(f"trainings of {max_trials}", len(notes("training")))
    fact(f"found of {max_trials}", len(tuner.get_best_hyperparameters(10)))
