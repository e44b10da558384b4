"""tune_new_entries=False: trials have the values of hyperparameters that are not searched."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import distinct, fact, note, notes

x = np.ones((8, 2, 2, 1), "float32")
y = np.arange(8) % 2


class Model(keras_tuner.HyperModel):
    def build(self, hp):
        model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()])
        if hp.Choice("kind", ["deep", "flat"]) == "deep":
            with hp.conditional_scope("kind", ["deep"]):
                model.add(keras.layers.Dense(hp.Int("units", 2, 60, default=11)))
        model.add(keras.layers.Dense(2, activation="softmax"))
        optimizer = keras.optimizers.SGD(hp.Choice("rate", [0.1, 0.01]))
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    def fit(self, hp, model, *args, **kwargs):
        note("built with", [hp.get("rate"), hp.get("units"), hp.get("kind")])
        kwargs["shuffle"] = hp.Boolean("shuffle")
        return model.fit(*args, **kwargs)


known = keras_tuner.HyperParameters()
known.Choice("rate", [0.5, 0.25])
tuner = keras_tuner.GridSearch(
    Model(),
    "val_accuracy",
    hyperparameters=known,
    tune_new_entries=False,
    directory="results",
    project_name="preset",
)
fact("space before", [entry.name for entry in tuner.oracle.get_space().space])
tuner.search(x, y, validation_data=(x, y), verbose=0)
fact("built with", distinct(notes("built with")))
trials = tuner.oracle.trials.values()
fact("trials", distinct([trial.hyperparameters.values for trial in trials]))
fact("entries", [[entry.name for entry in trial.hyperparameters.space] for trial in trials])
best = tuner.oracle.get_best_trials(9)
fact("best trials", distinct([trial.hyperparameters.values for trial in best]))
fact("best", distinct([hp.values for hp in tuner.get_best_hyperparameters(9)]))
fact("space after", [entry.name for entry in tuner.oracle.get_space().space])
