"""A subclass with hooks: they are called as often as in KerasTuner."""

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
    model.add(keras.layers.Dense(hp.Int("units", 2, 60)))
    model.add(keras.layers.Dense(2, activation="softmax"))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class Hooked(keras_tuner.RandomSearch):
    def on_search_begin(self):
        note("hook", "search begin")
        super().on_search_begin()

    def on_trial_begin(self, trial):
        note("hook", "trial begin")
        super().on_trial_begin(trial)

    def on_epoch_begin(self, trial, model, epoch, logs=None):
        note("hook", "epoch begin")

    def on_epoch_end(self, trial, model, epoch, logs=None):
        note("hook", f"epoch end {sorted(logs)}")

    def on_batch_end(self, trial, model, batch, logs=None):
        note("hook", "batch end")

    def on_trial_end(self, trial):
        super().on_trial_end(trial)
        note("hook", f"trial end {trial.status} {trial.score is None}")

    def on_search_end(self):
        super().on_search_end()
        note("hook", "search end")


tuner = Hooked(build_model, "val_accuracy", max_trials=2, directory="results", project_name="own")
tuner.search(x, y, epochs=2, batch_size=12, validation_data=(x, y), verbose=0)
fact("hooks", notes("hook"))
