"""A HyperModel.fit that forgets to return anything: an error."""

# expected: same
import keras
import keras_tuner
import numpy as np
from facts import fact

x = np.ones((8, 2, 2, 1), "float32")
y = np.arange(8) % 2


class Forgetful(keras_tuner.HyperModel):
    def build(self, hp):
        model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()])
        model.add(keras.layers.Dense(hp.Int("units", 2, 60)))
        model.add(keras.layers.Dense(2, activation="softmax"))
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    def fit(self, hp, model, *args, **kwargs):
        model.fit(*args, **kwargs)


tuner = keras_tuner.RandomSearch(
    Forgetful(), "val_accuracy", max_trials=2, directory="results", project_name="none"
)
try:
    tuner.search(x, y, validation_data=(x, y), verbose=0)
except Exception:
    fact("refused", True)
else:
    fact("refused", False)
