"""The class Tuner with an oracle of the script's choice."""

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


watch = keras.callbacks.LambdaCallback(on_train_begin=lambda logs: note("training"))
tuner = keras_tuner.Tuner(
    oracle=keras_tuner.oracles.RandomSearchOracle("val_accuracy", max_trials=2),
    hypermodel=build_model,
    directory="results",
    project_name="oracle",
)
tuner.search(x, y, validation_data=(x, y), callbacks=[watch], verbose=0)
fact("trainings", len(notes("training")))
fact("found", len(tuner.get_best_hyperparameters(5)))
