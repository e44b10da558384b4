"""max_consecutive_failed_trials ends a search that always fails."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

x = np.ones((12, 4, 4, 3), "float32")
y = np.arange(12) % 2


class Failing(keras_tuner.HyperModel):
    def build(self, hp):
        hp.Int("unused", 1, 99)
        model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()])
        model.add(keras.layers.Dense(2, activation="softmax"))
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    def fit(self, hp, model, *args, **kwargs):
        note("training")
        raise ValueError("this never works")


tuner = keras_tuner.RandomSearch(
    Failing(),
    "val_accuracy",
    max_trials=9,
    max_consecutive_failed_trials=2,
    directory="results",
    project_name="failing",
)
try:
    tuner.search(x, y, validation_data=(x, y), verbose=0)
except RuntimeError as error:
    fact("error", isinstance(error, RuntimeError))
    fact("shows the reason", "this never works" in str(error))
fact("trainings", len(notes("training")))
