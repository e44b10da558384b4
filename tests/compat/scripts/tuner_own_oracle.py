"""An oracle of the script's own decides the values."""

# expected: refused: an oracle of its own would never be called; eyetune has samplers
import keras
import keras_tuner
import numpy as np
from facts import fact

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (12, 4, 4, 3)).astype("float32")
y = np.arange(12) % 2


class Descending(keras_tuner.Oracle):
    def populate_space(self, trial_id):
        units = 9 - len(self.start_order)
        return {"status": "RUNNING", "values": {"units": units}}


def build_model(hp):
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(hp.Int("units", 2, 60)))
    model.add(keras.layers.Dense(2, activation="softmax"))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


tuner = keras_tuner.Tuner(
    oracle=Descending("val_accuracy", max_trials=3),
    hypermodel=build_model,
    directory="results",
    project_name="descending",
)
tuner.search(x, y, validation_data=(x, y), verbose=0)
fact("units", sorted(hp.get("units") for hp in tuner.get_best_hyperparameters(5)))
