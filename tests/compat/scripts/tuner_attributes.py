"""Attributes and methods of a tuner that scripts read."""

# expected: same
# budget: small
import os

import keras
import keras_tuner
import numpy as np
from facts import fact

rng = np.random.default_rng(0)
x = rng.uniform(0, 1, (12, 4, 4, 3)).astype("float32")
y = np.arange(12) % 2


def build_model(hp):
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(hp.Int("units", 2, 60)))
    model.add(keras.layers.Dense(2, activation="softmax"))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


tuner = keras_tuner.RandomSearch(
    build_model, "val_accuracy", max_trials=1, directory="results", project_name="attributes"
)
fact("directory", os.path.abspath(tuner.directory) == os.path.abspath("results"))
fact("project", tuner.project_name)
fact("executions", tuner.executions_per_trial)
fact("tuner_id", tuner.tuner_id)
fact("size", tuner.max_model_size)
fact("logger", tuner.logger)
fact("remaining", tuner.remaining_trials)
tuner.search(x, y, validation_data=(x, y), verbose=0)
fact("project folder", os.path.isdir(tuner.project_dir))
trial = tuner.oracle.get_best_trials()[0]
fact("trial folder", os.path.isdir(tuner.get_trial_dir(trial.trial_id)))
tuner.save()
fact("state", isinstance(tuner.get_state(), dict))
fact("hypermodel", hasattr(tuner.hypermodel, "build"))
fact("remaining after", tuner.remaining_trials)
model = tuner.load_model(trial)
fact("loaded", list(model.predict(x, verbose=0).shape))
