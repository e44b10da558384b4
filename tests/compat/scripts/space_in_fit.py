"""Hyperparameters that HyperModel.fit declares are searched from the second trial on."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (24, 4, 4, 3)).astype("float32")
y = np.arange(24) % 2


class Shuffled(keras_tuner.HyperModel):
    def build(self, hp):
        model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()])
        model.add(keras.layers.Dense(hp.Int("units", 2, 60), activation="relu"))
        model.add(keras.layers.Dense(2, activation="softmax"))
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    def fit(self, hp, model, *args, **kwargs):
        batch_size = hp.Choice("batch_size", [4, 8, 12])
        note("batch_size", batch_size)
        return model.fit(
            *args, batch_size=batch_size, shuffle=hp.Boolean("shuffle", default=True), **kwargs
        )


tuner = keras_tuner.RandomSearch(
    Shuffled(), "val_accuracy", max_trials=4, directory="results", project_name="fit", seed=2
)
tuner.search(x, y, epochs=1, validation_data=(x, y), verbose=0)
fact("first", notes("batch_size")[0])
fact("allowed", set(notes("batch_size")) <= {4, 8, 12})
found = tuner.get_best_hyperparameters(9)
fact("names", [sorted(hp.values) for hp in found])
