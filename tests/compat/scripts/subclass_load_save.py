"""A subclass with load_model of its own, as for models that are saved elsewhere."""

# expected: same
import os

import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

x = np.linspace(-1, 1, 20).reshape(20, 1).astype("float32")
y = 2 * x


class Saving(keras_tuner.RandomSearch):
    def run_trial(self, trial, x, y):
        model = self.hypermodel.build(trial.hyperparameters)
        loss = model.fit(x, y, verbose=0).history["loss"][-1]
        self.save_model(trial.trial_id, model)
        return {"loss": loss}

    def save_model(self, trial_id, model, step=0):
        note("saved", step)
        model.save(os.path.join(self.get_trial_dir(trial_id), "own.keras"))

    def load_model(self, trial):
        note("loaded")
        return keras.models.load_model(
            os.path.join(self.get_trial_dir(trial.trial_id), "own.keras")
        )


def build_model(hp):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(hp.Int("units", 1, 60))])
    model.add(keras.layers.Dense(1))
    model.compile("adam", "mse")
    return model


tuner = Saving(
    build_model,
    keras_tuner.Objective("loss", "min"),
    max_trials=2,
    directory="results",
    project_name="saving",
)
tuner.search(x, y)
model = tuner.get_best_models()[0]
fact("saved", notes("saved"))
fact("loaded", len(notes("loaded")))
fact("units", model.layers[0].units == tuner.get_best_hyperparameters()[0].get("units"))
