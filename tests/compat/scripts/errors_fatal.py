"""FatalError in a training ends the search with that error."""

# expected: same
# budget: small
import keras
import keras_tuner
import numpy as np
from facts import fact, note, notes

x = np.ones((8, 2, 2, 1), "float32")
y = np.arange(8) % 2


class Fatal(keras_tuner.HyperModel):
    def build(self, hp):
        hp.Int("unused", 1, 99)
        model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()])
        model.add(keras.layers.Dense(2, activation="softmax"))
        model.compile(
            "sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True
        )
        return model

    def fit(self, hp, model, *args, **kwargs):
        note("training")
        raise keras_tuner.errors.FatalValueError("the disk is full")


tuner = keras_tuner.RandomSearch(
    Fatal(), "val_accuracy", max_trials=5, directory="results", project_name="fatal"
)
try:
    tuner.search(x, y, validation_data=(x, y), verbose=0)
except keras_tuner.errors.FatalError as error:
    fact("is a ValueError", isinstance(error, ValueError))
    fact("message", "the disk is full" in str(error))
fact("trainings", len(notes("training")))
